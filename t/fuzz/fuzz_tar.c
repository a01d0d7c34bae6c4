/*
 * Fuzz target: a tar stream into a tree, as intake.c does it but without the
 * squashfs; compressed or of odd length as a layer, else as an export.  What must
 * hold for a tree that was accepted is asserted.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "input.h"
#include "tar.h"
#include "tree.h"

#define ENOUGH	(UINT64_C(1) << 26)	/* of zeros from sparse files */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
count(void *arg, const void *data, size_t len, struct cic_err *err)
{
	uint64_t *sum = arg;

	(void)data;
	*sum += len;
	return *sum > ENOUGH ? cic_err_set(err, CIC_EINVAL, "enough") : 0;
}

static int
take(struct cic_source *source, struct cic_tree *tree, struct cic_item *item,
    struct cic_err *err)
{
	struct cic_inode *inode;
	uint64_t sum = 0;

	if (item->hardlink != NULL)
		return cic_tree_link(tree, item->path, item->hardlink, err);
	if (cic_tree_add(tree, item->path, &item->attr, item->symlink, &inode,
	    err) == -1)
		return -1;
	if (!S_ISREG(item->attr.mode))
		return 0;
	if (source->data(source, count, &sum, err) == -1)
		return -1;
	assert(sum == item->size);
	return 0;
}

static int
take_all(struct cic_source *source, struct cic_tree *tree, struct cic_err *err)
{
	struct cic_item item;

	for (;;) {
		if (source->next(source, &item, err) == -1)
			return -1;
		if (item.path == NULL)
			return 0;
		if (take(source, tree, &item, err) == -1)
			return -1;
	}
}

static void
check(const struct cic_tree *tree, const struct cic_inode *dir)
{
	uint32_t i;

	assert(dir->nlink >= 2 && dir->number >= 1 && dir->number <= tree->inodes);
	for (i = 0; i < dir->u.dir.count; i++) {
		const struct cic_entry *d = dir->u.dir.entry[i];

		assert(*d->name != '\0' && strchr(d->name, '/') == NULL);
		assert(strcmp(d->name, ".") != 0 && strcmp(d->name, "..") != 0);
		assert(i == 0 || strcmp(dir->u.dir.entry[i - 1]->name, d->name) < 0);
		assert(d->inode->nlink >= 1 && d->inode->alive);
		if (S_ISDIR(d->inode->attr.mode)) {
			assert(d->inode->u.dir.parent == dir);
			check(tree, d->inode);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_err err = { .code = CIC_OK };
	struct cic_tree *tree = cic_tree_new(0, &err);
	int fd = memfd_create("tar", MFD_CLOEXEC), r = -1;
	struct cic_input *input = cic_input_fd(fd, &err);
	enum cic_tar_kind kind = size % 2 == 1 || (size > 1 && (data[0] == 0x1f ||
	    data[0] == 0x28)) ? CIC_TAR_LAYER : CIC_TAR_EXPORT;
	struct cic_tar *tar;

	assert(tree != NULL && fd != -1 && input != NULL);
	assert(write(fd, data, size) == (ssize_t)size);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	tar = cic_tar_open(input, kind, &err);
	if (tar != NULL)
		r = take_all(cic_tar_source(tar), tree, &err);
	assert(r == 0 || (err.code != CIC_OK && err.msg[0] != '\0'));
	cic_tree_mark(tree);
	assert(cic_tree_finish(tree, &err) == 0);
	check(tree, tree->root);
	cic_tar_free(tar);
	cic_input_free(input);
	cic_tree_free(tree);
	close(fd);
	return 0;
}
