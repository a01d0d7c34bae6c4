/*
 * Asking for a build, by POST /build or again.
 */
#ifndef CIC_ASK_H
#define CIC_ASK_H

struct app;
struct cic_request;
struct req;
struct resp;

/* May the user of `req` ask for this at all?  Returns 0; -1 with `resp` filled. */
int ask_allowed(const struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp);

/* Queue what `request` says for the user of `req`, by his quota, or let him join
 * who asked for the same; the answer is {"id": …}, or what is in the way. */
void ask(struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp);

#endif
