/* Asking for a build; see ask.h. */
#include "ask.h"

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"
#include "wake.h"

void
ask(struct app *app, const struct req *req, const struct cic_request *request,
    struct resp *resp)
{
	uint64_t min_free = (uint64_t)app->conf->min_free_space << 20;
	struct cic_store *store;
	char id[CIC_ID_TEXT];
	struct cic_err err;
	bool joined;

	if (cic_request_is_base(request) &&
	    !cic_conf_is_admin(app->conf, req->owner)) {
		resp_problem(resp, PROBLEM_FORBIDDEN, "workflow: the base image (BASE) is "
		    "everybody's; only the users of service.admins may build it");
		return;
	}
	store = app_store(app, &err);
	if (store == NULL || cic_store_accept(store, request, req->owner,
	    min_free, id, &joined, &err) != 0) {
		cic_log_warnx("POST /build: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	cic_wake_poke(app->db);
	cic_log_info("build %s: %s by %s", id, joined ? "joined" : "asked for",
	    req->owner);
	/* exactly 200 and an id: old clients take nothing else */
	cic_buf_printf(&resp->body, "{\"id\":\"%s\"}\n", id);
}
