/* A file at an offset, and zlib by libdeflate, for libsquashfs; see sqfs_io.h. */
#include "sqfs_io.h"

#include "sqfs.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqfs/error.h>

/* --- a file that begins at an offset ------------------------------------ */

struct file {
	sqfs_file_t	 base;		/* first: libsquashfs's view of us */
	int		 fd;
	int		 error;
	uint64_t	 start;		/* in fd */
	uint64_t	 size;		/* from start */
};

static int
failed(struct file *f)
{
	if (f->error == 0)
		f->error = errno;
	return SQFS_ERROR_IO;
}

static int
read_at(sqfs_file_t *file, sqfs_u64 offset, void *buffer, size_t size)
{
	struct file *f = (struct file *)file;
	char *p = buffer;
	ssize_t n;

	if (offset > f->size || size > f->size - offset)
		return SQFS_ERROR_OUT_OF_BOUNDS;
	while (size > 0) {
		n = pread(f->fd, p, size, (off_t)(f->start + offset));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return failed(f);
		p += n;
		offset += (sqfs_u64)n;
		size -= (size_t)n;
	}
	return 0;
}

static int
write_at(sqfs_file_t *file, sqfs_u64 offset, const void *buffer, size_t size)
{
	struct file *f = (struct file *)file;
	const char *p = buffer;
	ssize_t n;

	while (size > 0) {
		n = pwrite(f->fd, p, size, (off_t)(f->start + offset));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return failed(f);
		p += n;
		offset += (sqfs_u64)n;
		size -= (size_t)n;
	}
	if (offset > f->size)
		f->size = offset;
	return 0;
}

static sqfs_u64
get_size(const sqfs_file_t *file)
{
	return ((const struct file *)file)->size;
}

/* Called for every duplicate: the blocks just written are taken back.  What
 * comes next is written over them; cic_sqfs_file_cut cuts off what is left. */
static int
truncate_to(sqfs_file_t *file, sqfs_u64 size)
{
	((struct file *)file)->size = size;
	return 0;
}

int
cic_sqfs_file_cut(sqfs_file_t *file)
{
	struct file *f = (struct file *)file;

	return ftruncate(f->fd, (off_t)(f->start + f->size)) == -1 ? failed(f) : 0;
}

static void
file_destroy(sqfs_object_t *obj)
{
	free(obj);
}

sqfs_file_t *
cic_sqfs_file(int fd, uint64_t base)
{
	struct file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->base.base.destroy = file_destroy;	/* no copy: one writer */
	f->base.read_at = read_at;
	f->base.write_at = write_at;
	f->base.get_size = get_size;
	f->base.truncate = truncate_to;
	f->fd = fd;
	f->start = base;
	return &f->base;
}

int
cic_sqfs_file_errno(const sqfs_file_t *file)
{
	return ((const struct file *)file)->error;
}

/* --- zlib by libdeflate ------------------------------------------------- */

struct zlib {
	sqfs_compressor_t base;		/* first: libsquashfs's view of us */
	size_t		 block_size;
	int		 level;		/* 0: uncompresses */
	struct libdeflate_compressor *deflate;
	struct libdeflate_decompressor *inflate;
};

static void
get_configuration(const sqfs_compressor_t *cmp, sqfs_compressor_config_t *cfg)
{
	const struct zlib *z = (const struct zlib *)cmp;

	memset(cfg, 0, sizeof(*cfg));
	cfg->id = SQFS_COMP_GZIP;
	cfg->flags = z->level == 0 ? SQFS_COMP_FLAG_UNCOMPRESS : 0;
	cfg->block_size = (sqfs_u32)z->block_size;
	cfg->level = SQFS_GZIP_DEFAULT_LEVEL;
	cfg->opt.gzip.window_size = SQFS_GZIP_DEFAULT_WINDOW;
}

/* The options say how somebody else could recompress; without them readers
 * assume level 9 and a 32 KiB window, and need only the latter. */
static int
no_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
	(void)cmp;
	(void)file;
	return 0;
}

static sqfs_s32
compress_block(sqfs_compressor_t *cmp, const sqfs_u8 *in, sqfs_u32 size,
    sqfs_u8 *out, sqfs_u32 outsize)
{
	struct zlib *z = (struct zlib *)cmp;
	size_t room = outsize;

	if (size == 0)
		return 0;
	if (room >= size)
		room = size - 1;
	return (sqfs_s32)libdeflate_zlib_compress(z->deflate, in, size, out, room);
}

static sqfs_s32
uncompress_block(sqfs_compressor_t *cmp, const sqfs_u8 *in, sqfs_u32 size,
    sqfs_u8 *out, sqfs_u32 outsize)
{
	struct zlib *z = (struct zlib *)cmp;
	size_t n;

	if (libdeflate_zlib_decompress(z->inflate, in, size, out, outsize, &n) !=
	    LIBDEFLATE_SUCCESS)
		return SQFS_ERROR_COMPRESSOR;
	return (sqfs_s32)n;
}

static void
zlib_destroy(sqfs_object_t *obj)
{
	struct zlib *z = (struct zlib *)obj;

	if (z->deflate != NULL)
		libdeflate_free_compressor(z->deflate);
	if (z->inflate != NULL)
		libdeflate_free_decompressor(z->inflate);
	free(z);
}

static sqfs_object_t *
zlib_copy(const sqfs_object_t *obj)
{
	const struct zlib *z = (const struct zlib *)obj;

	return (sqfs_object_t *)cic_sqfs_zlib(z->block_size, z->level);
}

const char *
cic_sqfs_deflate_version(void)
{
	return LIBDEFLATE_VERSION_STRING;
}

sqfs_compressor_t *
cic_sqfs_zlib(size_t block_size, int level)
{
	struct zlib *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->base.base.destroy = zlib_destroy;
	z->base.base.copy = zlib_copy;
	z->base.get_configuration = get_configuration;
	z->base.write_options = no_options;
	z->base.read_options = no_options;
	z->base.do_block = level == 0 ? uncompress_block : compress_block;
	z->block_size = block_size;
	z->level = level;
	if (level == 0)
		z->inflate = libdeflate_alloc_decompressor();
	else
		z->deflate = libdeflate_alloc_compressor(level);
	if (z->inflate == NULL && z->deflate == NULL) {
		zlib_destroy(&z->base.base);
		return NULL;
	}
	return &z->base;
}
