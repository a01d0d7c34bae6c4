/*
 * A build request: read from JSON, checked, written back in one canonical form.
 *
 * Two requests that mean the same have the same canonical text, whatever their
 * spacing, key order, aliases of the engine or defaults left out; its SHA-256
 * is the key under which a build in flight is found again.
 * Source of the rules: README, "What a request may say".
 */
#ifndef CIC_REQUEST_H
#define CIC_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "arch.h"
#include "digest.h"
#include "err.h"

struct cic_buf;

#define CIC_NAME_MAX	65	/* workflow and step: 64 bytes and the NUL */
#define CIC_VERSION_MAX	129	/* a git ref name: 128 bytes and the NUL */
#define CIC_SPEC_MAX	129	/* an MPI or GPU spec: 128 bytes and the NUL */
#define CIC_FILE_MAX	241	/* an output file name: 240 bytes and the NUL */
#define CIC_PATH_FIELD_MAX 1024
#define CIC_IMAGE_MAX	512	/* an image name with its tag */

enum cic_container { CIC_SINGULARITY, CIC_DOCKER };

struct cic_request {
	char			workflow[CIC_NAME_MAX];
	char			step[CIC_NAME_MAX];
	char			version[CIC_VERSION_MAX];	/* "latest" */
	char			platform[CIC_ARCH_MAX];
	char			architecture[CIC_ARCH_MAX];	/* as asked */
	char			target[CIC_ARCH_MAX];		/* Spack's word */
	enum cic_container	container;
	char			mpi[CIC_SPEC_MAX];	/* "" is none */
	char			gpu[CIC_SPEC_MAX];
	bool			force;
	bool			push;	/* to the registry */
	char			path[CIC_PATH_FIELD_MAX];	/* of the step's
					 * folder, library mode; "" is none */
};

/* A machine that the site has a name for. */
struct cic_profile {
	char	*name;
	char	*description;	/* for people; "" is none */
	char	*machine;	/* what a request would say, as canonical JSON */
};

/* What the site's configuration has to say about a request. */
struct cic_request_site {
	const char	*default_platform;
	const char	*images_prefix;	/* before the image name; may be "" */
	const char	*base_image;	/* what BASE/BASE makes */
	bool		 has_registry;	/* push is possible, and the default */
	bool		 has_path;	/* library mode: `path` is understood */
	const struct cic_profile *profiles;	/* a request's machine may be
						 * the name of one */
	int		 profile_count;
};

/*
 * Read and check a request body.
 *
 * Returns 0 with every field of `request` set; -1 with CIC_EINVAL and a
 * message that begins with the field's path ("machine.architecture: …").
 */
int cic_request_parse(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_request *request,
    struct cic_err *err);

/* Read and check a request's machine alone (a JSON object) and append it in
 * canonical form.  Errors as above. */
int cic_request_check_machine(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_buf *canonical,
    struct cic_err *err);

/* Could a request have this as workflow or step; as version? */
bool cic_request_is_name(const char *text);
bool cic_request_is_version(const char *text);

/* Append the canonical JSON, which cic_request_parse reads back to the same. */
void cic_request_print(struct cic_buf *buf, const struct cic_request *request);

/* SHA-256 of the canonical JSON. */
void cic_request_key(const struct cic_request *request, unsigned char key[32]);

/* SHA-256 over what the output names stand for: workflow, step, version,
 * platform, architecture, mpi, gpu.  Requests that differ only in container
 * engine or force produce the same image and share it. */
void cic_request_identity(const struct cic_request *request,
    unsigned char identity[32]);

/* Does it ask for the base image, which is an administrator's business? */
bool cic_request_is_base(const struct cic_request *request);

struct cic_names {
	char	image[CIC_IMAGE_MAX];	/* <prefix><name>:<tag> */
	char	file[CIC_FILE_MAX];	/* <name>_v_<tag>.sif */
};

/*
 * The names launch scripts hard-code (facts of the original service):
 * lower(<workflow>_<step>_<architecture>_<mpi|nompi>_<gpu|nogpu>), `@` → `_`,
 * then `:<version>` for the image and `_v_<version>.sif` for the file.
 *
 * What a Docker name cannot hold is replaced by `-`, doubled separators are
 * made single and a name that is too long is cut; each of these adds `_` and 8
 * hex digits of the identity, as does `suffix` (for a name that another
 * request already has).  The base image has the name that the configuration
 * gives it.
 */
void cic_request_names(const struct cic_request *request,
    const struct cic_request_site *site, bool suffix, struct cic_names *names);

#endif
