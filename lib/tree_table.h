/*
 * A tree's memory, and its names found by folder and name.  Only for tree.c.
 */
#ifndef CIC_TREE_TABLE_H
#define CIC_TREE_TABLE_H

#include <stddef.h>

#include "tree.h"

int cic_tree_table_init(struct cic_tree *tree, struct cic_err *err);
void cic_tree_table_release(struct cic_tree *tree);

/* `size` zeroed bytes that live as long as the tree; NULL with err: CIC_EINVAL over
 * CIC_TREE_BYTES, CIC_EIO. */
void *cic_tree_alloc(struct cic_tree *tree, size_t size, struct cic_err *err);

/* The entry of that name in a directory, removed ones too, or NULL; `name` is its
 * first `len` bytes. */
struct cic_entry *cic_tree_lookup(const struct cic_tree *tree,
    const struct cic_inode *dir, const char *name, size_t len);

/* A new one, its inode NULL; there must be none of that name.  NULL with err:
 * CIC_EINVAL a limit, CIC_EIO. */
struct cic_entry *cic_tree_new_entry(struct cic_tree *tree,
    struct cic_inode *dir, const char *name, size_t len, struct cic_err *err);

#endif
