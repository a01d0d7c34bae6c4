/*
 * cic.fcgi: the service's FastCGI responder.
 *
 * The process that is started is a small master: it keeps the listening
 * socket, has one child that serves, and starts another one when that dies or
 * on SIGHUP (new configuration; the old child goes when the new one is ready).
 * The socket never closes, so no connection is refused meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "log.h"
#include "serve.h"
#include "version.h"

#define BACKLOG		4096	/* the kernel has a limit of its own */
#define RESPAWN_PAUSE	1000	/* ms after a child that died at once */
#define READY_WAIT	30000	/* ms for a child to take requests */

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic.fcgi [-n] -c FILE [-s SOCKET]\n"
	    "Answer the web server's FastCGI requests, until SIGTERM.\n"
	    "  -c, --config FILE    the service's configuration\n"
	    "  -s, --socket SOCKET  listen on this Unix socket; without it the\n"
	    "                       listening socket is file descriptor 0, as\n"
	    "                       systemd and spawn-fcgi hand it over\n"
	    "  -n, --check          check the configuration, print what was\n"
	    "                       understood, and exit\n"
	    "  -V, --version        print the version\n"
	    "  -h, --help           print this\n"
	    "SIGHUP: start anew with the changed configuration; no request is\n"
	    "lost.  Exit status: 0 ended by SIGTERM, 1 cannot work (the\n"
	    "message says what to change), 2 wrong usage.\n");
	exit(status);
}

static struct cic_conf *
load_conf(const char *path)
{
	struct cic_buf faults;
	struct cic_conf *conf;

	cic_buf_init(&faults, 65536);
	conf = cic_conf_load(path, &faults);
	if (conf == NULL)
		fputs(faults.data, stderr);
	cic_buf_release(&faults);
	return conf;
}

static int
listen_on(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		cic_log_fatalx("socket %s: longer than %zu bytes", path,
		    sizeof(un.sun_path) - 1);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);	/* a dead process left it */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* the web server's group may connect, nobody else */
	umask(0117);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		cic_log_fatalx("socket %s: %s", path, strerror(errno));
	return fd;
}

static void
check_descriptor_0(void)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening,
	    &len) != 0 || !listening)
		cic_log_fatalx("file descriptor 0 is no listening socket; "
		    "use --socket, or start me by systemd or spawn-fcgi");
}

struct master {
	const char	*config;
	int		 listen_fd;
	int		 signal_fd;
	pid_t		 child;
};

static void run_child(const struct master *m, int ready_fd, pid_t master)
    __attribute__((noreturn));
static void
run_child(const struct master *m, int ready_fd, pid_t master)
{
	struct cic_conf *conf;
	sigset_t none;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		_exit(1);
	/* TERM before serve() has its handler ends us: nothing is lost */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(m->signal_fd);
	conf = load_conf(m->config);
	if (conf == NULL)
		exit(1);
	rc = serve(conf, m->listen_fd, ready_fd);
	cic_conf_free(conf);
	exit(rc);
}

/* Start a child and wait until it serves.  Returns its pid; -1 when it ended
 * before. */
static pid_t
start_child(const struct master *m)
{
	struct pollfd pfd = { .events = POLLIN };
	pid_t master = getpid(), pid;
	int ready[2];
	char byte;
	bool ok;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		run_child(m, ready[1], master);
	}
	close(ready[1]);
	pfd.fd = ready[0];
	ok = pid > 0 && poll(&pfd, 1, READY_WAIT) > 0 &&
	    read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	if (ok)
		return pid;
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return -1;
}

static void
replace_child(struct master *m)
{
	pid_t old = m->child, fresh = start_child(m);

	if (fresh < 0) {
		cic_log_warnx("the new child did not start; the old one goes on");
		return;
	}
	m->child = fresh;
	cic_log_info("child %d takes over", (int)fresh);
	if (old > 0)
		kill(old, SIGTERM);	/* reaped by the loop when it ends */
}

/* Children that ended; the serving one is started again. */
static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != m->child)
			continue;
		cic_log_warnx("child %d ended with %s %d", (int)pid,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
		    WEXITSTATUS(status));
		m->child = start_child(m);
	}
}

static int
stop(struct master *m)
{
	if (m->child > 0) {
		kill(m->child, SIGTERM);
		waitpid(m->child, NULL, 0);
	}
	return 0;
}

static int
run_master(struct master *m)
{
	struct pollfd pfd = { .fd = m->signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	m->child = start_child(m);
	if (m->child < 0)
		return 1;
	cic_log_info("ready");
	for (;;) {
		/* a child that cannot start is tried again, not too fast */
		poll(&pfd, 1, m->child > 0 ? -1 : RESPAWN_PAUSE);
		if (m->child < 0)
			m->child = start_child(m);
		while (read(m->signal_fd, &info, sizeof(info)) ==
		    (ssize_t)sizeof(info)) {
			if (info.ssi_signo == SIGHUP)
				replace_child(m);
			else if (info.ssi_signo != SIGCHLD)
				return stop(m);
		}
		reap(m);
	}
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "check", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct master master = { .listen_fd = STDIN_FILENO };
	const char *socket_path = NULL;
	struct cic_conf *conf;
	bool check = false;
	int opt;

	cic_log_open("cic.fcgi");
	while ((opt = getopt_long(argc, argv, "c:s:nVh", options, NULL)) != -1)
		switch (opt) {
		case 'c':
			master.config = optarg;
			break;
		case 's':
			socket_path = optarg;
			break;
		case 'n':
			check = true;
			break;
		case 'V':
			puts("cic.fcgi " CIC_VERSION);
			return 0;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	if (master.config == NULL || optind != argc)
		usage(stderr, 2);
	conf = load_conf(master.config);
	if (conf == NULL)
		return 1;
	if (check)
		cic_conf_print(conf, stdout);
	cic_conf_free(conf);
	if (check)
		return 0;
	if (socket_path != NULL)
		master.listen_fd = listen_on(socket_path);
	else
		check_descriptor_0();
	master.signal_fd = open_signals();
	return run_master(&master);
}
