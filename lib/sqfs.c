/*
 * Writing a squashfs image: the objects, file data, xattrs, and the order of
 * the tables.  Inodes and directories are in sqfs_tree.c.  See sqfs.h.
 *
 *	super block | data and fragment blocks | inodes | directories |
 *	fragment table | export table | owners | xattrs | padding
 */
#include "sqfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_writer.h>

#include "err.h"
#include "sqfs_data.h"
#include "sqfs_io.h"
#include "sqfs_tree.h"
#include "tree.h"

#define BACKLOG_PER_THREAD	10
#define PAD			4096

struct cic_sqfs {
	sqfs_super_t	 super;
	sqfs_file_t	*file;
	sqfs_compressor_t *zlib;
	sqfs_frag_table_t *fragments;
	struct cic_sqfs_data *data;
	sqfs_id_table_t	*ids;
	sqfs_xattr_writer_t *xattrs;
	uint32_t	 sets;		/* different ones in it */
	size_t		 values;	/* bytes of their values */
};

static const char *
text(int e)
{
	switch (e) {
	case SQFS_ERROR_ALLOC:
		return "out of memory";
	case SQFS_ERROR_IO:
		return "input/output error";
	case SQFS_ERROR_COMPRESSOR:
		return "compressor failed";
	case SQFS_ERROR_OVERFLOW:
		return "a number or table is too large for squashfs";
	case SQFS_ERROR_UNSUPPORTED:
		return "squashfs cannot hold this";
	default:
		return "internal error";
	}
}

/* What libsquashfs returned; a failed read or write is told by its errno. */
static int
fail(struct cic_sqfs *sqfs, int e, const char *what, struct cic_err *err)
{
	errno = sqfs->file != NULL ? cic_sqfs_file_errno(sqfs->file) : 0;
	if (errno != 0)
		return cic_err_errno(err, "squashfs: %s", what);
	return cic_err_set(err, e == SQFS_ERROR_OVERFLOW ? CIC_EINVAL : CIC_EIO,
	    "squashfs: %s: %s (%d)", what, text(e), e);
}

/* --- set up and take down ----------------------------------------------- */

static int
create(struct cic_sqfs *sqfs, const struct cic_sqfs_options *options)
{
	struct cic_sqfs_data_options o = { .threads = options->threads,
	    .backlog = options->threads * BACKLOG_PER_THREAD };
	int e;

	o.file = sqfs->file = cic_sqfs_file(options->fd, options->offset);
	o.zlib = sqfs->zlib = cic_sqfs_zlib(CIC_SQFS_BLOCK, options->level);
	if (sqfs->file == NULL || sqfs->zlib == NULL)
		return SQFS_ERROR_ALLOC;
	e = sqfs_super_init(&sqfs->super, CIC_SQFS_BLOCK, options->mtime,
	    SQFS_COMP_GZIP);
	if (e == 0)	/* takes the room; the real one comes last */
		e = sqfs_super_write(&sqfs->super, sqfs->file);
	if (e != 0)
		return e;
	o.fragments = sqfs->fragments = sqfs_frag_table_create(0);
	sqfs->ids = sqfs_id_table_create(0);
	sqfs->xattrs = sqfs_xattr_writer_create(0);
	if (sqfs->fragments == NULL || sqfs->ids == NULL || sqfs->xattrs == NULL)
		return SQFS_ERROR_ALLOC;
	return cic_sqfs_data_new(&o, &sqfs->data);
}

