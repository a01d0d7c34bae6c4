/* One request, copied out of FastCGI; see req.h. */
#include "req.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <fcgiapp.h>

#include "app.h"
#include "digest.h"
#include "store_token.h"

#define AGE_MAX 120000	/* ms */

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
	if (strcmp(name, "DELETE") == 0)
		return METHOD_DELETE;
	return strcmp(name, "POST") == 0 ? METHOD_POST : METHOD__MAX;
}

/* The URI without prefix, and its query; false when it is none of ours. */
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
	if (uri[len] == '?')
		uri += len + 1;
	else
		uri += len;
	req->query_len = strcspn(uri, "#");
	snprintf(req->query, sizeof(req->query), "%.*s", (int)req->query_len,
	    uri);
	return true;
}

static bool
is_json(const char *content_type)
{
	size_t len = strcspn(content_type, "; \t");

	return len == strlen("application/json") &&
	    strncasecmp(content_type, "application/json", len) == 0;
}

static bool
is_patient(const struct app *app, const char *agent)
{
	const struct cic_list *list = &app->conf->long_poll_agents;
	int i;

	for (i = 0; i < list->count; i++)
		if (strncmp(agent, list->item[i], strlen(list->item[i])) == 0)
			return true;
	return false;
}

/* How long the web server has the request, in ms; 0 when it does not say, or
 * when its clock cannot be ours. */
static int
read_age(const char *arrived)
{
	double ms = (double)cic_now_ms() - strtod(arrived, NULL) * 1000;

	return ms > 0 && ms < AGE_MAX ? (int)ms : 0;
}

