/*
 * Memory and processes of one image build: a control group that the engine runs
 * the build's commands in.
 *
 * Groups are made below /sys/fs/cgroup, version 2 or the controllers memory and
 * pids of version 1, by root.  podman (isolation oci) and docker from 23 on take
 * one as --cgroup-parent.
 */
#ifndef CIC_CGROUP_H
#define CIC_CGROUP_H

#include "conf.h"
#include "err.h"

#define CGROUP_NAME_MAX	64

/* Can the limits of the configuration be held to here?  None is always fine.
 * For the worker's start: a limit that is not held to is refused. */
int cgroup_check(const struct cic_conf *conf, int log_fd, struct cic_err *err);

/* Make the group of a build; `name` is what the engine is told, "" when there
 * are no limits. */
int cgroup_begin(const struct cic_conf *conf, const char *id,
    char name[CGROUP_NAME_MAX], struct cic_err *err);

/* Remove it; not there, or still in use: nothing happens. */
void cgroup_end(const char *id);

#endif
