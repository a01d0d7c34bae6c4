/*
 * Registries: bare mirrors of git repositories, and folders unpacked from
 * them.
 *
 * One mirror per repository below the mirrors folder, fetched into one commit
 * at a time (depth 1) and only when the commit is not there yet.  A second one,
 * with the whole history, is made when somebody asks for a commit that no
 * branch or tag is at.  A lock file is held over every change; locks that a
 * killed git has left are removed while holding it.  A mirror that git cannot
 * read any more is thrown away and made again.  git is never asked a question:
 * no prompts, no hooks, no transports but https, http, ssh and file.
 *
 * A folder that is no repository is read by us, not by git, and becomes a
 * commit in a mirror of its own: see git_folder.h.
 */
#ifndef CIC_GIT_H
#define CIC_GIT_H

#include <stdbool.h>

#include "build.h"
#include "err.h"

/*
 * How repositories are reached; "" is not set, and then what git and ssh find
 * in their own settings counts.
 *
 * The password goes to the host of the repository alone, over https alone, and
 * stands in no argument vector and no environment.  The messages name the
 * configuration's keys.
 */
struct cic_git_access {
	const char	*user;		/* "" with a token_file: "git" */
	const char	*token_file;	/* its first line is the password */
	const char	*ssh_key;	/* no passphrase */
	const char	*known_hosts;	/* other hosts are refused */
	const char	*ca_file;	/* PEM, trusted beside the system's */
	const char	*http_proxy, *https_proxy, *no_proxy;
};

struct cic_git {
	const char	*mirrors;	/* folder of the mirrors */
	int		 log_fd;	/* what git prints goes here: a file,
					 * readable, so that errors can quote it */
	unsigned	 timeout;	/* seconds for one git command */
	const struct cic_git_access *access;	/* NULL: all of it "" */
};

enum cic_git_kind {
	CIC_GIT_SHALLOW,	/* single commits */
	CIC_GIT_HISTORY,	/* everything branches and tags hold */
	CIC_GIT_FOLDER		/* snapshots of a folder */
};

struct cic_git_commit {
	const char	*url;		/* borrowed from cic_git_resolve */
	enum cic_git_kind kind;		/* of the mirror */
	char		 mirror[4096];	/* its bare repository */
	char		 commit[CIC_COMMIT_MAX];	/* in full */
};

/*
 * Find what `version` means in the repository now, and have that commit in
 * the mirror.  `version` is "latest": the default branch; a branch, a tag; or
 * the id of a commit that a branch or tag contains, in full or its first 7
 * digits or more.  Other commit ids are refused: a server may hand out commits
 * that nobody merged.  A folder has no version but "latest".
 *
 * That the commit is there is taken from its ref; whether it can be read shows
 * when it is, and then the mirror is made again.
 *
 * `cause` says more than the error's code: CIC_CAUSE_NO_SUCH_VERSION (the
 * message lists what there is), CIC_CAUSE_GIT_UNREACHABLE (the message has git's
 * decisive line), or CIC_CAUSE_INTERNAL.
 */
int cic_git_resolve(const struct cic_git *git, const char *url,
    const char *version, struct cic_git_commit *out, enum cic_cause *cause,
    struct cic_err *err);

/* The files of a folder as they are now, be it a part of somebody's working
 * copy or a repository itself (whose .git is left out). */
int cic_git_snapshot(const struct cic_git *git, const char *folder,
    struct cic_git_commit *out, struct cic_err *err);

/*
 * Call `visit` with every branch and tag that the repository has now, branches
 * before tags; an annotated tag's commit is what it points to.  A folder has
 * none.  CIC_EIO and the like: the message has git's decisive line.
 */
int cic_git_each_ref(const struct cic_git *git, const char *url,
    void (*visit)(const char *name, bool tag, const char *commit, void *arg),
    void *arg, struct cic_err *err);

/*
 * Call `visit` with entries of a commit: for a path that ends in a slash with
 * what stands directly in that folder ("" alone: in the top one), for another
 * with itself, when it is there.  Folders and regular files only.  At most
 * CIC_GIT_PATHS paths.
 * A damaged mirror is made again first.  CIC_EINVAL: it is more than we take.
 */
#define CIC_GIT_PATHS	200
int cic_git_each_entry(const struct cic_git *git,
    const struct cic_git_commit *at, const char *const *paths, size_t n,
    void (*visit)(const char *path, bool folder, void *arg), void *arg,
    struct cic_err *err);

/*
 * The tree id of `path` ("" for the whole tree) in a commit.
 * CIC_ENOENT when there is no such folder; the message lists the names beside
 * it.  A damaged mirror is made again first.
 */
int cic_git_tree(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, char tree[CIC_COMMIT_MAX], struct cic_err *err);

/*
 * Write the files of a tree into the folder `to`, which must not exist.
 * Links are written as links, submodules are left out; of filters
 * only those that the worker's user has configured run.  `scratch` is a file name
 * for git's index, removed afterwards.  A damaged mirror is made again first.
 * CIC_EINVAL: more than 200000 files or 2 GiB, found out before any is written.
 */
int cic_git_unpack(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, const char *to, const char *scratch,
    struct cic_err *err);

#endif