static int
read_body(struct req *req, struct FCGX_Request *fcgx, struct resp *resp)
{
	const char *length = param(fcgx, "CONTENT_LENGTH");
	char *end;
	long len;
	int n;

	if (length[0] == '\0')
		return 0;	/* no body, which some addresses need */
	errno = 0;
	len = strtol(length, &end, 10);
	if (*end != '\0' || errno != 0 || len < 0 || len > REQ_BODY_MAX) {
		resp_problem(resp, PROBLEM_TOO_LARGE,
		    "the body may have at most %d bytes", REQ_BODY_MAX);
		return -1;
	}
	if (len == 0 && param(fcgx, "CONTENT_TYPE")[0] == '\0')
		return 0;
	if (!is_json(param(fcgx, "CONTENT_TYPE"))) {
		resp_problem(resp, PROBLEM_MEDIA_TYPE,
		    "Content-Type must be application/json");
		return -1;
	}
	req->body = malloc((size_t)len + 1);
	if (req->body == NULL) {
		resp_problem(resp, PROBLEM_UNAVAILABLE, "out of memory");
		return -1;
	}
	n = FCGX_GetStr(req->body, (int)len, fcgx->in);
	if (n != (int)len) {
		resp_problem(resp, PROBLEM_BAD_REQUEST, "the body is shorter than "
		    "Content-Length says");
		return -1;
	}
	req->body[len] = '\0';
	req->body_len = (size_t)len;
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* The token in an Authorization header; false when there is none. */
static bool
token_of(const char *authorization, char *out, size_t size)
{
	size_t len = strcspn(authorization, " ");

	if (len != strlen("Basic") ||
	    strncasecmp(authorization, "Basic", len) != 0)
		return false;
	authorization += len;
	authorization += strspn(authorization, " \t");
	len = cic_base64_read(authorization, out, size - 1);
	out[len] = '\0';
	out[strcspn(out, ":")] = '\0';
	return cic_token_is_like(out);
}

static int
read_owner(struct req *req, struct FCGX_Request *fcgx, struct resp *resp)
{
	const char *owner = param(fcgx, "REMOTE_USER");

	if (strlen(owner) >= sizeof(req->owner)) {
		resp_problem(resp, PROBLEM_BAD_REQUEST, "the user name is "
		    "longer than %zu bytes", sizeof(req->owner) - 1);
		return -1;
	}
	/* it will stand in headers and in lines of a log */
	if (has_control(owner)) {
		resp_problem(resp, PROBLEM_BAD_REQUEST,
		    "the user name has a control character");
		return -1;
	}
	memcpy(req->owner, owner, strlen(owner) + 1);
	if (owner[0] == '\0' && !token_of(param(fcgx, "HTTP_AUTHORIZATION"),
	    req->owner, sizeof(req->owner)))
		req->owner[0] = '\0';
	return 0;
}

/* Cut short when it is too long: then it is no range, or not our ETag, and the
 * whole file is a right answer. */
static void
read_header(const struct FCGX_Request *fcgx, const char *name, char out[64])
{
	snprintf(out, 64, "%s", param(fcgx, name));
}

static enum handoff
read_handoff(const char *name)
{
	if (strcmp(name, "X-Accel-Redirect") == 0)
		return HANDOFF_ACCEL;
	return strcmp(name, "X-Sendfile") == 0 ? HANDOFF_SENDFILE :
	    HANDOFF_NONE;
}

int
req_read(struct req *req, const struct app *app, struct FCGX_Request *fcgx,
    struct resp *resp)
{
	*req = (struct req){ .body = NULL };
	req->method = read_method(param(fcgx, "REQUEST_METHOD"));
	req->head = strcmp(param(fcgx, "REQUEST_METHOD"), "HEAD") == 0;
	req->handoff = read_handoff(param(fcgx, "CIC_HANDOFF"));
	read_header(fcgx, "HTTP_RANGE", req->range);
	read_header(fcgx, "HTTP_IF_RANGE", req->if_range);
	if (!read_path(req, app, param(fcgx, "REQUEST_URI"))) {
		resp_problem(resp, PROBLEM_NOT_FOUND,
		    "there is nothing at this address");
		return -1;
	}
	if (req->query_len >= sizeof(req->query)) {
		resp_problem(resp, PROBLEM_BAD_REQUEST, "the query is longer "
		    "than %zu bytes", sizeof(req->query) - 1);
		return -1;
	}
	if (read_owner(req, fcgx, resp) != 0)
		return -1;
	req->is_patient = is_patient(app, param(fcgx, "HTTP_USER_AGENT"));
	req->age = read_age(param(fcgx, "CIC_ARRIVED"));
	return req->method == METHOD_POST ? read_body(req, fcgx, resp) : 0;
}

void
req_release(struct req *req)
{
	free(req->body);
	req->body = NULL;
}

/* Where a parameter's value begins, and its length; NULL when there is none. */
static const char *
find_parameter(const char *query, const char *name, size_t *len)
{
	size_t name_len = strlen(name), part;

	for (; *query != '\0'; query += part + (query[part] == '&')) {
		part = strcspn(query, "&");
		if (part > name_len && query[name_len] == '=' &&
		    memcmp(query, name, name_len) == 0) {
			*len = part - name_len - 1;
			return query + name_len + 1;
		}
	}
	return NULL;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode; false when it is malformed, holds a control character or does not
 * fit. */
static bool
decode(const char *text, size_t len, char *out, size_t size)
{
	size_t i, n = 0;
	int c;

	for (i = 0; i < len; i++) {
		c = text[i] == '+' ? ' ' : (unsigned char)text[i];
		if (c == '%') {
			if (len - i < 3 || hex_digit(text[i + 1]) < 0 ||
			    hex_digit(text[i + 2]) < 0)
				return false;
			c = hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

int
req_query(const struct req *req, const char *name, char *out, size_t size,
    struct resp *resp)
{
	size_t len, again;
	const char *value = find_parameter(req->query, name, &len);

	if (value == NULL)
		return 0;
	if (find_parameter(value + len, name, &again) != NULL) {
		resp_problem_field(resp, name, "it is there twice");
		return -1;
	}
	if (!decode(value, len, out, size)) {
		resp_problem_field(resp, name, "it is malformed, or longer than "
		    "%zu bytes", size - 1);
		return -1;
	}
	return 1;
}

int
req_query_number(const struct req *req, const char *name, long min, long max,
    long *out, struct resp *resp)
{
	char text[24], *end;
	int rc = req_query(req, name, text, sizeof(text), resp);

	if (rc != 1)
		return rc;
	errno = 0;
	*out = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    *out < min || *out > max) {
		resp_problem_field(resp, name, "it must be a number from %ld to "
		    "%ld", min, max);
		return -1;
	}
	return 1;
}
