/*
 * Fuzz target: the writer.  The input is the image's configuration, a NUL, what
 * is embedded, a NUL, and an export; a .sif that comes out of it must be read by
 * somebody else's reader (libsquashfs), with as many inodes as were told.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/super.h>

#include "convert.h"
#include "err.h"
#include "input.h"
#include "sqfs_io.h"
#include "tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	sqfs_file_t	*file;
	sqfs_compressor_t *unzlib;
	sqfs_super_t	 super;
	sqfs_id_table_t	*ids;
	sqfs_dir_reader_t *dirs;
	sqfs_data_reader_t *data;
};

/* Reading where cic_sqfs_file only knows what was written through it. */
static int
read_at(sqfs_file_t *file, sqfs_u64 offset, void *buffer, size_t size)
{
	struct { sqfs_file_t f; int fd; uint64_t start; } *r = (void *)file;

	return pread(r->fd, buffer, size, (off_t)(r->start + offset)) ==
	    (ssize_t)size ? 0 : SQFS_ERROR_OUT_OF_BOUNDS;
}

static void
read_tree(struct reader *r, const sqfs_tree_node_t *n, uint32_t *numbers)
{
	const sqfs_tree_node_t *c;

	assert(n->inode->base.inode_number >= 1 &&
	    n->inode->base.inode_number <= r->super.inode_count);
	numbers[n->inode->base.inode_number - 1] = 1;
	if (n->inode->base.type == SQFS_INODE_FILE ||
	    n->inode->base.type == SQFS_INODE_EXT_FILE) {
		sqfs_u64 size;
		char buf[4096];
		sqfs_s32 got;

		sqfs_inode_get_file_size(n->inode, &size);
		got = sqfs_data_reader_read(r->data, n->inode, size > 4096 ?
		    size - 4096 : 0, buf, sizeof(buf));
		assert(got == (sqfs_s32)(size > 4096 ? 4096 : size));
	}
	for (c = n->children; c != NULL; c = c->next)
		read_tree(r, c, numbers);
}

static void
check(int fd, const struct cic_converted *out)
{
	struct { sqfs_file_t f; int fd; uint64_t start; } file = {
	    .f = { .read_at = read_at }, .fd = fd };
	struct reader r = { .file = &file.f };
	sqfs_tree_node_t *root;
	uint32_t *numbers, i;
	char magic[4];

	/* the partition is where its magic is, at a multiple of 4096 */
	for (file.start = 32768 + 4096;; file.start += 4096) {
		assert(pread(fd, magic, 4, (off_t)file.start) == 4);
		if (memcmp(magic, "hsqs", 4) == 0)
			break;
	}
	assert(sqfs_super_read(&r.super, r.file) == 0);
	assert(r.super.inode_count == out->files);
	r.unzlib = cic_sqfs_zlib(r.super.block_size, 0);
	r.ids = sqfs_id_table_create(0);
	assert(sqfs_id_table_read(r.ids, r.file, &r.super, r.unzlib) == 0);
	r.dirs = sqfs_dir_reader_create(&r.super, r.unzlib, r.file, 0);
	r.data = sqfs_data_reader_create(r.file, r.super.block_size, r.unzlib, 0);
	assert(sqfs_data_reader_load_fragment_table(r.data, &r.super) == 0);
	assert(sqfs_dir_reader_get_full_hierarchy(r.dirs, r.ids, NULL, 0,
	    &root) == 0);
	numbers = calloc(r.super.inode_count, sizeof(*numbers));
	read_tree(&r, root, numbers);
	for (i = 0; i < r.super.inode_count; i++)
		assert(numbers[i] == 1);
	free(numbers);
	sqfs_dir_tree_destroy(root);
	sqfs_destroy(r.data);
	sqfs_destroy(r.dirs);
	sqfs_destroy(r.ids);
	sqfs_destroy(r.unzlib);
}

static int
tar_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert(fd != -1 && write(fd, data, size) == (ssize_t)size);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *a = memchr(data, '\0', size), *b;
	struct cic_err err = { .code = CIC_OK };
	struct cic_converted out;
	struct cic_input *input;
	struct cic_tar *tar;
	int in, fd, r;

	b = a == NULL ? NULL : memchr(a + 1, '\0', size - (size_t)(a + 1 - data));
	if (b == NULL)
		return 0;
	in = tar_of(b + 1, size - (size_t)(b + 1 - data));
	fd = memfd_create("sif", MFD_CLOEXEC);
	input = cic_input_fd(in, &err);
	tar = cic_tar_open(input, CIC_TAR_EXPORT, &err);
	if (tar != NULL) {
		struct cic_convert what = {
			.files = cic_tar_source(tar), .config = (const char *)data,
			.scheme = "docker-daemon", .reference = "a/b:c",
			.image_id = "sha256:0", .lock = "lock", .level = 1,
			.describe = a + 1 == b ? NULL : (const char *)a + 1,
			.threads = 1 + (unsigned)(size & 1),
		};

		r = cic_convert(&what, fd, &out, &err);
		if (r == 0)
			check(fd, &out);
		else
			assert(err.code != CIC_OK && err.msg[0] != '\0');
	}
	cic_tar_free(tar);
	cic_input_free(input);
	close(in);
	close(fd);
	return 0;
}
