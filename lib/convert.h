/*
 * The built-in converter: an image's files and its configuration become one
 * .sif.
 *
 *	engine's export, folder, layers  ->  source.h  ->  intake.h
 *	                                                   |      |
 *	                                              tree.h      data
 *	                                    names, modes, links      |
 *	                                                   v      v
 *	                            sqfs.h, inside the file sif.h lays out
 *
 * The file is written once, in place: no temporary copy of the image, no data
 * on disk but the result.  In memory are the names and attributes of all
 * entries and a few dozen blocks; limits in tree.h and sqfs.h.
 *
 * The same image gives the same bytes, on any machine, with any number of
 * threads, from docker as from podman.  Nothing of the time of day, the host or
 * the user gets in, except by `describe`.
 */
#ifndef CIC_CONVERT_H
#define CIC_CONVERT_H

#include <stddef.h>
#include <stdint.h>

struct cic_err;
struct cic_oci_layer;
struct cic_source;

#define CIC_CONVERT_LEVEL	5	/* libdeflate's, when none is said */
#define CIC_CONVERT_THREADS	64	/* most */

/* The object that tells what a file was made of. */
#define CIC_CONVERT_OBJECT	"cic-build.json"

struct cic_convert {
	/* The image's files: one source, or layers, lowest first. */
	struct cic_source *files;	/* or NULL */
	const struct cic_oci_layer *layer;
	size_t		 layers;
	/* `image inspect`'s object: {Created, Architecture, Config: {Env,
	 * Entrypoint, Cmd, Labels, …}}; NUL-terminated, at most 4 MiB. */
	const char	*config;
	/* What the definition text says the image was made from: "bootstrap:
	 * <scheme>", "from: <reference>".  One line each. */
	const char	*scheme;	/* "docker-daemon" */
	const char	*reference;	/* "name:tag" */
	/* What is embedded as CIC_CONVERT_OBJECT: "tools" (the versions that
	 * made the file), "image_id", the members of the object `describe`, and
	 * "spack_lock", what stands in the image's file `lock`. */
	const char	*image_id;
	const char	*describe;	/* JSON, or NULL */
	const char	*lock;		/* path without "/" in front, or NULL; no
					 * such file is fine, and so is an empty
					 * one or one over 16 MiB; one that is no
					 * JSON is an error */
	unsigned	 threads;	/* compressors; 0 = cpus.h */
	int		 level;		/* libdeflate's 1..12; 0 = 5 */
	/* Called from the calling thread, about once per MiB of file data, or
	 * NULL: data bytes and entries taken in so far. */
	void		(*progress)(void *arg, uint64_t bytes, uint64_t files);
	void		*arg;
};

struct cic_converted {
	uint64_t	size;		/* of the .sif, bytes */
	char		sha256[65];	/* of the .sif, lower-case hex */
	uint64_t	files;		/* inodes in the image */
	uint64_t	bytes;		/* file data taken in */
};

/*
 * Write the .sif into `fd`.
 *
 * fd    empty, for reading and writing; on success a complete .sif that passes
 *       cic_sif_check, not yet synced; on failure garbage
 * out   set on success only
 *
 * Returns 0; -1 with err: CIC_EINVAL the image, its configuration or an option is
 * not what it must be (the message names the entry or the field), CIC_ENOSPC the
 * disk is full, CIC_EIO everything else.
 */
int cic_convert(const struct cic_convert *what, int fd,
    struct cic_converted *out, struct cic_err *err);

#endif
