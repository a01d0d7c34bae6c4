/*
 * The grammar of RFC 8259, checked before cJSON sees the text: cJSON alone
 * accepts text after the value, raw control bytes, bad UTF-8 and "01".
 */
#include "json_strict.h"

#include <stdio.h>
#include <string.h>

#define MAX_DEPTH	32

struct scan {
	const unsigned char	*text, *pos, *end;
	struct cic_err		*err;
	int			 depth;
	unsigned		 members;	/* most of one object */
};

static bool scan_value(struct scan *s);

/* Say where and what; returns false, so that `return fail(…)` is one line. */
static bool
fail(struct scan *s, const char *what)
{
	const unsigned char *p;
	unsigned line = 1, column = 1;

	for (p = s->text; p < s->pos; p++, column++)
		if (*p == '\n') {
			line++;
			column = 0;
		}
	cic_err_set(s->err, CIC_EINVAL, "line %u column %u: %s", line, column,
	    what);
	return false;
}

static void
skip_space(struct scan *s)
{
	while (s->pos < s->end && (*s->pos == ' ' || *s->pos == '\t' ||
	    *s->pos == '\n' || *s->pos == '\r'))
		s->pos++;
}

static bool
next_is(struct scan *s, char c)
{
	skip_space(s);
	if (s->pos < s->end && *s->pos == (unsigned char)c) {
		s->pos++;
		return true;
	}
	return false;
}

size_t
cic_utf8_length(const unsigned char *p, size_t left)
{
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > left)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, past U+10FFFF (RFC 3629, section 4) */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* Four hexadecimal digits at pos; -1 when they are not. */
static int
hex4(struct scan *s)
{
	int value = 0, i;

	if (s->end - s->pos < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		unsigned char c = s->pos[i];

		if (c >= '0' && c <= '9')
			c = (unsigned char)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			c = (unsigned char)((c | 32) - 'a' + 10);
		else
			return -1;
		value = value * 16 + c;
	}
	s->pos += 4;
	return value;
}

/* After "\u". */
static bool
scan_unicode_escape(struct scan *s)
{
	int unit = hex4(s);

	if (unit < 0)
		return fail(s, "\\u wants four hexadecimal digits");
	if (unit == 0)
		return fail(s, "a NUL character is not accepted");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return fail(s, "low surrogate without a high one");
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (s->end - s->pos < 6 || s->pos[0] != '\\' || s->pos[1] != 'u')
		return fail(s, "high surrogate without a low one");
	s->pos += 2;
	unit = hex4(s);
	if (unit < 0xdc00 || unit > 0xdfff)
		return fail(s, "high surrogate without a low one");
	return true;
}

/* After the opening quote. */
static bool
scan_string(struct scan *s)
{
	size_t len;

	while (s->pos < s->end) {
		unsigned char c = *s->pos;

		if (c == '"') {
			s->pos++;
			return true;
		}
		if (c < 0x20)
			return fail(s, "control byte in a string");
		if (c == '\\') {
			s->pos++;
			if (s->pos == s->end)
				break;
			c = *s->pos++;
			if (c == 'u') {
				if (!scan_unicode_escape(s))
					return false;
			} else if (strchr("\"\\/bfnrt", c) == NULL || c == 0)
				return fail(s, "unknown escape in a string");
			continue;
		}
		len = cic_utf8_length(s->pos, (size_t)(s->end - s->pos));
		if (len == 0)
			return fail(s, "invalid UTF-8");
		s->pos += len;
	}
	return fail(s, "string without an end");
}

static bool
digits(struct scan *s)
{
	const unsigned char *start = s->pos;

	while (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9')
		s->pos++;
	return s->pos > start;
}

static bool
scan_number(struct scan *s)
{
	const unsigned char *start;

	if (*s->pos == '-')
		s->pos++;
	start = s->pos;
	if (!digits(s) || (*start == '0' && s->pos - start > 1))
		return fail(s, "malformed number");
	if (s->pos < s->end && *s->pos == '.') {
		s->pos++;
		if (!digits(s))
			return fail(s, "malformed number");
	}
	if (s->pos < s->end && (*s->pos | 32) == 'e') {
		s->pos++;
		if (s->pos < s->end && (*s->pos == '+' || *s->pos == '-'))
			s->pos++;
		if (!digits(s))
			return fail(s, "malformed number");
	}
	if (s->pos - start > 64)
		return fail(s, "number with too many digits");
	return true;
}

static bool
scan_word(struct scan *s)
{
	static const struct { const char *word; const char *wrong; } words[] = {
		{ "true", NULL }, { "false", NULL }, { "null", NULL },
		{ "True", "JSON wants true, not True" },
		{ "False", "JSON wants false, not False" },
		{ "None", "JSON wants null, not None" },
	};
	size_t i, len;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		len = strlen(words[i].word);
		if ((size_t)(s->end - s->pos) < len ||
		    memcmp(s->pos, words[i].word, len) != 0)
			continue;
		if (words[i].wrong != NULL)
			return fail(s, words[i].wrong);
		s->pos += len;
		return true;
	}
	return fail(s, "not a JSON value");
}

static bool
scan_array(struct scan *s)
{
	if (next_is(s, ']'))
		return true;
	do {
		if (!scan_value(s))
			return false;
	} while (next_is(s, ','));
	if (!next_is(s, ']'))
		return fail(s, "expected , or ] in an array");
	return true;
}

static bool
scan_object(struct scan *s)
{
	unsigned members = 0;

	if (next_is(s, '}'))
		return true;
	do {
		if (++members > s->members)
			return fail(s, "object with more than 256 members");
		if (!next_is(s, '"'))
			return fail(s, "expected a quoted key");
		if (!scan_string(s))
			return false;
		if (!next_is(s, ':'))
			return fail(s, "expected : after a key");
		if (!scan_value(s))
			return false;
	} while (next_is(s, ','));
	if (!next_is(s, '}'))
		return fail(s, "expected , or } in an object");
	return true;
}

static bool
scan_value(struct scan *s)
{
	bool ok;

	skip_space(s);
	if (s->pos == s->end)
		return fail(s, "the text ends where a value belongs");
	if (++s->depth > MAX_DEPTH)
		return fail(s, "nested more than 32 levels deep");
	switch (*s->pos) {
	case '{':
		s->pos++;
		ok = scan_object(s);
		break;
	case '[':
		s->pos++;
		ok = scan_array(s);
		break;
	case '"':
		s->pos++;
		ok = scan_string(s);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		ok = scan_number(s);
		break;
	default:
		ok = scan_word(s);
	}
	s->depth--;
	return ok;
}

int
cic_json_check(const char *text, size_t len, unsigned members,
    struct cic_err *err)
{
	struct scan s = {
		.text = (const unsigned char *)text,
		.pos = (const unsigned char *)text,
		.end = (const unsigned char *)text + len,
		.err = err,
		.members = members,
	};

	if (!scan_value(&s))
		return -1;
	skip_space(&s);
	if (s.pos != s.end) {
		fail(&s, "text after the end of the JSON value");
		return -1;
	}
	return 0;
}
