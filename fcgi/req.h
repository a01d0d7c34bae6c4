/*
 * One request, copied out of FastCGI and checked for size.
 *
 * Parameters come from the web server: REQUEST_METHOD, REQUEST_URI,
 * CONTENT_TYPE, CONTENT_LENGTH, REMOTE_USER.  The path is the URI's as sent,
 * without the prefix; none of our paths needs %-escapes, so none are decoded.
 */
#ifndef CIC_REQ_H
#define CIC_REQ_H

#include <stddef.h>

#include "build.h"
#include "resp.h"

struct app;
struct FCGX_Request;

#define REQ_BODY_MAX	(64 * 1024)
#define REQ_PATH_MAX	256

enum method { METHOD_GET, METHOD_POST, METHOD__MAX };

struct req {
	enum method	 method;		/* METHOD__MAX: another one */
	char		 path[REQ_PATH_MAX];	/* "/build/…" */
	char		 owner[CIC_OWNER_MAX];	/* "" when nobody is named */
	char		*body;			/* heap; NULL without one */
	size_t		 body_len;
};

/*
 * Read a request.  Returns 0; -1 with `resp` filled with the answer to what
 * cannot be a request of ours (404 outside the prefix, 413, 415, 411).
 * Release in both cases.
 */
int req_read(struct req *req, const struct app *app,
    struct FCGX_Request *fcgx, struct resp *resp);
void req_release(struct req *req);

#endif
