/*
 * Inodes and directories of a squashfs image; see sqfs_tree.h.
 *
 * A directory entry holds the place of the inode it names, so inodes come
 * before their directory: the walk goes down to the leaves first, and writes
 * each directory's files, its list of names and its own inode on the way up.
 */
#include "sqfs_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>

#include "sqfs.h"
#include "sqfs_data.h"
#include "tree.h"

struct walk {
	const struct cic_sqfs_tables *t;
	struct cic_tree	*tree;
	sqfs_meta_writer_t *inodes;	/* straight to the file */
	sqfs_meta_writer_t *names;	/* kept in memory until inodes are done */
	sqfs_dir_writer_t *dir;
};

/* Kernel and tools agree on 12 bits of major and 20 of minor number, laid out
 * as in Linux's new_encode_dev. */
static uint32_t
device(const struct cic_attr *a)
{
	uint32_t major = a->major, minor = a->minor;

	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

static sqfs_inode_generic_t *
new_inode(size_t payload)
{
	sqfs_inode_generic_t *n = calloc(1, sizeof(*n) + payload);

	if (n != NULL)
		n->payload_bytes_available = n->payload_bytes_used =
		    (sqfs_u32)payload;
	return n;
}

static sqfs_inode_generic_t *
new_symlink(const struct cic_inode *inode)
{
	size_t len = strlen(inode->u.target);
	sqfs_inode_generic_t *n = new_inode(len);

	if (n == NULL)
		return NULL;
	n->base.type = SQFS_INODE_SLINK;
	n->data.slink.nlink = inode->nlink;
	n->data.slink.target_size = (sqfs_u32)len;
	memcpy(n->extra, inode->u.target, len);
	return n;
}

static sqfs_inode_generic_t *
new_special(const struct cic_inode *inode)
{
	sqfs_inode_generic_t *n = new_inode(0);

	if (n == NULL)
		return NULL;
	switch (inode->attr.mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		n->base.type = S_ISCHR(inode->attr.mode) ? SQFS_INODE_CDEV :
		    SQFS_INODE_BDEV;
		n->data.dev.nlink = inode->nlink;
		n->data.dev.devno = device(&inode->attr);
		break;
	default:
		n->base.type = S_ISFIFO(inode->attr.mode) ? SQFS_INODE_FIFO :
		    SQFS_INODE_SOCKET;
		n->data.ipc.nlink = inode->nlink;
		break;
	}
	return n;
}

/* Bytes of the file that are in no block: a hole's word is 0. */
static uint64_t
holes(const struct cic_file *file, size_t count)
{
	uint64_t sum = 0, rest;
	size_t i;

	for (i = 0; i < count; i++) {
		rest = file->size - (uint64_t)i * CIC_SQFS_BLOCK;
		if (file->block[i] == 0)
			sum += rest < CIC_SQFS_BLOCK ? rest : CIC_SQFS_BLOCK;
	}
	return sum;
}

static sqfs_inode_generic_t *
new_file(const struct cic_inode *inode)
{
	const struct cic_file *file = inode->u.file;
	size_t count = cic_file_blocks(file);
	size_t size = count * sizeof(file->block[0]);
	uint64_t sparse = holes(file, count);
	sqfs_inode_generic_t *n = new_inode(size);

	if (n == NULL)
		return NULL;
	n->base.type = SQFS_INODE_FILE;
	sqfs_inode_set_file_size(n, file->size);
	sqfs_inode_set_file_block_start(n, file->start);
	sqfs_inode_set_frag_location(n, file->fragment, file->offset);
	memcpy(n->extra, file->block, size);
	if (sparse > 0 || inode->nlink > 1)
		sqfs_inode_make_extended(n);
	if (n->base.type == SQFS_INODE_EXT_FILE) {
		n->data.file_ext.sparse = sparse;
		n->data.file_ext.nlink = inode->nlink;
	}
	return n;
}

/* Owner, mode, time, number, xattr; then write it and note where. */
static int
put_inode(struct walk *w, sqfs_inode_generic_t *n, struct cic_inode *inode)
{
	sqfs_u64 block;
	sqfs_u32 offset;
	int e;

	n->base.mode = (sqfs_u16)inode->attr.mode;
	n->base.mod_time = inode->attr.mtime;
	n->base.inode_number = inode->number;
	e = sqfs_id_table_id_to_index(w->t->ids, inode->attr.uid, &n->base.uid_idx);
	if (e == 0)
		e = sqfs_id_table_id_to_index(w->t->ids, inode->attr.gid,
		    &n->base.gid_idx);
	if (e == 0 && inode->xattr != CIC_TREE_NO_XATTR)
		e = sqfs_inode_set_xattr_index(n, inode->xattr);
	if (e != 0)
		return e;
	sqfs_meta_writer_get_position(w->inodes, &block, &offset);
	inode->ref = (block << 16) | offset;
	return sqfs_meta_writer_write_inode(w->inodes, n);
}

/* Anything but a directory, unless another name of it came before. */
static int
put_leaf(struct walk *w, struct cic_inode *inode)
{
	sqfs_inode_generic_t *n;
	int e;

	if (inode->u.file == NULL && S_ISREG(inode->attr.mode))
		return SQFS_ERROR_SEQUENCE;
	n = S_ISREG(inode->attr.mode) ? new_file(inode) :
	    S_ISLNK(inode->attr.mode) ? new_symlink(inode) : new_special(inode);
	if (n == NULL)
		return SQFS_ERROR_ALLOC;
	e = put_inode(w, n, inode);
	free(n);
	return e;
}

static int
put_names(struct walk *w, const struct cic_inode *dir)
{
	uint32_t i;
	int e = sqfs_dir_writer_begin(w->dir, 0);

	for (i = 0; e == 0 && i < dir->u.dir.count; i++) {
		const struct cic_entry *d = dir->u.dir.entry[i];

		e = sqfs_dir_writer_add_entry(w->dir, d->name, d->inode->number,
		    d->inode->ref, (sqfs_u16)d->inode->attr.mode);
	}
	return e == 0 ? sqfs_dir_writer_end(w->dir) : e;
}

/* A directory all of whose subdirectories are written. */
static int
put_dir(struct walk *w, struct cic_inode *dir)
{
	/* The root's parent is a number nobody has. */
	sqfs_u32 parent = dir == w->tree->root ? w->tree->inodes + 1 :
	    dir->u.dir.parent->number;
	sqfs_inode_generic_t *n;
	uint32_t i;
	int e = 0;

	for (i = 0; e == 0 && i < dir->u.dir.count; i++) {
		struct cic_inode *inode = dir->u.dir.entry[i]->inode;

		if (!S_ISDIR(inode->attr.mode) && inode->ref == CIC_TREE_NO_REF)
			e = put_leaf(w, inode);
	}
	if (e == 0)
		e = put_names(w, dir);
	if (e != 0)
		return e;
	n = sqfs_dir_writer_create_inode(w->dir, 0, dir->xattr, parent);
	if (n == NULL)
		return SQFS_ERROR_ALLOC;
	/* libsquashfs counts every entry, Unix and find(1) subdirectories. */
	if (n->base.type == SQFS_INODE_EXT_DIR)
		n->data.dir_ext.nlink = dir->nlink;
	else
		n->data.dir.nlink = dir->nlink;
	e = put_inode(w, n, dir);
	sqfs_free(n);
	return e;
}

static int
walk(struct walk *w)
{
	struct cic_inode *dir = w->tree->root, *inode;
	int e;

	for (;;) {
		if (dir->u.dir.cursor < dir->u.dir.count) {
			inode = dir->u.dir.entry[dir->u.dir.cursor++]->inode;
			if (S_ISDIR(inode->attr.mode))
				dir = inode;
			continue;
		}
		dir->u.dir.cursor = 0;
		e = put_dir(w, dir);
		if (e != 0 || dir == w->tree->root)
			return e;
		dir = dir->u.dir.parent;
	}
}

/* The tables around the walk, in the order they have in the file. */
static int
write_all(struct walk *w)
{
	sqfs_super_t *super = w->t->super;
	sqfs_file_t *file = w->t->file;
	const struct cic_inode *root = w->tree->root;
	int e;

	super->inode_count = w->tree->inodes;
	super->inode_table_start = file->get_size(file);
	e = walk(w);
	if (e == 0)
		e = sqfs_meta_writer_flush(w->inodes);
	if (e == 0)
		e = sqfs_meta_writer_flush(w->names);
	super->root_inode_ref = root->ref;
	super->directory_table_start = file->get_size(file);
	if (e == 0)
		e = sqfs_meta_write_write_to_file(w->names);
	if (e == 0)
		e = sqfs_frag_table_write(w->t->fragments, file, super, w->t->zlib);
	if (e == 0)
		e = sqfs_dir_writer_write_export_table(w->dir, file, w->t->zlib,
		    root->number, root->ref, super);
	return e;
}

int
cic_sqfs_write_tree(const struct cic_sqfs_tables *tables, struct cic_tree *tree)
{
	struct walk w = { .t = tables, .tree = tree };
	int e = SQFS_ERROR_ALLOC;

	w.inodes = sqfs_meta_writer_create(tables->file, tables->zlib, 0);
	w.names = sqfs_meta_writer_create(tables->file, tables->zlib,
	    SQFS_META_WRITER_KEEP_IN_MEMORY);
	if (w.inodes != NULL && w.names != NULL)
		w.dir = sqfs_dir_writer_create(w.names,
		    SQFS_DIR_WRITER_CREATE_EXPORT_TABLE);
	if (w.dir != NULL)
		e = write_all(&w);
	sqfs_destroy(w.dir);
	sqfs_destroy(w.names);
	sqfs_destroy(w.inodes);
	return e;
}
