/*
 * What would come of a request, from what the store knows: nothing is asked of
 * registries and engines, so a build may still find that it has nothing to do.
 */
#ifndef CIC_OUTLOOK_H
#define CIC_OUTLOOK_H

#include "conf.h"
#include "store_catalog.h"

enum cic_would {
	CIC_WOULD_ATTACH,	/* the same request is in flight */
	CIC_WOULD_NOTHING,	/* the image exists, and its commits are today's */
	CIC_WOULD_BUILD
};

struct cic_outlook {
	enum cic_would		would;
	char			reason[256];	/* for people */
	struct cic_prospect	known;
};

const char *cic_would_name(enum cic_would would);	/* "attach" … */

int cic_outlook(struct cic_store *store, const struct cic_conf *conf,
    const struct cic_request *request, struct cic_outlook *outlook,
    struct cic_err *err);

#endif
