/*
 * Fuzz target: a tar stream into a tree, as convert.c does it but without the
 * squashfs.  What must hold for a tree that was accepted is asserted.
 *
 *	clang -fsanitize=fuzzer,address,undefined -iquote lib t/fuzz/fuzz_tar.c \
 *	    lib/{tar,tree,err,buf}.c -larchive && ./a.out t/fuzz/corpus/tar
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
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
take(struct cic_tar *tar, struct cic_tree *tree, struct cic_tar_entry *e,
    struct cic_err *err)
{
	struct cic_inode *inode;
	uint64_t sum = 0;

	if (e->hardlink != NULL)
		return cic_tree_link(tree, e->path, e->hardlink, err);
	if (cic_tree_add(tree, e->path, &e->attr, e->symlink, &inode, err) == -1)
		return -1;
	if (!S_ISREG(e->attr.mode))
		return 0;
	if (cic_tar_data(tar, count, &sum, err) == -1)
		return -1;
	assert(sum == e->size);
	return 0;
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
		assert(d->inode->nlink >= 1);
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
	int fd = memfd_create("tar", MFD_CLOEXEC);
	struct cic_tar_entry e;
	struct cic_tar *tar;
	int r = -1;

	assert(tree != NULL && fd != -1);
	assert(write(fd, data, size) == (ssize_t)size);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	tar = cic_tar_open(fd, &err);
	if (tar != NULL) {
		do
			r = cic_tar_next(tar, &e, &err);
		while (r == 0 && e.path != NULL &&
		    (r = take(tar, tree, &e, &err)) == 0);
	}
	assert(r == 0 || (err.code != CIC_OK && err.msg[0] != '\0'));
	assert(cic_tree_finish(tree, &err) == 0);
	check(tree, tree->root);
	cic_tar_free(tar);
	cic_tree_free(tree);
	close(fd);
	return 0;
}
