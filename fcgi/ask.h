/*
 * Asking for a build, by POST /build or again.
 */
#ifndef CIC_ASK_H
#define CIC_ASK_H

struct app;
struct cic_request;
struct req;
struct resp;

/* Queue what `request` says for the user of `req`, or let him join who asked for
 * the same; the answer is {"id": …}, or what is in the way. */
void ask(struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp);

#endif
