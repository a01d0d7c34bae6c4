/*
 * The store's copy of what the registries hold (catalog.h), and what it tells of
 * a request before anything is queued.
 *
 * In the database `catalog`: "body" is GET /catalog's text, "latest" and
 * "software" the commits of the two default branches, "=<name>" that of a
 * version.  It is replaced as a whole.
 */
#ifndef CIC_STORE_CATALOG_H
#define CIC_STORE_CATALOG_H

#include "catalog.h"
#include "store.h"

int cic_store_put_catalog(struct cic_store *store,
    const struct cic_catalog *catalog, struct cic_err *err);

/* The last look failed, and this is why; what is known stays. */
int cic_store_catalog_failed(struct cic_store *store, const char *why,
    struct cic_err *err);

/* GET /catalog's text, appended; of an empty catalog when there is none yet. */
int cic_store_catalog(struct cic_store *store, struct cic_buf *body,
    struct cic_err *err);

/* What the store knows of a request. */
struct cic_prospect {
	char			active[CIC_ID_TEXT];	/* the same is in flight;
							 * "": it is not */
	struct cic_names	names;		/* that it would have */
	/* its commits, as the catalog has them; "" is not known */
	char			workflow_commit[CIC_COMMIT_MAX];
	char			catalog_commit[CIC_COMMIT_MAX];

	bool			has_image;	/* what follows is known: */
	struct cic_image	image;		/* … the file of that name */
	bool			image_pushed;	/* … its image was, too */
	char			image_workflow[CIC_COMMIT_MAX];	/* … is made of */
	char			image_catalog[CIC_COMMIT_MAX];
	char			image_key[CIC_SHA256_HEX];	/* content key */
	int64_t			image_made;	/* ms since 1970 */
	int64_t			image_took;	/* ms of its build; -1: not known */
};

/* Look; nothing is written. */
int cic_store_look(struct cic_store *store, const struct cic_request *request,
    struct cic_prospect *prospect, struct cic_err *err);

#endif
