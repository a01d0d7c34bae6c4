/*
 * cic-build tells the worker how far it is: what the log got since the last
 * look is read, and the journal gets a line when that changes what people see.
 *
 * Not for threads: all of these are called from one.
 */
#ifndef CIC_PROGRESS_H
#define CIC_PROGRESS_H

#include <stdint.h>
#include <sys/types.h>

#include "buildlog.h"

struct progress {
	int			 log_fd, journal_fd;
	int64_t			 told_at;	/* ms since 1970 */
	struct cic_progress	 told;
	struct buildlog		 log;
};

/* From the end of the log on.  `p` must stay where it is. */
void progress_begin(struct progress *p, int log_fd, int journal_fd);

/* A stage begins: told at once. */
void progress_stage(struct progress *p, const char *name);

/* The last stage is over, one way or the other: what is new is told at once. */
void progress_end(struct progress *p);

/* For struct cic_spawn: look, and tell when there is something new and the
 * last line is a second old.  Reads at most a few MiB; a log that grows faster
 * is caught up with later.  Nothing here can fail a build. */
void progress_tick(void *progress);

#endif
