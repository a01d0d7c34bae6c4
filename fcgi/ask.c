/* Asking for a build; see ask.h. */
#include "ask.h"

#include <stdio.h>

#include "app.h"
#include "log.h"
#include "outlook.h"
#include "req.h"
#include "resp.h"
#include "wake.h"

#define RETRY_QUOTA	60	/* seconds */

int
ask_allowed(const struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp)
{
	if (!cic_request_is_base(request) ||
	    cic_conf_is_admin(app->conf, req->owner))
		return 0;
	resp_problem(resp, PROBLEM_FORBIDDEN, "workflow: the base image (BASE) is "
	    "everybody's; only the users of service.admins may build it");
	return -1;
}

static void
refuse(struct resp *resp, const struct cic_err *err)
{
	if (err->code != CIC_EQUOTA) {
		cic_log_warnx("POST /build: %s", err->msg);
		resp_store_failure(resp, err);
		return;
	}
	resp_problem(resp, PROBLEM_QUOTA, "%s", err->msg);
	snprintf(resp->header, sizeof(resp->header), "Retry-After: %d\r\n",
	    RETRY_QUOTA);
}

/* What exists already takes a second of the worker's time. */
static int
look(struct app *app, struct cic_store *store, struct cic_accept *accept,
    struct cic_err *err)
{
	struct cic_outlook outlook;

	accept->pending_max = cic_conf_pending_max(app->conf, accept->owner);
	if (accept->pending_max == 0)
		return 0;
	if (cic_outlook(store, app->conf, accept->request, &outlook, err) != 0)
		return -1;
	accept->uncounted = outlook.would == CIC_WOULD_NOTHING;
	return 0;
}

void
ask(struct app *app, const struct req *req, const struct cic_request *request,
    struct resp *resp)
{
	struct cic_accept accept = { .request = request, .owner = req->owner,
	    .min_free = (uint64_t)app->conf->min_free_space << 20 };
	struct cic_store *store;
	char id[CIC_ID_TEXT];
	struct cic_err err;
	bool joined;

	if (ask_allowed(app, req, request, resp) != 0)
		return;
	store = app_store(app, &err);
	if (store == NULL || look(app, store, &accept, &err) != 0 ||
	    cic_store_accept(store, &accept, id, &joined, &err) != 0) {
		refuse(resp, &err);
		return;
	}
	cic_wake_poke(app->db);
	cic_log_info("build %s: %s by %s", id, joined ? "joined" : "asked for",
	    req->owner);
	/* exactly 200 and an id: old clients take nothing else */
	cic_buf_printf(&resp->body, "{\"id\":\"%s\"}\n", id);
}
