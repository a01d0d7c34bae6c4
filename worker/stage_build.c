/* Stage build: the engine makes the image. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "failure.h"
#include "platform.h"

#define OPTIONS_MAX	32

/* Build arguments, labels and limits, as words for the engine. */
struct options {
	char		 text[OPTIONS_MAX][2048];
	const char	*word[2 * OPTIONS_MAX + 1];
	int		 count;
};

static void
add(struct options *o, const char *option, const char *name, const char *value)
{
	if (o->count == OPTIONS_MAX)
		return;
	snprintf(o->text[o->count], sizeof(o->text[0]), "%.200s%.1800s", name,
	    value);
	o->word[2 * o->count] = option;
	o->word[2 * o->count + 1] = o->text[o->count];
	o->word[2 * ++o->count] = NULL;
}

/* Engines know these by name: commands see them, the image does not keep
 * them, and a layer is the same with another proxy. */
static void
add_proxies(struct options *o, const struct cic_conf *conf)
{
	const struct { const char *lower, *upper, *value; } proxies[] = {
		{ "http_proxy=", "HTTP_PROXY=", conf->http_proxy },
		{ "https_proxy=", "HTTPS_PROXY=", conf->https_proxy },
		{ "no_proxy=", "NO_PROXY=", conf->no_proxy },
	};
	size_t i;

	for (i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i].value[0] == '\0')
			continue;
		add(o, "--build-arg", proxies[i].lower, proxies[i].value);
		add(o, "--build-arg", proxies[i].upper, proxies[i].value);
	}
}

static void
make_options(const struct job *job, struct options *o)
{
	const struct cic_request *r = &job->build.request;

	add(o, "--build-arg", "BASE_IMAGE=", job_base_image(job));
	if (!cic_request_is_base(r))
		add(o, "--label", "org.opencontainers.image.source=",
		    job->conf->workflow_repository);
	add(o, "--label", CIC_KEY_LABEL "=", job->content_key);
	add(o, "--label", CIC_PARTS_LABEL "=", job->parts);
	add_proxies(o, job->conf);
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

/* Which of our own limits is behind it, if any. */
static void
say_limit(const struct job *job, struct cic_err *err)
{
	char text[80] = "";
	size_t len;

	if (platform_is_elsewhere(job->conf, job->build.request.platform))
		;	/* not ours */
	else if (job->failure.cause == CIC_CAUSE_MEMORY && job->conf->memory > 0)
		snprintf(text, sizeof(text), " (a build may have %d MiB here: "
		    "limits.memory)", job->conf->memory);
	else if (job->failure.no_process && job->conf->processes > 0)
		snprintf(text, sizeof(text), " (a build may have %d processes "
		    "here: limits.processes)", job->conf->processes);
	len = strlen(text);
	cic_err_set(err, CIC_EIO, "%.*s%s", (int)(CIC_MESSAGE_MAX - 1 - len),
	    job->failure.sentence, text);
}

/* What the engine's output says about why it failed. */
static int
explain(struct job *job, off_t start, struct cic_err *err)
{
	/* a build that was ended for its time has last lines, too */
	failure_of_log(job->log_fd, start, err->msg, &job->failure);
	save_package_log(job);
	if (err->code != CIC_EIO) {
		job_set_cause(job, CIC_CAUSE_IMAGE_BUILD, err);
		return -1;
	}
	say_limit(job, err);
	job_set_cause(job, job->failure.cause, err);
	return -1;
}

/* The base image is named by its tag: had that moved while we built, the labels
 * would tell of another base than the one inside. */
static int
check_base(struct job *job, const struct cic_engine *engine,
    struct cic_err *err)
{
	struct cic_engine_image image = { .id = "" };

	if (cic_engine_image(engine, job_base_image(job), &image, err) != 0 ||
	    strcmp(image.id, job->base_id) == 0)
		return 0;	/* a builder elsewhere need not leave it here */
	job->cause = CIC_CAUSE_BASE_IMAGE;
	return cic_err_set(err, CIC_EAGAIN, "the base image %s was replaced "
	    "while the image was built from it; ask again",
	    job_base_image(job));
}

int
stage_build(struct job *job, struct cic_err *err)
{
	char context[CIC_PATH_MAX], dockerfile[CIC_PATH_MAX],
	    iidfile[CIC_PATH_MAX];
	struct cic_engine engine = job_engine(job);
	struct cic_engine_build build = { .context = context,
	    .dockerfile = dockerfile, .platform = job->build.request.platform,
	    .tag = job->build.names.image, .base = job_base_image(job),
	    .iidfile = iidfile,
	    .timeout = job_seconds_left(job),
	    .stall = (unsigned)job->conf->stall_timeout };
	struct options options = { .count = 0 };
	char cgroup[CGROUP_NAME_MAX] = "";
	off_t start;
	int rc;

	job->cause = CIC_CAUSE_INTERNAL;
	if (job_path(job, "context", context, err) != 0 ||
	    job_path(job, "iid", iidfile, err) != 0 ||
	    job_path(job, "Dockerfile", dockerfile, err) != 0)
		return -1;
	/* a group of this host is none of another engine's */
	if (!platform_is_elsewhere(job->conf, build.platform) &&
	    cgroup_begin(job->conf, job->build.id, cgroup, err) != 0)
		return -1;
	make_options(job, &options);
	build.options = options.word;
	build.cgroup = cgroup;
	start = lseek(job->log_fd, 0, SEEK_END);
	rc = cic_engine_build(&engine, &build, job->image_id, err);
	cgroup_end(job->build.id);
	if (rc != 0)
		return explain(job, start, err);
	job->in_engine = true;
	return check_base(job, &engine, err);
}
