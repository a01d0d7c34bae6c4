/* yaml.h: trees with lines; bombs, towers and second documents end in errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "buf.h"
#include "yaml.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cic_err err;

static struct cic_yaml *
parse(const char *text)
{
	return cic_yaml_parse(text, strlen(text), &err);
}

static void
refuses(const char *text, const char *why)
{
	struct cic_yaml *y = parse(text);

	if (y != NULL)
		fail_msg("accepted: %s", text);
	assert_int_equal(err.code, CIC_EINVAL);
	if (strstr(err.msg, why) == NULL)
		fail_msg("%.60s: \"%s\" lacks \"%s\"", text, err.msg, why);
}

static void
tree(void **state)
{
	struct cic_yaml *y = parse("# c\na: 1\n'b': [x, \"y\",\n  z]\n"
	    "c:\n  d: |\n    two\n    lines\n  e:\nf: ~\n");
	const struct cic_yaml *n;

	(void)state;
	assert_non_null(y);
	assert_int_equal(y->type, CIC_YAML_MAPPING);
	n = cic_yaml_get(y, "a");
	assert_string_equal(n->text, "1");
	assert_string_equal(n->key, "a");
	assert_int_equal(n->line, 2);
	assert_int_equal(n->column, 4);
	assert_int_equal(n->key_line, 2);
	n = cic_yaml_get(y, "b");
	assert_int_equal(n->type, CIC_YAML_SEQUENCE);
	assert_true(n->first->plain);
	assert_false(n->first->next->plain);
	assert_int_equal(n->first->next->next->line, 4);
	assert_null(n->first->key);
	n = cic_yaml_get(y, "c");
	assert_string_equal(cic_yaml_get(n, "d")->text, "two\nlines\n");
	assert_int_equal(cic_yaml_get(n, "e")->key_line, 9);
	assert_true(cic_yaml_is_null(cic_yaml_get(n, "e")));
	assert_true(cic_yaml_is_null(cic_yaml_get(y, "f")));
	assert_false(cic_yaml_is_null(n));
	assert_null(cic_yaml_get(y, "A"));
	assert_null(cic_yaml_get(NULL, "a"));
	assert_null(cic_yaml_get(cic_yaml_get(y, "b"), "a"));
	cic_yaml_free(y);
}

static void
nothing_at_all(void **state)
{
	static const char *const t[] = { "", "\n\n", "# only words\n", "---\n",
	    "---\n...\n", "~", "null", "\xef\xbb\xbf" };

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cic_yaml *y = parse(t[i]);

		if (y == NULL)
			fail_msg("\"%s\": %s", t[i], err.msg);
		assert_true(cic_yaml_is_null(y));
		cic_yaml_free(y);
	}
}

static void
odd_but_fine(void **state)
{
	static const char *const t[] = { "- a\n- b\n", "word", "\"null\"",
	    "{}", "[]", "{a, b: , c: [}]}", "a: &x [1]\nb: *x\n", "<<: 1\n",
	    "? a\n: b\n", "a: 'it''s'\n",
	    "%YAML 1.1\n---\na: 1\n", "a: 1\r\nb: 2\r\n",
	    "a: \"\\u00e4\"\n", "\xc3\xa4: \xe2\x82\xac\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cic_yaml *y = parse(t[i]);

		if (i == 5) {
			assert_null(y);
			continue;
		}
		if (y == NULL)
			fail_msg("\"%s\": %s", t[i], err.msg);
		assert_false(cic_yaml_is_null(y));
		cic_yaml_free(y);
	}
}

static void
refused(void **state)
{
	(void)state;
	refuses("a: 1\na: 2\n", "line 2 column 1: key \"a\" stands twice");
	refuses("a: 1\n\"\\x61\": 2\n", "line 2 column 1: key \"a\"");
	refuses("x:\n  - {k: 1, k: 2}\n", "line 2 column 12");
	refuses("a: 1\n---\nb: 2\n", "line 2 column 1: a second document");
	refuses("a: 1\n---\n", "a second document");
	refuses("a: 1\n--- [\n", "line ");
	refuses("[a, b]: 1\n", "line 1 column 1: a key must be");
	refuses("{{a: 1}: 1}\n", "a key must be");
	refuses("? \n: 1\n", "a key must be");
	refuses("service:\n\tdata: /x\n", "line 2 column 1");
	refuses("a: [1, 2\n", "line 2");
	refuses("a: *gone\n", "line 1 column 4");
	refuses("a: \"x\n", "line 2");
	refuses("a: \"x\\0y\"\n", "line 1 column 4: NUL");
	refuses("\"x\\0y\": 1\n", "NUL");
	refuses("a: \x01\n", "byte ");
	refuses("a: \xff\n", "byte ");
	refuses("&a [*a]\n", "nested more than 64");
	refuses("&a {x: *a, y: *a}\n", "nested more than 64");
	refuses("%YAML 9.9\n---\na\n", "line ");
	refuses("a: 1\nb: !!str 3\n", "line 2 column 4: a tag");
	refuses("- !mine x\n", "a tag");
	refuses("a: !!python/object:os.system [x]\n", "line 1 column 4: a tag");
	refuses("! x\n", "a tag");
}

static double
seconds_of(const struct cic_buf *text, bool good)
{
	struct timespec a, b;
	struct cic_yaml *y;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	y = cic_yaml_parse(text->data, text->len, &err);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	assert_true((y != NULL) == good);
	cic_yaml_free(y);
	return (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void
bombs(void **state)
{
	struct cic_buf b;
	int i;

	(void)state;
	/* ten to the ninth */
	refuses("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	    "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
	    "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
	    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n",
	    "more than 100000 values");
	/* a tower */
	cic_buf_init(&b, 1 << 20);
	for (i = 0; i < 200000; i++)
		cic_buf_putc(&b, '[');
	assert_true(seconds_of(&b, false) < 10);
	cic_buf_reset(&b);
	for (i = 0; i < 64; i++)
		cic_buf_putc(&b, '[');
	for (i = 0; i < 64; i++)
		cic_buf_putc(&b, ']');
	seconds_of(&b, true);
	cic_buf_reset(&b);
	/* anchors, each compared with all the others */
	for (i = 0; i < 90000; i++)
		cic_buf_printf(&b, "- &a%d x\n", i);
	assert_true(seconds_of(&b, false) < 10);
	assert_non_null(strstr(err.msg, "1000 anchors"));
	cic_buf_reset(&b);
	/* keys: the most that are taken, and one more */
	for (i = 0; i < 4096; i++)
		cic_buf_printf(&b, "k%d: v\n", i);
	assert_true(seconds_of(&b, true) < 10);
	cic_buf_puts(&b, "more: v\n");
	seconds_of(&b, false);
	assert_non_null(strstr(err.msg, "4096"));
	cic_buf_reset(&b);
	/* one long text, again and again */
	cic_buf_puts(&b, "- &a ");
	for (i = 0; i < 300000; i++)
		cic_buf_putc(&b, 'x');
	cic_buf_putc(&b, '\n');
	for (i = 0; i < 90000; i++)
		cic_buf_puts(&b, "- *a\n");
	assert_true(seconds_of(&b, false) < 10);
	assert_non_null(strstr(err.msg, "16 MiB"));
	cic_buf_reset(&b);
	for (i = 0; i < 99999; i++)
		cic_buf_puts(&b, "- a\n");
	assert_true(seconds_of(&b, true) < 10);
	cic_buf_puts(&b, "- a\n");
	seconds_of(&b, false);
	assert_non_null(strstr(err.msg, "100000"));
	cic_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree), cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(odd_but_fine), cmocka_unit_test(refused),
		cmocka_unit_test(bombs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
