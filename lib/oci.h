/*
 * A saved image: an OCI layout (folder or archive) or what `docker save` writes.
 * Finds the one image that is meant, its configuration and its layers; reads no
 * layer.
 *
 *	index.json -> (index ->)* manifest -> configuration, layers	OCI
 *	manifest.json -> configuration, layers				docker
 *
 * All texts are read strictly (json.h), at most 4 MiB each.  What an OCI digest
 * names is checked against it; layers when they are read, see `sha256`.
 *
 * Source: OCI image specification 1.1 (image-layout.md, image-index.md,
 * manifest.md, config.md); facts/sif.md section 5.3.
 */
#ifndef CIC_OCI_H
#define CIC_OCI_H

#include <stdbool.h>
#include <stddef.h>

#include "bundle.h"
#include "digest.h"

struct cic_json;

#define CIC_OCI_TEXT	(4u << 20)	/* bytes of one JSON text */
#define CIC_OCI_LAYERS	999u
#define CIC_OCI_NESTED	4		/* indexes in indexes */
#define CIC_OCI_NAME	512

enum cic_oci_form { CIC_OCI_LAYOUT, CIC_OCI_DOCKER_SAVE };

struct cic_oci_layer {
	char		 name[CIC_OCI_NAME];	/* in the bundle, for messages */
	struct cic_part	 part;
	/* Digest of the part as it lies there; "" when nobody says one. */
	char		 sha256[CIC_SHA256_HEX];
};

struct cic_oci {
	char		*config;	/* as `image inspect` has it: Architecture,
					 * Created, Config */
	char		 id[CIC_SHA256_HEX];	/* digest of the configuration */
	struct cic_oci_layer *layer;	/* lowest first */
	size_t		 count;
};

struct cic_oci_want {
	enum cic_oci_form form;
	/* Which image, when there are several: a tag in docker's (name:tag), the
	 * annotation org.opencontainers.image.ref.name in OCI's.  "": there
	 * must be one only. */
	const char	*reference;
	/* "linux/arm64"; "": this machine's where there is a choice. */
	const char	*platform;
};

/*
 * Find the image.
 *
 * bundle   to be kept as long as `oci`
 * oci      set on success; release with cic_oci_release
 *
 * Returns 0; -1 with err: CIC_ENOENT there is no such image (the message says
 * which there are) or a file of it is missing, CIC_EINVAL something in it is not as it must be (the message
 * says what and where), CIC_EIO.
 */
int cic_oci_open(struct cic_bundle *bundle, const struct cic_oci_want *want,
    struct cic_oci *oci, struct cic_err *err);
void cic_oci_release(struct cic_oci *oci);	/* zeroed is fine */

/* This machine's platform, "linux/amd64". */
const char *cic_oci_host_platform(void);

/*
 * The pieces that an image in a registry has as well.
 */

/* "sha256:<64 digits>" -> the digits; `text` may be NULL.  CIC_EINVAL. */
int cic_oci_digest(const char *text, char hex[CIC_SHA256_HEX],
    struct cic_err *err);

/* The one descriptor of an index's "manifests" that is wanted: attestations
 * are none; `want->reference` counts at the top only.  NULL with CIC_ENOENT and
 * the list of what there is. */
const struct cic_json *cic_oci_choose(const struct cic_oci_want *want,
    const struct cic_json *manifests, bool top, struct cic_err *err);

/* Is a configuration for this platform ("" is any)?  CIC_ENOENT. */
int cic_oci_check_platform(const struct cic_json *config, const char *platform,
    struct cic_err *err);

#endif
