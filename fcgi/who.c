/* Who is asking; see who.h. */
#include "who.h"

#include <string.h>

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"
#include "store_token.h"

static int
resolve_token(struct app *app, struct req *req, struct resp *resp)
{
	struct cic_token token = { .expires = 0 };
	struct cic_store *store;
	struct cic_err err;
	int rc = -1;

	store = app_store(app, &err);
	if (store != NULL)
		rc = cic_store_token_find(store, req->owner, &token, &err);
	/* a secret, or somebody's mistake: it goes no further */
	explicit_bzero(req->owner, sizeof(req->owner));
	if (rc == 0) {
		memcpy(req->owner, token.owner, sizeof(req->owner));
		req->token_expires = token.expires;
		return 0;
	}
	if (store != NULL && err.code == CIC_ENOENT)
		resp_problem(resp, PROBLEM_UNAUTHORIZED,
		    "this token is not known, has expired or was revoked");
	else {
		cic_log_warnx("token: %s", err.msg);
		resp_store_failure(resp, &err);
	}
	return -1;
}

int
who_resolve(struct app *app, struct req *req, struct resp *resp)
{
	if (cic_token_is_like(req->owner) &&
	    resolve_token(app, req, resp) != 0)
		return -1;
	if (req->owner[0] == '\0') {
		/* the web server names the user; without one it is set up
		 * wrongly, and nobody is let in */
		resp_problem(resp, PROBLEM_UNAUTHORIZED, "no user name");
		return -1;
	}
	resp->owner = req->owner;
	return 0;
}
