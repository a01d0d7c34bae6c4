/* A build that runs; see run.h. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cancel.h"
#include "cgroup.h"
#include "end.h"
#include "job.h"
#include "log.h"
#include "share.h"
#include "sweep.h"

#define OVERTIME	60	/* seconds past limits.build_timeout */
#define TELL_INTERVAL	1000	/* ms between changes of the store for progress */

int
run_folder(const struct cic_conf *conf, const char *id,
    char out[CIC_PATH_MAX], struct cic_err *err)
{
	return cic_path_format(out, err, "%s/builds/%s", conf->data, id);
}

/* The part that starting and adopting share. */
static struct run *
new_run(const struct worker *worker, const struct cic_build *build,
    struct cic_err *err)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	run->journal_fd = -1;
	snprintf(run->id, sizeof(run->id), "%s", build->id);
	snprintf(run->file, sizeof(run->file), "%s", build->names.file);
	run->attempt = build->attempt;
	run->state = build->state;
	run->progress = build->progress;
	run->stages = build->stages;
	run->publishing = build->publishing;
	run->told = true;
	run->started = build->started;
	if (run_folder(worker->conf, build->id, run->folder, err) != 0 ||
	    cic_path_format(run->lock, err, "%s/lock", run->folder) != 0) {
		run_free(run);
		return NULL;
	}
	return run;
}

static int
open_journal(struct run *run, int flags, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (cic_path_format(path, err, "%s/journal-%d", run->folder,
	    run->attempt) != 0)
		return -1;
	run->journal_fd = open(path, flags | O_CLOEXEC, 0640);
	if (run->journal_fd < 0)
		return cic_err_errno(err, "open %s", path);
	return 0;
}

/* In the child: become cic-build.  `lock` lives on in it; `report` gets errno
 * when that fails and is closed when it works. */
static void
become_build(const struct worker *worker, const struct run *run, int lock,
    int log, int report)
{
	char marker[CIC_ID_TEXT + 16], config[CIC_PATH_MAX + 16];
	sigset_t none;
	int e;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* by this sweep.c finds what a dead cic-build left behind */
	snprintf(marker, sizeof(marker), "CIC_BUILD=%s", run->id);
	snprintf(config, sizeof(config), "%s/cic.yaml", run->folder);
	putenv(marker);
	/* LMDB's files, say, are none of its business */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (dup2(worker->null_fd, STDIN_FILENO) >= 0 &&
	    dup2(run->journal_fd, STDOUT_FILENO) >= 0 &&
	    dup2(log, STDERR_FILENO) >= 0 && fcntl(lock, F_SETFD, 0) == 0)
		execl(worker->build_program, "cic-build", "--config",
		    config, "--build", run->folder, (char *)NULL);
	e = errno;
	(void)!write(report, &e, sizeof(e));
	_exit(127);
}

/*
 * Fork, and wait until the child is cic-build.  Before that it has our own
 * environment, and a sweep for another build would take it for an orphan.
 */
static int
fork_build(const struct worker *worker, const struct run *run, int lock,
    int log, struct cic_err *err)
{
	int report[2], child_errno = 0;
	pid_t pid;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) != 0)
		return cic_err_errno(err, "pipe");
	pid = fork();
	if (pid == 0)
		become_build(worker, run, lock, log, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return cic_err_errno(err, "fork");
	}
	do
		n = read(report[0], &child_errno, sizeof(child_errno));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == 0)
		return 0;
	waitpid(pid, NULL, 0);
	errno = child_errno;
	return cic_err_errno(err, "run %s", worker->build_program);
}

static int
start_process(const struct worker *worker, struct run *run, int lock,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	int log, rc;

	if (cic_path_format(path, err, "%s/log", run->folder) != 0)
		return -1;
	log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (log < 0)
		return cic_err_errno(err, "open %s", path);
	share_log(worker->conf, log, run->id);
	/* an earlier start's number must not be taken for this one's */
	rc = ftruncate(lock, 0) != 0 ? cic_err_errno(err, "%s", run->lock) :
	    fork_build(worker, run, lock, log, err);
	close(log);
	return rc;
}

/* The configuration as this worker has it: its file may be changing now. */
static int
write_config(const struct worker *worker, const struct run *run,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	const char *text = worker->conf->text;

	if (cic_path_format(path, err, "%s/cic.yaml", run->folder) != 0)
		return -1;
	return cic_write_file(path, text, strlen(text), 0600, err);
}

