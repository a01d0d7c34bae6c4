/*
 * Which handler answers which path and method.
 */
#ifndef CIC_ROUTE_H
#define CIC_ROUTE_H

struct app;
struct req;
struct resp;

/* A handler fills `resp`.  `rest` is what the path says in the place of the
 * route's `*` ("" when it has none). */
typedef void (*handler)(struct app *app, const struct req *req,
    const char *rest, struct resp *resp);

/* Answer a request: the handler's answer, or 401, 404, 405 with Allow. */
void route(struct app *app, const struct req *req, struct resp *resp);

/* Handlers, by file. */

/* h_build.c */
void h_build_post(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
void h_build_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_builds.c */
void h_builds_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_catalog.c */
void h_catalog(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_machines.c */
void h_machines(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_health.c */
void h_health(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);

#endif
