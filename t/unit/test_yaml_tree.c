/* yaml.h: trees that are made and changed, merge keys, and what is written is
 * read back as the same. */
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
	struct cic_yaml *y = cic_yaml_parse(text, strlen(text), &err);

	if (y == NULL)
		fail_msg("%s: %s", text, err.msg);
	return y;
}

/* As text, until the next call. */
static const char *
print(const struct cic_yaml *y)
{
	static struct cic_buf out;

	cic_buf_release(&out);
	cic_buf_init(&out, 1 << 20);
	if (cic_yaml_print(y, &out, &err) != 0)
		fail_msg("%s", err.msg);
	return out.data;
}

/* `text` is written as `want`. */
static void
writes(const char *text, const char *want)
{
	struct cic_yaml *y = parse(text), *again;

	assert_string_equal(print(y), want);
	again = parse(want);
	assert_string_equal(print(again), want);
	cic_yaml_free(again);
	cic_yaml_free(y);
}

static void
printing(void **state)
{
	(void)state;
	writes("a: 1\nb: [x, {c: d}]\n", "a: 1\nb:\n- x\n- c: d\n");
	writes("{}", "{}\n");
	writes("[]", "[]\n");
	writes("a: {b: []}", "a:\n  b: []\n");
	/* a word stays a word, text stays text */
	writes("[3.10, '3.10', yes, \"yes\", ~, '~', null, 'null', '', 1:30]",
	    "- 3.10\n- '3.10'\n- yes\n- 'yes'\n- ~\n- '~'\n- null\n- 'null'\n"
	    "- ''\n- 1:30\n");
	writes("a:\nb: ''\n", "a: ~\nb: ''\n");
	writes("'1': x\n2: y\n'yes': z\n~: n\n",
	    "'1': x\n2: y\n'yes': z\n~: n\n");
	writes("packages:: {}\n'all:': x\n", "'packages:': {}\n'all:': x\n");
	writes("'- a'", "'- a'\n");
	writes("'it''s'", "'it''s'\n");
	writes("a: |\n  two\n  lines\n", "a: \"two\\nlines\\n\"\n");
	writes("a: >\n  one\n  line\n", "a: \"one line\\n\"\n");
	writes("a: two\n\n  lines\n", "a: \"two\\nlines\"\n");
	writes("a: \"\\t\\x07\\u0085\\u2028\\ufeff\"\n",
	    "a: \"\\t\\a\\N\\L\\uFEFF\"\n");
	writes("\xc3\xa4: \xe2\x82\xac\n",
	    "\"\xc3\xa4\": \"\xe2\x82\xac\"\n");
	writes("a: 'x '\nb: ' x'\nc: 'a: b'\nd: 'a #b'\n",
	    "a: 'x '\nb: ' x'\nc: 'a: b'\nd: 'a #b'\n");
	writes("a: &x [1]\nb: *x\n", "a:\n- 1\nb:\n- 1\n");
	writes("a: 1 # why\r\nb: 2\r\n", "a: 1\nb: 2\n");
}

static void
long_lines(void **state)
{
	char text[4096];
	struct cic_yaml *y;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 7; i < sizeof(text); i += 8)
		text[i] = ' ';
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	writes(text, text);	/* not folded */
	/* a key too long to stand before a colon */
	y = cic_yaml_new(CIC_YAML_MAPPING);
	assert_int_equal(cic_yaml_set(y, text, cic_yaml_word("1")), 0);
	assert_memory_equal(print(y), "? \"aaa", 6);
	cic_yaml_free(y);
}

