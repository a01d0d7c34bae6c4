/* One build on one's own machine; see library.h. */
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "id.h"
#include "job.h"
#include "log.h"
#include "loglines.h"
#include "publish.h"
#include "stages.h"
#include "stop.h"
#include "sweep.h"
#include "terminal.h"

#define LOOK		200	/* ms between looks at log and journal */
#define READ_MAX	((off_t)1 << 20)	/* of the log at one look */
#define OVERTIME	60	/* seconds past limits.build_timeout */

/* What is at work. */
struct run {
	struct library	*l;
	struct job	 job;
	pid_t		 pid;		/* of the stages */
	int		 null_fd, signal_fd;
	time_t		 began;		/* CLOCK_MONOTONIC */
	off_t		 journal_at;
	bool		 gone;		/* … they are */
	bool		 ended;		/* `end` says how */
	struct loglines	 log;
};

static time_t
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* --- the process of the stages -------------------------------------------- */

static void become_stages(struct run *run, pid_t parent)
    __attribute__((noreturn));
static void
become_stages(struct run *run, pid_t parent)
{
	static const struct stages_caller caller = { .host = "this machine" };
	char marker[CIC_ID_TEXT + 16];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);	/* it died before we asked to be told */
	/* the terminal's Ctrl-C is for who started us */
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* by this sweep.c finds what belongs to the build */
	snprintf(marker, sizeof(marker), "CIC_BUILD=%s", run->job.build.id);
	if (putenv(marker) != 0 ||
	    dup2(run->null_fd, STDIN_FILENO) < 0 ||
	    dup2(run->job.log_fd, STDOUT_FILENO) < 0 ||
	    dup2(run->job.log_fd, STDERR_FILENO) < 0)
		_exit(1);
	_exit(stages_run(&run->job, &caller) == 0 ? 0 : 1);
}

static int
start_stages(struct run *run, struct cic_err *err)
{
	pid_t parent = getpid();

	run->pid = fork();
	if (run->pid < 0)
		return cic_err_errno(err, "fork");
	if (run->pid == 0)
		become_stages(run, parent);
	return 0;
}

/* --- following it --------------------------------------------------------- */

static void
on_log_line(const struct logline *line, void *arg)
{
	struct run *run = arg;

	if (line->text[0] != '\0')
		terminal_log(run->l->terminal, line->text);
}

static void
on_journal_line(const struct journal_line *line, void *arg)
{
	struct run *run = arg;

	if (line->event == JOURNAL_PROGRESS)
		run->l->progress = line->progress;
	else if (line->event != JOURNAL_STATE) {
		run->l->end = *line;
		run->ended = true;
	}
}

/* Show what is new; true while there may be more of it. */
static bool
look(struct run *run)
{
	off_t before = run->log.at;
	struct cic_err err;

	if (journal_read(run->job.journal_fd, &run->journal_at,
	    on_journal_line, run, &err) != 0)
		cic_log_warnx("%s", err.msg);
	loglines_read(&run->log, run->job.log_fd, READ_MAX);
	run->l->seconds = seconds_now() - run->began;
	terminal_status(run->l->terminal, &run->l->progress, run->l->seconds);
	terminal_flush(run->l->terminal);
	return run->log.at != before;
}

/* The signal that says stop, or 0. */
static int
take_signal(struct run *run)
{
	struct signalfd_siginfo info;
	int stop = 0;

	while (read(run->signal_fd, &info, sizeof(info)) ==
	    (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			stop = (int)info.ssi_signo;
	return stop;
}

/* Have the stages gone?  Orphans that came to us go on the way. */
static bool
is_gone(struct run *run)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == run->pid)
			run->gone = true;
	return run->gone;
}

static void
fail(struct run *run, enum cic_cause cause, const char *sentence)
{
	struct journal_line *end = &run->l->end;

	*end = (struct journal_line){ .event = JOURNAL_FAILED, .cause = cause };
	snprintf(end->message, sizeof(end->message), "%s", sentence);
	run->ended = true;
}

/* Until it is gone, a signal comes, or it is long past its time.  The stages
 * keep their own time; the last is for one that hangs all the same. */
static void
follow(struct run *run)
{
	struct pollfd pfd = { .fd = run->signal_fd, .events = POLLIN };
	time_t limit = run->began + run->l->conf->build_timeout + OVERTIME;
	char why[64];

	while (!is_gone(run)) {
		look(run);
		if (seconds_now() > limit) {
			fail(run, CIC_CAUSE_TIMED_OUT, "it took longer than "
			    "limits.build_timeout and was ended");
			return;
		}
		poll(&pfd, 1, LOOK);
		run->l->signal = take_signal(run);
		if (run->l->signal != 0) {
			snprintf(why, sizeof(why), "it was stopped by signal "
			    "%d", run->l->signal);
			fail(run, CIC_CAUSE_CANCELLED, why);
			return;
		}
	}
	while (look(run))
		;
	loglines_end(&run->log);
}

