/*
 * File data of a squashfs: cut into blocks, compressed by threads, the rest of
 * each file packed together with others' into fragment blocks, equal data stored
 * once.  Only for sqfs.c and sqfs_tree.c.
 *
 * libsquashfs's block processor does the compressing and keeps the order; what it
 * is not used for is fragments: it sends every small file through its threads
 * alone, which for 300,000 of them costs more than packing them (measured).
 *
 * The same files in the same order give the same bytes, whatever the number of
 * threads.  Every function returns 0 or a negative SQFS_ERROR.
 */
#ifndef CIC_SQFS_DATA_H
#define CIC_SQFS_DATA_H

#include <stddef.h>
#include <stdint.h>
#include <sqfs/predef.h>

struct cic_sqfs_data;

#define CIC_FILE_NO_FRAGMENT	0xffffffffu

/* Where a regular file's data is, as its inode tells it. */
struct cic_file {
	uint64_t	size;
	uint64_t	start;		/* of the first block, in the image */
	uint32_t	fragment;	/* its index, or CIC_FILE_NO_FRAGMENT */
	uint32_t	offset;		/* in that fragment */
	/* Bytes on disk, bit 24 when not compressed; 0: a hole.  See
	 * cic_file_blocks. */
	uint32_t	block[];
};

/* How many blocks it has: the whole ones, and a last one that is not whole when
 * that is a hole and so in no fragment. */
size_t cic_file_blocks(const struct cic_file *file);

struct cic_sqfs_data_options {
	sqfs_file_t	*file;
	sqfs_compressor_t *zlib;
	sqfs_frag_table_t *fragments;
	unsigned	 threads;
	unsigned	 backlog;	/* most blocks in flight */
};

/* All objects stay the caller's and must live longer.  `out` is to be released
 * with cic_sqfs_data_free, which waits for the threads. */
int cic_sqfs_data_new(const struct cic_sqfs_data_options *options,
    struct cic_sqfs_data **out);
void cic_sqfs_data_free(struct cic_sqfs_data *data);	/* NULL is fine */

/*
 * One file: begin, append until `size` bytes are there, end.  The record is this
 * module's; it is complete after cic_sqfs_data_finish.
 */
int cic_sqfs_data_begin(struct cic_sqfs_data *data, uint64_t size,
    struct cic_file **file);
int cic_sqfs_data_append(struct cic_sqfs_data *data, const void *bytes,
    size_t len);
int cic_sqfs_data_end(struct cic_sqfs_data *data);

/* All files have been given: everything is on its way to the file after this. */
int cic_sqfs_data_finish(struct cic_sqfs_data *data);

#endif
