/*
 * Stage context: the folder that the engine builds from.
 *
 * What the registries hold is hostile: it is unpacked into folders of its own
 * and never followed through a link; what we write stands beside them in .cic/,
 * one folder for each part of the build, so that a change to one part leaves
 * the layers of the others alone.  conf/image/Dockerfile tells of the layout.
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "description.h"
#include "site_packages.h"
#include "spack_env.h"
#include "template.h"

#define LIST_MAX	(1024 * 1024)
#define TEMPLATE_MAX	(1024 * 1024)
#define CACHE_NAME	128

/* --- what git has --------------------------------------------------------- */

static int
unpack(struct job *job, const struct cic_git *git,
    const struct cic_git_commit *at, const char *tree, const char *name,
    struct cic_err *err)
{
	char to[CIC_PATH_MAX], scratch[CIC_PATH_MAX];

	if (job_path(job, name, to, err) != 0 ||
	    job_path(job, "index", scratch, err) != 0)
		return -1;
	return cic_git_unpack(git, at, tree, to, scratch, err);
}

static int
make_folder(struct job *job, const char *name, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (job_path(job, name, path, err) != 0)
		return -1;
	return cic_mkdir_p(path, 0755, err);
}

/* The catalog's cfg/ once more as .spack/; a catalog without one is fine. */
static int
unpack_spack_config(struct job *job, const struct cic_git *git,
    struct cic_err *err)
{
	char tree[CIC_COMMIT_MAX];

	if (cic_git_tree(git, &job->catalog, "cfg", tree, err) == 0)
		return unpack(job, git, &job->catalog, tree, "context/.spack",
		    err);
	if (err->code != CIC_ENOENT)
		return -1;
	return make_folder(job, "context/.spack", err);
}

static int
unpack_all(struct job *job, struct cic_err *err)
{
	char packages[CIC_PATH_MAX];
	struct job_git git;

	if (job_git(job, &git, err) != 0 ||
	    job_path(job, "context/packages", packages, err) != 0 ||
	    make_folder(job, "context/.cic", err) != 0 ||
	    unpack(job, &git.git, &job->workflow, job->workflow_tree,
	    "context/step", err) != 0 ||
	    unpack(job, &git.git, &job->catalog, job->catalog_tree,
	    "context/software-catalog", err) != 0 ||
	    unpack_spack_config(job, &git.git, err) != 0)
		return -1;
	return site_packages_copy(job->conf->site_packages, packages, err);
}

/* --- the parts' folders --------------------------------------------------- */

/* One part's folder being written. */
struct folder {
	struct job		*job;
	enum job_part		 part;
	int			 step_fd;	/* the step's own */
	struct cic_digest	*inputs;
};

/* Write a file of the folder, and have it in the digest of them all: podman
 * does not look into bind mounts when it decides whether a layer is known. */
static int
write_input(const struct folder *f, const char *name, const char *text,
    size_t len, struct cic_err *err)
{
	char path[CIC_PATH_MAX], below[CIC_PATH_MAX];

	cic_digest_add_field(f->inputs, name);
	cic_digest_add_field(f->inputs, text);
	if (cic_path_format(below, err, "context/.cic/%s/%s",
	    job_part_name(f->part), name) != 0 ||
	    job_path(f->job, below, path, err) != 0)
		return -1;
	return cic_write_new_file(path, text, len, 0644, err);
}

/* A site setting of one line; "" is none. */
static int
write_setting(const struct folder *f, const char *name, const char *value,
    struct cic_err *err)
{
	char line[2048];
	int len = snprintf(line, sizeof(line), "%.2000s\n", value);

	return value[0] == '\0' ? 0 :
	    write_input(f, name, line, (size_t)len, err);
}

static int
copy_input(const struct folder *f, const char *from, const char *name,
    struct cic_err *err)
{
	struct cic_buf text;
	int rc = -1;

	cic_buf_init(&text, TEMPLATE_MAX);
	if (cic_read_file(from, &text, err) == 0)
		rc = write_input(f, name, text.data, text.len, err);
	cic_buf_release(&text);
	return rc;
}

