/*
 * /catalog: what the registries hold, as the worker saw it last.
 */
#include "route.h"

#include "app.h"
#include "log.h"
#include "resp.h"
#include "store_catalog.h"

void
h_catalog(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_store *store;
	struct cic_err err;

	(void)req;
	(void)rest;
	store = app_store(app, &err);
	if (store == NULL || cic_store_catalog(store, &resp->body, &err) != 0) {
		cic_log_warnx("GET /catalog: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	cic_buf_putc(&resp->body, '\n');
}
