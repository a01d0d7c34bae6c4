/*
 * /builds/<id>: a build's whole record, for those who asked for it and for
 * administrators.
 */
#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "log.h"
#include "owned.h"
#include "req.h"
#include "resp.h"

/* Who else asked for the same is not told. */
static void
keep_owner(struct cic_build *build, const char *user)
{
	int i, kept = 0;

	for (i = 0; i < build->owner_count; i++) {
		if (strcmp(build->owners[i], user) == 0)
			build->owners[kept++] = build->owners[i];
		else
			free(build->owners[i]);
	}
	build->owner_count = kept;
}

void
h_builds_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct wait wait = { .record = true };
	struct wait_query query;
	struct cic_build build;
	struct cic_store *store;
	struct cic_err err;
	size_t position;

	if (wait_read(req, app, &query, resp) != 0 ||
	    !owned_build(app, req, rest, &build, resp))
		return;
	store = app_store(app, &err);
	if (store == NULL || cic_store_queue_position(store, &build, &position,
	    &err) != 0) {
		cic_log_warnx("GET /builds: %s", err.msg);
		resp_store_failure(resp, &err);
	} else {
		if (!cic_conf_is_admin(app->conf, req->owner))
			keep_owner(&build, req->owner);
		cic_build_print_placed(&resp->body, &build, position);
		cic_buf_putc(&resp->body, '\n');
		cic_id_parse(build.id, wait.id);
		wait.rev = build.rev;
		wait_set(resp, &query, wait, cic_state_is_end(build.state));
	}
	cic_build_release(&build);
}
