/*
 * Taking a request in: what POST /build and a retry have in common.
 */
#ifndef CIC_ACCEPT_H
#define CIC_ACCEPT_H

#include "id.h"
#include "request.h"

struct app;
struct resp;

/* May `owner` ask for this at all?  Returns 0; -1 with `resp` filled. */
int accept_allowed(const struct app *app, const struct cic_request *request,
    const char *owner, struct resp *resp);

/* Queue it, or join what is in flight, by the owner's quota, and wake the worker.
 * Returns 0 with `id` set; -1 with `resp` filled (403, 429, 503, 507). */
int accept_request(struct app *app, const struct cic_request *request,
    const char *owner, char id[CIC_ID_TEXT], struct resp *resp);

#endif
