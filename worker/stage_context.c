/*
 * Stage context: the folder that the engine builds from.
 *
 * What the registries hold is hostile: it is unpacked into folders of its own
 * and never followed through a link; what we write stands beside them.
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "description.h"

#define TEMPLATE_MAX	(1024 * 1024)

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

/* Write a file of context/.cic/, and have it in the digest of them all: podman
 * does not look into bind mounts when it decides whether a layer is known. */
static int
write_input(struct job *job, struct cic_digest *inputs, const char *name,
    const struct cic_buf *text, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	cic_digest_add_field(inputs, name);
	cic_digest_add_field(inputs, text->data);
	if (job_path(job, name, path, err) != 0)
		return -1;
	return cic_write_new_file(path, text->data, text->len, 0644, err);
}

static int
copy_inner_script(struct job *job, struct cic_digest *inputs,
    struct cic_err *err)
{
	char from[CIC_PATH_MAX];
	struct cic_buf text;
	int rc = -1;

	cic_buf_init(&text, TEMPLATE_MAX);
	if (cic_path_format(from, err, "%s/inner.sh", job->conf->templates) ==
	    0 && cic_read_file(from, &text, err) == 0)
		rc = write_input(job, inputs, "context/.cic/inner.sh", &text,
		    err);
	cic_buf_release(&text);
	return rc;
}

/* Read the description, write what the inner script installs. */
static int
write_lists(struct job *job, struct cic_digest *inputs, struct cic_err *err)
{
	char step[CIC_PATH_MAX];
	struct description asked;
	int fd, rc = -1;

	if (job_path(job, "context/step", step, err) != 0)
		return -1;
	fd = open(step, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cic_err_errno(err, "open %s", step);
	if (description_read(fd, &asked, err) != 0)
		job_set_cause(job, CIC_CAUSE_BAD_ENTRY, err);
	else
		rc = write_input(job, inputs, "context/.cic/apt.list",
		    &asked.apt, err);
	description_release(&asked);
	close(fd);
	return rc;
}

static int
write_inputs(struct job *job, struct cic_err *err)
{
	struct cic_digest *inputs = cic_digest_begin();
	int rc = -1;

	if (inputs == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	if (copy_inner_script(job, inputs, err) == 0)
		rc = write_lists(job, inputs, err);
	cic_digest_end(inputs, job->inputs);
	return rc;
}

int
stage_context(struct job *job, struct cic_err *err)
{
	char mirrors[CIC_PATH_MAX];
	struct cic_git git = { .mirrors = mirrors, .log_fd = job->log_fd,
	    .timeout = (unsigned)job->conf->git_timeout };

	job->cause = CIC_CAUSE_INTERNAL;
	if (cic_path_format(mirrors, err, "%s/mirrors", job->conf->data) != 0 ||
	    make_folder(job, "context/.cic", err) != 0 ||
	    make_folder(job, "context/packages", err) != 0 ||
	    unpack(job, &git, &job->workflow, job->workflow_tree,
	    "context/step", err) != 0 ||
	    unpack(job, &git, &job->catalog, job->catalog_tree,
	    "context/software-catalog", err) != 0 ||
	    unpack_spack_config(job, &git, err) != 0 ||
	    write_inputs(job, err) != 0) {
		job_set_cause(job, job->cause, err);
		return -1;
	}
	return 0;
}
