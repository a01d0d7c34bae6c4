/* The built-in converter; see convert.h. */
#include "convert.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "err.h"
#include "sif.h"
#include "sifmeta.h"
#include "sqfs.h"
#include "tar.h"
#include "tree.h"

#define LEVEL		5
#define MAX_THREADS	64
#define STEP		((uint64_t)1 << 20)	/* data between two reports */

struct job {
	const struct cic_convert *what;
	int		 fd;		/* the output */
	struct cic_sifmeta meta;
	struct cic_sif	 sif;		/* points into meta and what */
	struct cic_tar	*tar;
	struct cic_tree	*tree;
	struct cic_sqfs	*sqfs;
	uint64_t	 bytes, files;	/* taken in */
	uint64_t	 reported;	/* bytes at the last report */
};

static void
report(struct job *job, bool now)
{
	if (job->what->progress == NULL ||
	    (!now && job->bytes - job->reported < STEP))
		return;
	job->reported = job->bytes;
	job->what->progress(job->what->arg, job->bytes, job->files);
}

/* --- entries of the stream ---------------------------------------------- */

static int
data_sink(void *arg, const void *data, size_t len, struct cic_err *err)
{
	struct job *job = arg;

	job->bytes += len;
	report(job, false);
	return cic_sqfs_append(job->sqfs, data, len, err);
}

/* An SELinux label is the exporting host's, with a random category per
 * container: it has no meaning elsewhere and would differ every time. */
static void
drop_host_xattrs(struct cic_tar_entry *e)
{
	size_t i, n = 0;

	for (i = 0; i < e->nxattr; i++) {
		if (strcmp(e->xattr[i].name, "security.selinux") != 0)
			e->xattr[n++] = e->xattr[i];
	}
	e->nxattr = n;
}

static int
add_entry(struct job *job, struct cic_tar_entry *e, struct cic_err *err)
{
	struct cic_inode *inode;

	if (e->hardlink != NULL)
		return cic_tree_link(job->tree, e->path, e->hardlink, err);
	drop_host_xattrs(e);
	if (cic_tree_add(job->tree, e->path, &e->attr, e->symlink, &inode, err) == -1 ||
	    cic_sqfs_xattrs(job->sqfs, e->xattr, e->nxattr, &inode->xattr, err) == -1)
		return -1;
	if (!S_ISREG(e->attr.mode))
		return 0;
	inode->u.file = cic_sqfs_begin(job->sqfs, err);
	if (inode->u.file == NULL ||
	    cic_tar_data(job->tar, data_sink, job, err) == -1)
		return -1;
	return cic_sqfs_end(job->sqfs, err);
}

static int
take_stream(struct job *job, struct cic_err *err)
{
	struct cic_tar_entry e;

	for (;;) {
		if (cic_tar_next(job->tar, &e, err) == -1)
			return -1;
		if (e.path == NULL)
			break;
		if (add_entry(job, &e, err) == -1)
			return -1;
		job->files++;
		report(job, false);
	}
	if (job->files == 0)
		return cic_err_set(err, CIC_EINVAL, "the image's export is empty");
	report(job, true);
	return 0;
}

/* --- what an export adds ------------------------------------------------ */

/*
 * Creating the container an export is made from touches these: the engine
 * makes mount points (moby's daemon/initlayer), so they carry the time of the
 * export and not of the image.
 */
static const char *const touched[] = {
	".", "dev", "dev/console", "dev/pts", "dev/shm", "etc", "etc/hostname",
	"etc/hosts", "etc/resolv.conf", "proc", "run", "sys",
};

static void
normalise(struct job *job)
{
	const struct cic_inode *inode;
	struct cic_inode *t;
	size_t i;

	inode = cic_tree_find(job->tree, ".dockerenv");
	if (inode != NULL && S_ISREG(inode->attr.mode))
		cic_tree_remove(job->tree, ".dockerenv");
	/* Images have "../proc/self/mounts" or nothing there. */
	inode = cic_tree_find(job->tree, "etc/mtab");
	if (inode != NULL && S_ISLNK(inode->attr.mode) &&
	    strcmp(inode->u.target, "/proc/mounts") == 0)
		cic_tree_remove(job->tree, "etc/mtab");
	for (i = 0; i < sizeof(touched) / sizeof(touched[0]); i++) {
		t = cic_tree_find(job->tree, touched[i]);
		if (t != NULL)
			t->attr.mtime = job->meta.created;
	}
}

/* --- what a build adds -------------------------------------------------- */

/* Would `path` go through something that is there and no directory? */
static bool
blocked(const struct cic_tree *tree, const char *path)
{
	const struct cic_inode *inode;
	char parent[64];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return false;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	inode = cic_tree_find(tree, parent);
	return inode != NULL && !S_ISDIR(inode->attr.mode);
}

static int
add_file(struct job *job, const struct cic_sifmeta_item *item,
    const struct cic_attr *attr, struct cic_err *err)
{
	const char *text = item->text == NULL ? "" : item->text;
	struct cic_inode *inode;

	if (cic_tree_add(job->tree, item->path, attr, NULL, &inode, err) == -1)
		return -1;
	inode->u.file = cic_sqfs_begin(job->sqfs, err);
	if (inode->u.file == NULL ||
	    cic_sqfs_append(job->sqfs, text, strlen(text), err) == -1)
		return -1;
	return cic_sqfs_end(job->sqfs, err);
}

