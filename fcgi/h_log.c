/*
 * /builds/<id>/log: what the programs of a build have printed so far, for those
 * who asked for it and for administrators.
 */
#include "route.h"

#include "app.h"
#include "file.h"
#include "id.h"
#include "log.h"
#include "owned.h"
#include "req.h"
#include "resp.h"

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
	struct cic_build build;

	if (!owned_build(app, req, rest, &build, resp))
		return;
	answer(app, req, build.id, resp);
	cic_build_release(&build);
}
