/* Which handler answers what; see route.h. */
#include "route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "req.h"
#include "resp.h"
#include "who.h"

/* In the order of enum method. */
static const char *const method_names[METHOD__MAX] = {
	[METHOD_GET] = "GET, HEAD",
	[METHOD_POST] = "POST",
	[METHOD_DELETE] = "DELETE",
};

enum { NEEDS_USER = 0, OPEN = 1, NEEDS_BODY = 2, SILENT = 4 };

static const struct entry {
	const char	*path;		/* `*` is one part, without a slash */
	int		 flags;		/* OPEN: without a user; NEEDS_BODY: its
					 * POST; SILENT: errors have no body */
	handler_fn	*by_method[METHOD__MAX];
} routes[] = {
	/* old clients post to both: no redirect, they would not follow it */
	{ "/build", NEEDS_BODY, { [METHOD_POST] = h_build_post } },
	{ "/build/", NEEDS_BODY, { [METHOD_POST] = h_build_post } },
	{ "/build/*", NEEDS_USER, { [METHOD_GET] = h_build_get } },
	{ "/builds/*", NEEDS_USER, { [METHOD_GET] = h_builds_get,
	    [METHOD_DELETE] = h_build_delete } },
	{ "/builds/*/cancel", NEEDS_USER, { [METHOD_POST] = h_build_cancel } },
	{ "/builds/*/retry", NEEDS_USER, { [METHOD_POST] = h_build_retry } },
	{ "/catalog", NEEDS_USER, { [METHOD_GET] = h_catalog } },
	{ "/machines", NEEDS_USER, { [METHOD_GET] = h_machines } },
	{ "/builds", NEEDS_USER, { [METHOD_GET] = h_builds_list } },
	{ "/builds/*/log", NEEDS_USER, { [METHOD_GET] = h_log } },
	{ "/tokens", NEEDS_BODY, { [METHOD_GET] = h_tokens_get,
	    [METHOD_POST] = h_tokens_post } },
	{ "/tokens/*", NEEDS_USER, { [METHOD_DELETE] = h_tokens_delete } },
	{ "/whoami", NEEDS_USER, { [METHOD_GET] = h_whoami } },
	{ "/images", NEEDS_USER, { [METHOD_GET] = h_images_list } },
	{ "/images/*", NEEDS_USER, { [METHOD_GET] = h_images_get } },
	{ "/images/download/*", SILENT, { [METHOD_GET] = h_download } },
	{ "/metrics", OPEN, { [METHOD_GET] = h_metrics } },
	{ "/health", OPEN, { [METHOD_GET] = h_health } },
};

/* Does the path fit?  `rest` (REQ_PATH_MAX bytes) gets what stands for the `*`. */
static bool
matches(const char *pattern, const char *path, char *rest)
{
	size_t fixed = strcspn(pattern, "*"), len;

	rest[0] = '\0';
	if (pattern[fixed] == '\0')
		return strcmp(path, pattern) == 0;
	if (strncmp(path, pattern, fixed) != 0)
		return false;
	path += fixed;
	len = strcspn(path, "/");
	memcpy(rest, path, len);
	rest[len] = '\0';
	return len > 0 && strcmp(path + len, pattern + fixed + 1) == 0;
}

static void
wrong_method(const struct entry *entry, struct resp *resp)
{
	char allow[64] = "";
	size_t at = 0;
	int i;

	for (i = 0; i < METHOD__MAX; i++)
		if (entry->by_method[i] != NULL)
			at += (size_t)snprintf(allow + at, sizeof(allow) - at,
			    "%s%s", at > 0 ? ", " : "", method_names[i]);
	resp_problem(resp, PROBLEM_METHOD, "this address takes %s", allow);
	snprintf(resp->header, sizeof(resp->header), "Allow: %s\r\n", allow);
}

void
route(struct app *app, struct req *req, struct resp *resp)
{
	const struct entry *entry = NULL;
	char rest[REQ_PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]) && entry == NULL; i++)
		if (matches(routes[i].path, req->path, rest))
			entry = &routes[i];
	if (entry == NULL)
		resp_problem(resp, PROBLEM_NOT_FOUND,
		    "there is nothing at this address");
	else if (req->method == METHOD__MAX ||
	    entry->by_method[req->method] == NULL)
		wrong_method(entry, resp);
	else if (!(entry->flags & OPEN) && who_resolve(app, req, resp) != 0)
		;	/* nobody, and resp says so */
	else if ((entry->flags & NEEDS_BODY) && req->method == METHOD_POST &&
	    req->body == NULL)
		resp_problem(resp, PROBLEM_LENGTH_REQUIRED,
		    "Content-Length is missing");
	else
		entry->by_method[req->method](app, req, rest, resp);
	if (entry != NULL && (entry->flags & SILENT) && resp->status >= 400) {
		resp->content_type = "application/octet-stream";
		cic_buf_reset(&resp->body);
	}
}
