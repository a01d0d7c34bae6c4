/*
 * What every request handler needs: the configuration and the store.
 */
#ifndef CIC_APP_H
#define CIC_APP_H

#include <pthread.h>

#include "conf.h"
#include "err.h"
#include "path.h"
#include "request.h"
#include "store.h"

struct app {
	const struct cic_conf	*conf;
	struct cic_request_site	 site;
	char			 db[CIC_PATH_MAX];	/* the store's folder */
	pthread_mutex_t		 lock;			/* over `store` */
	struct cic_store	*store;			/* NULL: not open yet */
};

/* Set up; the store is opened by the first request that needs it, so that a
 * store that is not there yet means 503 and not a dead service. */
int app_init(struct app *app, const struct cic_conf *conf,
    struct cic_err *err);
void app_release(struct app *app);

/* Is there a cic-worker for this store? */
bool app_worker_lives(const struct app *app);

/* The open store, or NULL with err. */
struct cic_store *app_store(struct app *app, struct cic_err *err);

#endif
