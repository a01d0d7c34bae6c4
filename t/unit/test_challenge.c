/* challenge.h: the header WWW-Authenticate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "challenge.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct cic_err err;

static void
good(void **state)
{
	static const struct {
		const char *text;
		bool basic, bearer;
		const char *realm, *service, *scope;
	} header[] = {
		{ "", false, false, "", "", "" },
		{ " , ,", false, false, "", "", "" },
		{ "Basic realm=\"x\"", true, false, "", "", "" },
		{ "basic", true, false, "", "", "" },
		{ "Bearer realm=\"https://a/t\",service=\"s\","
		    "scope=\"repository:a/b:pull,push\"", false, true,
		    "https://a/t", "s", "repository:a/b:pull,push" },
		{ "BEARER  REALM = r , Service=s,x=\"y\"", false, true, "r", "s",
		    "" },
		{ "Bearer realm=\"a\\\"b\\\\c,d=e\"", false, true, "a\"b\\c,d=e",
		    "", "" },
		{ "Bearer error=\"insufficient_scope\", realm=\"r\"", false, true,
		    "r", "", "" },
		{ "Negotiate, Basic realm=\"x\", Bearer realm=\"r\"", true, true,
		    "r", "", "" },
		{ "Bearer realm=\"r\", Basic realm=\"x\", charset=\"UTF-8\"", true,
		    true, "r", "", "" },
		{ "Negotiate YWJj==, Bearer realm=r", false, true, "r", "", "" },
		{ "Bearer realm=\"1\", Bearer realm=\"2\", service=\"2\"", false,
		    true, "1", "", "" },
		{ "Digest realm=a, realm=b", false, false, "", "", "" },
	};
	struct cic_challenge out;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(header); i++) {
		if (cic_challenge_parse(header[i].text, &out, &err) != 0)
			fail_msg("%s: %s", header[i].text, err.msg);
		if (out.basic != header[i].basic || out.bearer != header[i].bearer)
			fail_msg("%s", header[i].text);
		assert_string_equal(out.realm, header[i].realm);
		assert_string_equal(out.service, header[i].service);
		assert_string_equal(out.scope, header[i].scope);
	}
}

static void
bad(void **state)
{
	static const char *const header[] = {
		"realm=\"x\"", "=x", "\"", "@", "Basic realm=\"x", "Basic x=\"y\\",
		"Bearer", "Bearer service=\"s\"", "Bearer realm=\"\"",
		"Bearer realm=", "Bearer realm=\"a\" service=\"b\"",
		"Bearer realm=a, realm=b", "Bearer realm=a service=b",
		"Bearer realm=\"a\x01\"", "Bearer realm=\"a\"b", "Basic\"x\"",
		"Basic realm=x; Bearer realm=y", "<html>",
	};
	struct cic_challenge out = { .realm = "untouched" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(header); i++) {
		if (cic_challenge_parse(header[i], &out, &err) != -1)
			fail_msg("%s is taken", header[i]);
		assert_int_equal(err.code, CIC_EIO);
		assert_string_equal(out.realm, "untouched");
	}
}

/* A value that just fits, and one byte more. */
static void
lengths(void **state)
{
	struct cic_challenge out;
	char text[2000];
	int n;

	(void)state;
	for (n = 1023; n <= 1024; n++) {
		snprintf(text, sizeof(text), "Bearer realm=\"%0*d\"", n, 0);
		assert_int_equal(cic_challenge_parse(text, &out, &err),
		    n == 1023 ? 0 : -1);
	}
	assert_int_equal(strlen(out.realm), 1023);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good), cmocka_unit_test(bad),
		cmocka_unit_test(lengths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
