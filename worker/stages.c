/* The stages of one build; see stages.h. */
#include "stages.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "job.h"
#include "journal.h"
#include "log.h"
#include "sweep.h"

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

static void
tell(const struct job *job, const struct stages_caller *caller)
{
	if (caller->moved != NULL)
		caller->moved(job);
}

static int
run_all(struct job *job, const struct stages_caller *caller,
    struct cic_err *err)
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
			tell(job, caller);
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
set_message(struct job *job, const char *host)
{
	char engine[128];

	snprintf(engine, sizeof(engine), "in the engine of %s", host);
	if (job->build.request.container == CIC_DOCKER)
		snprintf(job->message, sizeof(job->message),
		    "the image is %s%s%s as %s",
		    job->in_registry ? "in the registry" : "",
		    job->in_registry && job->in_engine ? " and " : "",
		    job->in_engine || !job->in_registry ? engine : "",
		    job->build.names.image);
}

/* The registry's password stays no longer than it is needed: the work folder may
 * be kept. */
static void
remove_login(struct job *job)
{
	struct cic_err err;

	if (job->login[0] != '\0' && cic_remove_tree(job->login, &err) != 0)
		cic_log_warnx("%s", err.msg);
	job->login[0] = '\0';
}

static void
set_deadline(struct job *job)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	job->deadline = now.tv_sec + job->conf->build_timeout;
}

int
stages_run(struct job *job, const struct stages_caller *caller)
{
	static struct progress progress;
	struct cic_err err;
	int rc;

	job->progress = &progress;
	progress_begin(&progress, job->log_fd, job->journal_fd);
	set_deadline(job);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rc = run_all(job, caller, &err);
	progress_end(&progress);
	sweep_processes(job->build.id);	/* what a killed client left */
	remove_login(job);
	if (rc == 0) {
		set_message(job, caller->host);
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
	tell(job, caller);
	return rc;
}
