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

/* Answer a request: the handler's answer, or 401, 404, 405 with Allow.
 * A token in `req` becomes its owner. */
void route(struct app *app, struct req *req, struct resp *resp);

/* Handlers, by file. */

/* h_build.c */
void h_build_post(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
void h_build_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_builds.c */
void h_builds_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_log.c */
void h_log(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_download.c */
void h_download(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_tokens.c */
void h_tokens_post(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
void h_tokens_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
void h_tokens_delete(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
void h_whoami(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);
/* h_health.c */
void h_health(struct app *app, const struct req *req, const char *rest,
    struct resp *resp);

#endif
