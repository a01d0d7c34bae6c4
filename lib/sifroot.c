/* An image's tree made the root of a .sif; see sifroot.h. */
#include "sifroot.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "sifmeta.h"
#include "sqfs.h"
#include "tree.h"

struct root {
	struct cic_tree	*tree;
	struct cic_sqfs	*sqfs;
	const struct cic_sifmeta *meta;
};

/*
 * Creating the container an export is made from touches these: the engine makes
 * mount points (moby's daemon/initlayer), so they carry the time of the export
 * and not of the image.  Wherever the image comes from, they are treated alike:
 * one image, one file.
 */
static const char *const touched[] = {
	"dev", "dev/pts", "dev/shm", "etc", "proc", "sys",
};

static void
set_times(struct root *root)
{
	struct cic_inode *inode;
	size_t i;

	for (i = 0; i < sizeof(touched) / sizeof(touched[0]); i++) {
		inode = cic_tree_find(root->tree, touched[i]);
		if (inode != NULL && S_ISDIR(inode->attr.mode))
			inode->attr.mtime = root->meta->created;
	}
}

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
add_file(struct root *root, const struct cic_sifmeta_item *item,
    const struct cic_attr *attr, struct cic_err *err)
{
	const char *text = item->text == NULL ? "" : item->text;
	struct cic_inode *inode;

	if (cic_tree_add(root->tree, item->path, attr, NULL, &inode, err) == -1)
		return -1;
	inode->u.file = cic_sqfs_begin(root->sqfs, strlen(text), err);
	if (inode->u.file == NULL ||
	    cic_sqfs_append(root->sqfs, text, strlen(text), err) == -1)
		return -1;
	return cic_sqfs_end(root->sqfs, err);
}

static int
add_item(struct root *root, const struct cic_sifmeta_item *item,
    struct cic_err *err)
{
	const struct cic_inode *old = cic_tree_find(root->tree, item->path);
	struct cic_attr attr = { .mode = item->mode, .mtime = root->meta->created };

	switch (item->rule) {
	case CIC_META_DIR:
		if (old != NULL || blocked(root->tree, item->path))
			return 0;
		attr.mode |= S_IFDIR;
		return cic_tree_add(root->tree, item->path, &attr, NULL, NULL, err);
	case CIC_META_LINK:
		if (old != NULL && !S_ISLNK(old->attr.mode))
			return 0;
		attr.mode |= S_IFLNK;
		return cic_tree_add(root->tree, item->path, &attr, item->text,
		    NULL, err);
	case CIC_META_NEW_LINK:
		attr.mode |= S_IFLNK;
		return blocked(root->tree, item->path) ||
		    (old != NULL && S_ISDIR(old->attr.mode)) ? 0 :
		    cic_tree_add(root->tree, item->path, &attr, item->text,
		    NULL, err);
	case CIC_META_MOUNT:
		if (blocked(root->tree, item->path) ||
		    (old != NULL && S_ISDIR(old->attr.mode)))
			return 0;
		break;
	case CIC_META_FILE:
		break;
	}
	attr.mode |= S_IFREG;
	return add_file(root, item, &attr, err);
}

int
cic_sifroot_make(struct cic_tree *tree, struct cic_sqfs *sqfs,
    const struct cic_sifmeta *meta, struct cic_err *err)
{
	struct root root = { tree, sqfs, meta };
	struct cic_sifmeta_item item;
	size_t i;

	set_times(&root);
	if (cic_tree_next_layer(tree, err) == -1)
		return -1;
	for (i = 0; cic_sifmeta_item(meta, i, &item) != NULL; i++) {
		if (add_item(&root, &item, err) == -1)
			return -1;
	}
	return cic_tree_finish(tree, err);
}
