/*
 * What owners do to a build: /builds/<id>/cancel, /builds/<id>/retry, and DELETE
 * of /builds/<id>.
 */
#include "route.h"

#include "app.h"
#include "ask.h"
#include "log.h"
#include "owned.h"
#include "req.h"
#include "resp.h"
#include "wake.h"

/* What the store said no with. */
static void
refuse(const char *id, const struct cic_err *err, struct resp *resp)
{
	if (err->code == CIC_ENOENT)
		owned_no_build(id, resp);
	else if (err->code == CIC_EEXIST)
		resp_problem(resp, PROBLEM_CONFLICT, "%s", err->msg);
	else {
		cic_log_warnx("build %.36s: %s", id, err->msg);
		resp_store_failure(resp, err);
	}
}

void
h_build_cancel(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	static const struct { const char *word; int status; } said[] = {
		[CIC_LEFT] = { "left", 200 },
		[CIC_CANCELLED] = { "cancelled", 200 },
		[CIC_CANCELLING] = { "cancelling", 202 },
	};
	bool admin = cic_conf_is_admin(app->conf, req->owner);
	enum cic_cancelled result;
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store == NULL || cic_store_cancel(store, rest, req->owner, admin,
	    &result, &err) != 0) {
		refuse(rest, &err, resp);
		return;
	}
	cic_wake_poke(app->db);
	cic_log_info("build %s: %s by %s", rest, said[result].word, req->owner);
	resp->status = said[result].status;
	cic_buf_printf(&resp->body, "{\"id\":\"%s\",\"result\":\"%s\"}\n", rest,
	    said[result].word);
}

/* Would this service take the request today?  Its configuration may be another
 * one. */
static bool
is_valid(const struct app *app, const struct cic_request *request,
    struct resp *resp)
{
	struct cic_request again;
	struct cic_buf text;
	struct cic_err err;
	int rc;

	cic_buf_init(&text, 65536);
	cic_request_print(&text, request);
	rc = cic_request_parse(text.data, text.len, &app->site, &again, &err);
	cic_buf_release(&text);
	if (rc != 0)
		resp_problem_request(resp, err.msg);
	return rc == 0;
}

void
h_build_retry(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_build build;

	if (!owned_build(app, req, rest, &build, resp))
		return;
	if (!cic_state_is_end(build.state))
		resp_problem(resp, PROBLEM_CONFLICT,
		    "the build has not ended; asking for it anew joins it");
	else if (is_valid(app, &build.request, resp))
		ask(app, req, &build.request, resp);
	cic_build_release(&build);
}

void
h_build_delete(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	bool admin = cic_conf_is_admin(app->conf, req->owner);
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store == NULL || cic_store_hide(store, rest, req->owner, admin,
	    &err) != 0) {
		refuse(rest, &err, resp);
		return;
	}
	cic_wake_poke(app->db);
	cic_log_info("build %s: hidden by %s", rest, req->owner);
	resp->status = 204;
}
