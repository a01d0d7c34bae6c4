/* What would come of a request; see dry_run.h. */
#include "dry_run.h"

#include "app.h"
#include "ask.h"
#include "json.h"
#include "log.h"
#include "outlook.h"
#include "resp.h"

/* A member of the answer; "" is null. */
static void
text(struct resp *resp, const char *key, const char *value)
{
	cic_buf_printf(&resp->body, ",\"%s\":", key);
	cic_json_quote(&resp->body,
	    value != NULL && value[0] != '\0' ? value : NULL);
}

static void
print(struct resp *resp, const struct cic_request *request,
    const struct cic_outlook *outlook)
{
	const struct cic_prospect *known = &outlook->known;
	bool exists = outlook->would == CIC_WOULD_NOTHING;

	cic_buf_printf(&resp->body, "{\"would\":\"%s\"",
	    cic_would_name(outlook->would));
	text(resp, "reason", outlook->reason);
	text(resp, "id", known->active);
	text(resp, "image", known->names.image);
	text(resp, "filename", request->container == CIC_SINGULARITY ?
	    known->names.file : NULL);
	text(resp, "content_key", exists ? known->image_key : NULL);
	text(resp, "workflow_commit", known->workflow_commit);
	text(resp, "catalog_commit", known->catalog_commit);
	cic_buf_puts(&resp->body, ",\"request\":");
	cic_request_print(&resp->body, request);
	text(resp, "target", request->target);
	if (known->image_took >= 0)
		cic_buf_printf(&resp->body, ",\"last_seconds\":%lld}\n",
		    (long long)(known->image_took + 500) / 1000);
	else
		cic_buf_puts(&resp->body, ",\"last_seconds\":null}\n");
}

void
dry_run(struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp)
{
	struct cic_outlook outlook;
	struct cic_store *store;
	struct cic_err err;

	if (ask_allowed(app, req, request, resp) != 0)
		return;
	store = app_store(app, &err);
	if (store != NULL && cic_outlook(store, app->conf, request, &outlook,
	    &err) == 0) {
		print(resp, request, &outlook);
		return;
	}
	cic_log_warnx("POST /build?dry_run=1: %s", err.msg);
	resp_store_failure(resp, &err);
}