static int
write_common(const struct folder *f, struct cic_err *err)
{
	const struct cic_conf *conf = f->job->conf;
	char inner[CIC_PATH_MAX];

	if (cic_path_format(inner, err, "%s/inner.sh", conf->templates) != 0 ||
	    copy_input(f, inner, "inner.sh", err) != 0)
		return -1;
	if (conf->ca_file[0] == '\0')
		return 0;
	return copy_input(f, conf->ca_file, "ca.pem", err) == 0 ? 0 :
	    cic_err_wrap(err, "network.ca_file");
}

static int
write_apt(const struct folder *f, const struct description *d,
    struct cic_err *err)
{
	const struct cic_list *mirrors = &f->job->conf->apt_mirrors;
	struct cic_buf text;
	int i, rc = 0;

	cic_buf_init(&text, LIST_MAX);
	for (i = 0; i < mirrors->count; i++)
		cic_buf_printf(&text, "%s\n", mirrors->item[i]);
	if (text.len > 0)
		rc = write_input(f, "apt_mirrors", text.data, text.len, err);
	cic_buf_release(&text);
	return rc != 0 ? -1 :
	    write_input(f, "apt.list", d->apt.data, d->apt.len, err);
}

/* Processes that compile at once: as configured, or this build's share. */
static int
jobs_of(const struct cic_conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	long share = cores / conf->max_concurrent_builds;

	if (conf->jobs > 0)
		return conf->jobs;
	return share > 1 ? (int)share : 1;
}

/* Into env/, which is copied over the step: spack.yaml as Spack shall read it.
 * The registry's own file of that name has to go; and so has a spack.lock,
 * which would have Spack build for the machine it was made on. */
static int
write_environment(const struct folder *f, const struct cic_buf *yaml,
    struct cic_err *err)
{
	char old[CIC_PATH_MAX], lock[CIC_PATH_MAX], to[CIC_PATH_MAX];

	cic_digest_add_field(f->inputs, yaml->data);
	if (job_path(f->job, "context/step/spack.yaml", old, err) != 0 ||
	    job_path(f->job, "context/step/spack.lock", lock, err) != 0 ||
	    job_path(f->job, "context/.cic/env/spack.yaml", to, err) != 0)
		return -1;
	if (access(lock, F_OK) == 0)
		job_say(f->job, "the step's spack.lock is left out: it was made "
		    "for another machine");
	if (cic_remove_tree(old, err) != 0 || cic_remove_tree(lock, err) != 0)
		return -1;
	return cic_write_new_file(to, yaml->data, yaml->len, 0644, err);
}

/* Does post_inst.sh look into what building left?  Then packages from the build
 * cache have to bring theirs along, which costs time and space. */
static bool
wants_stages(int step_fd)
{
	struct cic_buf text;
	struct cic_err ignored;
	bool found;

	cic_buf_init(&text, LIST_MAX);
	found = cic_read_file_beneath(step_fd, "post_inst.sh", &text,
	    &ignored) == 0 && strstr(text.data, "spack-stage") != NULL;
	cic_buf_release(&text);
	return found;
}

static int
write_spack(const struct folder *f, const struct description *d,
    struct cic_err *err)
{
	/* the site's mirror is others' cache, too */
	const char *mirror = f->job->step[JOB_SPACK].private_cache ? "" :
	    f->job->conf->spack_mirror;
	char jobs[16];
	struct cic_buf yaml;
	int rc = 0;

	snprintf(jobs, sizeof(jobs), "%d", jobs_of(f->job->conf));
	if (write_setting(f, "jobs", jobs, err) != 0 ||
	    write_setting(f, "mirror", mirror, err) != 0 ||
	    write_setting(f, "stages", wants_stages(f->step_fd) ? "yes" : "",
	    err) != 0)
		return -1;
	cic_buf_init(&yaml, LIST_MAX);
	if (d->spack != NULL) {
		rc = spack_env_write(d->spack, &f->job->build.request, &yaml,
		    err);
		if (rc != 0)
			job_set_cause(f->job, CIC_CAUSE_BAD_ENTRY, err);
		else
			rc = write_environment(f, &yaml, err);
	}
	cic_buf_release(&yaml);
	return rc;
}

