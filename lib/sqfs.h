/*
 * Writing a squashfs image inside an open file, from an offset on.
 *
 *	sqfs = cic_sqfs_new(&options, err);
 *	for each regular file:	cic_sqfs_begin, cic_sqfs_append …, cic_sqfs_end
 *	cic_sqfs_finish(sqfs, tree, &size, err);
 *
 * Format: squashfs 4.0, zlib, 128 KiB blocks, fragments, duplicates stored
 * once, sparse blocks left out, NFS-exportable, padded to 4096: what every
 * kernel since EL7's, squashfuse and unsquashfs read.  The zlib streams are
 * made by libdeflate.
 *
 * File data is compressed by threads while it comes in and written in the order
 * it came; the result is the same for any number of them.  About 256 KiB are in
 * flight for each of 10 blocks per thread.  For every regular file 32 bytes stay in
 * memory until the end, 4 per block, and about 35 for a tail unlike all others.
 *
 * Source: facts/sif.md sections 3 and 4.1; libsquashfs 1.2 (sqfs/ headers).
 */
#ifndef CIC_SQFS_H
#define CIC_SQFS_H

#include <stddef.h>
#include <stdint.h>

#include "source.h"	/* struct cic_xattr */

struct cic_err;
struct cic_sqfs;
struct cic_tree;

#define CIC_SQFS_BLOCK	131072
#define CIC_SQFS_SETS	65535u		/* of extended attributes */
#define CIC_SQFS_VALUES	(16u << 20)	/* bytes of their values; kept in memory */
#define CIC_SQFS_FILE	(UINT64_C(64) << 30)	/* bytes of one file: libsquashfs
						 * puts its blocks on the stack */

struct cic_sqfs_options {
	int		 fd;		/* read and write, not O_APPEND; the caller's */
	uint64_t	 offset;	/* where the image starts: a multiple of 4096
					 * at or after the end of the file */
	uint32_t	 mtime;		/* of the image itself, Unix seconds */
	unsigned	 threads;	/* 1..64 compressors */
	int		 level;		/* libdeflate's, 1..12 */
};

/* libdeflate's, "1.14". */
const char *cic_sqfs_deflate_version(void);

/* Returns NULL with err: CIC_EINVAL an option is out of range, CIC_EIO.
 * Release with cic_sqfs_free; an image not finished is garbage. */
struct cic_sqfs *cic_sqfs_new(const struct cic_sqfs_options *options,
    struct cic_err *err);
void cic_sqfs_free(struct cic_sqfs *sqfs);	/* NULL is fine */

/*
 * Write one regular file's data, `size` bytes in all.  The result of cic_sqfs_begin goes into the
 * tree, as inode->u.file; a file that is not in the tree in the end only wastes
 * room.  Every regular file of the tree needs one, an empty file too.
 *
 * begin returns NULL, the others -1, with err: CIC_EINVAL over CIC_SQFS_FILE,
 * CIC_ENOSPC, CIC_EIO; after that only cic_sqfs_free may follow.
 */
void *cic_sqfs_begin(struct cic_sqfs *sqfs, uint64_t size, struct cic_err *err);
int cic_sqfs_append(struct cic_sqfs *sqfs, const void *data, size_t len,
    struct cic_err *err);
int cic_sqfs_end(struct cic_sqfs *sqfs, struct cic_err *err);

/*
 * Store a set of extended attributes, names beginning with "user.",
 * "trusted." or "security."; others are skipped, squashfs has no place for
 * them.  *id is for inode->xattr; CIC_TREE_NO_XATTR when nothing is left.
 * A name that comes twice keeps its last value.
 * Returns 0; -1 with err: CIC_EINVAL over CIC_SQFS_SETS different sets or
 * CIC_SQFS_VALUES, CIC_EIO.
 */
int cic_sqfs_xattrs(struct cic_sqfs *sqfs, const struct cic_xattr *xattr,
    size_t n, uint32_t *id, struct cic_err *err);

/*
 * Write the tree and the tables: the image is complete.
 *
 * tree   finished (cic_tree_finish); its ref fields are used up
 * size   set to the image's bytes, padding included, a multiple of 4096
 *
 * Returns 0; -1 with err: CIC_EINVAL over 65,535 different owners;
 * CIC_ENOSPC; CIC_EIO, also for a regular file without data.  Does not sync.
 */
int cic_sqfs_finish(struct cic_sqfs *sqfs, struct cic_tree *tree,
    uint64_t *size, struct cic_err *err);

#endif
