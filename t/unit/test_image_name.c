/* image_name.h: names of images in a registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "image_name.h"

#define DIGEST "sha256:" \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cic_err err;

static void
good(void **state)
{
	static const struct {
		const char *text, *host, *path, *tag, *digest;
		bool loopback;
	} name[] = {
		{ "example.org/a:b", "example.org", "a", "b", "", false },
		{ "example.org:5000/a/b.c/d__e/f---g:V_1.0-x", "example.org:5000",
		    "a/b.c/d__e/f---g", "V_1.0-x", "", false },
		{ "localhost/a:1", "localhost", "a", "1", "", true },
		{ "127.3.2.1:1/a:1", "127.3.2.1:1", "a", "1", "", true },
		{ "128.0.0.1/a:1", "128.0.0.1", "a", "1", "", false },
		{ "[::1]:65535/a:1", "[::1]:65535", "a", "1", "", true },
		{ "[2001:db8::1]/a:1", "[2001:db8::1]", "a", "1", "", false },
		{ "h.x/a@" DIGEST, "h.x", "a", "", DIGEST, false },
		{ "h.x/a:t@" DIGEST, "h.x", "a", "t", DIGEST, false },
		{ "127.0.0.1.example.org/a:1", "127.0.0.1.example.org", "a", "1",
		    "", false },
		{ "localhost.example/a:1", "localhost.example", "a", "1", "",
		    false },
	};
	struct cic_image_name out;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(name); i++) {
		if (cic_image_name_parse(name[i].text, &out, &err) != 0)
			fail_msg("%s", err.msg);
		assert_string_equal(out.host, name[i].host);
		assert_string_equal(out.path, name[i].path);
		assert_string_equal(out.tag, name[i].tag);
		assert_string_equal(out.digest, name[i].digest);
		assert_int_equal(out.loopback, name[i].loopback);
	}
}

static void
bad(void **state)
{
	static const char *const name[] = {
		"", "debian", "debian:12", "library/debian:12", "a/b/c:1", "/a:1",
		"h.x/", "h.x/a", "h.x/:1", "h.x/a:", "h.x/a@", "h.x//a:1",
		"h.x/a/:1", "h.x/A:1", "h.x/a_:1", "h.x/_a:1", "h.x/a___b:1",
		"h.x/a..b:1", "h.x/a._b:1", "h.x/../a:1", "h.x/a b:1", "h.x/a%2f:1",
		"h.x/a?x:1", "h.x/a#x:1", "h.x/a:.b", "h.x/a:-b", "h.x/a:b/c",
		"h.x/a:b:c", "h.x/a:b\n", "h.x/a:b?c",
		"h.x:/a:1", "h.x:0/a:1", "h.x:65536/a:1", "h.x:1x/a:1",
		"h.x:123456/a:1", "-h.x/a:1", "h-.x/a:1", "h..x/a:1", "h.x./a:1",
		"u@h.x/a:1", "u:p@h.x/a:1", "https://h.x/a:1", "[::1/a:1",
		"[::1]x/a:1", "[zz.z]/a:1", "[]:1/a:1", "::1/a:1", "h_.x/a:1",
		"h.x/a@sha256:12", "h.x/a@" DIGEST "0", "h.x/a@md5:12",
		"h.x/a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef"
		    "0123456789abcdef",
	};
	struct cic_image_name out = { .host = "untouched" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(name); i++) {
		if (cic_image_name_parse(name[i], &out, &err) != -1)
			fail_msg("\"%s\" is taken", name[i]);
		assert_int_equal(err.code, CIC_EINVAL);
		assert_string_equal(out.host, "untouched");
	}
}

/* One byte more than fits is refused, the last that fits is not. */
static void
lengths(void **state)
{
	static const struct { const char *fmt; int most; } part[] = {
		{ "%s.x/a:1", 253 }, { "h.x/%s:1", 255 }, { "h.x/a:%s", 128 },
	};
	struct cic_image_name out;
	char run[4096], text[5000];
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < COUNT(part); i++) {
		for (n = part[i].most; n < 4000; n += n == part[i].most ? 1 : 999) {
			memset(run, 'a', (size_t)n);
			run[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof(text), part[i].fmt, run);
#pragma GCC diagnostic pop
			assert_int_equal(cic_image_name_parse(text, &out, &err),
			    n == part[i].most ? 0 : -1);
		}
	}
}

static void
loopback(void **state)
{
	(void)state;
	assert_true(cic_host_is_loopback("LocalHost"));
	assert_true(cic_host_is_loopback("127.255.255.255"));
	assert_true(cic_host_is_loopback("::1"));
	assert_true(cic_host_is_loopback("[0:0:0:0:0:0:0:1]"));
	assert_false(cic_host_is_loopback(""));
	assert_false(cic_host_is_loopback("[]"));
	assert_false(cic_host_is_loopback("0.0.0.0"));
	assert_false(cic_host_is_loopback("127.0.0.1.x"));
	assert_false(cic_host_is_loopback("[::2]"));
	assert_false(cic_host_is_loopback("localhost.x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(bad),
		cmocka_unit_test(lengths), cmocka_unit_test(loopback),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
