/* Inodes and directories of a squashfs image.  Only for sqfs.c. */
#ifndef CIC_SQFS_TREE_H
#define CIC_SQFS_TREE_H

#include <sqfs/predef.h>

struct cic_tree;

struct cic_sqfs_tables {
	sqfs_file_t	*file;
	sqfs_compressor_t *zlib;
	sqfs_id_table_t	*ids;		/* owners are added to it */
	sqfs_frag_table_t *fragments;
	sqfs_super_t	*super;		/* its fields for these tables are set */
};

/*
 * Append the inode, directory, fragment and export tables to the file, all of
 * whose data blocks are written.  Regular files' u.file is their struct
 * cic_file (sqfs_data.h).
 *
 * Returns 0 or a negative SQFS_ERROR.
 */
int cic_sqfs_write_tree(const struct cic_sqfs_tables *tables,
    struct cic_tree *tree);

#endif
