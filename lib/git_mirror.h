/*
 * Mirrors: bare repositories of our own, for lib/git*.c alone.  What they hold
 * and when it is made again is in git.h.
 *
 * refs/cic/<id> keeps a commit that was asked for; what branches and tags were
 * at is refs/cic-heads/ and refs/cic-tags/ in a mirror with history.
 */
#ifndef CIC_GIT_MIRROR_H
#define CIC_GIT_MIRROR_H

#include <stdbool.h>

#include "git.h"

/* Set out->mirror by out->url and out->kind; makes the mirrors folder. */
int cic_mirror_path(const struct cic_git *git, struct cic_git_commit *out,
    struct cic_err *err);

/* Wait for the mirror's lock; another build's fetch may hold it.  Returns the
 * descriptor that holds it, or -1. */
int cic_mirror_lock(const struct cic_git *git, const char *mirror,
    struct cic_err *err);

/* A mirror at `mirror` that looks like one, empty when new, without the locks of
 * a git that was killed.  Ours is held. */
int cic_mirror_make(const struct cic_git *git, const char *mirror,
    struct cic_err *err);

/* Has the commit been fetched? */
bool cic_mirror_lists(const struct cic_git_commit *at);
/* Are its trees there too, and the names of its files?  Takes a walk. */
bool cic_mirror_has(const struct cic_git *git, const struct cic_git_commit *at);

/*
 * Fetch what at->kind says, at->commit with it (in a mirror with history
 * that may be ""); made again when damage is in the way.  The lock is held.
 * Returns 0; 1: git failed, err says why; -1 with err.
 */
int cic_mirror_fetch(const struct cic_git *git,
    const struct cic_git_commit *at, struct cic_err *err);

/* Keep a commit of a mirror with history. */
int cic_mirror_keep(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err);

/* After a failed read: look at everything, make the mirror again if that is to
 * blame.  Takes the lock.  Returns 0: it is new, try again; 1: nothing was wrong
 * with it; -1 with err. */
int cic_mirror_heal(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err);

#endif
