/*
 * What the registries hold, looked at now and then: when the worker starts,
 * every repositories.refresh seconds, and after a build.
 *
 * The look is a process of its own (`cic-build --catalog`), one at a time, ended
 * after limits.git_timeout; here nothing waits for it.  It dies with us, and
 * the next worker looks anew.  When it fails, the store keeps what it has, and why.
 */
#ifndef CIC_REFRESH_H
#define CIC_REFRESH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker;

struct refresh {
	const struct worker	*worker;
	char			 marker[32];	/* in the place of a build's id,
						 * see sweep.h */
	pid_t			 pid;		/* 0: none runs */
	int			 out_fd;	/* what it prints */
	int64_t			 started;	/* seconds, monotonic */
	int64_t			 due;
	bool			 overdue;	/* killed for its time */
};

/* The first look is due at once; what a killed worker's left is ended. */
void refresh_init(struct refresh *refresh, const struct worker *worker);
/* End a look that runs. */
void refresh_end(struct refresh *refresh);

/* Start what is due, end what takes too long: at each turn of the loop. */
void refresh_turn(struct refresh *refresh);

/* A build has ended: the next look comes sooner. */
void refresh_soon(struct refresh *refresh);

/* A child of the worker's has ended; others are ignored. */
void refresh_reaped(struct refresh *refresh, pid_t pid, int status);

#endif
