/*
 * cic-worker: takes builds from the store's queue and sees them to their end.
 *
 * One thread, one loop: it sleeps on a datagram socket, signals and a tick;
 * then it follows the builds that run and starts those that wait.  It ends
 * without touching running builds: the next worker takes them up.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "end.h"
#include "engine.h"
#include "engine_gc.h"
#include "log.h"
#include "refresh.h"
#include "share.h"
#include "run.h"
#include "sweep.h"
#include "tools.h"
#include "version.h"
#include "wake.h"

#define RUNS_MAX	64	/* the largest build.max_concurrent_builds */
#define TICK_BUSY	500	/* ms between looks while builds run */
#define TICK_IDLE	5000	/* ms, should a wake-up get lost */

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-worker [-n] -c FILE\n"
	    "Build the images that were asked for, until SIGTERM.\n"
	    "  -c, --config FILE  the service's configuration\n"
	    "  -n, --check        check the configuration, print what was\n"
	    "                     understood, and exit\n"
	    "  -V, --version      print the version\n"
	    "  -h, --help         print this\n"
	    "Exit status: 0 ended by a signal, 1 cannot work (the message\n"
	    "says what to change), 2 wrong usage.\n");
	exit(status);
}

/* The list of running builds, oldest last. */
struct runs {
	struct worker	 worker;
	struct run	*first;
	int		 count;
	struct refresh	 refresh;
};

static void
push(struct runs *runs, struct run *run)
{
	run->next = runs->first;
	runs->first = run;
	runs->count++;
}

/* A build that an earlier worker left in the middle. */
static void
adopt(const struct cic_build *build, void *arg)
{
	struct runs *runs = arg;
	struct cic_err err;
	struct run *run = run_adopt(&runs->worker, build, &err);

	if (run == NULL) {
		cic_log_warnx("build %s: cannot be taken up: %s", build->id,
		    err.msg);
		return;
	}
	cic_log_info("build %s: taken up in state %s", build->id,
	    cic_state_name(build->state));
	push(runs, run);
}

static void
follow_all(struct runs *runs)
{
	struct run **at = &runs->first, *run;

	while ((run = *at) != NULL) {
		if (!run_follow(&runs->worker, run)) {
			at = &run->next;
			continue;
		}
		*at = run->next;
		runs->count--;
		run_free(run);
		refresh_soon(&runs->refresh);
	}
}

static size_t
busy_names(const struct runs *runs, const char *names[2 * RUNS_MAX])
{
	const struct run *run;
	size_t n = 0;

	for (run = runs->first; run != NULL && n < 2 * RUNS_MAX;
	    run = run->next)
		names[n++] = run->file;
	return n;
}

/* Start what waits, as far as there is room. */
static void
start_waiting(struct runs *runs)
{
	const char *busy[2 * RUNS_MAX];
	struct cic_build build;
	struct cic_err err;
	struct run *run;

	while (runs->count < runs->worker.conf->max_concurrent_builds) {
		if (cic_store_claim(runs->worker.store, busy,
		    busy_names(runs, busy), &build, &err) != 0) {
			if (err.code != CIC_ENOENT)
				cic_log_warnx("%s", err.msg);
			return;
		}
		cic_log_info("build %s: attempt %d of %s", build.id,
		    build.attempt, build.names.image);
		run = run_start(&runs->worker, &build, &err);
		if (run == NULL && !end_unstarted(&runs->worker, build.id,
		    build.attempt, &err))
			/* not forgotten: follow it as one that was lost */
			run = run_adopt(&runs->worker, &build, &err);
		if (run != NULL)
			push(runs, run);
		cic_build_release(&build);
	}
}

/* Folders of builds that nobody has in his list any more. */
static void
remove_trash(const struct worker *worker)
{
	char id[CIC_ID_TEXT], path[CIC_PATH_MAX];
	struct cic_err err;

	while (cic_store_trash(worker->store, id, &err) == 0) {
		if (run_folder(worker->conf, id, path, &err) != 0 ||
		    cic_remove_tree(path, &err) != 0)
			/* said once; it is of no use to try for ever */
			cic_log_warnx("build %s: its folder stays: %s", id,
			    err.msg);
		if (cic_store_trash_removed(worker->store, id, &err) != 0) {
			cic_log_warnx("build %s: %s", id, err.msg);
			return;
		}
	}
}

/* True when it is time to end. */
static bool
take_signals(struct runs *runs, int fd)
{
	struct signalfd_siginfo info;
	bool end = false;
	int status;
	pid_t pid;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			end = true;
	/* cic-build's, and orphans a subreaper inherits */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		refresh_reaped(&runs->refresh, pid, status);
	return end;
}

