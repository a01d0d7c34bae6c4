/*
 * /builds/<id>: a build's whole record, for those who asked for it and for
 * administrators.
 */
#include "route.h"

#include <string.h>

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"

static bool
is_owner(const struct cic_build *build, const char *user)
{
	int i;

	for (i = 0; i < build->owner_count; i++)
		if (strcmp(build->owners[i], user) == 0)
			return true;
	return false;
}

void
h_builds_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_build build = { .owner_count = 0 };
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store == NULL || (cic_store_get(store, rest, &build, &err) != 0 &&
	    err.code != CIC_ENOENT)) {
		cic_log_warnx("GET /builds: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	/* whose it is, is nobody else's business: the answer is the same */
	if (!is_owner(&build, req->owner) &&
	    !(build.owner_count > 0 && cic_conf_is_admin(app->conf, req->owner)))
		resp_problem(resp, 404, "you have no build with the id %.36s",
		    rest);
	else {
		cic_build_print(&resp->body, &build);
		cic_buf_putc(&resp->body, '\n');
	}
	cic_build_release(&build);
}
