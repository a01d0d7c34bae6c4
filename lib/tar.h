/*
 * A tar stream as a source of files (source.h), read once.
 *
 * Formats: ustar, pax, GNU and old tar and nothing else; layers may be
 * compressed by gzip or zstd.
 *
 * Source: facts/sif.md section 4.2 (what other readers get wrong) and 5.4.
 */
#ifndef CIC_TAR_H
#define CIC_TAR_H

#include <stdbool.h>

#include "source.h"

struct cic_input;
struct cic_tar;

enum cic_tar_kind {
	/* An engine's export: nothing compressed, and it must end as tar does,
	 * with a block of zeros: one that stops where the next header should
	 * be is how the export of a killed engine ends. */
	CIC_TAR_EXPORT,
	/* A layer of known length: compressed or not, the end mark may be
	 * missing. */
	CIC_TAR_LAYER
};

/*
 * Read from `input`, which stays the caller's; waits for the first bytes.
 * Returns NULL with err: CIC_EINVAL they begin no tar, CIC_EIO; what the input
 * said when it failed.
 */
struct cic_tar *cic_tar_open(struct cic_input *input, enum cic_tar_kind kind,
    struct cic_err *err);
void cic_tar_free(struct cic_tar *tar);		/* NULL is fine */

/* The files in it.  After the last one the rest of the input has been read, so
 * that its writer sees no broken pipe and its digest has been checked. */
struct cic_source *cic_tar_source(struct cic_tar *tar);

/* libarchive's, "3.6.2". */
const char *cic_tar_version(void);

/* Is the current item stored with holes, so that its data is not in one piece? */
bool cic_tar_has_holes(const struct cic_tar *tar);

/* Where the data of the current item begins in the input, in bytes.  Only for
 * what is not compressed. */
uint64_t cic_tar_offset(const struct cic_tar *tar);

#endif
