/* The built-in converter; see convert.h. */
#include "convert.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cpus.h"
#include "digest.h"
#include "err.h"
#include "intake.h"
#include "json.h"
#include "sif.h"
#include "sifmeta.h"
#include "sifroot.h"
#include "sqfs.h"
#include "tar.h"
#include "tree.h"
#include "version.h"

struct job {
	const struct cic_convert *what;
	int		 fd;		/* the output */
	struct cic_sifmeta meta;
	struct cic_sif	 sif;		/* points into meta, what and about */
	struct cic_intake in;
	struct cic_buf	 about;		/* CIC_CONVERT_OBJECT */
};

/* --- what the file says of itself --------------------------------------- */

static void
describe(struct job *job)
{
	struct cic_sif *sif = &job->sif;

	sif->arch = job->meta.arch;
	sif->definition = job->meta.definition;
	sif->json[0] = (struct cic_sif_json){ "inspect-metadata.json",
	    job->meta.inspect, strlen(job->meta.inspect) };
	sif->json[1] = (struct cic_sif_json){ "oci-config.json",
	    job->meta.oci, strlen(job->meta.oci) };
	sif->njson = 2;
}

static void
add_tools(struct cic_buf *b)
{
	cic_buf_puts(b, "{\"tools\":{\"cic\":\"" CIC_VERSION "\",\"libarchive\":");
	cic_json_quote(b, cic_tar_version());
	cic_buf_puts(b, ",\"libdeflate\":");
	cic_json_quote(b, cic_sqfs_deflate_version());
	cic_buf_puts(b, "}");
}

static bool
is_ours(const char *key)
{
	return strcmp(key, "tools") == 0 || strcmp(key, "image_id") == 0 ||
	    strcmp(key, "spack_lock") == 0;
}

/* The members of the caller's object, as they are. */
static int
add_described(struct job *job, struct cic_err *err)
{
	const char *text = job->what->describe;
	const struct cic_json *v;
	struct cic_json *json;

	if (text == NULL)
		return 0;
	json = cic_json_parse(text, strlen(text), err);
	if (json == NULL || cic_json_type(json) != CIC_JSON_OBJECT) {
		if (json != NULL)
			cic_err_set(err, CIC_EINVAL, "%s, not an object",
			    cic_json_type_name(json));
		cic_json_free(json);
		return cic_err_wrap(err, "description");
	}
	for (v = cic_json_first(json); v != NULL; v = cic_json_next(v)) {
		if (is_ours(cic_json_key(v))) {
			cic_err_set(err, CIC_EINVAL, "description: \"%s\" is not "
			    "for others to say", cic_json_key(v));
			cic_json_free(json);
			return -1;
		}
		cic_buf_putc(&job->about, ',');
		cic_json_quote(&job->about, cic_json_key(v));
		cic_buf_putc(&job->about, ':');
		cic_json_print(&job->about, v);
	}
	cic_json_free(json);
	return 0;
}

static int
add_lock(struct job *job, struct cic_err *err)
{
	struct cic_buf *kept = &job->in.kept;

	if (kept->failed)
		return cic_err_set(err, CIC_EIO, "out of memory");
	if (kept->len == 0)
		return 0;
	if (cic_json_check_text(kept->data, kept->len, err) == -1)
		return cic_err_wrap(err, "the image's /%s", job->what->lock);
	cic_buf_puts(&job->about, ",\"spack_lock\":");
	cic_buf_add(&job->about, kept->data, kept->len);
	return 0;
}

static int
tell(struct job *job, struct cic_err *err)
{
	struct cic_buf *b = &job->about;

	add_tools(b);
	if (job->what->image_id != NULL) {
		cic_buf_puts(b, ",\"image_id\":");
		cic_json_quote(b, job->what->image_id);
	}
	if (add_described(job, err) == -1 || add_lock(job, err) == -1)
		return -1;
	cic_buf_puts(b, "}\n");
	if (b->failed)
		return cic_err_set(err, CIC_EIO, "out of memory");
	job->sif.last = (struct cic_sif_json){ CIC_CONVERT_OBJECT, b->data, b->len };
	return 0;
}

/* --- the whole ---------------------------------------------------------- */

static int
start(struct job *job, struct cic_err *err)
{
	const struct cic_convert *what = job->what;
	unsigned threads = what->threads != 0 ? what->threads : cic_cpus();
	struct cic_sqfs_options o = {
		.fd = job->fd,
		.threads = threads < CIC_CONVERT_THREADS ? threads :
		    CIC_CONVERT_THREADS,
		.level = what->level != 0 ? what->level : CIC_CONVERT_LEVEL,
	};

	if (cic_sifmeta_make(what->config, what->scheme, what->reference,
	    &job->meta, err) == -1)
		return -1;
	describe(job);
	o.mtime = job->meta.created;
	if (cic_sif_write_objects(job->fd, &job->sif, &o.offset, err) == -1)
		return -1;
	job->in.tree = cic_tree_new(job->meta.created, err);
	if (job->in.tree != NULL)
		job->in.sqfs = cic_sqfs_new(&o, err);
	return job->in.sqfs == NULL ? -1 : 0;
}

static int
take_in(struct job *job, struct cic_err *err)
{
	const struct cic_convert *what = job->what;

	job->in.keep = what->lock;
	job->in.progress = what->progress;
	job->in.arg = what->arg;
	return what->files != NULL ?
	    cic_intake_source(&job->in, what->files, err) :
	    cic_intake_layers(&job->in, what->layer, what->layers, err);
}

static int
convert(struct job *job, struct cic_err *err)
{
	uint64_t fs_size;

	if (start(job, err) == -1 || take_in(job, err) == -1 ||
	    cic_sifroot_make(job->in.tree, job->in.sqfs, &job->meta, err) == -1 ||
	    cic_sqfs_finish(job->in.sqfs, job->in.tree, &fs_size, err) == -1 ||
	    tell(job, err) == -1)
		return -1;
	return cic_sif_write_header(job->fd, &job->sif, fs_size, err);
}

/* Our own work is trusted no more than others'. */
static int
look_again(int fd, struct cic_converted *done, struct cic_err *err)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	/* the disk is at work while the digest is made */
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return cic_sif_check(self, err) == -1 ? -1 :
	    cic_digest_file(self, done->sha256, &done->size, err);
}

int
cic_convert(const struct cic_convert *what, int fd, struct cic_converted *out,
    struct cic_err *err)
{
	struct job job = { .what = what, .fd = fd };
	struct cic_converted done = { .size = 0 };
	int r;

	cic_buf_init(&job.in.kept, CIC_INTAKE_KEEP);
	cic_buf_init(&job.about, 2 * CIC_INTAKE_KEEP);
	r = convert(&job, err);
	if (r == 0) {
		done.files = job.in.tree->inodes;
		done.bytes = job.in.bytes;
		r = look_again(fd, &done, err);
	}
	cic_sqfs_free(job.in.sqfs);
	cic_tree_free(job.in.tree);
	cic_sifmeta_release(&job.meta);
	cic_buf_release(&job.in.kept);
	cic_buf_release(&job.about);
	if (r == 0)
		*out = done;
	return r;
}
