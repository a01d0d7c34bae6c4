/*
 * Taking an image's files in: names and attributes into a tree, data into a
 * squashfs.
 *
 * A flattened image is taken in one pass.  Layers are read twice: first all names,
 * with what upper layers replace and take away; then the data of the files that
 * are left, so that nothing is stored that nobody can see.
 *
 * Source: OCI image specification, layer.md (whiteouts); facts/sif.md section 2.4
 * and 5.4 (what docker's export changes).
 */
#ifndef CIC_INTAKE_H
#define CIC_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct cic_err;
struct cic_oci_layer;
struct cic_source;
struct cic_sqfs;
struct cic_tree;

#define CIC_INTAKE_KEEP	(16u << 20)	/* bytes of the file that is kept */

struct cic_intake {
	struct cic_tree	*tree;
	struct cic_sqfs	*sqfs;
	/* A file whose content is wanted, too: a path without "/" in front, or
	 * NULL.  `kept` has it; empty when there is no such file. */
	const char	*keep;
	struct cic_buf	 kept;		/* initialised by the caller */
	/* About once a MiB, or NULL: bytes of data and names so far. */
	void		(*progress)(void *arg, uint64_t bytes, uint64_t files);
	void		*arg;
	uint64_t	 bytes, files;	/* taken in so far */
	uint64_t	 announced;	/* bytes, by the sizes of files */
	uint64_t	 reported, reported_files;
};

/*
 * Take everything a source has; a path that comes twice is an error.
 * Returns 0; -1 with err: CIC_EINVAL the image is not what it must be (the message
 * says what and where) or is empty, CIC_ENOSPC, CIC_EIO.
 */
int cic_intake_source(struct cic_intake *in, struct cic_source *source,
    struct cic_err *err);

/* The same of layers, lowest first. */
int cic_intake_layers(struct cic_intake *in, const struct cic_oci_layer *layer,
    size_t count, struct cic_err *err);

#endif
