/* One build as cic-build sees it; see job.h. */
#include "job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "json.h"

#define JOB_MAX			262144	/* a record, and a little */
#define REGISTRY_TIMEOUT	120	/* seconds for one question */

int
job_write(const char *folder, const struct cic_build *build,
    const struct cic_image *known, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	struct cic_buf text;
	int rc = -1;

	cic_buf_init(&text, JOB_MAX);
	cic_buf_puts(&text, "{\"known\":{\"image_id\":");
	cic_json_quote(&text, known->image_id);
	cic_buf_puts(&text, ",\"sha256\":");
	cic_json_quote(&text, known->sha256);
	cic_buf_printf(&text, ",\"size\":%llu},\"build\":",
	    (unsigned long long)known->size);
	cic_build_print(&text, build);
	cic_buf_puts(&text, "}\n");
	if (text.failed)
		cic_err_set(err, CIC_EIO, "job of %s is too large", build->id);
	else if (cic_path_format(path, err, "%s/job.json", folder) == 0)
		rc = cic_write_file(path, text.data, text.len, 0600, err);
	cic_buf_release(&text);
	return rc;
}

static void
read_known(const struct cic_json *json, struct cic_image *known)
{
	const char *image_id = cic_json_get_string(json, "image_id");
	const char *sha256 = cic_json_get_string(json, "sha256");

	if (image_id == NULL || sha256 == NULL)
		return;
	snprintf(known->image_id, sizeof(known->image_id), "%s", image_id);
	snprintf(known->sha256, sizeof(known->sha256), "%s", sha256);
	known->size = (uint64_t)cic_json_int(cic_json_get(json, "size"), 0);
}

int
job_read(struct job *job, struct cic_err *err)
{
	struct cic_request_site site = cic_conf_site(job->conf);
	struct cic_json *json = NULL;
	char path[CIC_PATH_MAX];
	struct cic_buf text, record;
	int rc = -1;

	cic_buf_init(&text, JOB_MAX);
	cic_buf_init(&record, JOB_MAX);
	if (cic_path_format(path, err, "%s/job.json", job->folder) != 0 ||
	    cic_read_file(path, &text, err) != 0)
		goto out;
	json = cic_json_parse(text.data, text.len, err);
	if (json == NULL)
		goto out;
	read_known(cic_json_get(json, "known"), &job->known);
	cic_json_print(&record, cic_json_get(json, "build"));
	rc = cic_build_parse(record.data, record.len, &site, &job->build, err);
out:
	cic_json_free(json);
	cic_buf_release(&text);
	cic_buf_release(&record);
	return rc;
}

int
job_path(const struct job *job, const char *name, char out[CIC_PATH_MAX],
    struct cic_err *err)
{
	return cic_path_format(out, err, "%s/work%s%s", job->folder,
	    name[0] != '\0' ? "/" : "", name);
}

int
job_temporary(const struct cic_conf *conf, const struct cic_build *build,
    char out[CIC_PATH_MAX], struct cic_err *err)
{
	return cic_path_format(out, err, "%s/.%s-%d.tmp",
	    conf->images_location, build->id, build->attempt);
}

void
job_say(const struct job *job, const char *fmt, ...)
{
	struct cic_buf line;
	va_list ap;
	char text[2048];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cic_buf_init(&line, sizeof(text) + 16);
	cic_buf_printf(&line, "cic: %s\n", text);
	(void)!write(job->log_fd, line.data, line.len);
	cic_buf_release(&line);
}

unsigned
job_seconds_left(const struct job *job)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return job->deadline - now.tv_sec > 1 ?
	    (unsigned)(job->deadline - now.tv_sec) : 1;
}

struct cic_engine
job_engine(const struct job *job)
{
	return (struct cic_engine){
		.conf = job->conf,
		.build_id = job->build.id,
		.platform = job->build.request.platform,
		.login = job->login[0] != '\0' ? job->login : NULL,
		.certs = job->certs[0] != '\0' ? job->certs : NULL,
		.log_fd = job->log_fd,
		.tick = job->progress != NULL ? progress_tick : NULL,
		.tick_arg = job->progress,
	};
}

int
job_git(const struct job *job, struct job_git *out, struct cic_err *err)
{
	const struct cic_conf *conf = job->conf;

	out->access = (struct cic_git_access){
		.user = conf->git_user,
		.token_file = conf->git_token_file,
		.ssh_key = conf->git_ssh_key,
		.known_hosts = conf->git_known_hosts,
		.ca_file = conf->ca_file,
		.http_proxy = conf->http_proxy,
		.https_proxy = conf->https_proxy,
		.no_proxy = conf->no_proxy,
	};
	out->git = (struct cic_git){
		.mirrors = out->mirrors,
		.log_fd = job->log_fd,
		.timeout = (unsigned)conf->git_timeout,
		.access = &out->access,
	};
	return cic_path_format(out->mirrors, err, "%s/mirrors", conf->data);
}

int
job_registry(const struct job *job, struct cic_registry *out,
    struct cic_buf *token, struct cic_err *err)
{
	const struct cic_conf *conf = job->conf;
	unsigned left = job_seconds_left(job);

	*out = (struct cic_registry){
		.user = conf->registry_user,
		/* with it, https is spoken on this machine, too */
		.ca_file = cic_conf_registry_is_plain(conf) ? "" : conf->ca_file,
		.http_proxy = conf->http_proxy,
		.https_proxy = conf->https_proxy,
		.no_proxy = conf->no_proxy,
		.push = job->push,
		.timeout = left < REGISTRY_TIMEOUT ? left : REGISTRY_TIMEOUT,
		.log_fd = job->log_fd,
	};
	if (conf->registry_user[0] != '\0' &&
	    cic_conf_registry_token(conf, token, err) != 0)
		return -1;
	out->password = token->data;
	return 0;
}

const char *
job_base_image(const struct job *job)
{
	const struct cic_conf *conf = job->conf;

	if (cic_request_is_base(&job->build.request))
		return conf->base_from;
	return cic_conf_for_platform(&conf->platform_base_images,
	    job->build.request.platform, conf->base_image);
}

const char *
job_part_name(enum job_part part)
{
	static const char *const names[JOB_PART__MAX] = { "apt", "spack",
	    "post_inst", "pip" };

	return names[part];
}

void
job_set_cause(struct job *job, enum cic_cause cause, const struct cic_err *err)
{
	if (err->code == CIC_ENOSPC)
		cause = CIC_CAUSE_DISK;
	else if (err->code == CIC_EAGAIN &&
	    strstr(err->msg, "printed nothing for") != NULL)
		cause = CIC_CAUSE_STALLED;
	else if (err->code == CIC_EAGAIN &&
	    strstr(err->msg, "took longer than") != NULL)
		cause = CIC_CAUSE_TIMED_OUT;
	job->cause = cause;
}

void
job_registry_failed(struct job *job, struct cic_err *err)
{
	if (err->code == CIC_EDENIED)
		cic_err_wrap(err, "%s", job->conf->registry_token_file[0] !=
		    '\0' ? "registry.user, registry.token_file" :
		    "registry.user, registry.token");
	job_set_cause(job, err->code == CIC_EDENIED ? CIC_CAUSE_PUSH :
	    CIC_CAUSE_REGISTRY, err);
}
