/*
 * A tar stream, read once from a file descriptor that cannot seek.
 *
 *	while (cic_tar_next(tar, &e, err) == 0 && e.path != NULL)
 *		… cic_tar_data(tar, sink, arg, err) …
 *
 * Formats: ustar, pax, GNU and old tar, nothing compressed and nothing else.
 * The stream must end as tar does, with a block of zeros: one that stops where
 * the next header should be is an error too, because that is how the export of
 * a killed engine ends.
 *
 * Names and link targets are the bytes in the stream, in no character set.
 * Owners are the numbers in the stream; names are never looked up.
 *
 * Source: facts/sif.md section 4.2 (what other readers get wrong) and 5.4.
 */
#ifndef CIC_TAR_H
#define CIC_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "tree.h"	/* struct cic_attr */

struct cic_err;
struct cic_tar;

/* File data in one stream, holes counted: so that a header that claims a huge
 * sparse file costs a minute, not a year. */
#define CIC_TAR_BYTES	(UINT64_C(1) << 40)
#define CIC_TAR_XATTRS	128		/* of one entry */
#define CIC_TAR_VALUE	65536		/* bytes of one value, as in Linux */

struct cic_xattr {
	const char	*name;		/* "security.capability" */
	const void	*value;
	size_t		 size;
};

/* One entry; everything it points to is good until the next cic_tar_next. */
struct cic_tar_entry {
	const char	*path;		/* NULL: the end; else not empty */
	const char	*hardlink;	/* a path, or NULL; then only path counts */
	const char	*symlink;	/* a target, or NULL */
	/* Type and permissions; owner; time in whole seconds, moved into
	 * 0..2^32-1 where it is outside; device number. */
	struct cic_attr	 attr;
	uint64_t	 size;		/* of a regular file, else 0 */
	struct cic_xattr xattr[CIC_TAR_XATTRS];
	size_t		 nxattr;
};

/*
 * Read from `fd`, which stays the caller's; waits for the first bytes.
 * Returns NULL with err: CIC_EINVAL they begin no tar, CIC_EIO.
 */
struct cic_tar *cic_tar_open(int fd, struct cic_err *err);
void cic_tar_free(struct cic_tar *tar);		/* NULL is fine */

/*
 * Go to the next entry, past whatever is left of this one.
 *
 * At the end of the archive entry->path is NULL, and the rest of the stream
 * has been read, so that its writer sees no broken pipe.
 *
 * Returns 0; -1 with err: CIC_EINVAL this is no tar, it is damaged or cut short
 * (the message names the last entry), or a number is out of range; CIC_EIO.
 */
int cic_tar_next(struct cic_tar *tar, struct cic_tar_entry *entry,
    struct cic_err *err);

/*
 * Hand the current file's data to `sink`, in order, holes as zeros, `size`
 * bytes in total (entry->size); a sink that returns -1 (err set) ends it.
 * Chunks are at most 1 MiB.  Returns 0; -1 with err as above.
 */
int cic_tar_data(struct cic_tar *tar,
    int (*sink)(void *arg, const void *data, size_t len, struct cic_err *err),
    void *arg, struct cic_err *err);

#endif
