/*
 * Who is asking.
 *
 * The web server checks passwords and names their users.  It lets through,
 * unchecked, whatever user name looks like a token; so every request passes
 * here before a handler sees it, and what looks like a token is a live one or
 * nobody.
 */
#ifndef CIC_WHO_H
#define CIC_WHO_H

struct app;
struct req;
struct resp;

/*
 * Put the token's owner in the place of a token: req->owner, and token_expires.
 * Returns 0; -1 with `resp` filled: 401 when nobody is asking, 503 when the
 * store cannot tell.
 */
int who_resolve(struct app *app, struct req *req, struct resp *resp);

#endif
