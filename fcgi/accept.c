/* Taking a request in; see accept.h. */
#include "accept.h"

#include <stdio.h>

#include "app.h"
#include "log.h"
#include "outlook.h"
#include "resp.h"
#include "wake.h"

#define RETRY_QUOTA	60	/* seconds */

int
accept_allowed(const struct app *app, const struct cic_request *request,
    const char *owner, struct resp *resp)
{
	if (!cic_request_is_base(request) ||
	    cic_conf_is_admin(app->conf, owner))
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

int
accept_request(struct app *app, const struct cic_request *request,
    const char *owner, char id[CIC_ID_TEXT], struct resp *resp)
{
	struct cic_accept accept = { .request = request, .owner = owner,
	    .min_free = (uint64_t)app->conf->min_free_space << 20 };
	struct cic_store *store;
	struct cic_err err;
	bool joined;

	if (accept_allowed(app, request, owner, resp) != 0)
		return -1;
	store = app_store(app, &err);
	if (store == NULL || look(app, store, &accept, &err) != 0 ||
	    cic_store_accept(store, &accept, id, &joined, &err) != 0) {
		refuse(resp, &err);
		return -1;
	}
	cic_wake_poke(app->db);
	cic_log_info("build %s: %s by %s", id, joined ? "joined" : "asked for",
	    owner);
	return 0;
}
