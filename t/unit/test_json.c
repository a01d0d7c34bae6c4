/* json.h: what is refused and where; what is printed can be read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "json.h"
#include "json_strict.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cic_err err;

/* A copy without a NUL behind it, so that a sanitizer sees one byte too far. */
static struct cic_json *
parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	struct cic_json *json;

	assert_non_null(copy);
	memcpy(copy, text, len);
	json = cic_json_parse(copy, len, &err);
	free(copy);
	return json;
}

static struct cic_json *
parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void
accepted(void **state)
{
	static const char *const t[] = {
		"0", "-0", "1e5", "-1.5E+10", "0.0", "true", "null", "\"\"",
		"[]", "{}", " \t\r\n[ ]\n", "[1,[2,{\"a\":[]}]]",
		"{\"\":1,\" \":2,\"a\":3,\"A\":4}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"",
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"",
		"\"\xed\x9f\xbf\xee\x80\x80\"", "\"\x7f\"", "1e999",
		/* 64 digits, and as many with all that may stand around them */
		"1234567890123456789012345678901234567890123456789012345678901234",
		"-1234567890123456789012345678901234567890123456789012345678901234",
		"-0.12345678901234567890123456789012345678901234567890123456789e1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cic_json *json = parse(t[i]);

		if (json == NULL)
			fail_msg("%s: %s", t[i], err.msg);
		cic_json_free(json);
	}
}

