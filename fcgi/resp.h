/*
 * One answer: status, headers, body.
 */
#ifndef CIC_RESP_H
#define CIC_RESP_H

#include "buf.h"
#include "err.h"

struct FCGX_Request;

struct resp {
	int		 status;
	const char	*content_type;
	char		 header[256];	/* more headers, each with "\r\n" */
	struct cic_buf	 body;
};

void resp_init(struct resp *resp);
void resp_release(struct resp *resp);

/* An error as application/problem+json (RFC 9457).  `detail` is for people
 * and names the field it is about. */
void resp_problem(struct resp *resp, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The answer to a failure of the store: 507 no room, 503 otherwise, with
 * Retry-After. */
void resp_store_failure(struct resp *resp, const struct cic_err *err);

/* Send it; the web server buffers, a client that has gone is no error. */
void resp_send(const struct resp *resp, struct FCGX_Request *fcgx);

#endif
