/*
 * The git program, for lib/git*.c alone: git_run.c runs it, git_access.c gets it
 * through to repositories.
 */
#ifndef CIC_GIT_RUN_H
#define CIC_GIT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "git.h"
#include "spawn.h"

#define CIC_GIT_OUTPUT	(4 * 1024 * 1024)	/* of ls-remote and ls-tree */
#define CIC_GIT_FILES	200000		/* in a folder or tree that is taken */
#define CIC_GIT_BYTES	((off_t)2 << 30)	/* … and bytes */
#define CIC_GIT_SPEC	300			/* a ref or revision of ours */

struct cic_buf;

/* The variables that every git gets; returns how many. */
#define CIC_GIT_ENV	16	/* the most they are */
size_t cic_git_plain_env(const char **env);

/* Begin an argument vector: git with what protects us from the machine's and
 * the author's settings, the mirror (or NULL), then the words, which are borrowed.
 *	cic_git_argv(&argv, mirror, "rev-parse", spec); */
void cic_git_begin(struct cic_argv *argv, const char *mirror,
    const char *const *words);
#define cic_git_argv(argv, mirror, ...) \
	cic_git_begin(argv, mirror, (const char *const []){ __VA_ARGS__, NULL })

/* Options that belong to the repository, "--", its URL. */
void cic_git_add_url(struct cic_argv *argv, const char *url);

/* Run it.  `variable` is one more "NAME=value", or NULL; `input` its standard
 * input, or 0; `output` collects what it prints, or NULL.
 * Returns its exit status, or -1 with err. */
int cic_git_run(const struct cic_git *git, const struct cic_argv *argv,
    const char *variable, int input, struct cic_buf *output,
    struct cic_err *err);

/* The same, with nothing in the log: for questions whose answer may be no. */
int cic_git_ask(const struct cic_git *git, const struct cic_argv *argv,
    struct cic_buf *output);

/* Run a command that speaks to the repository `url`, by git->access.
 * Returns 0; 1 with err: git failed, and the message is what it said and what to
 * do about it; -1 with err: anything else. */
int cic_git_talk(const struct cic_git *git, const struct cic_argv *argv,
    const char *url, struct cic_buf *output, struct cic_err *err);

/* The lines "<id>\t<ref>" of everything that the repository has, appended.
 * Returns 0, or -1 with err. */
int cic_git_ls_remote(const struct cic_git *git, const char *url,
    struct cic_buf *lines, struct cic_err *err);

/* 40 or 64 lower-case hexadecimal digits? */
bool cic_git_is_id(const char *text);

/* What a revision of the mirror is, as an object id.
 * Returns 0; 1: there is none; -1 with err. */
int cic_git_id(const struct cic_git *git, const char *mirror, const char *spec,
    char id[CIC_COMMIT_MAX], struct cic_err *err);

/* Append a name to "a, b, c", a dozen at most. */
void cic_git_list(struct cic_buf *names, const char *name, int count);

#endif
