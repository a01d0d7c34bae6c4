/*
 * POST /build?dry_run=1: what would come of the request.
 */
#ifndef CIC_DRY_RUN_H
#define CIC_DRY_RUN_H

struct app;
struct cic_request;
struct req;
struct resp;

/* Nothing is written, and the user's quota does not matter. */
void dry_run(struct app *app, const struct req *req,
    const struct cic_request *request, struct resp *resp);

#endif
