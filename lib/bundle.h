/*
 * A set of named files that can be read at any place: a folder, or a tar archive
 * that is not compressed.  The files of a saved image: its manifest, its layers.
 */
#ifndef CIC_BUNDLE_H
#define CIC_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

struct cic_buf;
struct cic_bundle;
struct cic_err;

#define CIC_BUNDLE_MEMBERS	100000u		/* of one archive */

/* Bytes `offset` to `offset + size` of `fd`; good as long as the bundle. */
struct cic_part {
	int		 fd;
	uint64_t	 offset, size;
};

/*
 * Open the folder or archive at `path`.  An archive is read through, headers
 * only, to know where its members are.
 *
 * Returns NULL with err: CIC_ENOENT, CIC_EDENIED, CIC_EINVAL it is neither, is
 * compressed, damaged, or has too many members, CIC_EIO.
 */
struct cic_bundle *cic_bundle_open(const char *path, struct cic_err *err);
void cic_bundle_free(struct cic_bundle *bundle);	/* NULL is fine */

/*
 * Where the file `name` is, below the top; a name that leads out by ".." is
 * refused.  In an archive, links to other members are followed (docker writes a
 * layer that comes twice as one); in a folder, links are refused.
 *
 * Returns 0; -1 with err: CIC_ENOENT no such file, CIC_EINVAL no regular file or
 * a name that is refused, CIC_EIO, also for a link in a folder.
 */
int cic_bundle_find(struct cic_bundle *bundle, const char *name,
    struct cic_part *part, struct cic_err *err);

/* The whole file, at most buf->max bytes, appended. */
int cic_bundle_read(struct cic_bundle *bundle, const char *name,
    struct cic_buf *buf, struct cic_err *err);

#endif
