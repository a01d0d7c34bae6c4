/* Stage push: the image to the registry, where its name says. */
#include "job.h"

#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "failure.h"

/* The name is a tag that another build of the same name may move; builds of one
 * name run in turn, and it was set by this one.  What came out at the other end
 * is compared all the same. */
static int
check_pushed(struct job *job, struct cic_err *err)
{
	struct cic_registry_image image = { .config = NULL };
	struct cic_registry registry;
	struct cic_buf token;
	int rc;

	cic_buf_init(&token, 65536);
	rc = job_registry(job, &registry, &token, err);
	if (rc == 0)
		rc = cic_registry_find(&registry, job->build.names.image,
		    job->build.request.platform, &image, err);
	if (rc == 0 && !cic_registry_is_image(&image, job->image_id))
		rc = cic_err_set(err, CIC_EIO, "the registry has image %s "
		    "under the name that %s was pushed to", image.image_id,
		    job->image_id);
	if (rc == 0)
		job_say(job, "pushed %s: %s", job->build.names.image,
		    image.digest);
	explicit_bzero(token.data, token.len);
	cic_buf_release(&token);
	return rc;
}

static int
explain(struct job *job, off_t start, struct cic_err *err)
{
	if (err->code != CIC_EIO) {
		job_set_cause(job, CIC_CAUSE_PUSH, err);
		return -1;
	}
	failure_of_push(job->log_fd, start, err->msg, &job->failure);
	cic_err_set(err, CIC_EIO, "%s", job->failure.sentence);
	job_set_cause(job, job->failure.cause, err);
	return -1;
}

int
stage_push(struct job *job, struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);
	const char *name = job->build.names.image;
	off_t start;

	job->cause = CIC_CAUSE_INTERNAL;
	job_say(job, "pushing %s", name);
	/* the image may be there without its name, or under a moved one */
	if (cic_engine_tag(&engine, job->image_id, name, err) != 0) {
		job_set_cause(job, CIC_CAUSE_ENGINE, err);
		return -1;
	}
	start = lseek(job->log_fd, 0, SEEK_END);
	if (cic_engine_push(&engine, name, job_seconds_left(job),
	    (unsigned)job->conf->stall_timeout, err) != 0)
		return explain(job, start, err);
	if (check_pushed(job, err) != 0) {
		job_registry_failed(job, err);
		return -1;
	}
	job->in_registry = true;
	return 0;
}
