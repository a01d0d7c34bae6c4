/* Stage pull: an up to date image that only the registry has, for its .sif. */
#include "job.h"

#include <stdio.h>
#include <string.h>

/* By the digest that was looked at: the name may mean another image by now. */
int
stage_pull(struct job *job, struct cic_err *err)
{
	const char *name = job->build.names.image;
	struct cic_engine engine = job_engine(job);
	struct cic_engine_image image = { .id = "" };
	char exact[CIC_PATH_MAX];

	job->cause = CIC_CAUSE_INTERNAL;
	if (cic_path_format(exact, err, "%.*s@%s",
	    (int)(strrchr(name, ':') - name), name, job->registry_digest) != 0)
		return -1;
	job_say(job, "pulling %s", exact);
	if (cic_engine_pull(&engine, exact, job->build.request.platform,
	    err) != 0 || cic_engine_image(&engine, exact, &image, err) != 0) {
		job_set_cause(job, CIC_CAUSE_REGISTRY, err);
		return -1;
	}
	/* for the next build, and for whoever looks for it in the engine */
	if (cic_engine_tag(&engine, image.id, name, err) != 0) {
		job_set_cause(job, CIC_CAUSE_ENGINE, err);
		return -1;
	}
	job->in_engine = true;
	snprintf(job->image_id, sizeof(job->image_id), "%s", image.id);
	return 0;
}
