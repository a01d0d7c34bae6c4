/* Run a program; see spawn.h. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"

#define ENV_MAX		128
#define GRACE		5	/* seconds between SIGTERM and SIGKILL */

extern char **environ;

void
cic_argv_add(struct cic_argv *argv, const char *arg)
{
	if (argv->count == CIC_SPAWN_ARGS) {
		argv->overflow = true;
		return;
	}
	argv->arg[argv->count++] = arg;
	argv->arg[argv->count] = NULL;
}

static bool
may_pass(const char *variable)
{
	static const char *const exact[] = { "PATH=", "HOME=", "USER=",
	    "LOGNAME=", "TMPDIR=", "XDG_RUNTIME_DIR=", "SSH_AUTH_SOCK=",
	    "http_proxy=", "https_proxy=", "no_proxy=", "HTTP_PROXY=",
	    "HTTPS_PROXY=", "NO_PROXY=" };
	static const char *const prefixes[] = { "DOCKER_", "BUILDX_",
	    "BUILDKIT_", "CONTAINER", "_CONTAINERS_", "STORAGE_",
	    "APPTAINER_", "SINGULARITY_", "CIC_" };
	size_t i;

	for (i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (strncmp(variable, exact[i], strlen(exact[i])) == 0)
			return true;
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* Is there an entry of this variable's name already? */
static bool
has_name(const char *const *env, size_t n, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1, i;

	for (i = 0; i < n; i++)
		if (strncmp(env[i], variable, len) == 0)
			return true;
	return false;
}

/* Borrowed pointers only; what the caller adds replaces what is inherited. */
static void
make_environment(const char *const *extra, const char *out[ENV_MAX + 1])
{
	size_t n = 0, i;

	for (i = 0; extra != NULL && extra[i] != NULL && n < ENV_MAX; i++)
		out[n++] = extra[i];
	out[n++] = "LC_ALL=C.UTF-8";
	for (i = 0; environ[i] != NULL && n < ENV_MAX; i++)
		if (may_pass(environ[i]) && !has_name(out, n, environ[i]))
			out[n++] = environ[i];
	out[n] = NULL;
}

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

bool
cic_program_exists(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char full[4096];

	if (strchr(name, '/') != NULL)
		return is_program(name);
	for (; path != NULL && *path != '\0'; path = *end != '\0' ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(full, sizeof(full), "%.*s/%s", (int)(end - path), path,
		    name);
		if (is_program(full))
			return true;
	}
	return false;
}

/* In the child; tells errno through `report` (close-on-exec) on failure. */
static void
become(const struct cic_spawn *spawn, int stdout_fd, int report, pid_t parent)
{
	const char *env[ENV_MAX + 1];
	sigset_t none;
	int null, e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);	/* it died before we asked to be told */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* LMDB's files and cic-build's lock are without close-on-exec */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	make_environment(spawn->env, env);
	if (null >= 0 && dup2(spawn->stdin_fd != 0 ? spawn->stdin_fd : null,
	    STDIN_FILENO) >= 0 &&
	    dup2(stdout_fd, STDOUT_FILENO) >= 0 &&
	    dup2(spawn->log_fd, STDERR_FILENO) >= 0 &&
	    (spawn->cwd == NULL || chdir(spawn->cwd) == 0))
		execvpe(spawn->argv->arg[0],
		    (char *const *)(uintptr_t)spawn->argv->arg,
		    (char *const *)(uintptr_t)env);
	e = errno;
	(void)!write(report, &e, sizeof(e));
	_exit(127);
}

static int
start(const struct cic_spawn *spawn, int stdout_fd, pid_t *pid,
    struct cic_err *err)
{
	int report[2], child_errno = 0;
	pid_t parent = getpid();
	ssize_t n;

	if (spawn->argv->overflow)
		return cic_err_set(err, CIC_EINVAL, "%s: too many arguments",
		    spawn->argv->arg[0]);
	if (pipe2(report, O_CLOEXEC) != 0)
		return cic_err_errno(err, "pipe");
	*pid = fork();
	if (*pid == 0)
		become(spawn, stdout_fd, report[1], parent);
	close(report[1]);
	if (*pid < 0) {
		close(report[0]);
		return cic_err_errno(err, "fork");
	}
	do
		n = read(report[0], &child_errno, sizeof(child_errno));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == 0)
		return 0;
	waitpid(*pid, NULL, 0);
	errno = child_errno;
	return cic_err_errno(err, "run %s", spawn->argv->arg[0]);
}

int
cic_spawn_start(const struct cic_spawn *spawn, pid_t *pid, struct cic_err *err)
{
	return start(spawn, spawn->stdout_fd != 0 ? spawn->stdout_fd :
	    spawn->log_fd, pid, err);
}

