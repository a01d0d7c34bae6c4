/* Stage push: the image to the registry, where its name says. */
#include "job.h"

#include <string.h>

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
	if (rc == 0 && strcmp(image.image_id, job->image_id) != 0)
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

int
stage_push(struct job *job, struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);
	const char *name = job->build.names.image;

	job->cause = CIC_CAUSE_INTERNAL;
	job_say(job, "pushing %s", name);
	/* the image may be there without its name, or under a moved one */
	if (cic_engine_tag(&engine, job->image_id, name, err) != 0) {
		job_set_cause(job, CIC_CAUSE_ENGINE, err);
		return -1;
	}
	if (cic_engine_push(&engine, name, job_seconds_left(job),
	    (unsigned)job->conf->stall_timeout, err) != 0) {
		job_set_cause(job, CIC_CAUSE_PUSH_REFUSED, err);
		return cic_err_wrap(err, "%s is built but could not be pushed "
		    "(see the log)", name);
	}
	if (check_pushed(job, err) != 0) {
		job_set_cause(job, CIC_CAUSE_REGISTRY, err);
		return -1;
	}
	job->in_registry = true;
	return 0;
}
