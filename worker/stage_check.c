/*
 * Stage check: is there an image made of exactly this already?
 *
 * The engine and the registry are asked for the image, whose labels tell what
 * it was made of (content_key.h).  When that has not moved nothing is built,
 * and a .sif made of that very image id is not made again.
 */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "json.h"
#include "login.h"
#include "platform.h"
#include "site_packages.h"

#define CONFIG_MAX	(8 * 1024 * 1024)
#define WHY_MAX		256

/* The base image and the job's own; `known` when the engine had both in one
 * answer. */
struct images {
	bool			known;
	struct cic_engine_image	image[2];
};
enum { BASE_IMAGE, OWN_IMAGE };

static void
look_for_both(const struct job *job, const struct cic_engine *engine,
    struct images *both)
{
	const char *names[] = { job_base_image(job), job->build.names.image,
	    NULL };
	struct cic_err ignored;

	both->known = cic_engine_images(engine, names, both->image,
	    &ignored) == 0;
}

/* The image of our platform, if the engine has it; an image of another
 * platform under the same name is none. */
static bool
have_base(struct job *job, const struct cic_engine *engine, const char *name,
    const struct images *both, struct cic_err *err)
{
	struct cic_engine_image image = both->image[BASE_IMAGE];

	if (!both->known && cic_engine_image(engine, name, &image, err) != 0)
		return false;
	if (strcmp(image.platform, job->build.request.platform) != 0) {
		cic_err_set(err, CIC_ENOENT, "the engine has it for %s, not for "
		    "%s; build.platform_base_images can name another",
		    image.platform, job->build.request.platform);
		return false;
	}
	snprintf(job->base_id, sizeof(job->base_id), "%s", image.id);
	return true;
}

/* What the engine said while it pulled. */
static int
explain_pull(struct job *job, off_t start, struct cic_err *err)
{
	enum cic_cause cause = CIC_CAUSE_BASE_IMAGE;

	if (err->code == CIC_EIO) {
		failure_of_transfer(job->log_fd, start, err->msg, cause,
		    &job->failure);
		cause = job->failure.cause;
		cic_err_set(err, CIC_EIO, "%s", job->failure.sentence);
	}
	job_set_cause(job, cause, err);
	return cic_err_wrap(err, "base image %s cannot be had",
	    job_base_image(job));
}

