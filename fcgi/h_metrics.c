/*
 * /metrics: for Prometheus, in its text format (0.0.4).
 */
#include "route.h"

#include <stdio.h>

#include "app.h"
#include "log.h"
#include "path.h"
#include "req.h"
#include "resp.h"
#include "version.h"

static void
gauge(struct resp *resp, const char *name, const char *help, double value)
{
	cic_buf_printf(&resp->body, "# HELP %s %s\n# TYPE %s gauge\n%s %.0f\n",
	    name, help, name, name, value);
}

static void
free_space(struct resp *resp, const char *name, const char *help,
    const char *folder)
{
	struct cic_err ignored;
	uint64_t bytes;

	if (cic_free_bytes(folder, &bytes, &ignored) == 0)
		gauge(resp, name, help, (double)bytes);
}

void
h_metrics(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_store_counts counts;
	struct cic_store *store;
	struct cic_err err;

	(void)req;
	(void)rest;
	resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
	store = app_store(app, &err);
	if (store == NULL || cic_store_count(store, &counts, &err) != 0) {
		cic_log_warnx("GET /metrics: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	cic_buf_puts(&resp->body, "# HELP cic_info Version of the service.\n"
	    "# TYPE cic_info gauge\ncic_info{version=\"" CIC_VERSION "\"} 1\n");
	gauge(resp, "cic_worker_up", "1 when a worker is there.",
	    app_worker_lives(app) ? 1 : 0);
	gauge(resp, "cic_builds_queued", "Builds that wait.",
	    (double)counts.queued);
	gauge(resp, "cic_builds_running", "Builds that a worker has.",
	    (double)counts.running);
	gauge(resp, "cic_builds", "Builds in the store, ended ones too.",
	    (double)counts.builds);
	gauge(resp, "cic_images", "Image files that were published.",
	    (double)counts.images);
	free_space(resp, "cic_data_free_bytes", "Free bytes where service.data "
	    "lies.", app->conf->data);
	free_space(resp, "cic_images_free_bytes", "Free bytes where "
	    "build.images_location lies.", app->conf->images_location);
}