/* --- the end -------------------------------------------------------------- */

/* What the stages would have taken care of, had they come to their end. */
static void
end_stages(struct run *run)
{
	const char *id = run->job.build.id;

	if (!run->gone) {
		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
	}
	terminal_close(run->l->terminal);	/* lines of our own may follow */
	sweep_processes(id);
	cgroup_end(id);
	sweep_containers(run->l->conf, id, run->null_fd);
}

static void
publish_file(struct run *run, const char *tmp)
{
	struct journal_line *end = &run->l->end;
	struct publish p = { .folder = run->l->conf->images_location,
	    .tmp = tmp, .file = run->l->names.file, .sha256 = end->sha256,
	    .size = end->size };
	struct cic_err err;

	if (end->event == JOURNAL_FINISHED && end->size > 0 &&
	    publish(&p, &err) != PUBLISHED)
		fail(run, err.code == CIC_ENOSPC ? CIC_CAUSE_DISK :
		    CIC_CAUSE_INTERNAL, err.msg);
}

static void
end_build(struct run *run)
{
	char tmp[CIC_PATH_MAX];
	struct cic_err err;

	if (!run->gone || !run->ended)
		end_stages(run);
	if (!run->ended)
		fail(run, CIC_CAUSE_LOST, "its process died without saying why");
	if (job_temporary(run->l->conf, &run->job.build, tmp, &err) == 0) {
		publish_file(run, tmp);
		unlink(tmp);
	}
}

/* --- the beginning -------------------------------------------------------- */

static int
open_file(struct run *run, const char *name, int *fd, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (cic_path_format(path, err, "%s/%s", run->l->folder, name) != 0)
		return -1;
	*fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
	    0600);
	return *fd >= 0 ? 0 : cic_err_errno(err, "%s", path);
}

static int
make_folder(struct library *l, struct cic_err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (cic_path_format(l->folder, err, "%s/cic-build.XXXXXX",
	    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp") != 0)
		return -1;
	if (mkdtemp(l->folder) != NULL)
		return 0;
	cic_err_errno(err, "make the folder %s", l->folder);
	l->folder[0] = '\0';
	return -1;
}

static int
prepare(struct run *run, struct cic_err *err)
{
	struct library *l = run->l;
	struct job *job = &run->job;

	run->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (run->null_fd < 0)
		return cic_err_errno(err, "/dev/null");
	if (make_folder(l, err) != 0 ||
	    open_file(run, "log", &job->log_fd, err) != 0 ||
	    open_file(run, "journal", &job->journal_fd, err) != 0)
		return -1;
	job->conf = l->conf;
	strcpy(job->folder, l->folder);
	cic_id_new(job->build.id);
	job->build.attempt = 1;
	job->build.request = l->request;
	job->build.names = l->names;
	loglines_init(&run->log, 0, on_log_line, run);
	return 0;
}

/* From here on a signal is seen by follow(). */
static int
open_signals(struct run *run, struct cic_err *err)
{
	sigset_t set;

	stop_signals(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGCHLD, SIG_DFL);	/* ignored, it would not be told */
	signal(SIGPIPE, SIG_IGN);
	run->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return run->signal_fd >= 0 ? 0 : cic_err_errno(err, "signalfd");
}

static void
release(struct run *run)
{
	const int fds[] = { run->job.log_fd, run->job.journal_fd, run->null_fd,
	    run->signal_fd };
	struct library *l = run->l;
	struct cic_err err;
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (l->folder[0] == '\0' || (l->keep && run->pid > 0))
		return;
	if (cic_remove_tree(l->folder, &err) != 0)
		cic_log_warnx("%s", err.msg);
	l->folder[0] = '\0';
}

int
library_run(struct library *l, struct cic_err *err)
{
	struct run run = { .l = l, .job = { .log_fd = -1, .journal_fd = -1 },
	    .null_fd = -1, .signal_fd = -1, .began = seconds_now() };
	int rc;

	rc = open_signals(&run, err);
	if (rc == 0)
		rc = prepare(&run, err);
	if (rc == 0) {
		/* orphans of a killed process come to us */
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		rc = start_stages(&run, err);
	}
	if (rc == 0) {
		follow(&run);
		end_build(&run);
	}
	release(&run);
	return rc;
}
