/*
 * POST /build?dry_run=1: what would come of the request.
 */
#ifndef CIC_DRY_RUN_H
#define CIC_DRY_RUN_H

struct app;
struct cic_request;
struct resp;

/* Nothing is written, and the owner's quota does not matter. */
void dry_run_answer(struct app *app, const struct cic_request *request,
    const char *owner, struct resp *resp);

#endif