static int
add_item(struct job *job, const struct cic_sifmeta_item *item,
    struct cic_err *err)
{
	const struct cic_inode *old = cic_tree_find(job->tree, item->path);
	struct cic_attr attr = { .mode = item->mode, .mtime = job->meta.created };

	switch (item->rule) {
	case CIC_META_DIR:
		if (old != NULL || blocked(job->tree, item->path))
			return 0;
		attr.mode |= S_IFDIR;
		return cic_tree_add(job->tree, item->path, &attr, NULL, NULL, err);
	case CIC_META_LINK:
		if (old != NULL && !S_ISLNK(old->attr.mode))
			return 0;
		attr.mode |= S_IFLNK;
		return cic_tree_add(job->tree, item->path, &attr, item->text,
		    NULL, err);
	case CIC_META_MOUNT:
		if (blocked(job->tree, item->path) ||
		    (old != NULL && S_ISDIR(old->attr.mode)))
			return 0;
		break;
	case CIC_META_FILE:
		break;
	}
	attr.mode |= S_IFREG;
	return add_file(job, item, &attr, err);
}

static int
add_meta(struct job *job, struct cic_err *err)
{
	struct cic_sifmeta_item item;
	size_t i;

	for (i = 0; cic_sifmeta_item(&job->meta, i, &item) != NULL; i++) {
		if (add_item(job, &item, err) == -1)
			return -1;
	}
	/* As apptainer does: an owner who unpacks the image can write in it. */
	job->tree->root->attr.mode |= 0200;
	return 0;
}

/* --- the whole ---------------------------------------------------------- */

static unsigned
allowed_cpus(void)
{
	cpu_set_t set;
	int n;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;	/* more CPUs than cpu_set_t has bits */
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned)n;
}

static int
by_name(const void *a, const void *b)
{
	const struct cic_sif_json *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
describe(struct job *job)
{
	struct cic_sif *sif = &job->sif;
	const struct cic_convert *what = job->what;

	sif->arch = job->meta.arch;
	sif->definition = job->meta.definition;
	sif->json[sif->njson++] = (struct cic_sif_json){ "inspect-metadata.json",
	    job->meta.inspect, strlen(job->meta.inspect) };
	sif->json[sif->njson++] = (struct cic_sif_json){ "oci-config.json",
	    job->meta.oci, strlen(job->meta.oci) };
	if (what->extra_name != NULL && what->extra_json != NULL)
		sif->json[sif->njson++] = (struct cic_sif_json){ what->extra_name,
		    what->extra_json, strlen(what->extra_json) };
	qsort(sif->json, sif->njson, sizeof(sif->json[0]), by_name);
}

static int
start(struct job *job, struct cic_err *err)
{
	const struct cic_convert *what = job->what;
	unsigned threads = what->threads != 0 ? what->threads : allowed_cpus();
	struct cic_sqfs_options o = {
		.fd = job->fd,
		.threads = threads < MAX_THREADS ? threads : MAX_THREADS,
		.level = what->level != 0 ? what->level : LEVEL,
	};

	if (cic_sifmeta_make(what->config_json, what->scheme, what->reference,
	    &job->meta, err) == -1)
		return -1;
	describe(job);
	o.mtime = job->meta.created;
	if (cic_sif_write_objects(job->fd, &job->sif, &o.offset, err) == -1)
		return -1;
	job->tree = cic_tree_new(job->meta.created, err);
	job->tar = cic_tar_open(what->tar_fd, err);
	job->sqfs = cic_sqfs_new(&o, err);
	return job->tree == NULL || job->tar == NULL || job->sqfs == NULL ? -1 : 0;
}

static int
convert(struct job *job, struct cic_err *err)
{
	uint64_t fs_size;

	if (start(job, err) == -1 || take_stream(job, err) == -1)
		return -1;
	normalise(job);
	if (add_meta(job, err) == -1 ||
	    cic_tree_finish(job->tree, err) == -1 ||
	    cic_sqfs_finish(job->sqfs, job->tree, &fs_size, err) == -1 ||
	    cic_sif_write_header(job->fd, &job->sif, fs_size, err) == -1)
		return -1;
	/* Not 0755 as apptainer's own: a file to be downloaded, not run here. */
	if (fchmod(job->fd, 0644) == -1 || fsync(job->fd) == -1)
		return cic_err_errno(err, "output");
	return 0;
}

static void
release(struct job *job)
{
	cic_sqfs_free(job->sqfs);
	cic_tree_free(job->tree);
	cic_tar_free(job->tar);
	cic_sifmeta_release(&job->meta);
}

int
cic_convert_tar(const struct cic_convert *what, const char *output,
    struct cic_converted *out, struct cic_err *err)
{
	struct job job = { .what = what };
	struct cic_converted done;
	int r;

	job.fd = open(output, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (job.fd == -1)
		return cic_err_errno(err, "%s", output);
	r = convert(&job, err);
	if (r == 0) {
		done.files = job.tree->inodes;
		done.bytes = job.bytes;
	}
	release(&job);
	if (close(job.fd) == -1 && r == 0)
		r = cic_err_errno(err, "%s", output);
	if (r == 0)
		r = cic_digest_file(output, done.sha256, &done.size, err);
	if (r == 0)
		*out = done;
	else
		unlink(output);
	return r;
}