static int64_t
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Wait at most `ms` for the child to change state; 0 forever is -1. */
static void
wait_briefly(pid_t pid, int ms)
{
	struct pollfd pfd = { .events = POLLIN };

	pfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pfd.fd < 0) {
		poll(NULL, 0, ms < 0 || ms > 100 ? 100 : ms);
		return;
	}
	poll(&pfd, 1, ms);
	close(pfd.fd);
}

void
cic_kill_group(pid_t pid, unsigned grace)
{
	int64_t end = seconds() + grace;
	siginfo_t info;

	kill(-pid, SIGTERM);
	while (seconds() < end) {
		info.si_pid = 0;
		/* WNOWAIT: the caller's waitpid still wants its status */
		if (waitid(P_PID, (id_t)pid, &info,
		    WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid)
			break;
		wait_briefly(pid, 200);
	}
	kill(-pid, SIGKILL);
}

static int
exit_status(int raw)
{
	return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

static off_t
size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* Which limit has been hit, in words; NULL when none has. */
static const char *
limit_hit(const struct cic_spawn *spawn, int64_t started, int64_t grown)
{
	if (spawn->timeout > 0 && seconds() - started > spawn->timeout)
		return "took longer than";
	if (spawn->stall > 0 && seconds() - grown > spawn->stall)
		return "printed nothing for";
	return NULL;
}

static void
tick(const struct cic_spawn *spawn)
{
	if (spawn->tick != NULL)
		spawn->tick(spawn->tick_arg);
}

int
cic_spawn_wait(const struct cic_spawn *spawn, pid_t pid, int *status,
    struct cic_err *err)
{
	int64_t started = seconds(), grown = started;
	bool limited = spawn->timeout > 0 || spawn->stall > 0;
	bool busy = limited || spawn->tick != NULL;
	off_t size = size_of(spawn->log_fd), now;
	const char *why;
	pid_t got;
	int raw;

	while ((got = waitpid(pid, &raw, WNOHANG)) == 0) {
		wait_briefly(pid, busy ? 500 : -1);
		tick(spawn);
		now = size_of(spawn->log_fd);
		if (now != size) {
			size = now;
			grown = seconds();
		}
		why = limit_hit(spawn, started, grown);
		if (why == NULL && limited && size > CIC_SPAWN_LOG_MAX) {
			cic_kill_group(pid, GRACE);
			waitpid(pid, &raw, 0);
			return cic_err_set(err, CIC_EINVAL, "%s: the log is "
			    "larger than %lld MiB; it was ended",
			    spawn->argv->arg[0],
			    (long long)(CIC_SPAWN_LOG_MAX >> 20));
		}
		if (why == NULL)
			continue;
		cic_kill_group(pid, GRACE);
		waitpid(pid, &raw, 0);
		return cic_err_set(err, CIC_EAGAIN, "%s %s %u s and was ended",
		    spawn->argv->arg[0], why, why[0] == 't' ? spawn->timeout :
		    spawn->stall);
	}
	if (got != pid)
		return cic_err_errno(err, "wait for %s", spawn->argv->arg[0]);
	*status = exit_status(raw);
	return 0;
}

/* Read the pipe to its end or the time limit. */
static int
collect(const struct cic_spawn *spawn, int fd, struct cic_err *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t started = seconds();
	char chunk[16384];
	ssize_t n;

	for (;;) {
		if (spawn->timeout > 0 &&
		    seconds() - started > spawn->timeout)
			return cic_err_set(err, CIC_EAGAIN,
			    "%s took longer than %u s and was ended",
			    spawn->argv->arg[0], spawn->timeout);
		tick(spawn);
		if (poll(&pfd, 1, 500) <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return cic_err_errno(err, "read from %s",
			    spawn->argv->arg[0]);
		if (n > 0)
			cic_buf_add(spawn->output, chunk, (size_t)n);
		if (spawn->output->failed)
			return cic_err_set(err, CIC_EINVAL,
			    "%s printed more than %zu bytes",
			    spawn->argv->arg[0], spawn->output->max);
	}
}

int
cic_spawn(const struct cic_spawn *spawn, int *status, struct cic_err *err)
{
	int out[2], rc, raw;
	pid_t pid;

	if (spawn->output == NULL)
		return cic_spawn_start(spawn, &pid, err) != 0 ? -1 :
		    cic_spawn_wait(spawn, pid, status, err);
	if (pipe2(out, O_CLOEXEC) != 0)
		return cic_err_errno(err, "pipe");
	rc = start(spawn, out[1], &pid, err);
	close(out[1]);
	if (rc == 0) {
		rc = collect(spawn, out[0], err);
		if (rc == 0)
			rc = cic_spawn_wait(spawn, pid, status, err);
		else {
			cic_kill_group(pid, GRACE);
			waitpid(pid, &raw, 0);
		}
	}
	close(out[0]);
	return rc;
}
