/* Stage build: the engine makes the image. */
#include "job.h"

#include <stdio.h>
#include <unistd.h>

#include "failure.h"

/* Build arguments and labels, as words for the engine. */
struct options {
	char		 text[5][2048];
	const char	*word[11];
};

static void
make_options(const struct job *job, struct options *o)
{
	const struct cic_request *r = &job->build.request;
	bool forced = r->force && !job->build.force_done;
	int i;

	snprintf(o->text[0], sizeof(o->text[0]), "BASE_IMAGE=%s",
	    job->conf->base_image);
	snprintf(o->text[1], sizeof(o->text[1]), "STEP=%s", r->step);
	snprintf(o->text[2], sizeof(o->text[2]), "SOURCE=%s",
	    job->conf->workflow_repository);
	/* forced: the build's id is new each time, so no layer is known */
	snprintf(o->text[3], sizeof(o->text[3]), "INPUTS=%.16s%s%s",
	    job->inputs, forced ? "-" : "", forced ? job->build.id : "");
	snprintf(o->text[4], sizeof(o->text[4]), CIC_KEY_LABEL "=%s",
	    job->content_key);
	for (i = 0; i < 5; i++) {
		o->word[2 * i] = i < 4 ? "--build-arg" : "--label";
		o->word[2 * i + 1] = o->text[i];
	}
	o->word[10] = NULL;
}

static void
save_package_log(const struct job *job)
{
	char path[CIC_PATH_MAX];
	struct cic_err err;

	if (cic_path_format(path, &err, "%s/package.log", job->folder) != 0 ||
	    failure_save_log(&job->failure, job->log_fd, path, &err) != 0)
		job_say(job, "%s", err.msg);
}

int
stage_build(struct job *job, struct cic_err *err)
{
	char context[CIC_PATH_MAX], dockerfile[CIC_PATH_MAX],
	    iidfile[CIC_PATH_MAX];
	struct cic_engine engine = job_engine(job);
	struct cic_engine_build build = { .context = context,
	    .dockerfile = dockerfile, .platform = job->build.request.platform,
	    .tag = job->build.names.image, .iidfile = iidfile,
	    .timeout = job_seconds_left(job),
	    .stall = (unsigned)job->conf->stall_timeout };
	struct options options = { .word = { NULL } };
	off_t start;

	job->cause = CIC_CAUSE_INTERNAL;
	if (job_path(job, "context", context, err) != 0 ||
	    job_path(job, "iid", iidfile, err) != 0 ||
	    cic_path_format(dockerfile, err, "%s/Dockerfile",
	    job->conf->templates) != 0)
		return -1;
	make_options(job, &options);
	build.options = options.word;
	start = lseek(job->log_fd, 0, SEEK_END);
	if (cic_engine_build(&engine, &build, job->image_id, err) == 0)
		return 0;
	/* a build that was ended for its time has last lines, too */
	failure_of_log(job->log_fd, start, err->msg, &job->failure);
	save_package_log(job);
	if (err->code != CIC_EIO) {
		job_set_cause(job, CIC_CAUSE_IMAGE_BUILD, err);
		return -1;
	}
	cic_err_set(err, CIC_EIO, "%s", job->failure.sentence);
	job_set_cause(job, job->failure.cause, err);
	return -1;
}
