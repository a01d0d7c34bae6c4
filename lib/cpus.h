/*
 * How many processors this process may use.
 */
#ifndef CIC_CPUS_H
#define CIC_CPUS_H

/*
 * At least 1: the processors of our affinity mask, or fewer when the control
 * group we are in, or one above it, has a quota of processor time (cgroup v2's
 * cpu.max, v1's cpu.cfs_quota_us), rounded up.
 */
unsigned cic_cpus(void);

/* What a quota file says, for cic_cpus and its tests: "max 100000" or
 * "150000 100000" -> 2; 0 is no limit. */
unsigned cic_cpus_of_quota(const char *text);

#endif