static int
write_pip(const struct folder *f, const struct description *d,
    struct cic_err *err)
{
	if (write_setting(f, "pip_index", f->job->conf->pip_index, err) != 0)
		return -1;
	return d->requirements ? 0 :
	    write_input(f, "pip.list", d->pip.data, d->pip.len, err);
}

/* --- the description ------------------------------------------------------ */

static bool
has_name(const struct job *job, const char *name)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct stat st;

	return job_path(job, name, path, &ignored) == 0 &&
	    lstat(path, &st) == 0;
}

/* What Spack and apt do not depend on moves from step/ to late/. */
static int
set_apart(struct job *job, struct cic_err *err)
{
	static const char *const late[] = { "eflows4hpc.yaml",
	    "requirements.txt", "post_inst.sh" };
	char name[64], from[CIC_PATH_MAX], to[CIC_PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		snprintf(name, sizeof(name), "context/step/%s", late[i]);
		if (job_path(job, name, from, err) != 0)
			return -1;
		snprintf(name, sizeof(name), "context/.cic/late/%s", late[i]);
		if (job_path(job, name, to, err) != 0)
			return -1;
		if (rename(from, to) != 0 && errno != ENOENT)
			return cic_err_errno(err, "move %s", from);
	}
	return 0;
}

static void
set_wanted(struct job *job, const struct description *d, int step_fd)
{
	job->step[JOB_APT].wanted = d->apt.len > 0;
	/* as ever, a spack.yaml of the registry's own is installed, too */
	job->step[JOB_SPACK].wanted = d->spack != NULL ||
	    has_name(job, "context/step/spack.yaml");
	job->step[JOB_SPACK].private_cache = d->spack == NULL ||
	    !spack_env_is_shared(d->spack, &job->build.request, step_fd);
	job->step[JOB_POST_INST].wanted =
	    has_name(job, "context/step/post_inst.sh");
	job->step[JOB_PIP].wanted = d->pip.len > 0 || d->requirements;
	/* a package's own setup code runs while it is installed */
	job->step[JOB_PIP].private_cache = true;
}

