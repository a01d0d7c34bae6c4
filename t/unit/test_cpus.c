/* cpus.h: what quota files mean, and that a mask counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sched.h>

#include <cmocka.h>

#include "cpus.h"

static void
quotas(void **state)
{
	static const struct { const char *text; unsigned want; } t[] = {
		/* v2's cpu.max, with its line break */
		{ "max 100000\n", 0 }, { "150000 100000\n", 2 },
		{ "100000 100000\n", 1 }, { "200000 100000\n", 2 },
		{ "200001 100000\n", 3 }, { "1000 100000\n", 1 }, { "1 1", 1 },
		{ "6400000 100000", 64 }, { "50000 25000", 2 },
		/* v1's two files */
		{ "-1 100000", 0 }, { "-1\n 100000\n", 0 }, { "250000\n 100000\n", 3 },
		/* what is none */
		{ "", 0 }, { " ", 0 }, { "max", 0 }, { "100000", 0 }, { "100000 ", 0 },
		{ "100000 max", 0 }, { "x 100000", 0 }, { "0 100000", 0 },
		{ "100000 0", 0 }, { "100000 -1", 0 },
		/* no limit either */
		{ "9223372036854775807 1", 0 }, { "104857600000 100000", 0 },
		{ "9223372036854775807 9223372036854775807", 1 },
		{ "1 9223372036854775807", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (cic_cpus_of_quota(t[i].text) != t[i].want)
			fail_msg("\"%s\": %u and not %u", t[i].text,
			    cic_cpus_of_quota(t[i].text), t[i].want);
	}
}

/* Perhaps we. */
static bool
somebody_has_a_quota(void)
{
	return system("find /sys/fs/cgroup/ \\( -name cpu.max -o -name "
	    "cpu.cfs_quota_us \\) -exec cat {} + 2>/dev/null | grep -q '^[1-9]'") == 0;
}

/* One processor of those we have. */
static void
mask(void **state)
{
	cpu_set_t old, one;
	unsigned n;
	int i = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	n = cic_cpus();
	assert_in_range(n, 1, (unsigned)CPU_COUNT(&old));
	if (!somebody_has_a_quota())
		assert_int_equal(n, CPU_COUNT(&old));
	while (!CPU_ISSET(i, &old))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	n = cic_cpus();
	assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotas), cmocka_unit_test(mask),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