static void
loop(struct runs *runs, int wake_fd, int signal_fd)
{
	struct pollfd pfd[2] = {
		{ .fd = wake_fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};

	for (;;) {
		follow_all(runs);
		start_waiting(runs);
		refresh_turn(&runs->refresh);
		remove_trash(&runs->worker);
		cic_store_check_readers(runs->worker.store);
		if (cic_store_is_broken(runs->worker.store))
			cic_log_fatalx("the store is damaged; see README, "
			    "\"When something is wrong\"");
		poll(pfd, 2, runs->count > 0 ? TICK_BUSY : TICK_IDLE);
		cic_wake_drain(wake_fd);
		if (take_signals(runs, signal_fd))
			return;
	}
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* A folder that others must get into, whatever our umask.  One that is there
 * is its owner's business. */
static int
make_public_folder(const char *path, mode_t mode, struct cic_err *err)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return 0;
	if (cic_mkdir_p(path, 0755, err) != 0)
		return -1;
	return chmod(path, mode) == 0 ? 0 :
	    cic_err_errno(err, "folder %s", path);
}

/* db/ belongs to the group that both programs are in, whatever the umask. */
static int
make_store_folder(const struct cic_conf *conf, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (make_public_folder(conf->data, 0755, err) != 0 ||
	    cic_path_format(path, err, "%s/db", conf->data) != 0)
		return -1;
	if (mkdir(path, 0770) == 0 && chmod(path, 02770) == 0)
		return 0;
	return errno == EEXIST ? 0 : cic_err_errno(err, "folder %s", path);
}

/* The folders we write to, and what must be installed. */
static int
check_site(const struct cic_conf *conf, int null_fd, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (make_store_folder(conf, err) != 0 ||
	    cic_path_format(path, err, "%s/builds", conf->data) != 0 ||
	    make_public_folder(path, 0711, err) != 0 ||
	    make_public_folder(conf->images_location, 0755, err) != 0 ||
	    share_check(conf, err) != 0)
		return -1;
	return tools_check(conf, true, null_fd, err);
}

/* Package caches are what makes the second build fast. */
static void
warn_of_lost_caches(const struct cic_conf *conf, int null_fd)
{
	struct cic_engine engine = { .conf = conf, .build_id = "-",
	    .log_fd = null_fd };
	char keep[CIC_KEEP_MAX];

	if (conf->spack_mirror[0] == '\0' &&
	    cic_engine_drops_caches(&engine, keep))
		cic_log_warnx("the engine drops package caches that nobody used "
		    "for %s: raise that in builder.gc.policy of docker's "
		    "daemon.json, or set build.spack_mirror", keep);
}

/* One worker per store; held until we end. */
static int
lock_store(const struct cic_conf *conf, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	int fd;

	if (cic_path_format(path, err, "%s/db/worker.lock", conf->data) != 0)
		return -1;
	fd = cic_lock_file(path, 0664, err);
	if (fd < 0 && err->code == CIC_EEXIST)
		return cic_err_set(err, CIC_EEXIST,
		    "another cic-worker works on %s", conf->data);
	return fd;
}

/* cic-build stands beside this program. */
static void
find_build_program(char out[CIC_PATH_MAX])
{
	char self[CIC_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct cic_err err;
	char *slash;

	if (n <= 0)
		cic_log_fatalx("/proc/self/exe cannot be read");
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	if (cic_path_format(out, &err, "%s/cic-build", self) != 0)
		cic_log_fatalx("%s", err.msg);
	if (access(out, X_OK) != 0)
		cic_log_fatalx("%s is not there", out);
}

static void
work(const struct cic_conf *conf)
{
	struct cic_request_site site = cic_conf_site(conf);
	struct runs runs = { .worker = { .conf = conf } };
	char build_program[CIC_PATH_MAX], db[CIC_PATH_MAX];
	int lock_fd, wake_fd, signal_fd = open_signals();
	struct cic_err err;

	find_build_program(build_program);
	runs.worker.build_program = build_program;
	sweep_spare(build_program);
	runs.worker.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (check_site(conf, runs.worker.null_fd, &err) != 0 ||
	    (lock_fd = lock_store(conf, &err)) < 0 ||
	    cic_path_format(db, &err, "%s/db", conf->data) != 0 ||
	    (runs.worker.store = cic_store_open(db, &site, &err)) == NULL ||
	    (wake_fd = cic_wake_open(db, &err)) < 0)
		cic_log_fatalx("%s", err.msg);
	warn_of_lost_caches(conf, runs.worker.null_fd);
	if (cic_store_each_running(runs.worker.store, adopt, &runs, &err) != 0)
		cic_log_fatalx("%s", err.msg);
	cic_log_info("ready: engine %s, %d builds at once",
	    conf->engine == CIC_ENGINE_DOCKER ? "docker" : "podman",
	    conf->max_concurrent_builds);
	refresh_init(&runs.refresh, &runs.worker);
	loop(&runs, wake_fd, signal_fd);
	refresh_end(&runs.refresh);
	cic_log_info("ending; %d builds go on without me", runs.count);
	while (runs.first != NULL) {
		struct run *next = runs.first->next;

		run_free(runs.first);
		runs.first = next;
	}
	cic_store_close(runs.worker.store);
	close(wake_fd);
	close(signal_fd);
	close(lock_fd);
	close(runs.worker.null_fd);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *config = NULL;
	struct cic_conf *conf;
	struct cic_buf faults;
	bool check = false;
	int opt;

	cic_log_open("cic-worker");
	while ((opt = getopt_long(argc, argv, "c:nVh", options, NULL)) != -1)
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'n':
			check = true;
			break;
		case 'V':
			puts("cic-worker " CIC_VERSION);
			return 0;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	if (config == NULL || optind != argc)
		usage(stderr, 2);
	cic_buf_init(&faults, 65536);
	conf = cic_conf_load(config, &faults);
	if (conf == NULL) {
		fputs(faults.data, stderr);
		return 1;
	}
	if (check)
		cic_conf_print(conf, stdout);
	else
		work(conf);
	cic_conf_free(conf);
	cic_buf_release(&faults);
	return 0;
}
