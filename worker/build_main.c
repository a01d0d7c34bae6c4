/*
 * cic-build: one build from request to .sif.
 *
 * Started by cic-worker with the journal as standard output and the log as
 * standard error; touches no store and opens no socket.  Exit status 0 when
 * the journal has its last line, whatever that says.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "convert_command.h"
#include "job.h"
#include "journal.h"
#include "log.h"
#include "sweep.h"
#include "version.h"
#include "wake.h"

/* A stage that is not wanted is neither run nor shown. */
static const struct stage {
	const char	*name;
	enum cic_state	 state;
	stage_fn	 run;
	bool		(*wanted)(const struct job *job);	/* or NULL */
} stages[] = {
	{ "resolve", CIC_STARTED, stage_resolve, NULL },
	{ "check", CIC_STARTED, stage_check, NULL },
	{ "context", CIC_BUILDING, stage_context, job_wants_image },
	{ "build", CIC_BUILDING, stage_build, job_wants_image },
	{ "pull", CIC_BUILDING, stage_pull, job_wants_pull },
	{ "push", CIC_BUILDING, stage_push, job_wants_push },
	{ "convert", CIC_CONVERTING, stage_convert, job_wants_file },
};

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-build -c FILE -b FOLDER\n"
	    "       cic-build --convert SOURCE --output FILE.sif [options]\n"
	    "Run one build that cic-worker has laid out, or make a .sif of an image\n"
	    "(cic-build --convert --help tells more of that).\n"
	    "  -c, --config FILE   the service's configuration\n"
	    "  -b, --build FOLDER  the build's folder, which holds job.json\n"
	    "  -V, --version       print the version\n"
	    "  -h, --help          print this\n"
	    "JSON lines about its progress go to standard output, the log to\n"
	    "standard error.  Exit status: 0 the last line says how it ended,\n"
	    "1 it could not be told, 2 wrong usage.\n");
	exit(status);
}

static void
poke_worker(const struct job *job)
{
	char folder[CIC_PATH_MAX];
	struct cic_err ignored;

	if (cic_path_format(folder, &ignored, "%s/db", job->conf->data) == 0)
		cic_wake_poke(folder);
}

/* A start begins in an empty work folder, whatever the last one left. */
static int
empty_work(struct job *job, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (job_path(job, "", path, err) != 0 ||
	    cic_remove_tree(path, err) != 0)
		return -1;
	return cic_mkdir_p(path, 0700, err);
}

static int
run_stages(struct job *job, struct cic_err *err)
{
	enum cic_state shown = CIC_STARTED;
	size_t i;

	job->cause = CIC_CAUSE_INTERNAL;
	if (empty_work(job, err) != 0)
		return -1;
	for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		if (stages[i].wanted != NULL && !stages[i].wanted(job))
			continue;
		if (stages[i].state != shown) {
			shown = stages[i].state;
			if (journal_write_state(job->journal_fd, shown,
			    err) != 0)
				return -1;
			poke_worker(job);
		}
		job_say(job, "stage %s", stages[i].name);
		progress_stage(job->progress, stages[i].name);
		if (stages[i].run(job, err) != 0) {
			job_say(job, "failed at stage %s: %s", stages[i].name,
			    err->msg);
			return -1;
		}
	}
	return 0;
}

/* What FINISHED says, if anything: a .sif speaks for itself. */
static void
set_message(struct job *job)
{
	const char *where = job->in_registry ?
	    (job->in_engine ? "in the registry and in the engine of the "
	    "service's host" : "in the registry") :
	    "in the engine of the service's host";

	if (job->build.request.container == CIC_DOCKER)
		snprintf(job->message, sizeof(job->message),
		    "the image is %s as %s", where, job->build.names.image);
}

/* Returns 0 when the journal tells how it ended. */
static int
run_job(struct job *job)
{
	struct cic_err err;
	int rc;

	rc = run_stages(job, &err);
	progress_end(job->progress);
	sweep_processes(job->build.id);	/* what a killed client left */
	if (rc == 0) {
		set_message(job);
		rc = journal_write_finished(job->journal_fd, job, &err);
	} else {
		/* excerpt and package are there when a stage found them */
		job->failure.cause = job->cause;
		snprintf(job->failure.sentence, sizeof(job->failure.sentence),
		    "%s", err.msg);
		rc = journal_write_failed(job->journal_fd, &job->failure, &err);
	}
	if (rc != 0)
		cic_log_warnx("%s", err.msg);
	return rc;
}

/* Our number, into the lock file that is held for us: for people, scripts, and
 * the worker when we hang. */
static void
write_pid(const struct job *job)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	int fd;

	if (cic_path_format(path, &ignored, "%s/lock", job->folder) != 0)
		return;
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		cic_log_warn("%s", path);
	if (fd >= 0)
		close(fd);
}

static void
set_deadline(struct job *job)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	job->deadline = now.tv_sec + job->conf->build_timeout;
}

/* Is this the other thing we do? */
static bool
is_convert(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--convert", 9) == 0)
			return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "build", required_argument, NULL, 'b' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *config = NULL, *folder = NULL;
	static struct progress progress;
	struct job job = { .log_fd = STDERR_FILENO,
	    .journal_fd = STDOUT_FILENO, .progress = &progress };
	struct cic_buf faults;
	struct cic_conf *conf;
	struct cic_err err;
	int opt, rc = 1;

	cic_log_open("cic-build");
	if (is_convert(argc, argv))
		return convert_command(argc, argv);
	while ((opt = getopt_long(argc, argv, "c:b:Vh", options, NULL)) != -1)
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'b':
			folder = optarg;
			break;
		case 'V':
			puts("cic-build " CIC_VERSION);
			return 0;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	if (config == NULL || folder == NULL || optind != argc)
		usage(stderr, 2);
	cic_buf_init(&faults, 65536);
	job.conf = conf = cic_conf_load(config, &faults);
	if (conf == NULL)
		cic_log_fatalx("%s", faults.data);
	if (cic_path_format(job.folder, &err, "%s", folder) != 0 ||
	    job_read(&job, &err) != 0)
		cic_log_fatalx("%s", err.msg);
	write_pid(&job);
	progress_begin(&progress, job.log_fd, job.journal_fd);
	set_deadline(&job);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rc = run_job(&job) == 0 ? 0 : 1;
	poke_worker(&job);
	cic_build_release(&job.build);
	cic_conf_free(conf);
	cic_buf_release(&faults);
	return rc;
}
