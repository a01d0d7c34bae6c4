/*
 * SIF, the container file of Apptainer and SingularityCE: writing one around a
 * squashfs, and checking one.
 *
 *	0       header, 128 bytes
 *	4096    descriptor table, 48 x 585 bytes, most of them free (signing
 *	        needs free ones)
 *	32176   definition text, then the JSON objects, back to back
 *	n*4096  squashfs partition, its length a multiple of 4096
 *	        one more JSON object, of what is known only in the end
 *
 * All numbers are little-endian, nothing is padded.  Written as `apptainer
 * build --reproducible` does: no UUID, Go's zero time in every time field.
 * Source: facts/sif.md section 1 (apptainer/sif, folder pkg/sif).
 *
 * Order of writing: objects, squashfs (by sqfs.h), the last object, and then the
 * descriptors and the header, so a file cut short at any moment has no magic and is no SIF.
 */
#ifndef CIC_SIF_H
#define CIC_SIF_H

#include <stddef.h>
#include <stdint.h>

struct cic_err;

#define CIC_SIF_NAME_MAX	127	/* bytes of an object's name */
#define CIC_SIF_JSON_MAX	8	/* JSON objects in one file */

struct cic_sif_json {
	const char	*name;		/* 1..CIC_SIF_NAME_MAX bytes */
	const char	*text;
	size_t		 len;		/* bytes of text, > 0 */
};

/* What goes into a file besides the squashfs; all memory is the caller's. */
struct cic_sif {
	const char	*arch;		/* Go's name: "amd64"; an unknown one is
					 * stored as unknown, runs anywhere */
	const char	*definition;	/* text, not empty */
	struct cic_sif_json json[CIC_SIF_JSON_MAX];	/* in this order */
	size_t		 njson;
	struct cic_sif_json last;	/* behind the squashfs; name NULL: none,
					 * or none yet in cic_sif_write_objects */
};

/*
 * Write the objects into the empty file `fd` and say where the squashfs goes.
 *
 * fd       open for writing, empty
 * fs_off   set to the partition's offset, a multiple of 4096
 *
 * Returns 0; -1 with err: CIC_EINVAL a name or text is not as above (nothing
 * written), CIC_ENOSPC, CIC_EIO.
 */
int cic_sif_write_objects(int fd, const struct cic_sif *sif, uint64_t *fs_off,
    struct cic_err *err);

/*
 * Write the last object and the descriptors, then the header: `fd` is a SIF from
 * here on.
 *
 * sif      the same as given to cic_sif_write_objects, but for `last`
 * fs_size  bytes of the partition, padding included: at least 4096, a multiple
 *          of it (runtimes read its first 2048 bytes in one piece); the file's
 *          size must be its end
 *
 * Does not sync.  Returns 0; -1 with err: CIC_EINVAL, CIC_ENOSPC, CIC_EIO.
 */
int cic_sif_write_header(int fd, const struct cic_sif *sif, uint64_t fs_size,
    struct cic_err *err);

/*
 * Check that the file at `path` is a complete, runnable SIF, whoever wrote it:
 * magic and version, descriptor table and every object in it inside the file,
 * exactly one primary system partition, which holds a squashfs that is as long
 * as its own superblock says.  Contents are not read further.
 *
 * Returns 0; -1 with err: CIC_EINVAL it is not, and why; CIC_ENOENT no such
 * file, CIC_EDENIED, CIC_EIO.
 */
int cic_sif_check(const char *path, struct cic_err *err);

#endif
