/*
 * A file system tree in memory: names and attributes, no file contents.
 *
 * Entries come in any order, by path; directories are found by hashing, so a
 * directory with 100,000 names costs no more than 100,000 directories.  When
 * all are in, cic_tree_finish sorts, counts links and numbers the inodes, and
 * the tree is walked from `root`.
 *
 * Layers: an image comes as one layer after another, lowest first; a flattened
 * one is one layer.  Within a layer a path may be named once (directories may
 * come again); a later layer replaces what a lower one has, and its whiteouts
 * take away what lower layers have, never what it has itself, whatever comes
 * first (OCI image specification, layer.md, "Whiteouts").  A folder it only goes
 * through keeps its attributes when the whiteout comes last.
 *
 * A path is a C string of bytes, no character set: components parted by "/",
 * each 1..255 bytes.  A leading "/" and "." components are dropped, so that
 * "", "." and "/" differ only in that "" is refused.  ".." is refused, and so
 * is a path that leads through anything but directories: a symbolic link is
 * never followed.
 *
 * Limits, each with an error of its own: CIC_TREE_PATH bytes in a path or link
 * target (the kernel cannot read a longer one), CIC_TREE_ENTRIES names ever
 * added, CIC_TREE_DIR of them in one directory, CIC_TREE_LAYERS layers,
 * CIC_TREE_BYTES of memory.
 *
 * All memory belongs to the tree and is freed with it, at once; what was
 * replaced or removed stays allocated until then, so a pointer to an inode is
 * good for the tree's life.
 *
 * Source: facts/sif.md section 2.4 (OCI layer rules for a path that comes
 * twice), section 4.1 (order and numbers squashfs needs).
 */
#ifndef CIC_TREE_H
#define CIC_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cic_err;

#define CIC_TREE_NAME		255
#define CIC_TREE_PATH		4095
#define CIC_TREE_ENTRIES	(4u << 20)
#define CIC_TREE_DIR		500000u
#define CIC_TREE_LAYERS		1000u
#define CIC_TREE_BYTES		((size_t)1 << 30)
#define CIC_TREE_SHOW		256
#define CIC_TREE_NO_XATTR	0xffffffffu
#define CIC_TREE_NO_REF		UINT64_MAX

struct cic_attr {
	uint32_t	mode;		/* S_IFMT type and 07777 bits */
	uint32_t	uid, gid;
	uint32_t	mtime;		/* Unix seconds */
	uint32_t	major : 12, minor : 20;		/* devices only */
};

struct cic_inode {
	struct cic_attr	 attr;
	uint32_t	 xattr;		/* the writer's id or CIC_TREE_NO_XATTR */
	uint32_t	 nlink;		/* finish: names; directories: 2 + subdirs */
	uint32_t	 number : 31;	/* finish: 1..tree->inodes; the root is 1 */
	uint32_t	 alive : 1;	/* see cic_tree_mark */
	uint64_t	 ref;		/* the writer's; CIC_TREE_NO_REF at first */
	union {
		struct {
			struct cic_inode *parent;	/* the root's is itself */
			struct cic_entry *last;		/* unsorted, newest first */
			struct cic_entry **entry;	/* finish: sorted by byte */
			uint32_t names;			/* ever added here */
			uint32_t count;			/* finish: of entry[] */
			uint32_t cursor;		/* for a walk; 0 at first */
			uint16_t cleared;		/* by this layer's whiteout */
		} dir;
		const char	*target;	/* symbolic links */
		void		*file;		/* regular files: the writer's */
	} u;
};

struct cic_entry {
	struct cic_inode *inode;	/* NULL: the name was removed */
	struct cic_inode *dir;
	struct cic_entry *chain;	/* next in the same hash bucket */
	struct cic_entry *older;	/* next name of the same directory */
	uint16_t	 touched;	/* last layer that has it or what is below */
	char		 name[];
};

struct cic_tree {
	struct cic_inode *root;
	uint32_t	 inodes;	/* finish: inodes in the tree, root counted */
	uint32_t	 names;		/* entries ever added; <= CIC_TREE_ENTRIES */
	uint32_t	 mtime;		/* of directories nobody named */
	uint16_t	 layer;		/* the present one; the first is 1 */
	struct cic_entry **bucket;
	size_t		 nbucket;	/* a power of two */
	uint64_t	 seed[2];	/* random: names cannot be made to collide */
	struct cic_chunk *chunk;
	size_t		 bytes;		/* allocated in chunks */
};

/*
 * An empty tree: a root 0755, owner 0:0.  `mtime` is the root's time and that
 * of every directory that appears only as somebody's parent (also 0755, 0:0).
 * Returns NULL with err: CIC_EIO no memory.  Release with cic_tree_free.
 */
struct cic_tree *cic_tree_new(uint32_t mtime, struct cic_err *err);
void cic_tree_free(struct cic_tree *tree);	/* NULL is fine */

/*
 * Add a file, directory, symbolic link, device, fifo or socket.
 *
 * Missing parents are made.  When a lower layer has the path: a directory over
 * a directory changes attributes (and drops the xattr) only; everything else
 * takes the name over, a directory's contents going with it.  The root can only
 * be a directory.
 *
 * target   symbolic links: 1..CIC_TREE_PATH bytes, any text; else NULL
 * out      set to the inode; may be NULL
 *
 * Returns 0; -1 with err: CIC_EINVAL the path, type or target is refused or a
 * limit is reached (the message shows the path), CIC_EIO no memory.
 */
int cic_tree_add(struct cic_tree *tree, const char *path,
    const struct cic_attr *attr, const char *target, struct cic_inode **out,
    struct cic_err *err);

/*
 * Add `path` as one more name of what `target` names now.
 *
 * target   a path in this tree; a hard link is fine, a directory is not
 *
 * Returns 0; -1 with err as cic_tree_add; a missing target is CIC_EINVAL and
 * the message shows both paths.
 */
int cic_tree_link(struct cic_tree *tree, const char *path, const char *target,
    struct cic_err *err);

/* What `path` names, or NULL; also NULL for a path that would be refused. */
struct cic_inode *cic_tree_find(const struct cic_tree *tree, const char *path);

/* Take a name out, with what is below it.  The root stays. */
void cic_tree_remove(struct cic_tree *tree, const char *path);

/*
 * What is added from here on belongs to the next layer.
 * Returns 0; -1 with err: CIC_EINVAL over CIC_TREE_LAYERS of them.
 */
int cic_tree_next_layer(struct cic_tree *tree, struct cic_err *err);

/* Take away what lower layers have at `path`, below it too; what is not there
 * is fine. */
void cic_tree_whiteout(struct cic_tree *tree, const char *path);

/* Take away what lower layers have below the directory `path`. */
void cic_tree_opaque(struct cic_tree *tree, const char *path);

/* Set `alive` of every inode that can still be reached.  More may be added
 * after. */
void cic_tree_mark(struct cic_tree *tree);

/*
 * Sort every directory, count links, number inodes: a directory before what is
 * in it, its own children in one run.  Nothing may be added after.
 * Returns 0; -1 with err: CIC_EIO no memory.
 */
int cic_tree_finish(struct cic_tree *tree, struct cic_err *err);

/* `path` for a message: printable ASCII, the rest as \xNN, cut with "...".
 * Returns buf. */
const char *cic_tree_show(const char *path, char buf[CIC_TREE_SHOW]);

#endif
