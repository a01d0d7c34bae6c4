/*
 * Run a program to its end: an argument vector, never a shell.
 *
 * The child gets its own process group, /dev/null or `stdin_fd` as standard input, the
 * descriptors 0 to 2 and no other, no blocked signals, and an environment made of
 * a fixed list of variables (below) plus what the caller adds; nothing else of
 * ours.  It is killed when its parent dies.
 *
 * Variables passed on: PATH HOME USER LOGNAME TMPDIR XDG_RUNTIME_DIR
 * SSH_AUTH_SOCK, proxies, and those that begin with DOCKER_, BUILDX_,
 * BUILDKIT_, CONTAINER, _CONTAINERS_ (podman's, inside `podman unshare`), STORAGE_,
 * APPTAINER_, SINGULARITY_ or CIC_; LC_ALL is C.UTF-8 so that messages can be read
 * by programs.
 */
#ifndef CIC_SPAWN_H
#define CIC_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

struct cic_buf;

#define CIC_SPAWN_ARGS	256

/* An argument vector being put together; NULL-terminated at every moment.
 * The strings are borrowed.  Too many arguments set `overflow`. */
struct cic_argv {
	const char	*arg[CIC_SPAWN_ARGS + 1];
	int		 count;
	bool		 overflow;
};
void cic_argv_add(struct cic_argv *argv, const char *arg);

struct cic_spawn {
	const struct cic_argv	*argv;
	const char		*cwd;		/* NULL: ours */
	const char *const	*env;		/* "NAME=value" …, NULL-terminated,
						 * or NULL */
	int			 log_fd;	/* its output goes here */
	struct cic_buf		*output;	/* collect standard output here
						 * instead, or NULL */
	int			 stdout_fd;	/* … or here, when not 0 */
	int			 stdin_fd;	/* its standard input, when not 0 */
	unsigned		 timeout;	/* seconds, 0 is none */
	unsigned		 stall;		/* seconds without growth of the
						 * file log_fd, 0 is none; not
						 * watched with `output` */
	/* called at least every half second while we wait, or NULL */
	void			(*tick)(void *arg);
	void			*tick_arg;
};

#define CIC_SPAWN_LOG_MAX	((off_t)256 << 20)	/* bytes of the file log_fd */

/*
 * Run and wait.
 *
 * Returns 0 with `status` = the exit status, 128 + n for a death by signal n.
 * -1: CIC_ENOENT the program or cwd is not there, CIC_EAGAIN a time limit was hit
 * (the message says which; the process group is dead), CIC_EINVAL the log
 * grew past CIC_SPAWN_LOG_MAX (with a limit set) or its output
 * was larger than `output` may hold, CIC_EIO anything else.
 */
int cic_spawn(const struct cic_spawn *spawn, int *status, struct cic_err *err);

/* The same in two halves, to read a pipe in between.  `pid` of a started
 * child must be waited for with cic_spawn_wait exactly once. */
int cic_spawn_start(const struct cic_spawn *spawn, pid_t *pid,
    struct cic_err *err);
int cic_spawn_wait(const struct cic_spawn *spawn, pid_t pid, int *status,
    struct cic_err *err);

/* End a process group: SIGTERM, `grace` seconds, SIGKILL. */
void cic_kill_group(pid_t pid, unsigned grace);

/* Does the program exist?  `name` is looked up in PATH unless it holds a
 * slash. */
bool cic_program_exists(const char *name);

#endif
