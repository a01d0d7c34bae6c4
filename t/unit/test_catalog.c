/* catalog.h: what is in it, its text, and what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder.h"

#include "catalog.h"

#define C1 "1111111111111111111111111111111111111111"
#define C2 "2222222222222222222222222222222222222222"

static struct cic_catalog catalog;

static void
version(const char *name, bool tag, const char *commit)
{
	assert_int_equal(cic_catalog_add_version(&catalog, name, tag, commit,
	    &err), 0);
}

static void
step(const char *workflow, const char *name)
{
	assert_int_equal(cic_catalog_add_step(&catalog, workflow, name, &err), 0);
}

static const char *
text(void)
{
	static struct cic_buf buf;

	if (buf.data != NULL)
		cic_buf_release(&buf);
	cic_buf_init(&buf, CIC_CATALOG_TEXT);
	cic_catalog_print(&buf, &catalog);
	assert_false(buf.failed);
	return buf.data;
}

static void
printed(void **state)
{
	static const char full[] = "{\"updated\":5,\"error\":\"e \\\"x\\\"\","
	    "\"workflow_commit\":\"" C1 "\",\"catalog_commit\":\"" C2 "\","
	    "\"versions\":[{\"name\":\"main\",\"kind\":\"branch\",\"commit\":\""
	    C1 "\"},{\"name\":\"v1\",\"kind\":\"tag\",\"commit\":\"" C2 "\"}],"
	    "\"workflows\":[{\"name\":\"a\",\"steps\":[\"s\",\"t\"]},"
	    "{\"name\":\"b\",\"steps\":[\"s\"]}]}";

	(void)state;
	assert_string_equal(text(), "{\"updated\":null,\"error\":null,"
	    "\"workflow_commit\":null,\"catalog_commit\":null,\"versions\":[],"
	    "\"workflows\":[]}");
	catalog.updated = 5;
	strcpy(catalog.error, "e \"x\"");
	strcpy(catalog.workflow_commit, C1);
	strcpy(catalog.catalog_commit, C2);
	version("main", false, C1);
	version("v1", true, C2);
	step("a", "s");
	step("a", "t");
	step("b", "s");
	assert_string_equal(text(), full);
	cic_catalog_release(&catalog);
	assert_int_equal(cic_catalog_parse(full, strlen(full), &catalog, &err),
	    0);
	assert_string_equal(text(), full);
	cic_catalog_release(&catalog);
	assert_int_equal(catalog.step_count, 0);
}

static void
left_out(void **state)
{
	(void)state;
	version("b", false, C1);
	version("main", false, C1);
	version("main", true, C2);	/* the branch has the name */
	version("b", true, C2);
	version("a", true, C2);
	version("latest", false, C2);
	version("-x", true, C2);
	version("a..b", true, C2);
	version("c", true, "abc");
	version("d", true, "");
	assert_int_equal(catalog.version_count, 3);
	step("w", "a b");
	step(".w", "s");
	step("w", "");
	assert_int_equal(catalog.step_count, 0);
	cic_catalog_release(&catalog);
}

/* The largest there is has room in the text. */
static void
largest(void **state)
{
	char name[CIC_VERSION_MAX], workflow[CIC_NAME_MAX], commit[65];
	struct cic_catalog again = { .updated = 0 };
	const char *all;
	int i;

	(void)state;
	memset(commit, 'a', 64);
	commit[64] = '\0';
	for (i = 0; i < CIC_CATALOG_ENTRIES + 5; i++) {
		snprintf(name, sizeof(name), "%0128d", i);
		snprintf(workflow, sizeof(workflow), "%064d", i);
		version(name, i >= CIC_CATALOG_ENTRIES / 2, commit);
		step(workflow, workflow);
	}
	assert_int_equal(catalog.version_count, CIC_CATALOG_ENTRIES);
	assert_int_equal(catalog.step_count, CIC_CATALOG_ENTRIES);
	memset(catalog.error, 1, sizeof(catalog.error) - 1);
	all = text();
	assert_int_equal(cic_catalog_parse(all, strlen(all), &again, &err), 0);
	assert_int_equal(again.version_count, CIC_CATALOG_ENTRIES);
	assert_int_equal(again.step_count, CIC_CATALOG_ENTRIES);
	cic_catalog_release(&again);
	cic_catalog_release(&catalog);
}

static void
malformed(void **state)
{
	static const char *const t[] = { "", "{", "{\"updated\":1} x",
		"{\"workflow_commit\":\"x\"}",
		"{\"versions\":[{\"name\":\"a\",\"commit\":\"" C1 "\"}]}",
		"{\"versions\":[7]}", "{\"workflows\":[{\"steps\":[\"a\"]}]}",
		"{\"workflows\":[{\"name\":\"a\",\"steps\":[{}]}]}" };

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		if (cic_catalog_parse(t[i], strlen(t[i]), &catalog, &err) == 0)
			fail_msg("taken: %s", t[i]);
		assert_int_equal(err.code, CIC_EINVAL);
		assert_null(catalog.versions);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printed), cmocka_unit_test(left_out),
		cmocka_unit_test(largest), cmocka_unit_test(malformed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
