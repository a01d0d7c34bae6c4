/* engine_gc.h: what `docker buildx inspect` says about caches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine_gc.h"

static const struct { const char *text, *keep; } cases[] = {
	/* docker 23 and later without settings: four rules, the first for mounts */
	{ "Name: default\nGC Policy rule#0:\n All:            false\n"
	    " Filters:        type==source.local,type==exec.cachemount,"
	    "type==source.git.checkout\n Keep Duration:  48h0m0s\n"
	    " Keep Bytes:     2.764GiB\nGC Policy rule#1:\n All: false\n"
	    " Keep Duration: 1440h0m0s\n", "48h0m0s" },
	{ "GC Policy rule#0:\n  Filters:  type==exec.cachemount\n"
	    "  Keep Duration:  1440h0m0s\r\n", "1440h0m0s" },
	/* none for mounts, none with a time, none at all, cut short */
	{ "GC Policy rule#0:\n Filters: type==source.local\n Keep Duration: 1h\n"
	    "GC Policy rule#1:\n Keep Duration: 2h\n", NULL },
	{ "GC Policy rule#0:\n Filters: type==exec.cachemount\n Keep Bytes: 1\n"
	    "GC Policy rule#1:\n Keep Duration: 2h\n", NULL },
	{ "BuildKit version: v0.8+unknown\n", NULL },
	{ "", NULL }, { "Filters:", NULL }, { "Keep Duration:", NULL },
	{ "Filters: type==exec.cachemount\nKeep Duration:", "" },
};

static void
policies(void **state)
{
	char keep[CIC_KEEP_MAX];
	bool drops;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		drops = cic_gc_policy_drops_caches(cases[i].text, keep);
		assert_int_equal(drops, cases[i].keep != NULL);
		if (drops)
			assert_string_equal(keep, cases[i].keep);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(policies) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
