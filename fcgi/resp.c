/* One answer; see resp.h. */
#include "resp.h"

#include <stdarg.h>
#include <stdio.h>

#include <fcgiapp.h>

#include "json.h"

#define BODY_MAX (1024 * 1024)

static const struct title {
	int		 status;
	const char	*text;
} titles[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 507, "Insufficient Storage" },
};

static const char *
title(int status)
{
	size_t i;

	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].text;
	return "Error";
}

void
resp_init(struct resp *resp)
{
	*resp = (struct resp){ .status = 200,
	    .content_type = "application/json" };
	cic_buf_init(&resp->body, BODY_MAX);
}

void
resp_release(struct resp *resp)
{
	cic_buf_release(&resp->body);
}

void
resp_problem(struct resp *resp, int status, const char *fmt, ...)
{
	char detail[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	resp->status = status;
	resp->content_type = "application/problem+json";
	cic_buf_reset(&resp->body);
	cic_buf_puts(&resp->body, "{\"title\":");
	cic_json_quote(&resp->body, title(status));
	cic_buf_printf(&resp->body, ",\"status\":%d,\"detail\":", status);
	cic_json_quote(&resp->body, detail);
	cic_buf_puts(&resp->body, "}\n");
}

void
resp_store_failure(struct resp *resp, const struct cic_err *err)
{
	if (err->code == CIC_ENOSPC)
		resp_problem(resp, 507, "%s", err->msg);
	else
		resp_problem(resp, 503, "the service cannot reach its store; "
		    "try again in a moment");
	snprintf(resp->header, sizeof(resp->header), "Retry-After: %d\r\n",
	    err->code == CIC_ENOSPC ? 300 : 5);
}

void
resp_send(const struct resp *resp, struct FCGX_Request *fcgx)
{
	FCGX_FPrintF(fcgx->out, "Status: %d %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %lu\r\nCache-Control: no-store\r\n%s\r\n",
	    resp->status, title(resp->status), resp->content_type,
	    (unsigned long)resp->body.len, resp->header);
	FCGX_PutStr(resp->body.data, (int)resp->body.len, fcgx->out);
}
