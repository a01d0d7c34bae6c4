/*
 * A folder as a source of files (source.h): the mounted root of an image.
 *
 * Depth first, a folder before what is in it, names sorted by their bytes: the
 * order in which engines export.  The top itself is not an item, nor are names that
 * are left out (source.h).  Links are never
 * followed, and folders on another device are not entered.  Extended
 * attributes are what llistxattr shows to us.  Holes are not read.
 *
 * The folder must not change meanwhile: a file that is shorter than it was is
 * an error.
 */
#ifndef CIC_WALK_H
#define CIC_WALK_H

struct cic_err;
struct cic_source;
struct cic_walk;

/* Returns NULL with err: CIC_ENOENT, CIC_EDENIED, CIC_EIO. */
struct cic_walk *cic_walk_open(const char *folder, struct cic_err *err);
/* The same of an open folder; `fd` is taken, also on failure. */
struct cic_walk *cic_walk_fd(int fd, struct cic_err *err);
void cic_walk_free(struct cic_walk *walk);	/* NULL is fine */

struct cic_source *cic_walk_source(struct cic_walk *walk);

#endif
