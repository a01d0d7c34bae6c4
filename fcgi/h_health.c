/*
 * /health: for monitors.  200 when builds can be accepted and are worked on.
 */
#include "route.h"

#include <stdio.h>

#include "app.h"
#include "path.h"
#include "resp.h"

static bool
worker_lives(const struct app *app)
{
	char lock[CIC_PATH_MAX];
	struct cic_err ignored;

	return cic_path_format(lock, &ignored, "%s/worker.lock",
	    app->db) == 0 && cic_lock_is_held(lock);
}

void
h_health(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_store *store;
	struct cic_err err;
	size_t queued = 0;
	bool ok, worker = worker_lives(app);

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
