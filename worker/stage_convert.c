/*
 * Stage convert: the image, by its id, to a .sif under a temporary name in the
 * images folder.  The worker gives it its real name.
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "convert.h"
#include "digest.h"
#include "sif.h"
#include "spawn.h"

#define INSPECT_MAX (4 * 1024 * 1024)

/* Stream the engine's export through the built-in converter. */
static int
convert_builtin(struct job *job, const char *tmp, struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);
	struct cic_converted converted;
	struct cic_engine_export export;
	struct cic_err end_err;
	struct cic_buf config;
	int rc = -1;

	cic_buf_init(&config, INSPECT_MAX);
	if (cic_engine_inspect(&engine, job->image_id, &config, err) != 0 ||
	    cic_engine_export_start(&engine, job->image_id, &export, err) != 0)
		goto out;
	struct cic_convert what = {
		.tar_fd = export.fd,
		.config_json = config.data,
		.scheme = "docker-daemon",
		.reference = job->build.names.image,
	};
	rc = cic_convert_tar(&what, tmp, &converted, err);
	if (cic_engine_export_end(&engine, &export, &end_err) != 0 && rc == 0) {
		*err = end_err;
		unlink(tmp);
		rc = -1;
	}
	/* our own work is trusted no more than others' */
	if (rc == 0 && cic_sif_check(tmp, err) != 0)
		rc = cic_err_wrap(err, "the converter's output is not whole");
	if (rc == 0) {
		job->made.size = converted.size;
		snprintf(job->made.sha256, sizeof(job->made.sha256), "%s",
		    converted.sha256);
	}
out:
	cic_buf_release(&config);
	return rc;
}

/* What the converter reads: from docker's daemon under a name that only this
 * build has (an id alone is not understood by all versions), from podman an
 * archive file. */
static int
offer_image(struct job *job, char source[CIC_PATH_MAX + 64],
    char name[CIC_PATH_MAX], struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);

	if (job->conf->engine == CIC_ENGINE_DOCKER) {
		cic_engine_scratch_name(&engine, name, CIC_PATH_MAX);
		snprintf(source, CIC_PATH_MAX + 64, "docker-daemon://%s", name);
		return cic_engine_tag(&engine, job->image_id, name, err);
	}
	if (job_path(job, "image.tar", name, err) != 0)
		return -1;
	unlink(name);
	snprintf(source, CIC_PATH_MAX + 64, "docker-archive:%s", name);
	return cic_engine_save(&engine, job->image_id, name, err);
}

static void
withdraw_image(struct job *job, const char *name)
{
	struct cic_engine engine = job_engine(job);
	struct cic_err err;

	if (job->conf->engine != CIC_ENGINE_DOCKER)
		unlink(name);
	else if (cic_engine_untag(&engine, name, &err) != 0)
		job_say(job, "%s", err.msg);
}

static int
run_converter(struct job *job, const char *source, const char *tmp,
    struct cic_err *err)
{
	const char *program = job->conf->converter_command[0] != '\0' ?
	    job->conf->converter_command :
	    job->conf->converter == CIC_CONVERT_APPTAINER ? "apptainer" :
	    "singularity";
	char scratch[CIC_PATH_MAX], env[3][CIC_PATH_MAX + 32];
	const char *envp[] = { env[0], env[1], env[2], NULL };
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv, .env = envp,
	    .log_fd = job->log_fd, .timeout = job_seconds_left(job),
	    .stall = (unsigned)job->conf->stall_timeout };
	int status;

	if (job_path(job, "tmp", scratch, err) != 0 ||
	    cic_mkdir_p(scratch, 0700, err) != 0)
		return -1;
	snprintf(env[0], sizeof(env[0]), "APPTAINER_TMPDIR=%s", scratch);
	snprintf(env[1], sizeof(env[1]), "SINGULARITY_TMPDIR=%s", scratch);
	snprintf(env[2], sizeof(env[2]), "TMPDIR=%s", scratch);
	cic_argv_add(&argv, program);
	cic_argv_add(&argv, "build");
	cic_argv_add(&argv, "--disable-cache");
	cic_argv_add(&argv, tmp);
	cic_argv_add(&argv, source);
	if (cic_spawn(&spawn, &status, err) != 0)
		return -1;
	if (status != 0)
		return cic_err_set(err, CIC_EIO, "%s build ended with status "
		    "%d; the log has what it said", program, status);
	return 0;
}

/* A converter may end with 0 and leave nothing, or half of it. */
static int
accept_file(struct job *job, const char *tmp, struct cic_err *err)
{
	int fd;

	if (cic_sif_check(tmp, err) != 0)
		return cic_err_wrap(err, "the converter's output is not whole");
	fd = open(tmp, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cic_err_errno(err, "open %s", tmp);
	if (fchmod(fd, 0644) != 0 || fsync(fd) != 0) {
		cic_err_errno(err, "sync %s", tmp);
		close(fd);
		return -1;
	}
	close(fd);
	return cic_digest_file(tmp, job->made.sha256, &job->made.size, err);
}

static int
convert_outside(struct job *job, const char *tmp, struct cic_err *err)
{
	char source[CIC_PATH_MAX + 64], name[CIC_PATH_MAX];
	int rc;

	if (offer_image(job, source, name, err) != 0)
		return -1;
	rc = run_converter(job, source, tmp, err);
	withdraw_image(job, name);
	return rc == 0 ? accept_file(job, tmp, err) : -1;
}

int
stage_convert(struct job *job, struct cic_err *err)
{
	char tmp[CIC_PATH_MAX];
	int rc;

	job->cause = CIC_CAUSE_INTERNAL;
	if (job_temporary(job->conf, &job->build, tmp, err) != 0)
		return -1;
	unlink(tmp);
	job_say(job, "converting %s", job->image_id);
	rc = job->conf->converter == CIC_CONVERT_BUILTIN ?
	    convert_builtin(job, tmp, err) : convert_outside(job, tmp, err);
	if (rc != 0) {
		unlink(tmp);
		job_set_cause(job, CIC_CAUSE_CONVERT, err);
		return cic_err_wrap(err, "conversion to .sif");
	}
	snprintf(job->made.image_id, sizeof(job->made.image_id), "%s",
	    job->image_id);
	job_say(job, "made a .sif of %llu bytes, sha256 %s",
	    (unsigned long long)job->made.size, job->made.sha256);
	return 0;
}
