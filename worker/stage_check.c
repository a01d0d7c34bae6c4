/*
 * Stage check: is there an image made of exactly this already?
 *
 * The content key is a digest over everything that goes into an image; the
 * image carries it as a label.  An equal key means nothing has to be built,
 * and a .sif made of that very image id does not have to be made again.
 */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "digest.h"

#define TEMPLATE_MAX (1024 * 1024)

/* Have the base image, and know its id. */
static int
find_base(struct job *job, const struct cic_engine *engine,
    struct cic_err *err)
{
	const char *base = job->conf->base_image;

	if (cic_engine_image_id(engine, base, CIC_KEY_LABEL, job->base_id,
	    NULL, 0, err) == 0)
		return 0;
	if (cic_engine_check(job->conf, job->log_fd, err) != 0) {
		job_set_cause(job, CIC_CAUSE_ENGINE, err);
		return -1;
	}
	job_say(job, "pulling the base image %s", base);
	if (cic_engine_pull(engine, base, job->build.request.platform,
	    err) != 0 ||
	    cic_engine_image_id(engine, base, CIC_KEY_LABEL, job->base_id,
	    NULL, 0, err) != 0) {
		job_set_cause(job, CIC_CAUSE_BASE_IMAGE, err);
		return cic_err_wrap(err, "base image %s (build.base_image)",
		    base);
	}
	return 0;
}

static int
add_template(struct cic_digest *digest, const struct job *job,
    const char *name, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	struct cic_buf text;
	int rc;

	if (cic_path_format(path, err, "%s/%s", job->conf->templates,
	    name) != 0)
		return -1;
	cic_buf_init(&text, TEMPLATE_MAX);
	rc = cic_read_file(path, &text, err);
	if (rc == 0)
		cic_digest_add_field(digest, text.data);
	else
		cic_err_wrap(err, "template (build.templates)");
	cic_buf_release(&text);
	return rc;
}

static int
make_key(struct job *job, struct cic_err *err)
{
	const struct cic_request *r = &job->build.request;
	const char *fields[] = { "1", job->workflow_tree, job->catalog_tree,
	    job->base_id, r->step, r->platform, r->target, r->mpi, r->gpu };
	struct cic_digest *digest = cic_digest_begin();
	size_t i;
	int rc;

	if (digest == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	rc = add_template(digest, job, "Dockerfile", err);
	if (rc == 0)
		rc = add_template(digest, job, "inner.sh", err);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		cic_digest_add_field(digest, fields[i]);
	cic_digest_end(digest, job->content_key);
	return rc;
}

/* Is the published .sif the one its record tells of, made of our image? */
static bool
known_file_is_right(const struct job *job)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct stat st;

	return job->known.size > 0 &&
	    strcmp(job->known.image_id, job->image_id) == 0 &&
	    cic_path_format(path, &ignored, "%s/%s",
	    job->conf->images_location, job->build.names.file) == 0 &&
	    stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == job->known.size;
}

static int
check_disk(struct job *job, struct cic_err *err)
{
	const char *folders[] = { job->conf->data, job->conf->images_location };
	uint64_t bytes;
	size_t i;

	for (i = 0; i < 2; i++) {
		if (cic_free_bytes(folders[i], &bytes, err) != 0)
			return -1;
		if (bytes >> 20 < (uint64_t)job->conf->min_free_space)
			return cic_err_set(err, CIC_ENOSPC, "only %llu MiB "
			    "are free in %s; limits.min_free_space asks for "
			    "%d", (unsigned long long)(bytes >> 20),
			    folders[i], job->conf->min_free_space);
	}
	return 0;
}

int
stage_check(struct job *job, struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);
	char label[CIC_SHA256_HEX + 1];
	char id[CIC_DIGEST_MAX];

	if (find_base(job, &engine, err) != 0)
		return -1;
	job->cause = CIC_CAUSE_INTERNAL;
	if (make_key(job, err) != 0)
		return -1;
	if (job->build.request.force && !job->build.force_done) {
		job_say(job, "force: the image is built anew");
	} else if (cic_engine_image_id(&engine, job->build.names.image,
	    CIC_KEY_LABEL, id, label, sizeof(label), err) != 0) {
		job_say(job, "there is no image %s yet",
		    job->build.names.image);
	} else if (strcmp(label, job->content_key) != 0) {
		job_say(job, "image %s was made of something else: content "
		    "key %.12s, now %.12s", job->build.names.image,
		    label[0] != '\0' ? label : "none", job->content_key);
	} else {
		snprintf(job->image_id, sizeof(job->image_id), "%s", id);
		job->keep_file = known_file_is_right(job);
		job_say(job, "image %s is up to date (content key %.12s)%s",
		    job->build.names.image, job->content_key,
		    job->keep_file ? ", and so is its .sif" : "");
		return 0;
	}
	if (check_disk(job, err) != 0) {
		job_set_cause(job, CIC_CAUSE_DISK, err);
		return -1;
	}
	return 0;
}
