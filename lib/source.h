/*
 * The files of an image, one after another, wherever they come from: a tar
 * stream (tar.h) or a folder (walk.h).
 *
 *	while (source->next(source, &item, err) == 0 && item.path != NULL)
 *		… source->data(source, sink, arg, err) …
 *
 * Names and link targets are bytes, in no character set.  Owners are numbers;
 * names are never looked up.
 */
#ifndef CIC_SOURCE_H
#define CIC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"	/* struct cic_attr */

struct cic_err;

#define CIC_ITEM_XATTRS	128		/* of one item */
#define CIC_ITEM_VALUE	65536		/* bytes of one value, as in Linux */
/* File data of one image, holes counted: so that a header that claims a huge
 * sparse file costs a minute, not a year. */
#define CIC_SOURCE_BYTES	(UINT64_C(1) << 40)

struct cic_xattr {
	const char	*name;		/* "security.capability" */
	const void	*value;
	size_t		 size;
};

/* One file; everything it points to is good until the next one. */
struct cic_item {
	const char	*path;		/* NULL: the end; else not empty */
	const char	*hardlink;	/* a path, or NULL; then only path counts */
	const char	*symlink;	/* a target, or NULL */
	/* Type and permissions; owner; time in whole seconds, moved into
	 * 0..2^32-1 where it is outside; device number. */
	struct cic_attr	 attr;
	uint64_t	 size;		/* of a regular file, else 0 */
	struct cic_xattr xattr[CIC_ITEM_XATTRS];
	size_t		 nxattr;
};

/* Takes data in order; -1 (err set) ends the reading. */
typedef int cic_sink(void *arg, const void *data, size_t len,
    struct cic_err *err);

struct cic_source {
	/*
	 * Go to the next item, past whatever is left of this one; at the end
	 * item->path is NULL.
	 *
	 * Returns 0; -1 with err: CIC_EINVAL the source is damaged, cut short
	 * or holds a number out of range (the message names the last item),
	 * CIC_EIO it cannot be read.
	 */
	int	(*next)(struct cic_source *source, struct cic_item *item,
		    struct cic_err *err);
	/*
	 * Hand the current file's data to `sink`, item->size bytes in total,
	 * holes as zeros, in chunks of at most 1 MiB.  To be called at most
	 * once an item, and for regular files only.  Returns as above, or what
	 * the sink did.
	 */
	int	(*data)(struct cic_source *source, cic_sink *sink, void *arg,
		    struct cic_err *err);
};

/* `len` bytes of zeros to the sink. */
int cic_source_zeros(uint64_t len, cic_sink *sink, void *arg,
    struct cic_err *err);

/*
 * Names that every image gets anew, or that none has: docker lays its own over
 * them before it exports an image, so what was there cannot be told.
 */
/* The i-th, without "/" in front, or NULL. */
const char *cic_source_left_out(size_t i);
/* Is it one of them?  Folders stay. */
bool cic_source_leaves_out(const char *path, uint32_t mode);

/* "./a/b/" -> "a/b", borrowed but for the end: its length is *len. */
const char *cic_source_plain(const char *path, size_t *len);

/* Seconds as squashfs has room for them. */
static inline uint32_t
cic_source_time(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

#endif
