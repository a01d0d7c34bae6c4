/* Which handler answers what; see route.h. */
#include "route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "req.h"
#include "resp.h"

/* In the order of enum method. */
static const char *const method_names[METHOD__MAX] = {
	[METHOD_GET] = "GET, HEAD",
	[METHOD_POST] = "POST",
};

static const struct entry {
	const char	*path;
	bool		 more;		/* a part follows the path */
	bool		 open;		/* without a user, for monitors */
	handler		 by_method[METHOD__MAX];
} routes[] = {
	/* old clients post to both: no redirect, they would not follow it */
	{ "/build", false, false, { [METHOD_POST] = h_build_post } },
	{ "/build/", false, false, { [METHOD_POST] = h_build_post } },
	{ "/build/", true, false, { [METHOD_GET] = h_build_get } },
	{ "/builds/", true, false, { [METHOD_GET] = h_builds_get } },
	{ "/health", false, true, { [METHOD_GET] = h_health } },
};

static bool
matches(const struct entry *entry, const char *path)
{
	size_t len = strlen(entry->path);

	if (!entry->more)
		return strcmp(path, entry->path) == 0;
	return strncmp(path, entry->path, len) == 0 && path[len] != '\0';
}

static void
wrong_method(const struct entry *entry, struct resp *resp)
{
	const char *allow = "";
	int i;

	for (i = 0; i < METHOD__MAX; i++)
		if (entry->by_method[i] != NULL)
			allow = method_names[i];
	resp_problem(resp, 405, "this address takes %s", allow);
	snprintf(resp->header, sizeof(resp->header), "Allow: %s\r\n", allow);
}

void
route(struct app *app, const struct req *req, struct resp *resp)
{
	const struct entry *entry = NULL;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]) && entry == NULL; i++)
		if (matches(&routes[i], req->path))
			entry = &routes[i];
	if (entry == NULL) {
		resp_problem(resp, 404, "there is nothing at this address");
		return;
	}
	if (req->method == METHOD__MAX ||
	    entry->by_method[req->method] == NULL) {
		wrong_method(entry, resp);
		return;
	}
	if (!entry->open && req->owner[0] == '\0') {
		/* the web server names the user; without one it is set up
		 * wrongly, and nobody is let in */
		resp_problem(resp, 401, "no user name");
		snprintf(resp->header, sizeof(resp->header),
		    "WWW-Authenticate: Basic realm=\"image creation\"\r\n");
		return;
	}
	entry->by_method[req->method](app, req, req->path +
	    strlen(entry->path), resp);
}
