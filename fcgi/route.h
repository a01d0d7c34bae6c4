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
typedef void handler_fn(struct app *app, const struct req *req,
    const char *rest, struct resp *resp);

/* Answer a request: the handler's answer, or 401, 404, 405 with Allow.
 * A token in `req` becomes its owner. */
void route(struct app *app, struct req *req, struct resp *resp);

/* Handlers, by file. */

handler_fn
	h_build_post, h_build_get,		/* h_build.c */
	h_builds_get,				/* h_builds.c */
	h_builds_list,				/* h_builds_list.c */
	h_build_cancel, h_build_retry,		/* h_build_actions.c */
	h_build_delete,
	h_log,					/* h_log.c */
	h_images_list, h_images_get,		/* h_images.c */
	h_download,				/* h_download.c */
	h_tokens_post, h_tokens_get,		/* h_tokens.c */
	h_tokens_delete, h_whoami,
	h_catalog,				/* h_catalog.c */
	h_machines,				/* h_machines.c */
	h_health,				/* h_health.c */
	h_metrics;				/* h_metrics.c */

#endif
