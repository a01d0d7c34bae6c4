/*
 * /build: accept a request, tell a build's status.
 */
#include "route.h"

#include "app.h"
#include "ask.h"
#include "dry_run.h"
#include "id.h"
#include "log.h"
#include "req.h"
#include "resp.h"

/* The request of the body; -1 with `resp` filled. */
static int
read_request(const struct app *app, const struct req *req,
    struct cic_request *request, struct resp *resp)
{
	struct cic_err err;

	if (cic_request_parse(req->body, req->body_len, &app->site, request,
	    &err) == 0)
		return 0;
	if (err.code == CIC_EINVAL)
		resp_problem_request(resp, err.msg);
	else
		resp_problem(resp, PROBLEM_UNAVAILABLE, "%s", err.msg);
	return -1;
}

void
h_build_post(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_request request;
	long dry = 0;

	(void)rest;
	if (req_query_number(req, "dry_run", 0, 1, &dry, resp) < 0 ||
	    read_request(app, req, &request, resp) != 0)
		return;
	if (dry != 0)
		dry_run(app, req, &request, resp);
	else
		ask(app, req, &request, resp);
}

void
h_build_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct wait wait = { .record = false };
	struct wait_query query;
	struct cic_store *store;
	struct cic_err err;

	if (wait_read(req, app, &query, resp) != 0)
		return;
	if (!cic_id_parse(rest, wait.id)) {
		resp_problem(resp, PROBLEM_NO_SUCH_BUILD, "that is no build id");
		return;
	}
	store = app_store(app, &err);
	if (store != NULL && cic_store_status(store, wait.id, &wait.rev,
	    &resp->body, &err) == 0) {
		wait_set(resp, &query, wait, cic_status_is_end(resp->body.data,
		    resp->body.len));
		return;
	}
	if (store != NULL && err.code == CIC_ENOENT) {
		resp_problem(resp, PROBLEM_NO_SUCH_BUILD,
		    "no build has the id %.36s", rest);
		return;
	}
	cic_log_warnx("GET /build: %s", err.msg);
	resp_store_failure(resp, &err);
}