static void
refused(void **state)
{
	static const struct { const char *text, *why; } t[] = {
		{ "", "line 1 column 1: the text ends" },
		{ " \n ", "line 2 column 2: the text ends" },
		{ "{} x", "line 1 column 4: text after" },
		{ "{}{}", "column 3: text after" },
		{ "1 2", "text after" },
		{ "{\"a\":1,\"a\":2}", "key \"a\" stands twice" },
		{ "{\"a\":1,\"\\u0061\":2}", "key \"a\" stands twice" },
		{ "[{\"x\":[{\"a\":1,\"b\":2,\"a\":{}}]}]", "\"a\" stands twice" },
		{ "{\"a\":1,}", "column 8: expected a quoted key" },
		{ "{a:1}", "column 2: expected a quoted key" },
		{ "{'a':1}", "expected a quoted key" },
		{ "{\"a\" 1}", "expected : after" },
		{ "{\"a\":1 \"b\":2}", "expected , or }" },
		{ "[1,]", "not a JSON value" },
		{ "[1 2]", "expected , or ]" },
		{ "[", "the text ends" },
		{ "{\"a\":", "the text ends" },
		{ "{\"f\": False}", "line 1 column 7: JSON wants false, not False" },
		{ "{\"f\":\nTrue}", "line 2 column 1: JSON wants true, not True" },
		{ "None", "JSON wants null, not None" },
		{ "nul", "not a JSON value" }, { "NaN", "not a JSON value" },
		{ "Infinity", "not a JSON value" },
		{ "truex", "text after" }, { "openmpi@4", "not a JSON value" },
		{ "01", "malformed number" }, { "-", "malformed number" },
		{ "1.", "malformed number" }, { ".5", "not a JSON value" },
		{ "1e", "malformed number" }, { "1e+", "malformed number" },
		{ "+1", "not a JSON value" }, { "-01", "malformed number" },
		{ "0x10", "text after" },
		{ "12345678901234567890123456789012345678901234567890123456789012345",
		    "too many digits" },
		{ "\"a", "string without an end" },
		{ "\"a\\", "string without an end" },
		{ "\"\\x41\"", "unknown escape" }, { "\"\\u00\"", "four hex" },
		{ "\"\\u00g0\"", "four hex" }, { "\"\\u 041\"", "four hex" },
		{ "\"\\u0000\"", "NUL" }, { "\"a\tb\"", "control byte" },
		{ "\"a\nb\"", "control byte" },
		{ "\"\\ud800\"", "high surrogate" },
		{ "\"\\ud800\\u0041\"", "high surrogate" },
		{ "\"\\ud800\\ud800\"", "high surrogate" },
		{ "\"\\udc00\"", "low surrogate" },
		{ "\"\x80\"", "invalid UTF-8" }, { "\"\xc0\xaf\"", "invalid UTF-8" },
		{ "\"\xe0\x80\x80\"", "invalid UTF-8" },
		{ "\"\xed\xa0\x80\"", "invalid UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", "invalid UTF-8" },
		{ "\"\xf5\x80\x80\x80\"", "invalid UTF-8" },
		{ "\"\xc3", "invalid UTF-8" }, { "\"\xff\"", "invalid UTF-8" },
		{ "\xef\xbb\xbf{}", "not a JSON value" },
		{ "\xc2\xa0{}", "not a JSON value" },
		{ "// c\n{}", "not a JSON value" }, { "{} // c", "text after" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cic_json *json = parse(t[i].text);

		if (json != NULL)
			fail_msg("accepted: %s", t[i].text);
		assert_int_equal(err.code, CIC_EINVAL);
		if (strstr(err.msg, t[i].why) == NULL)
			fail_msg("%s: \"%s\"", t[i].text, err.msg);
	}
	assert_null(parse_bytes("{}\0", 3));
	assert_null(parse_bytes("\"a\0b\"", 5));
	assert_null(parse_bytes("\"\\\0\"", 4));
}

/* Every start of a good text is refused and reads nothing behind it. */
static void
cut_anywhere(void **state)
{
	static const char text[] = "{\"a\": [true, -1.5e+3, null, "
	    "\"\\ud83d\\ude00\xe2\x82\xac\"], \"b\": {\"c\": false}}";

	(void)state;
	for (size_t n = 0; n + 1 < sizeof(text); n++)
		assert_null(parse_bytes(text, n));
	cic_json_free(parse(text));
}

static void
limits(void **state)
{
	struct cic_json *json;
	struct cic_buf b;
	char deep[200];
	int n, i;

	(void)state;
	for (n = 32; n <= 33; n++) {
		memset(deep, '[', (size_t)n);
		memset(deep + n, ']', (size_t)n);
		json = parse_bytes(deep, 2 * (size_t)n);
		assert_true((json != NULL) == (n == 32));
		cic_json_free(json);
	}
	for (n = 256; n <= 257; n++) {
		cic_buf_init(&b, 1 << 20);
		for (i = 0; i < n; i++)
			cic_buf_printf(&b, "%s\"k%d\":%d", i > 0 ? "," : "{",
			    i, i);
		cic_buf_putc(&b, '}');
		json = parse_bytes(b.data, b.len);
		assert_true((json != NULL) == (n == 256));
		cic_json_free(json);
		cic_buf_release(&b);
	}
}

static void
values(void **state)
{
	struct cic_json *j = parse("{\"s\":\"x\",\"S\":\"y\",\"b\":true,"
	    "\"n\":null,\"a\":[1,\"2\"],\"o\":{},\"d\":1.5,\"i\":-42,"
	    "\"big\":9007199254740992,\"bigger\":9007199254740994,\"inf\":1e999}");
	const struct cic_json *a;

	(void)state;
	assert_string_equal(cic_json_get_string(j, "s"), "x");
	assert_string_equal(cic_json_get_string(j, "S"), "y");
	assert_null(cic_json_get(j, "B"));
	assert_null(cic_json_get_string(j, "i"));
	assert_null(cic_json_get_string(NULL, "i"));
	assert_true(cic_json_bool(cic_json_get(j, "b")));
	assert_false(cic_json_bool(cic_json_get(j, "i")));
	assert_false(cic_json_bool(NULL));
	assert_int_equal(cic_json_int(cic_json_get(j, "i"), 7), -42);
	assert_int_equal(cic_json_int(cic_json_get(j, "d"), 7), 7);
	assert_int_equal(cic_json_int(cic_json_get(j, "s"), 7), 7);
	assert_int_equal(cic_json_int(cic_json_get(j, "bigger"), 7), 7);
	assert_int_equal(cic_json_int(cic_json_get(j, "inf"), 7), 7);
	assert_true(cic_json_int(cic_json_get(j, "big"), 7) == 1LL << 53);
	a = cic_json_first(cic_json_get(j, "a"));
	assert_int_equal(cic_json_int(a, 0), 1);
	assert_string_equal(cic_json_string(cic_json_next(a)), "2");
	assert_null(cic_json_next(cic_json_next(a)));
	assert_string_equal(cic_json_key(cic_json_first(j)), "s");
	assert_string_equal(cic_json_type_name(cic_json_get(j, "o")), "an object");
	assert_string_equal(cic_json_type_name(cic_json_get(j, "n")), "null");
	assert_string_equal(cic_json_type_name(NULL), "nothing");
	assert_null(cic_json_first(NULL));
	assert_null(cic_json_get(a, "x"));
	cic_json_free(j);
	cic_json_free(NULL);
}

/* Whatever bytes go in, JSON comes out, and valid text comes back the same. */
static void
quoting(void **state)
{
	struct cic_json *json;
	struct cic_buf b;
	char in[64];

	(void)state;
	srand(20230817);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % (sizeof(in) - 1), i, l;
		bool valid = true;

		for (i = 0; i < len; i++)
			in[i] = (char)(1 + rand() % (round % 2 ? 255 : 127));
		in[len] = '\0';
		for (i = 0; i < len; i += l)
			if ((l = cic_utf8_length((unsigned char *)in + i,
			    len - i)) == 0) {
				valid = false;
				break;
			}
		cic_buf_init(&b, 4096);
		cic_json_quote(&b, in);
		json = parse_bytes(b.data, b.len);
		if (json == NULL)
			fail_msg("%s: %s", b.data, err.msg);
		if (valid)
			assert_string_equal(cic_json_string(json), in);
		cic_buf_reset(&b);
		cic_json_print(&b, json);
		cic_json_free(json);
		json = parse_bytes(b.data, b.len);
		assert_non_null(json);
		cic_json_free(json);
		cic_buf_release(&b);
	}
	cic_buf_init(&b, 64);
	cic_json_quote(&b, NULL);
	assert_string_equal(b.data, "null");
	cic_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted), cmocka_unit_test(refused),
		cmocka_unit_test(cut_anywhere), cmocka_unit_test(limits),
		cmocka_unit_test(values), cmocka_unit_test(quoting),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
