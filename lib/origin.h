/*
 * Where an image comes from, by one word:
 *
 *	docker-daemon://NAME	docker's engine: by its API, or, where that is not
 *				on a Unix socket, by the docker client
 *	podman://NAME		podman's storage, mounted; without root only inside
 *				`podman unshare`
 *	docker-archive:FILE	what `docker save` writes
 *	oci-archive:FILE	an OCI layout in a tar archive
 *	oci:FOLDER		an OCI layout
 *
 * NAME is a name with a tag, or an id.  FILE and FOLDER may be followed by
 * ":REFERENCE" where there are several images; a name that exists as it stands
 * is taken as it stands.
 */
#ifndef CIC_ORIGIN_H
#define CIC_ORIGIN_H

#include <stdbool.h>

#include "build.h"	/* CIC_DIGEST_MAX */
#include "oci.h"

struct cic_conf;
struct cic_err;
struct cic_source;

#define CIC_ORIGIN_REFERENCE	512

struct cic_origin_options {
	/* How to call its engine: engine, engine_command, engine_args.  NULL: by
	 * its own name. */
	const struct cic_conf *conf;
	const char	*platform;	/* "linux/arm64", or "": see oci.h */
	const char	*label;		/* of the container made: cic.build=<label> */
	int		 log_fd;	/* what an engine's client prints */
};

struct cic_origin {
	const char	*scheme;	/* "docker-daemon", for the definition */
	char		 reference[CIC_ORIGIN_REFERENCE];
	char		 id[CIC_DIGEST_MAX];	/* "sha256:<64 digits>" */
	char		*config;	/* as `image inspect` has it */
	struct cic_source *files;	/* the files, or NULL: … */
	struct cic_oci	 oci;		/* … then its layers are */

	/* of the kind it is */
	void		*own;
	int		(*start)(struct cic_origin *origin, struct cic_err *err);
	int		(*close)(struct cic_origin *origin, struct cic_err *err);
	void		(*abort)(struct cic_origin *origin);
};

/* Is it one of the words above, so far as can be told by looking at it?  0, or
 * -1 with CIC_EINVAL and what can be said instead. */
int cic_origin_check(const char *word, struct cic_err *err);

/* Does it need podman's user name space, and are we outside? */
bool cic_origin_wants_unshare(const char *word);

/*
 * Find the image and see to it that it stays; quick.
 *
 * Returns 0; -1 with err: CIC_ENOENT there is no such image, file or program;
 * CIC_EAGAIN the engine does not answer; CIC_EINVAL, CIC_EDENIED, CIC_EIO.
 */
int cic_origin_open(const char *word, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err);

/* Begin to read: `files` can be used after.  May wait for the engine.  Returns 0, or
 * -1 with err; either way the origin is to be closed. */
int cic_origin_start(struct cic_origin *origin, struct cic_err *err);

/* End it and leave nothing of it in the engine.  -1: what was read is not
 * complete; 1: it is, but err says what could not be taken away. */
int cic_origin_close(struct cic_origin *origin, struct cic_err *err);

/* From any thread: leave nothing in the engine, while another thread may still
 * be reading.  The process ends next. */
void cic_origin_abort(struct cic_origin *origin);

#endif