/* Have the base image, and know its id. */
static int
find_base(struct job *job, const struct cic_engine *engine,
    const struct images *both, struct cic_err *err)
{
	const char *name = job_base_image(job);
	const struct images pulled = { .known = false };
	struct cic_err here;
	off_t start;

	if (have_base(job, engine, name, both, &here))
		return 0;
	if (cic_engine_check(job->conf, job->log_fd, err) != 0) {
		job_set_cause(job, CIC_CAUSE_ENGINE, err);
		return -1;
	}
	job_say(job, "pulling the base image %s: %s", name, here.msg);
	start = lseek(job->log_fd, 0, SEEK_END);
	if (cic_engine_pull(engine, name, job->build.request.platform, err) !=
	    0)
		return explain_pull(job, start, err);
	if (!have_base(job, engine, name, &pulled, err)) {
		job_set_cause(job, CIC_CAUSE_BASE_IMAGE, err);
		return cic_err_wrap(err, "base image %s (build.base_image)",
		    name);
	}
	return 0;
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

/* --- where the image is --------------------------------------------------- */

/* "image x in the engine: changed since: workflow" for the log. */
static bool
is_up_to_date(const struct job *job, const char *where, const char *key,
    const char *parts)
{
	char why[WHY_MAX];

	if (content_key_fits(job, key, parts, why, sizeof(why)))
		return true;
	job_say(job, "the image in the %s is not up to date: %s", where, why);
	return false;
}

static int
look_in_engine(struct job *job, const struct images *both,
    struct cic_err *err)
{
	const char *name = job->build.names.image;
	struct cic_engine engine = job_engine(job);
	struct cic_engine_image image = both->image[OWN_IMAGE];

	if (!both->known &&
	    cic_engine_image(&engine, name, &image, err) != 0) {
		if (err->code != CIC_ENOENT) {
			job_set_cause(job, CIC_CAUSE_ENGINE, err);
			return -1;
		}
		job_say(job, "the engine has no image %s yet", name);
		return 0;
	}
	job->in_engine = strcmp(image.platform, job->build.request.platform) ==
	    0 && is_up_to_date(job, "engine", image.key, image.parts);
	if (job->in_engine)
		snprintf(job->image_id, sizeof(job->image_id), "%s", image.id);
	return 0;
}

/* The labels in an image's configuration. */
static void
read_labels(const struct cic_buf *config, char key[CIC_SHA256_HEX],
    char parts[CONTENT_PARTS_TEXT])
{
	struct cic_err ignored;
	struct cic_json *json = cic_json_parse(config->data, config->len,
	    &ignored);
	const struct cic_json *labels = cic_json_get(cic_json_get(json,
	    "config"), "Labels");
	const char *k = cic_json_get_string(labels, CIC_KEY_LABEL);
	const char *p = cic_json_get_string(labels, CIC_PARTS_LABEL);

	snprintf(key, CIC_SHA256_HEX, "%s", k != NULL ? k : "");
	snprintf(parts, CONTENT_PARTS_TEXT, "%s", p != NULL ? p : "");
	cic_json_free(json);
}

/* What the registry found there means for this job. */
static void
judge_registry(struct job *job, const struct cic_registry_image *image,
    const struct cic_buf *config)
{
	char key[CIC_SHA256_HEX], parts[CONTENT_PARTS_TEXT];

	read_labels(config, key, parts);
	if (!is_up_to_date(job, "registry", key, parts))
		return;
	if (job->in_engine && !cic_registry_is_image(image, job->image_id)) {
		job_say(job, "the registry has another image of the same "
		    "content, %s; the engine's is used", image->image_id);
		return;
	}
	job->in_registry = true;
	if (!job->in_engine)
		snprintf(job->image_id, sizeof(job->image_id), "%s",
		    image->image_id);
	snprintf(job->registry_digest, sizeof(job->registry_digest), "%s",
	    image->digest);
}

static int
look_in_registry(struct job *job, struct cic_err *err)
{
	struct cic_registry_image image = { .config = NULL };
	struct cic_registry registry;
	struct cic_buf token, config;
	int rc;

	cic_buf_init(&token, 65536);
	cic_buf_init(&config, CONFIG_MAX);
	image.config = &config;
	rc = job_registry(job, &registry, &token, err);
	if (rc == 0)
		rc = cic_registry_find(&registry, job->build.names.image,
		    job->build.request.platform, &image, err);
	if (rc == 0)
		judge_registry(job, &image, &config);
	else if (err->code == CIC_ENOENT) {
		job_say(job, "the registry has no image %s yet",
		    job->build.names.image);
		rc = 0;
	} else
		job_registry_failed(job, err);
	explicit_bzero(token.data, token.len);
	cic_buf_release(&token);
	cic_buf_release(&config);
	return rc;
}

/* --- the stage ------------------------------------------------------------ */

/* For podman, which wants a folder: the site's authority, by a link. */
static int
prepare_certs(struct job *job, struct cic_err *err)
{
	char link[CIC_PATH_MAX];

	if (job->conf->ca_file[0] == '\0')
		return 0;
	if (job_path(job, "certs", job->certs, err) != 0 ||
	    job_path(job, "certs/ca.crt", link, err) != 0 ||
	    cic_mkdir_p(job->certs, 0700, err) != 0)
		return -1;
	return symlink(job->conf->ca_file, link) == 0 ? 0 :
	    cic_err_errno(err, "link %s", link);
}

static int
prepare_login(struct job *job, struct cic_err *err)
{
	if (job->conf->registry_url[0] == '\0' ||
	    job->conf->registry_user[0] == '\0')
		return 0;
	if (job_path(job, "login", job->login, err) != 0)
		return -1;
	if (login_make(job->conf, job->login, err) != 0) {
		job_set_cause(job, CIC_CAUSE_PUSH, err);
		return -1;
	}
	return 0;
}

static bool
is_of_registry(const struct job *job)
{
	return cic_conf_is_of_registry(job->conf, job->build.names.image);
}

/* Ask both, unless it is to be made anew anyway.  The registry is asked even
 * then when something will be pushed: who may not push hears of it before
 * hours of building.  When nothing will be, a registry that fails is no reason
 * not to build. */
static int
look_for_image(struct job *job, const struct images *both,
    struct cic_err *err)
{
	bool forced = job->build.request.force && !job->build.force_done;

	if (forced)
		job_say(job, "force: the image is built anew");
	else if (look_in_engine(job, both, err) != 0)
		return -1;
	if (is_of_registry(job) &&
	    (job->push || (!forced && !job->in_engine)) &&
	    look_in_registry(job, err) != 0) {
		if (job->push)
			return -1;
		job_say(job, "done without the registry: %s", err->msg);
	}
	if (forced) {
		job->in_registry = false;
		job->image_id[0] = '\0';
	}
	return 0;
}

static int
check_platform(struct job *job, struct cic_err *err)
{
	bool emulated;

	if (platform_check(job->conf, job->build.request.platform,
	    PLATFORM_BINFMT, &emulated, err) != 0) {
		job_set_cause(job, CIC_CAUSE_PLATFORM, err);
		return -1;
	}
	if (emulated)
		job_say(job, "this host emulates %s (qemu): expect several "
		    "times the usual time", job->build.request.platform);
	return 0;
}

int
stage_check(struct job *job, struct cic_err *err)
{
	struct images both = { .known = false };
	struct cic_engine engine;

	job->cause = CIC_CAUSE_INTERNAL;
	/* an image that cannot be built here may be in the registry */
	if (!is_of_registry(job) && check_platform(job, err) != 0)
		return -1;
	job->push = job->build.request.push && is_of_registry(job);
	if (prepare_login(job, err) != 0 || prepare_certs(job, err) != 0)
		return -1;
	engine = job_engine(job);
	look_for_both(job, &engine, &both);
	if (find_base(job, &engine, &both, err) != 0)
		return -1;
	job->cause = CIC_CAUSE_INTERNAL;
	if (site_packages_digest(job->conf->site_packages, job->site_packages,
	    err) != 0 || content_key_make(job, err) != 0 ||
	    look_for_image(job, &both, err) != 0)
		return -1;
	if (!job_wants_image(job)) {
		job->keep_file = known_file_is_right(job);
		job_say(job, "image %s is up to date (content key %.12s)%s",
		    job->build.names.image, job->content_key,
		    job->keep_file ? ", and so is its .sif" : "");
	}
	if (!job_wants_image(job) && !job_wants_file(job))
		return 0;
	if (job_wants_image(job) && check_platform(job, err) != 0)
		return -1;
	if (check_disk(job, err) != 0) {
		job_set_cause(job, CIC_CAUSE_DISK, err);
		return -1;
	}
	return 0;
}
