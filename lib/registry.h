/*
 * An image registry by its HTTP API: is this image there, and which one is it?
 *
 * Nothing is written to the registry and no layer is read.  Whatever comes
 * from it is checked: sizes, digests, JSON (json.h), addresses.
 *
 * How it is reached: https.  Only a registry on this machine (localhost,
 * 127.0.0.0/8, ::1) is reached by plain http, unless there is a `ca_file`.
 * A proxy is never asked for this machine.
 *
 * What proves who we are goes to the registry itself and, as Basic, to the
 * token service it names, which must be reached by https (or http on this
 * machine when the registry is on it): never to a server the registry redirects
 * to, never into an error's message or the log.
 *
 * Source: OCI distribution specification 1.1, "Pulling manifests" and "Pulling
 * blobs"; distribution's "Token authentication specification".
 */
#ifndef CIC_REGISTRY_H
#define CIC_REGISTRY_H

#include <stdbool.h>

#include "build.h"	/* CIC_DIGEST_MAX */
#include "err.h"

struct cic_buf;

#define CIC_REGISTRY_MANIFEST	(4u << 20)	/* bytes of a manifest */
#define CIC_REGISTRY_CONFIG	(8u << 20)	/* bytes of a configuration */

/* Every string: "" is none. */
struct cic_registry {
	const char	*user, *password;	/* without a user: anonymous */
	const char	*ca_file;	/* PEM; counts beside the system's */
	/* The proxy variables of the environment do not count. */
	const char	*https_proxy, *http_proxy, *no_proxy;
	bool		 push;		/* ask for the right to push, too, where
					 * rights are asked for */
	unsigned	 timeout;	/* seconds for one whole question, > 0 */
	int		 log_fd;	/* one line a request; -1 is none */
};

struct cic_registry_image {
	char		 digest[CIC_DIGEST_MAX];	/* of the manifest for the
							 * platform */
	char		 image_id[CIC_DIGEST_MAX];	/* of its configuration */
	struct cic_buf	*config;	/* the configuration, a JSON text, is
					 * appended here; may be NULL */
};

/*
 * Find an image.
 *
 * image     see image_name.h; a digest counts before a tag
 * platform  "linux/amd64"; of an index this one is taken, and another image is
 *           not found
 * out       digest and image_id are set, and config is appended to, on success
 *
 * Answers 429 and 503 are waited out, as long as Retry-After says, three tries in
 * all and never past the timeout.
 *
 * Returns 0; -1 with err: CIC_EINVAL that is no image name, or a setting is
 * wrong; CIC_ENOENT there is no such image, or not for the platform;
 * CIC_EDENIED user, password or token are refused, or one is needed (a registry
 * may say so of a repository that does not exist); CIC_EAGAIN the registry
 * cannot be reached, is busy or failed; CIC_EIO its answers make no sense, or its
 * certificate is not trusted.
 */
int cic_registry_find(const struct cic_registry *registry, const char *image,
    const char *platform, struct cic_registry_image *out, struct cic_err *err);

/* Is it what an engine knows by this id?  Some name an image by its
 * configuration, some by its manifest. */
bool cic_registry_is_image(const struct cic_registry_image *image,
    const char *id);

#endif
