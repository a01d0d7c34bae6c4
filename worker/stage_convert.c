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
#include "digest.h"
#include "json.h"
#include "sif.h"
#include "spawn.h"

/* --- what a converter reads ----------------------------------------------- */

/* Is the image on another engine, which shares no files with this host? */
static bool
is_elsewhere(const struct job *job)
{
	return cic_conf_for_platform(&job->conf->platform_contexts,
	    job->build.request.platform, NULL) != NULL;
}

/* The engine's image as an archive file in the work folder. */
static int
save_image(struct job *job, char source[CIC_PATH_MAX + 64],
    char name[CIC_PATH_MAX], struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);

	if (job_path(job, "image.tar", name, err) != 0)
		return -1;
	unlink(name);
	snprintf(source, CIC_PATH_MAX + 64, "docker-archive:%s", name);
	return cic_engine_save(&engine, job->image_id, name, err);
}

/* For singularity and apptainer: from docker's daemon under a name that only
 * this build has (an id alone is not understood by all versions), else an
 * archive. */
static int
offer_image(struct job *job, char source[CIC_PATH_MAX + 64],
    char name[CIC_PATH_MAX], struct cic_err *err)
{
	struct cic_engine engine = job_engine(job);

	if (job->conf->engine != CIC_ENGINE_DOCKER || is_elsewhere(job))
		return save_image(job, source, name, err);
	cic_engine_scratch_name(&engine, name, CIC_PATH_MAX);
	snprintf(source, CIC_PATH_MAX + 64, "docker-daemon://%s", name);
	return cic_engine_tag(&engine, job->image_id, name, err);
}

/* For the built-in one: the engine itself, unless that is far away. */
static int
offer_builtin(struct job *job, char source[CIC_PATH_MAX + 64],
    char name[CIC_PATH_MAX], struct cic_err *err)
{
	if (is_elsewhere(job))
		return save_image(job, source, name, err);
	name[0] = '\0';
	snprintf(source, CIC_PATH_MAX + 64, "%s://%s", job->conf->engine ==
	    CIC_ENGINE_DOCKER ? "docker-daemon" : "podman", job->image_id);
	return 0;
}

static void
withdraw_image(struct job *job, const char *name)
{
	struct cic_engine engine = job_engine(job);
	struct cic_err err;

	if (name[0] == '/')
		unlink(name);
	else if (name[0] != '\0' && cic_engine_untag(&engine, name, &err) != 0)
		job_say(job, "%s", err.msg);
}

/* --- the built-in converter --------------------------------------------- */

/* What the .sif will say of itself (README, "What a .sif says of itself"). */
static void
describe(const struct job *job, struct cic_buf *b)
{
	const struct { const char *key, *value; } text[] = {
		{ "workflow_commit", job->workflow.commit },
		{ "workflow_tree", job->workflow_tree },
		{ "catalog_commit", job->catalog.commit },
		{ "catalog_tree", job->catalog_tree },
		{ "base_image", job_base_image(job) },
		{ "base_digest", job->base_id },
		{ "content_key", job->content_key },
		{ "engine", job->conf->engine == CIC_ENGINE_DOCKER ? "docker" :
		    "podman" },
	};
	size_t i;

	cic_buf_puts(b, "{\"request\":");
	cic_request_print(b, &job->build.request);
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		cic_buf_printf(b, ",\"%s\":", text[i].key);
		cic_json_quote(b, text[i].value);
	}
	cic_buf_puts(b, "}\n");
}

static int
write_description(struct job *job, const char *path, struct cic_err *err)
{
	struct cic_buf b;
	int rc;

	cic_buf_init(&b, 65536);
	describe(job, &b);
	unlink(path);
	rc = b.failed ? cic_err_set(err, CIC_EIO, "out of memory") :
	    cic_write_new_file(path, b.data, b.len, 0600, err);
	cic_buf_release(&b);
	return rc;
}

/* What the converter said in the end: the file's size and digest, or what went
 * wrong. */
static int
read_summary(struct job *job, const char *path, int status, struct cic_err *err)
{
	struct cic_json *json = NULL;
	const char *error, *code, *sha256;
	struct cic_buf text;
	int64_t size;
	int rc = -1;

	cic_buf_init(&text, 65536);
	if (cic_read_file(path, &text, err) == 0)
		json = cic_json_parse(text.data, text.len, err);
	error = cic_json_get_string(json, "error");
	code = cic_json_get_string(json, "code");
	sha256 = cic_json_get_string(json, "sha256");
	size = cic_json_int(cic_json_get(json, "size"), 0);
	if (status == 0 && sha256 != NULL && size > 0 &&
	    strlen(sha256) + 1 == sizeof(job->made.sha256)) {
		strcpy(job->made.sha256, sha256);
		job->made.size = (uint64_t)size;
		rc = 0;
	} else if (error != NULL)
		cic_err_set(err, code != NULL && strcmp(code, "full") == 0 ?
		    CIC_ENOSPC : CIC_EIO, "%s", error);
	else
		cic_err_set(err, CIC_EIO, "cic-build --convert ended with status "
		    "%d; the log has what it said", status);
	cic_json_free(json);
	cic_buf_release(&text);
	return rc;
}

static int
run_builtin(struct job *job, const struct cic_argv *argv, const char *summary,
    struct cic_err *err)
{
	struct cic_spawn spawn = { .argv = argv, .log_fd = job->log_fd,
	    .tick = job->progress != NULL ? progress_tick : NULL,
	    .tick_arg = job->progress, .timeout = job_seconds_left(job),
	    .stall = (unsigned)job->conf->stall_timeout };
	int status, rc;

	unlink(summary);
	spawn.stdout_fd = open(summary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (spawn.stdout_fd == -1)
		return cic_err_errno(err, "%s", summary);
	rc = cic_spawn(&spawn, &status, err);
	close(spawn.stdout_fd);
	return rc != 0 ? -1 : read_summary(job, summary, status, err);
}

/* A process of its own, so that it can be limited and ended like all others. */
static int
convert_builtin(struct job *job, const char *tmp, struct cic_err *err)
{
	char self[CIC_PATH_MAX], source[CIC_PATH_MAX + 64], name[CIC_PATH_MAX];
	char description[CIC_PATH_MAX], summary[CIC_PATH_MAX];
	char lock[CIC_NAME_MAX + 16];
	const char *words[] = { self, "--convert", source, "--output", tmp,
	    "--config", job->conf->path, "--name", job->build.names.image,
	    "--label", job->build.id, "--describe", description, "--spack-lock",
	    lock, "--json", "--progress" };
	struct cic_argv argv = { .count = 0 };
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;
	int rc;

	if (len == -1)
		return cic_err_errno(err, "/proc/self/exe");
	self[len] = '\0';
	snprintf(lock, sizeof(lock), "%s/spack.lock", job->build.request.step);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cic_argv_add(&argv, words[i]);
	if (job_path(job, "describe.json", description, err) != 0 ||
	    job_path(job, "summary.json", summary, err) != 0 ||
	    write_description(job, description, err) != 0 ||
	    offer_builtin(job, source, name, err) != 0)
		return -1;
	rc = run_builtin(job, &argv, summary, err);
	withdraw_image(job, name);
	return rc;
}

/* --- singularity and apptainer ------------------------------------------ */

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
	    .tick = job->progress != NULL ? progress_tick : NULL,
	    .tick_arg = job->progress,
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

/* --- the stage ---------------------------------------------------------- */

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
