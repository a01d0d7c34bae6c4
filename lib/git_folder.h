/*
 * A plain folder as a registry, for lib/git*.c alone: its files as they are now
 * become a commit in a mirror, so that the rest is as with a repository.
 *
 * We read the folder, git does not: it sees a stream, so that nothing in the
 * folder has a meaning to it, .gitattributes and .gitignore neither.  Regular
 * files (executable or not) and links are taken; ".git" in any case, fifos,
 * sockets, devices, empty folders are left out, as are folders on another file
 * system.  Links are never followed.  Equal content gives an equal commit id.
 *
 * Nothing is read but names and times when these are as they were.
 */
#ifndef CIC_GIT_FOLDER_H
#define CIC_GIT_FOLDER_H

#include <stdbool.h>

#include "git.h"

/* Is it a folder and no repository, bare or with a .git? */
bool cic_git_is_folder(const char *url);

/*
 * Put the folder out->url into the mirror out->mirror and set out->commit.
 * The lock is held.
 *
 * Returns 0; 1 with err: something in it cannot be read or changes meanwhile,
 * or it is larger than we take; -1 with err.
 */
int cic_git_folder_take(const struct cic_git *git, struct cic_git_commit *out,
    struct cic_err *err);

/* The same into a new mirror; it must still be the commit `at`. */
int cic_git_folder_again(const struct cic_git *git,
    const struct cic_git_commit *at, struct cic_err *err);

#endif