struct cic_sqfs *
cic_sqfs_new(const struct cic_sqfs_options *options, struct cic_err *err)
{
	struct cic_sqfs *sqfs;
	int e;

	if (options->threads < 1 || options->threads > 64 || options->level < 1 ||
	    options->level > 12 || options->offset % PAD != 0) {
		cic_err_set(err, CIC_EINVAL, "squashfs: threads must be 1..64, "
		    "the level 1..12, the offset a multiple of %d", PAD);
		return NULL;
	}
	sqfs = calloc(1, sizeof(*sqfs));
	if (sqfs == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	e = create(sqfs, options);
	if (e != 0) {
		fail(sqfs, e, "start", err);
		cic_sqfs_free(sqfs);
		return NULL;
	}
	return sqfs;
}

void
cic_sqfs_free(struct cic_sqfs *sqfs)
{
	if (sqfs == NULL)
		return;
	cic_sqfs_data_free(sqfs->data);	/* first: its threads use the rest */
	sqfs_destroy(sqfs->xattrs);
	sqfs_destroy(sqfs->ids);
	sqfs_destroy(sqfs->fragments);
	sqfs_destroy(sqfs->zlib);
	sqfs_destroy(sqfs->file);
	free(sqfs);
}

/* --- file data ---------------------------------------------------------- */

void *
cic_sqfs_begin(struct cic_sqfs *sqfs, uint64_t size, struct cic_err *err)
{
	struct cic_file *file;
	int e;

	if (size > CIC_SQFS_FILE) {
		cic_err_set(err, CIC_EINVAL, "a file of %llu bytes, over %llu GiB",
		    (unsigned long long)size,
		    (unsigned long long)CIC_SQFS_FILE >> 30);
		return NULL;
	}
	e = cic_sqfs_data_begin(sqfs->data, size, &file);
	if (e == 0)
		return file;
	fail(sqfs, e, "begin a file", err);
	return NULL;
}

int
cic_sqfs_append(struct cic_sqfs *sqfs, const void *data, size_t len,
    struct cic_err *err)
{
	int e = cic_sqfs_data_append(sqfs->data, data, len);

	return e == 0 ? 0 : fail(sqfs, e, "write file data", err);
}

int
cic_sqfs_end(struct cic_sqfs *sqfs, struct cic_err *err)
{
	int e = cic_sqfs_data_end(sqfs->data);

	return e == 0 ? 0 : fail(sqfs, e, "write file data", err);
}

/* --- xattrs ------------------------------------------------------------- */

int
cic_sqfs_xattrs(struct cic_sqfs *sqfs, const struct cic_xattr *xattr,
    size_t n, uint32_t *id, struct cic_err *err)
{
	size_t i, bytes = 0;
	int e;

	*id = CIC_TREE_NO_XATTR;
	if (n == 0)
		return 0;
	e = sqfs_xattr_writer_begin(sqfs->xattrs, 0);
	for (i = 0; e == 0 && i < n; i++) {
		/* The prefix alone is no name. */
		if (sqfs_get_xattr_prefix_id(xattr[i].name) < 0 ||
		    strchr(xattr[i].name, '.')[1] == '\0')
			continue;
		e = sqfs_xattr_writer_add(sqfs->xattrs, xattr[i].name,
		    xattr[i].value, xattr[i].size);
		bytes += xattr[i].size;
	}
	if (e == 0)
		e = sqfs_xattr_writer_end(sqfs->xattrs, id);
	if (e != 0)
		return fail(sqfs, e, "extended attributes", err);
	if (*id == CIC_TREE_NO_XATTR || *id < sqfs->sets)
		return 0;
	sqfs->sets = *id + 1;
	sqfs->values += bytes;
	if (sqfs->sets > CIC_SQFS_SETS || sqfs->values > CIC_SQFS_VALUES)
		return cic_err_set(err, CIC_EINVAL, "over %u different sets of "
		    "extended attributes, or over %u MiB of them",
		    CIC_SQFS_SETS, CIC_SQFS_VALUES >> 20);
	return 0;
}

/* libsquashfs 1.2 writes one word past its memory when the number of sets is a
 * multiple of 512; then there is one more, which no file has. */
static int
pad_xattrs(struct cic_sqfs *sqfs)
{
	uint32_t id;
	int e;

	if (sqfs->sets == 0 || sqfs->sets % 512 != 0)
		return 0;
	e = sqfs_xattr_writer_begin(sqfs->xattrs, 0);
	if (e == 0)
		e = sqfs_xattr_writer_add(sqfs->xattrs, "user.cic.none", "", 0);
	return e != 0 ? e : sqfs_xattr_writer_end(sqfs->xattrs, &id);
}

/* --- the end ------------------------------------------------------------ */

static int
write_tables(struct cic_sqfs *sqfs, struct cic_tree *tree, struct cic_err *err)
{
	const struct cic_sqfs_tables t = {
		.file = sqfs->file, .zlib = sqfs->zlib, .ids = sqfs->ids,
		.super = &sqfs->super, .fragments = sqfs->fragments,
	};
	int e = cic_sqfs_write_tree(&t, tree);

	if (e != 0)
		return fail(sqfs, e, "write names and attributes", err);
	e = sqfs_id_table_write(sqfs->ids, sqfs->file, &sqfs->super, sqfs->zlib);
	if (e != 0)
		return fail(sqfs, e, "write the owner table", err);
	/* 65,536 of them count as none in the super block */
	if (sqfs->super.id_count == 0)
		return cic_err_set(err, CIC_EINVAL, "over 65,535 different owners");
	e = pad_xattrs(sqfs);
	if (e != 0)
		return fail(sqfs, e, "extended attributes", err);
	e = sqfs_xattr_writer_flush(sqfs->xattrs, sqfs->file, &sqfs->super,
	    sqfs->zlib);
	if (e != 0)
		return fail(sqfs, e, "write extended attributes", err);
	return 0;
}

static int
pad(struct cic_sqfs *sqfs, uint64_t *size)
{
	static const unsigned char zero[PAD];
	uint64_t end = sqfs->file->get_size(sqfs->file);
	size_t rest = (size_t)(-end & (PAD - 1));
	int e;

	*size = end + rest;
	e = sqfs->file->write_at(sqfs->file, end, zero, rest);
	return e != 0 ? e : cic_sqfs_file_cut(sqfs->file);
}

int
cic_sqfs_finish(struct cic_sqfs *sqfs, struct cic_tree *tree,
    uint64_t *size, struct cic_err *err)
{
	int e = cic_sqfs_data_finish(sqfs->data);

	if (e != 0)
		return fail(sqfs, e, "write file data", err);
	if (write_tables(sqfs, tree, err) == -1)
		return -1;
	sqfs->super.bytes_used = sqfs->file->get_size(sqfs->file);
	e = sqfs_super_write(&sqfs->super, sqfs->file);
	if (e == 0)
		e = pad(sqfs, size);
	return e == 0 ? 0 : fail(sqfs, e, "write the super block", err);
}
