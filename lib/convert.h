/*
 * The built-in converter: a root file system's tar stream and the image's
 * configuration become one .sif.
 *
 *	docker export | podman export  ->  tar.h  ->  tree.h
 *	                                     |          |
 *	                                 file data   names, modes, links
 *	                                     v          v
 *	                          sqfs.h, inside the file sif.h lays out
 *
 * The file is written once, in place: no temporary copy of the image, no data
 * on disk but the result.  In memory are the names and attributes of all
 * entries and a few dozen blocks: 16 MiB for an ordinary image, 320 MiB for one
 * of a million files (measured; limits in tree.h and sqfs.h).
 *
 * The same stream and the same configuration give the same bytes, on any
 * machine and with any number of threads.  Nothing of the time of day, the
 * host, the user or the build gets in, except by `extra_json`.  What the
 * engine adds to an export is taken out or set to the image's own time:
 * see `normalise` in convert.c.
 */
#ifndef CIC_CONVERT_H
#define CIC_CONVERT_H

#include <stdint.h>

struct cic_err;

struct cic_convert {
	int		 tar_fd;	/* export stream; read to its end, not closed */
	/* `image inspect`'s element [0]: {Created, Architecture, Config: {Env,
	 * Entrypoint, Cmd, Labels, …}}; NUL-terminated, at most 4 MiB. */
	const char	*config_json;
	/* What the definition text says the image was made from: "bootstrap:
	 * <scheme>", "from: <reference>".  One line each. */
	const char	*scheme;	/* "docker-daemon" */
	const char	*reference;	/* "name:tag" */
	/* One more JSON object to embed under a name of its own, or NULL.
	 * `siftool list` shows it; nothing at run time reads it. */
	const char	*extra_name;	/* 1..127 bytes, say "cic-build.json" */
	const char	*extra_json;
	unsigned	 threads;	/* compressors; 0 = CPUs allowed to us */
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
 * Convert the stream `what->tar_fd` into the new file `output`.
 *
 * output   must not exist (O_EXCL); a name that only this build uses.  Mode
 *          0644 whatever the umask.  On success it is complete and synced; the
 *          caller renames it and syncs the folder.  On failure it is gone.
 * out      set on success only
 *
 * The stream is read to its end on success only; on failure the caller closes
 * its end, so that the producer gets a SIGPIPE instead of waiting.
 *
 * Returns 0; -1 with err: CIC_EINVAL the stream or the configuration is not
 * what it must be (the message names the entry or the field), CIC_EEXIST
 * output exists, CIC_ENOSPC the disk is full, CIC_EIO everything else.
 * Not to be cancelled but by ending the process or closing the stream's other
 * end, which reads as a truncated stream.
 */
int cic_convert_tar(const struct cic_convert *what, const char *output,
    struct cic_converted *out, struct cic_err *err);

#endif
