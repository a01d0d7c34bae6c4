/*
 * /builds/<id>/log: what the programs of a build have printed so far, for those
 * who asked for it and for administrators.
 */
#include "route.h"

#include <string.h>

#include "app.h"
#include "file.h"
#include "id.h"
#include "log.h"
#include "req.h"
#include "resp.h"

static bool
may_read(const struct app *app, const struct cic_build *build, const char *user)
{
	int i;

	for (i = 0; i < build->owner_count; i++)
		if (strcmp(build->owners[i], user) == 0)
			return true;
	return build->owner_count > 0 && cic_conf_is_admin(app->conf, user);
}

/* Only the canonical form of the id gets into a path. */
static void
answer(const struct app *app, const struct req *req, const char *id,
    struct resp *resp)
{
	char path[CIC_PATH_MAX], address[64 + CIC_ID_TEXT];
	struct file file = { .path = path, .address = address,
	    .type = "text/plain; charset=utf-8" };
	struct cic_err err;

	snprintf(address, sizeof(address), "/internal/log/%s", id);
	if (cic_path_format(path, &err, "%s/builds/%s/log", app->conf->data,
	    id) == 0 && file_answer(app, req, &file, resp, &err) == 0)
		return;
	if (err.code == CIC_ENOENT) {
		resp_problem(resp, PROBLEM_NOT_FOUND,
		    "build %s has no log, or none yet", id);
		return;
	}
	cic_log_warnx("log of build %s: %s", id, err.msg);
	resp_problem(resp, PROBLEM_INTERNAL,
	    "the log cannot be read; service.web_group says who may");
}

void
h_log(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_build build = { .owner_count = 0 };
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store == NULL || (cic_store_get(store, rest, &build, &err) != 0 &&
	    err.code != CIC_ENOENT)) {
		cic_log_warnx("GET /builds/…/log: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	/* whose it is, is nobody else's business: the answer is the same */
	if (may_read(app, &build, req->owner))
		answer(app, req, build.id, resp);
	else
		resp_problem(resp, PROBLEM_NO_SUCH_BUILD,
		    "you have no build with the id %.36s", rest);
	cic_build_release(&build);
}