static int
write_part(struct job *job, enum job_part part, const struct description *d,
    int step_fd, struct cic_err *err)
{
	struct folder f = { .job = job, .part = part, .step_fd = step_fd,
	    .inputs = cic_digest_begin() };
	char name[64];
	int rc;

	if (f.inputs == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	snprintf(name, sizeof(name), "context/.cic/%s", job_part_name(part));
	rc = make_folder(job, name, err);
	if (rc == 0)
		rc = write_common(&f, err);
	if (rc == 0 && part == JOB_APT)
		rc = write_apt(&f, d, err);
	if (rc == 0 && part == JOB_SPACK)
		rc = write_spack(&f, d, err);
	if (rc == 0 && part == JOB_PIP)
		rc = write_pip(&f, d, err);
	cic_digest_end(f.inputs, job->step[part].inputs);
	return rc;
}

static int
write_parts(struct job *job, const struct description *d, int step_fd,
    struct cic_err *err)
{
	int part;

	if (make_folder(job, "context/.cic/late", err) != 0 ||
	    make_folder(job, "context/.cic/env", err) != 0)
		return -1;
	set_wanted(job, d, step_fd);
	for (part = 0; part < JOB_PART__MAX; part++)
		if (write_part(job, part, d, step_fd, err) != 0)
			return -1;
	return set_apart(job, err);
}

/* Read the description, write what the inner script installs. */
static int
write_description(struct job *job, struct cic_err *err)
{
	char step[CIC_PATH_MAX];
	struct description d;
	int fd, rc;

	if (job_path(job, "context/step", step, err) != 0)
		return -1;
	fd = open(step, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cic_err_errno(err, "open %s", step);
	rc = description_read(fd, &d, err);
	if (rc != 0)
		job_set_cause(job, CIC_CAUSE_BAD_ENTRY, err);
	else
		rc = write_parts(job, &d, fd, err);
	description_release(&d);
	close(fd);
	return rc;
}

/* --- the Dockerfile ------------------------------------------------------- */

/*
 * One cache for each target and base image, so that what was compiled for
 * one is never found by another; with code of an author's in the step, one
 * for each workflow, so that no author can leave something for another: 128 bits,
 * as he chooses the workflow's name.
 */
static void
cache_name(const struct job *job, enum job_part part, char out[CACHE_NAME])
{
	const struct cic_request *r = &job->build.request;
	char workflow[CIC_SHA256_HEX] = "";
	bool mine = job->step[part].private_cache;

	if (mine)
		cic_digest_mem(r->workflow, strlen(r->workflow), workflow);
	snprintf(out, CACHE_NAME, "cic-%s-%s-%.12s%s%.32s", job_part_name(part),
	    r->target, job->base_id + strlen("sha256:"), mine ? "-" : "",
	    workflow);
}

/* The part's digest; a forced build's is new each time, so no layer is known
 * and yet the caches are. */
static void
inputs_word(const struct job *job, enum job_part part, char out[CACHE_NAME])
{
	bool forced = job->build.request.force && !job->build.force_done;

	snprintf(out, CACHE_NAME, "%.16s%s%s", job->step[part].inputs,
	    forced ? "-" : "", forced ? job->build.id : "");
}

/* "APT_CACHE" */
static void
value_name(enum job_part part, const char *end, char out[32])
{
	char *p;

	snprintf(out, 32, "%s%s", job_part_name(part), end);
	for (p = out; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
}

static int
render(const struct job *job, const char *template, struct cic_buf *out,
    struct cic_err *err)
{
	char name[2 * JOB_PART__MAX][32], text[2 * JOB_PART__MAX][CACHE_NAME];
	struct template_value values[2 * JOB_PART__MAX + 1];
	struct template_part parts[JOB_PART__MAX];
	int i;

	for (i = 0; i < JOB_PART__MAX; i++) {
		parts[i] = (struct template_part){ job_part_name(i),
		    job->step[i].wanted };
		value_name(i, "_CACHE", name[2 * i]);
		value_name(i, "_INPUTS", name[2 * i + 1]);
		cache_name(job, i, text[2 * i]);
		inputs_word(job, i, text[2 * i + 1]);
	}
	for (i = 0; i < 2 * JOB_PART__MAX; i++)
		values[i] = (struct template_value){ name[i], text[i] };
	values[2 * JOB_PART__MAX] = (struct template_value){ "STEP",
	    job->build.request.step };
	return template_render(template, values, 2 * JOB_PART__MAX + 1, parts,
	    JOB_PART__MAX, out, err);
}

static int
write_dockerfile(struct job *job, struct cic_err *err)
{
	bool base = cic_request_is_base(&job->build.request);
	char from[CIC_PATH_MAX], to[CIC_PATH_MAX];
	struct cic_buf template, text;
	int rc = -1;

	cic_buf_init(&template, TEMPLATE_MAX);
	cic_buf_init(&text, 2 * TEMPLATE_MAX);
	if (cic_path_format(from, err, "%s/%sDockerfile", job->conf->templates,
	    base ? "base/" : "") == 0 &&
	    job_path(job, "Dockerfile", to, err) == 0 &&
	    cic_read_file(from, &template, err) == 0) {
		rc = render(job, template.data, &text, err);
		if (rc != 0)
			cic_err_wrap(err, "%s (build.templates)", from);
		else
			rc = cic_write_new_file(to, text.data, text.len, 0644,
			    err);
	}
	cic_buf_release(&template);
	cic_buf_release(&text);
	return rc;
}

int
stage_context(struct job *job, struct cic_err *err)
{
	int rc;

	job->cause = CIC_CAUSE_INTERNAL;
	if (cic_request_is_base(&job->build.request))
		rc = make_folder(job, "context", err);
	else {
		rc = unpack_all(job, err);
		if (rc == 0)
			rc = write_description(job, err);
	}
	if (rc == 0)
		rc = write_dockerfile(job, err);
	if (rc != 0)
		job_set_cause(job, job->cause, err);
	return rc;
}
