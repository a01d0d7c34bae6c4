/* Processors we may use; see cpus.h. */
#include "cpus.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "path.h"

#define V2	"/sys/fs/cgroup"
#define V1	"/sys/fs/cgroup/cpu"

unsigned
cic_cpus_of_quota(const char *text)
{
	long long quota, period;

	if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 ||
	    period <= 0 || quota / period >= 1 << 20)
		return 0;
	return (unsigned)(quota / period + (quota % period != 0));
}

/* The text of a small file, "" when it cannot be read. */
static void
read_text(char out[256], const char *mount, const char *group, const char *name)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	FILE *f = NULL;
	size_t n = 0;

	if (cic_path_format(path, &ignored, "%s%s/%s", mount, group, name) == 0)
		f = fopen(path, "re");
	if (f != NULL) {
		n = fread(out, 1, 255, f);
		fclose(f);
	}
	out[n] = '\0';
}

/* The least quota of a group and those above it; 0 is none. */
static unsigned
quota_upwards(bool v2, char *group)
{
	char text[256], period[256], both[520];
	unsigned least = 0, n;
	char *slash;

	for (;;) {
		if (v2)
			read_text(both, V2, group, "cpu.max");
		else {
			read_text(text, V1, group, "cpu.cfs_quota_us");
			read_text(period, V1, group, "cpu.cfs_period_us");
			snprintf(both, sizeof(both), "%s %s", text, period);
		}
		n = cic_cpus_of_quota(both);
		if (n > 0 && (least == 0 || n < least))
			least = n;
		slash = strrchr(group, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

/* /proc/self/cgroup: "0::/a/b", and in v1 "4:cpu,cpuacct:/a/b". */
static unsigned
quota(void)
{
	char line[CIC_PATH_MAX], *controllers, *group;
	unsigned least = 0, n;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		controllers = strchr(line, ':');
		group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
		if (group == NULL)
			continue;
		*group++ = '\0';
		controllers++;
		if (*controllers != '\0' && strncmp(controllers, "cpu", 3) != 0)
			continue;
		if (strncmp(controllers, "cpuset", 6) == 0)
			continue;
		n = quota_upwards(*controllers == '\0', group);
		if (n > 0 && (least == 0 || n < least))
			least = n;
	}
	if (f != NULL)
		fclose(f);
	return least;
}

unsigned
cic_cpus(void)
{
	unsigned limit = quota(), n = 1;
	cpu_set_t set;

	CPU_ZERO(&set);
	/* fails where there are more CPUs than cpu_set_t has bits */
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		n = (unsigned)CPU_COUNT(&set);
	return limit > 0 && limit < n ? limit : n;
}
