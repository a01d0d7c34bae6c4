/*
 * The name of an image in a registry, taken apart.
 *
 *	host[:port]/path[:tag][@sha256:<64 digits>]
 *
 * The host must be said: nothing is completed as Docker Hub's client would do
 * it (no "library/", no "latest").  As docker does, the first part of a name is
 * a host when it has a dot or a colon or is "localhost".
 *
 * Source: distribution's reference grammar (reference/regexp.go); OCI
 * distribution specification 1.1, "Pulling manifests".
 */
#ifndef CIC_IMAGE_NAME_H
#define CIC_IMAGE_NAME_H

#include <stdbool.h>

#include "build.h"	/* CIC_DIGEST_MAX */
#include "err.h"

#define CIC_IMAGE_HOST	256
#define CIC_IMAGE_PATH	256
#define CIC_IMAGE_TAG	129

struct cic_image_name {
	char	host[CIC_IMAGE_HOST];	/* with its port, "[::1]:5000" */
	char	path[CIC_IMAGE_PATH];	/* "team/program" */
	char	tag[CIC_IMAGE_TAG];	/* "" none */
	char	digest[CIC_DIGEST_MAX];	/* "" none; counts before the tag */
	bool	loopback;		/* the host is this machine */
};

/* Returns 0; -1 with CIC_EINVAL and what is wrong with the name.  One without
 * tag and digest is wrong too. */
int cic_image_name_parse(const char *text, struct cic_image_name *name,
    struct cic_err *err);

/* Is the host ("localhost", 127.0.0.0/8, "::1", "[::1]"; no port) this
 * machine, whatever a name server says? */
bool cic_host_is_loopback(const char *host);

#endif
