/* One request, copied out of FastCGI; see req.h. */
#include "req.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <fcgiapp.h>

#include "app.h"

/* A parameter, never NULL. */
static const char *
param(const struct FCGX_Request *fcgx, const char *name)
{
	const char *value = FCGX_GetParam(name, fcgx->envp);

	return value != NULL ? value : "";
}

static enum method
read_method(const char *name)
{
	if (strcmp(name, "GET") == 0 || strcmp(name, "HEAD") == 0)
		return METHOD_GET;
	return strcmp(name, "POST") == 0 ? METHOD_POST : METHOD__MAX;
}

/* The URI without prefix and query; false when it is none of ours. */
static bool
read_path(struct req *req, const struct app *app, const char *uri)
{
	size_t prefix = strlen(app->conf->prefix), len;

	if (strncmp(uri, app->conf->prefix, prefix) != 0)
		return false;
	uri += prefix;
	len = strcspn(uri, "?#");
	if (uri[0] != '/' || len >= sizeof(req->path))
		return false;
	memcpy(req->path, uri, len);
	req->path[len] = '\0';
	return true;
}

static bool
is_json(const char *content_type)
{
	size_t len = strcspn(content_type, "; \t");

	return len == strlen("application/json") &&
	    strncasecmp(content_type, "application/json", len) == 0;
}

static int
read_body(struct req *req, struct FCGX_Request *fcgx, struct resp *resp)
{
	const char *length = param(fcgx, "CONTENT_LENGTH");
	char *end;
	long len;
	int n;

	if (length[0] == '\0') {
		resp_problem(resp, 411, "Content-Length is missing");
		return -1;
	}
	errno = 0;
	len = strtol(length, &end, 10);
	if (*end != '\0' || errno != 0 || len < 0 || len > REQ_BODY_MAX) {
		resp_problem(resp, 413,
		    "the body may have at most %d bytes", REQ_BODY_MAX);
		return -1;
	}
	if (!is_json(param(fcgx, "CONTENT_TYPE"))) {
		resp_problem(resp, 415,
		    "Content-Type must be application/json");
		return -1;
	}
	req->body = malloc((size_t)len + 1);
	if (req->body == NULL) {
		resp_problem(resp, 503, "out of memory");
		return -1;
	}
	n = FCGX_GetStr(req->body, (int)len, fcgx->in);
	if (n != (int)len) {
		resp_problem(resp, 400, "the body is shorter than "
		    "Content-Length says");
		return -1;
	}
	req->body[len] = '\0';
	req->body_len = (size_t)len;
	return 0;
}

int
req_read(struct req *req, const struct app *app, struct FCGX_Request *fcgx,
    struct resp *resp)
{
	const char *owner = param(fcgx, "REMOTE_USER");

	*req = (struct req){ .body = NULL };
	req->method = read_method(param(fcgx, "REQUEST_METHOD"));
	if (!read_path(req, app, param(fcgx, "REQUEST_URI"))) {
		resp_problem(resp, 404, "there is nothing at this address");
		return -1;
	}
	if (strlen(owner) >= sizeof(req->owner)) {
		resp_problem(resp, 400, "the user name is longer than %zu "
		    "bytes", sizeof(req->owner) - 1);
		return -1;
	}
	memcpy(req->owner, owner, strlen(owner) + 1);
	return req->method == METHOD_POST ? read_body(req, fcgx, resp) : 0;
}

void
req_release(struct req *req)
{
	free(req->body);
	req->body = NULL;
}
