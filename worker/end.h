/*
 * The end of a run: publish what it made, fail it, or queue it again.
 */
#ifndef CIC_END_H
#define CIC_END_H

#include <stdbool.h>

struct cic_err;
struct run;
struct worker;

/*
 * End `run`, whose cic-build is gone.  What its journal says last decides:
 * finished → the .sif gets its name and the build FINISHED; failed → FAILED;
 * nothing → FAILED if we killed it for its time, else it was lost: queued
 * again, or FAILED after limits.max_attempts.
 *
 * Safe to repeat after a crash at any point: publishing is a rename, and a
 * file that already has its name is recognised by its digest.
 *
 * Returns false when the store could not be written; call again later.
 */
bool end_run(const struct worker *worker, struct run *run);

/* A claimed build that could not even be started.  False when that cannot be
 * written now. */
bool end_unstarted(const struct worker *worker, const char *id, int attempt,
    const struct cic_err *why);

#endif
