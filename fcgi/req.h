/*
 * One request, copied out of FastCGI and checked for size.
 *
 * Parameters come from the web server: REQUEST_METHOD, REQUEST_URI,
 * CONTENT_TYPE, CONTENT_LENGTH, REMOTE_USER, HTTP_USER_AGENT, CIC_HANDOFF
 * (file.h), and CIC_ARRIVED, seconds since 1970 with a fraction.  The path is
 * the URI's as sent, without the prefix; none of our paths needs %-escapes, so
 * none are decoded.
 *
 * REMOTE_USER is a user whose password the web server has checked, or a token,
 * which it has not (who.h).  Where it lets tokens through without naming them,
 * they are found in HTTP_AUTHORIZATION; a user named there is nobody.
 */
#ifndef CIC_REQ_H
#define CIC_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "build.h"
#include "resp.h"

struct app;
struct FCGX_Request;

#define REQ_BODY_MAX	(64 * 1024)
#define REQ_PATH_MAX	320
#define REQ_QUERY_MAX	1024

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHOD__MAX };

/* How the web server wants to be told of a file that it shall send. */
enum handoff { HANDOFF_NONE, HANDOFF_ACCEL, HANDOFF_SENDFILE };

struct req {
	enum method	 method;		/* METHOD__MAX: another one */
	bool		 head;			/* a GET without the body */
	char		 path[REQ_PATH_MAX];	/* "/build/…" */
	char		 query[REQ_QUERY_MAX];	/* as sent, without the "?" */
	size_t		 query_len;
	char		 owner[CIC_OWNER_MAX];	/* "" when nobody is named; a
						 * token until who_resolve */
	int64_t		 token_expires;		/* 0: came with a password */
	enum handoff	 handoff;
	char		 range[64];		/* header Range; "" without */
	char		 if_range[64];
	bool		 is_patient;	/* one of service.long_poll_agents */
	int		 age;		/* ms since the web server has it */
	char		*body;			/* heap; NULL without one */
	size_t		 body_len;
};

/*
 * Read a request.  Returns 0; -1 with `resp` filled with the answer to what
 * cannot be a request of ours (404 outside the prefix, 413, 415).
 * Release in both cases.
 */
int req_read(struct req *req, const struct app *app,
    struct FCGX_Request *fcgx, struct resp *resp);
void req_release(struct req *req);

/*
 * A parameter of the query, %-escapes and `+` decoded: 1 with `out` set, 0 when
 * it is not there, -1 with `resp` filled (twice, too long for `out`, malformed,
 * a control character in it).
 */
int req_query(const struct req *req, const char *name, char *out, size_t size,
    struct resp *resp);

/* Likewise, a number in bounds: 1, 0 or -1. */
int req_query_number(const struct req *req, const char *name, long min, long max,
    long *out, struct resp *resp);

#endif
