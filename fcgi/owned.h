/*
 * The build that this user may see: one that he asked for, or any for an
 * administrator.
 */
#ifndef CIC_OWNED_H
#define CIC_OWNED_H

#include <stdbool.h>

struct app;
struct cic_build;
struct req;
struct resp;

/*
 * The record of the build `id`, for who asks.  True with `build` filled, to be
 * released.  False with `resp` filled: 503, or 404 alike when there is none and
 * when it is somebody else's.
 */
bool owned_build(struct app *app, const struct req *req, const char *id,
    struct cic_build *build, struct resp *resp);

/* That 404. */
void owned_no_build(const char *id, struct resp *resp);

#endif
