/* One answer; see resp.h. */
#include "resp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "json.h"

#define BODY_MAX (5 * 1024 * 1024)	/* the catalog is the largest */

/* In the order of enum problem. */
static const struct kind {
	int		 status;
	const char	*name;
	const char	*title;
} kinds[PROBLEM__MAX] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad-request", "Bad Request" },
	[PROBLEM_UNAUTHORIZED] = { 401, "unauthorized", "Unauthorized" },
	[PROBLEM_FORBIDDEN] = { 403, "forbidden", "Forbidden" },
	[PROBLEM_NOT_FOUND] = { 404, "not-found", "Not Found" },
	[PROBLEM_NO_SUCH_BUILD] = { 404, "no-such-build", "Not Found" },
	[PROBLEM_METHOD] = { 405, "method-not-allowed", "Method Not Allowed" },
	[PROBLEM_CONFLICT] = { 409, "conflict", "Conflict" },
	[PROBLEM_LENGTH_REQUIRED] = { 411, "length-required",
	    "Length Required" },
	[PROBLEM_TOO_LARGE] = { 413, "too-large", "Content Too Large" },
	[PROBLEM_MEDIA_TYPE] = { 415, "unsupported-media-type",
	    "Unsupported Media Type" },
	[PROBLEM_RANGE] = { 416, "range", "Range Not Satisfiable" },
	[PROBLEM_QUOTA] = { 429, "quota", "Too Many Requests" },
	[PROBLEM_INTERNAL] = { 500, "internal", "Internal Server Error" },
	[PROBLEM_UNAVAILABLE] = { 503, "unavailable", "Service Unavailable" },
	[PROBLEM_DISK_FULL] = { 507, "disk-full", "Insufficient Storage" },
};

/* What stands beside a status in the answer's first line. */
static const char *
title(int status)
{
	static const struct { int status; const char *text; } good[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 206, "Partial Content" },
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (good[i].status == status)
			return good[i].text;
	for (i = 0; i < PROBLEM__MAX; i++)
		if (kinds[i].status == status)
			return kinds[i].title;
	return "Error";
}

void
resp_init(struct resp *resp)
{
	*resp = (struct resp){ .status = 200,
	    .content_type = "application/json", .owner = "", .fd = -1 };
	cic_buf_init(&resp->body, BODY_MAX);
}

void
resp_release(struct resp *resp)
{
	cic_buf_release(&resp->body);
	if (resp->fd >= 0)
		close(resp->fd);
}

/* `field` may be NULL. */
static void
print_problem(struct resp *resp, enum problem kind, const char *field,
    const char *detail)
{
	const struct kind *k = &kinds[kind];

	resp->status = k->status;
	resp->content_type = "application/problem+json";
	cic_buf_reset(&resp->body);
	cic_buf_printf(&resp->body, "{\"type\":\"urn:cic:problem:%s\","
	    "\"title\":\"%s\",\"status\":%d,\"detail\":", k->name, k->title,
	    k->status);
	cic_json_quote(&resp->body, detail);
	if (field != NULL) {
		cic_buf_puts(&resp->body, ",\"field\":");
		cic_json_quote(&resp->body, field);
	}
	cic_buf_puts(&resp->body, "}\n");
}

void
resp_problem(struct resp *resp, enum problem kind, const char *fmt, ...)
{
	char detail[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	print_problem(resp, kind, NULL, detail);
	if (kind == PROBLEM_UNAUTHORIZED)
		snprintf(resp->header, sizeof(resp->header),
		    "WWW-Authenticate: Basic realm=\"image creation\"\r\n");
}

void
resp_problem_field(struct resp *resp, const char *field, const char *fmt, ...)
{
	char detail[1200];
	va_list ap;
	int n;

	n = snprintf(detail, sizeof(detail), "%.100s: ", field);
	va_start(ap, fmt);
	vsnprintf(detail + n, sizeof(detail) - (size_t)n, fmt, ap);
	va_end(ap);
	print_problem(resp, PROBLEM_BAD_REQUEST, field, detail);
}

void
resp_problem_request(struct resp *resp, const char *message)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz_.";
	size_t len = strspn(message, name);
	char field[64];

	if (len == 0 || len >= sizeof(field) || message[len] != ':') {
		print_problem(resp, PROBLEM_BAD_REQUEST, NULL, message);
		return;
	}
	memcpy(field, message, len);
	field[len] = '\0';
	print_problem(resp, PROBLEM_BAD_REQUEST, field, message);
}

void
resp_store_failure(struct resp *resp, const struct cic_err *err)
{
	if (err->code == CIC_ENOSPC)
		resp_problem(resp, PROBLEM_DISK_FULL, "%s", err->msg);
	else
		resp_problem(resp, PROBLEM_UNAVAILABLE, "the service cannot reach its store; "
		    "try again in a moment");
	snprintf(resp->header, sizeof(resp->header), "Retry-After: %d\r\n",
	    err->code == CIC_ENOSPC ? 300 : 5);
}

/* A piece of a file, which may be larger than memory.  One that has become
 * shorter ends the answer early, and the client sees that. */
static void
send_file(const struct resp *resp, struct FCGX_Request *fcgx)
{
	uint64_t at = resp->fd_at, end = at + resp->fd_len;
	char chunk[32768];
	size_t want;
	ssize_t n;

	for (; at < end; at += (uint64_t)n) {
		want = end - at < sizeof(chunk) ? (size_t)(end - at) :
		    sizeof(chunk);
		n = pread(resp->fd, chunk, want, (off_t)at);
		if (n <= 0 || FCGX_PutStr(chunk, (int)n, fcgx->out) != (int)n)
			return;
	}
}

void
resp_send(const struct resp *resp, bool head, struct FCGX_Request *fcgx)
{
	bool from_file = resp->fd >= 0 && resp->status < 400;
	uint64_t len = from_file ? resp->fd_len : resp->body.len;

	FCGX_FPrintF(fcgx->out, "Status: %d %s\r\nContent-Type: %s\r\n"
	    "Cache-Control: no-store\r\n%s%s", resp->status,
	    title(resp->status), resp->content_type, resp->header,
	    resp->handoff);
	if (resp->owner[0] != '\0')
		FCGX_FPrintF(fcgx->out, "Cic-Owner: %s\r\n", resp->owner);
	/* who hands over does not know the length; 204 has none */
	if (resp->handoff[0] == '\0' && resp->status != 204)
		FCGX_FPrintF(fcgx->out, "Content-Length: %lu\r\n",
		    (unsigned long)len);
	FCGX_PutStr("\r\n", 2, fcgx->out);
	if (head || resp->handoff[0] != '\0')
		return;
	if (from_file)
		send_file(resp, fcgx);
	else
		FCGX_PutStr(resp->body.data, (int)resp->body.len, fcgx->out);
}
