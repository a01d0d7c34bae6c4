/*
 * The two interfaces of libsquashfs that we implement ourselves.  Only for
 * sqfs.c and its tests.  Both objects are released with sqfs_destroy.
 */
#ifndef CIC_SQFS_IO_H
#define CIC_SQFS_IO_H

#include <stdint.h>
#include <sqfs/compressor.h>
#include <sqfs/io.h>

/*
 * A file that begins `base` bytes into `fd`.  Short and interrupted calls are
 * continued.  The descriptor stays the caller's.  NULL when out of memory.
 * For one thread.
 */
sqfs_file_t *cic_sqfs_file(int fd, uint64_t base);

/* What was truncated is only forgotten until this is called, once in the end: the
 * file ends where it should then. */
int cic_sqfs_file_cut(sqfs_file_t *file);

/* errno of the first call that failed, or 0. */
int cic_sqfs_file_errno(const sqfs_file_t *file);

/*
 * zlib streams by libdeflate.
 *
 * do_block as libsquashfs wants it: bytes written; 0 when the result would not
 * be smaller than the input; negative on error.  An object is for one thread,
 * and libsquashfs makes a copy per worker.
 *
 * level   1..12, or 0 for one that uncompresses.  NULL when out of memory.
 */
sqfs_compressor_t *cic_sqfs_zlib(size_t block_size, int level);

#endif