static void
too_long(void **state)
{
	struct cic_yaml *y = parse("[some, words, here]");
	struct cic_buf out;

	(void)state;
	cic_buf_init(&out, 10);
	assert_int_equal(cic_yaml_print(y, &out, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_non_null(strstr(err.msg, "more than 10 bytes"));
	cic_buf_release(&out);
	cic_yaml_free(y);
}

static void
changing(void **state)
{
	struct cic_yaml *y = parse("a: 1\n\"b\": 2\nc: 3\n"), *copy, *list;

	(void)state;
	copy = cic_yaml_copy(y);
	assert_int_equal(copy->first->key_line, 1);
	assert_int_equal(copy->first->column, 4);
	assert_int_equal(copy->first->next->key_column, 1);
	assert_int_equal(cic_yaml_set(y, "b", cic_yaml_string("3.10")), 0);
	assert_int_equal(cic_yaml_set(y, "d", cic_yaml_word("3.10")), 0);
	assert_int_equal(cic_yaml_set(y, y->first->key,
	    cic_yaml_new(CIC_YAML_MAPPING)), 0);
	list = cic_yaml_new(CIC_YAML_SEQUENCE);
	assert_int_equal(cic_yaml_append(list, cic_yaml_word("x")), 0);
	assert_int_equal(cic_yaml_append(list, cic_yaml_word("y")), 0);
	assert_int_equal(cic_yaml_set(y, "e", list), 0);
	assert_string_equal(print(y),
	    "a: {}\n'b': '3.10'\nc: 3\nd: 3.10\ne:\n- x\n- y\n");
	assert_string_equal(print(copy), "a: 1\n'b': 2\nc: 3\n");
	assert_int_equal(cic_yaml_set(y, "f", NULL), -1);
	assert_int_equal(cic_yaml_append(list, NULL), -1);
	cic_yaml_free(copy);
	/* a child is copied without its key and what follows it */
	copy = cic_yaml_copy(y->first->next);
	assert_null(copy->key);
	assert_null(copy->next);
	assert_string_equal(print(copy), "'3.10'\n");
	cic_yaml_free(copy);
	cic_yaml_free(y);
}

/* `text` with its merge keys resolved is `want`, or refused so. */
static void
merges(const char *text, const char *want)
{
	struct cic_yaml *y = parse(text);

	if (cic_yaml_merge(y, &err) == 0)
		assert_string_equal(print(y), want);
	else {
		assert_int_equal(err.code, CIC_EINVAL);
		assert_string_equal(err.msg, want);
	}
	cic_yaml_free(y);
}

static void
merging(void **state)
{
	static const char what[] = "what follows << must be a mapping, or a "
	    "list of mappings";
	char text[128];

	(void)state;
	merges("<<: {a: 1, b: 2}\nb: 3\n", "a: 1\nb: 3\n");
	merges("b: 3\n<<: {a: 1, b: 2}\nc: 4\n", "b: 3\na: 1\nc: 4\n");
	merges("<<: [{a: 1}, {a: 2, b: 2}]\n", "a: 1\nb: 2\n");
	merges("x: &x {a: 1}\ny: {<<: *x, b: 2}\nz: [{<<: *x}]\n",
	    "x:\n  a: 1\ny:\n  a: 1\n  b: 2\nz:\n- a: 1\n");
	merges("<<: {<<: {a: 1}, b: 2}\n", "a: 1\nb: 2\n");
	merges("<<: {}\n", "{}\n");
	merges("<<: []\na: 1\n", "a: 1\n");
	merges("'<<': {a: 1}\n", "'<<':\n  a: 1\n");
	merges("- <<\n", "- <<\n");
	snprintf(text, sizeof(text), "line 2 column 5: %s", what);
	merges("a: 1\n<<: 1\n", text);
	snprintf(text, sizeof(text), "line 1 column 10: %s", what);
	merges("<<: [{}, [a]]\n", text);
	snprintf(text, sizeof(text), "line 1 column 5: %s", what);
	merges("<<: ~\n", text);
}

/* Mappings that grow by merging, and many that are thrown away. */
static void
merge_bombs(void **state)
{
	struct timespec a, b;
	struct cic_yaml *y;
	struct cic_buf t;

	(void)state;
	cic_buf_init(&t, 1 << 20);
	for (int m = 0; m < 2; m++) {
		cic_buf_printf(&t, "m%d: &m%d\n", m, m);
		for (int i = 0; i < 4000; i++)
			cic_buf_printf(&t, "  k%d_%d: v\n", m, i);
	}
	cic_buf_puts(&t, "all: {<<: [*m0, *m1]}\n");
	y = parse(t.data);
	assert_int_equal(cic_yaml_merge(y, &err), -1);
	assert_non_null(strstr(err.msg, "line 8003 column 6: mapping with more "
	    "than 4096 keys"));
	cic_yaml_free(y);
	cic_buf_reset(&t);
	cic_buf_puts(&t, "m: &m\n");
	for (int i = 0; i < 4000; i++)
		cic_buf_printf(&t, "  k%d: v\n", i);
	cic_buf_puts(&t, "all: {<<: [*m");
	for (int i = 0; i < 22; i++)
		cic_buf_puts(&t, ", *m");
	cic_buf_puts(&t, "]}\n");
	y = parse(t.data);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(cic_yaml_merge(y, &err), -1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	assert_non_null(strstr(err.msg, "more than 20000 merged keys"));
	assert_true(b.tv_sec - a.tv_sec < 10);
	cic_yaml_free(y);
	cic_buf_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printing), cmocka_unit_test(long_lines),
		cmocka_unit_test(too_long), cmocka_unit_test(changing),
		cmocka_unit_test(merging), cmocka_unit_test(merge_bombs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
