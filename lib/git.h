/*
 * Registries: bare mirrors of git repositories, and folders unpacked from
 * them.
 *
 * One mirror per repository below the mirrors folder, fetched into one commit
 * at a time (depth 1) and only when the commit is not there yet.  A lock file
 * is held over every change; a shallow.lock left by a killed git is removed
 * while holding it.  A mirror that git cannot use any more is thrown away and
 * made again.  git is never asked a question: no prompts, no hooks, no
 * transports but https, http, ssh and file.
 */
#ifndef CIC_GIT_H
#define CIC_GIT_H

#include "build.h"
#include "err.h"

struct cic_git {
	const char	*mirrors;	/* folder of the mirrors */
	int		 log_fd;	/* what git prints goes here */
	unsigned	 timeout;	/* seconds for one git command */
};

struct cic_git_commit {
	char	mirror[4096];		/* its bare repository */
	char	commit[CIC_COMMIT_MAX];
};

/*
 * Find what `version` means in the repository now, and have that commit in
 * the mirror.  `version` is a branch, a tag, the full commit id that one of
 * them is at, or "latest": the default branch.  Other commit ids are refused:
 * a server may hand out commits that nobody merged.
 *
 * `cause` says more than the error's code: CIC_CAUSE_NO_SUCH_VERSION (the
 * message lists what there is), CIC_CAUSE_GIT_UNREACHABLE, or
 * CIC_CAUSE_INTERNAL.
 */
int cic_git_resolve(const struct cic_git *git, const char *url,
    const char *version, struct cic_git_commit *out, enum cic_cause *cause,
    struct cic_err *err);

/*
 * The tree id of `path` ("" for the whole tree) in a commit.
 * CIC_ENOENT when there is no such folder; the message lists the names beside
 * it.
 */
int cic_git_tree(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, char tree[CIC_COMMIT_MAX], struct cic_err *err);

/*
 * Write the files of a tree into the folder `to`, which must not exist.
 * Links are written as links, submodules are left out; of filters
 * only those that the worker's user has configured run.  `scratch` is a file name for git's index, removed afterwards.
 */
int cic_git_unpack(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, const char *to, const char *scratch,
    struct cic_err *err);

#endif
