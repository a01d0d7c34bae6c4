/* The build that this user may see; see owned.h. */
#include "owned.h"

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"

void
owned_no_build(const char *id, struct resp *resp)
{
	resp_problem(resp, PROBLEM_NO_SUCH_BUILD,
	    "you have no build with the id %.36s", id);
}

bool
owned_build(struct app *app, const struct req *req, const char *id,
    struct cic_build *build, struct resp *resp)
{
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store != NULL && cic_store_get(store, id, build, &err) == 0) {
		if (cic_build_has_owner(build, req->owner) ||
		    cic_conf_is_admin(app->conf, req->owner))
			return true;
		cic_build_release(build);
	} else if (store == NULL || err.code != CIC_ENOENT) {
		cic_log_warnx("build %.36s: %s", id, err.msg);
		resp_store_failure(resp, &err);
		return false;
	}
	owned_no_build(id, resp);
	return false;
}
