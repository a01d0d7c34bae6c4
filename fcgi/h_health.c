/*
 * /health: for monitors.  200 when builds can be accepted and are worked on.
 */
#include "route.h"

#include <stdio.h>

#include "app.h"
#include "resp.h"

void
h_health(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_store *store;
	struct cic_err err;
	size_t queued = 0;
	bool ok, worker = app_worker_lives(app);

	(void)req;
	(void)rest;
	store = app_store(app, &err);
	ok = store != NULL && cic_store_queue_length(store, &queued, &err) == 0;
	resp->status = ok && worker ? 200 : 503;
	cic_buf_printf(&resp->body,
	    "{\"status\":\"%s\",\"store\":%s,\"worker\":%s,\"queued\":%zu}\n",
	    ok && worker ? "ok" : "failing", ok ? "true" : "false",
	    worker ? "true" : "false", queued);
}
