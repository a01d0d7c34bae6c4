/*
 * Requests to an image registry and to its token service, by libcurl; for
 * registry.c alone.  Waiting and trying again, redirects, certificates, proxies
 * and limits are done here; what an answer means is not.
 */
#ifndef CIC_REGISTRY_HTTP_H
#define CIC_REGISTRY_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "registry.h"

struct cic_registry_http;	/* connections, and the time that is left */

struct cic_registry_ask {
	const char	*url;
	const char	*accept;	/* the header's value, or NULL */
	bool		 head;
	bool		 basic;		/* prove it with user and password */
	const char	*token;		/* … or with this, or NULL */
	size_t		 max;		/* bytes of the answer's body */
};

struct cic_registry_answer {
	long		 status;	/* 2xx or 4xx, not 429 */
	struct cic_buf	 body;
	char		 digest[128];	/* Docker-Content-Digest, or "" */
	char		 challenge[4096];	/* WWW-Authenticate, joined by ", " */
	bool		 html;		/* it is a page for people */
	bool		 elsewhere;	/* it is of a server we were sent to */
};

/* Starts the clock.  `loopback`: the registry is this machine, and plain http is
 * allowed on it.  `registry` is kept. */
struct cic_registry_http *cic_registry_http_new(
    const struct cic_registry *registry, bool loopback, struct cic_err *err);
void cic_registry_http_free(struct cic_registry_http *http);	/* takes NULL */

/*
 * One question.  `answer` is set on success; cic_buf_release its body.
 *
 * Returns 0; -1 with err: CIC_EAGAIN, CIC_EIO as in registry.h.
 */
int cic_registry_http_ask(struct cic_registry_http *http,
    const struct cic_registry_ask *ask, struct cic_registry_answer *answer,
    struct cic_err *err);

/* The address of a token service: `realm` with service, the scopes (blanks
 * between them) and, unless it is "", account added to its query.  CIC_EIO when
 * `realm` is no address we may go to.  The caller frees the result. */
char *cic_registry_token_url(const struct cic_registry_http *http,
    const char *realm, const char *service, const char *scope,
    const char *account, struct cic_err *err);

#endif
