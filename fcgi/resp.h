/*
 * One answer: status, headers, body.
 */
#ifndef CIC_RESP_H
#define CIC_RESP_H

#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "path.h"
#include "wait.h"

struct FCGX_Request;

/* Kinds of errors, for programs: "urn:cic:problem:<name>" in `type`. */
enum problem {
	PROBLEM_BAD_REQUEST,		/* 400 */
	PROBLEM_UNAUTHORIZED,		/* 401, with the challenge */
	PROBLEM_FORBIDDEN,		/* 403 */
	PROBLEM_NOT_FOUND,		/* 404: no such address, file … */
	PROBLEM_NO_SUCH_BUILD,		/* 404 */
	PROBLEM_METHOD,			/* 405 */
	PROBLEM_CONFLICT,		/* 409: not in this state */
	PROBLEM_LENGTH_REQUIRED,	/* 411 */
	PROBLEM_TOO_LARGE,		/* 413 */
	PROBLEM_MEDIA_TYPE,		/* 415 */
	PROBLEM_RANGE,			/* 416 */
	PROBLEM_QUOTA,			/* 429 */
	PROBLEM_INTERNAL,		/* 500 */
	PROBLEM_UNAVAILABLE,		/* 503 */
	PROBLEM_DISK_FULL,		/* 507 */
	PROBLEM__MAX
};

struct resp {
	int		 status;
	const char	*content_type;
	char		 header[256];	/* more headers, each with "\r\n" */
	struct cic_buf	 body;
	struct wait	 wait;		/* the client would wait for news */
	const char	*owner;		/* who asked, for the web server's log */
	/* instead of a body: the header by which the web server sends a file,
	 * or an open file's bytes (file.h) */
	char		 handoff[CIC_PATH_MAX + 64];
	int		 fd;		/* -1: none; closed on release, and
					 * not sent with an error */
	uint64_t	 fd_at, fd_len;
};

void resp_init(struct resp *resp);
void resp_release(struct resp *resp);

/* An error as application/problem+json (RFC 9457).  The detail is for people. */
void resp_problem(struct resp *resp, enum problem kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* 400: a field of the request or of its query is to blame; the detail begins
 * with its name. */
void resp_problem_field(struct resp *resp, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Likewise with a message that begins with the field's path, as
 * cic_request_parse has it ("machine.architecture: …"); or with none. */
void resp_problem_request(struct resp *resp, const char *message);

/* The answer to a failure of the store: 507 no room, 503 otherwise, with
 * Retry-After. */
void resp_store_failure(struct resp *resp, const struct cic_err *err);

/* Send it, with a body or (`head`) without.  The web server buffers; a client
 * that has gone is no error. */
void resp_send(const struct resp *resp, bool head, struct FCGX_Request *fcgx);

#endif