static int
prepare(const struct worker *worker, struct run *run,
    const struct cic_build *build, struct cic_err *err)
{
	struct cic_image known = { .size = 0 };
	struct cic_err ignored;
	int lock, rc;

	cic_store_image(worker->store, build->names.file, &known, &ignored);
	/* the web server passes through to the log, and lists nothing */
	if (cic_mkdir_p(run->folder, 0711, err) != 0)
		return -1;
	if (chmod(run->folder, 0711) != 0)
		return cic_err_errno(err, "folder %s", run->folder);
	lock = cic_lock_file(run->lock, 0600, err);
	if (lock < 0)
		return -1;
	rc = write_config(worker, run, err);
	if (rc == 0)
		rc = job_write(run->folder, build, &known, err);
	if (rc == 0)
		rc = open_journal(run, O_RDWR | O_CREAT | O_TRUNC | O_APPEND,
		    err);
	if (rc == 0)
		rc = start_process(worker, run, lock, err);
	close(lock);	/* cic-build's copy of the descriptor holds it */
	return rc;
}

struct run *
run_start(const struct worker *worker, const struct cic_build *build,
    struct cic_err *err)
{
	struct run *run = new_run(worker, build, err);

	if (run != NULL && prepare(worker, run, build, err) != 0) {
		run_free(run);
		return NULL;
	}
	return run;
}

struct run *
run_adopt(const struct worker *worker, const struct cic_build *build,
    struct cic_err *err)
{
	struct run *run = new_run(worker, build, err);

	/* no journal: it died between claim and start, and is simply lost */
	if (run != NULL && open_journal(run, O_RDONLY, err) != 0 &&
	    err->code != CIC_ENOENT) {
		run_free(run);
		return NULL;
	}
	return run;
}

static void
apply_news(struct cic_build *build, void *arg)
{
	const struct run *run = arg;

	build->state = run->state;
	build->progress = run->progress;
	build->stages = run->stages;
}

static void
tell_store(const struct worker *worker, struct run *run)
{
	struct cic_change change = { .id = run->id, .attempt = run->attempt,
	    .apply = apply_news, .arg = run };
	struct cic_err err;

	run->told_at = cic_now_ms();
	run->told = true;
	if (cic_store_change(worker->store, &change, &err) == 0)
		return;
	cic_log_warnx("build %s: %s", run->id, err.msg);
	/* a build that has moved on without us is no news, ever again */
	run->told = err.code == CIC_EEXIST || err.code == CIC_ENOENT;
}

struct follow {
	const struct worker	*worker;
	struct run		*run;
};

static void
on_line(const struct journal_line *line, void *arg)
{
	struct follow *f = arg;
	struct run *run = f->run;
	enum cic_state before = run->state;

	switch (line->event) {
	case JOURNAL_PROGRESS:
		run->progress = line->progress;
		/* the stage's name is its first output; we may read it late */
		cic_stages_begin(&run->stages, line->progress.stage,
		    line->progress.output > 0 ? line->progress.output :
		    cic_now_ms());
		run->told = false;
		break;
	case JOURNAL_STATE:
		run->state = line->state;
		if (run->state != before)
			tell_store(f->worker, run);
		break;
	default:
		run->last = *line;
		run->ended = true;
	}
}

/* A change of the store is synced, so progress waits until the last one is a
 * second old; at the end of a build it is written with that. */
static void
tell_progress(const struct worker *worker, struct run *run)
{
	int64_t age = cic_now_ms() - run->told_at;

	if (!run->told && !run->ended && (age < 0 || age >= TELL_INTERVAL))
		tell_store(worker, run);
}

/* cic-build keeps its own time; this is for one that hangs all the same.  Its
 * lock is held, so the number in there is still its own. */
static void
end_overdue(const struct worker *worker, struct run *run)
{
	int64_t limit = (int64_t)worker->conf->build_timeout + OVERTIME;
	struct cic_err ignored;
	struct cic_buf text;
	long pid;

	if (run->overdue || cic_now_ms() - run->started < limit * 1000)
		return;
	cic_buf_init(&text, 64);
	if (cic_read_file(run->lock, &text, &ignored) == 0 &&
	    (pid = strtol(text.data, NULL, 10)) > 1) {
		cic_log_warnx("build %s: overdue, killing %ld", run->id, pid);
		run->overdue = kill((pid_t)pid, SIGKILL) == 0;
	}
	cic_buf_release(&text);
}

bool
run_follow(const struct worker *worker, struct run *run)
{
	struct follow f = { .worker = worker, .run = run };
	/* asked before reading: what it wrote before it went is then there */
	bool gone = !cic_lock_is_held(run->lock);
	struct cic_err err;

	if (run->journal_fd >= 0 &&
	    journal_read(run->journal_fd, &run->journal_at, on_line, &f,
	    &err) != 0)
		cic_log_warnx("build %s: %s", run->id, err.msg);
	if (!gone) {
		tell_progress(worker, run);
		end_overdue(worker, run);
		if (!cancel_look(worker, run))
			return false;
	}
	sweep_processes(run->id);
	cgroup_end(run->id);
	if (!run->ended)	/* else it has removed its own */
		sweep_containers(worker->conf, run->id, worker->null_fd);
	return end_run(worker, run);
}

void
run_free(struct run *run)
{
	if (run == NULL)
		return;
	if (run->journal_fd >= 0)
		close(run->journal_fd);
	free(run);
}
