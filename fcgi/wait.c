/* What a status poll may wait for; see wait.h. */
#include "wait.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "req.h"
#include "resp.h"

int
wait_read(const struct req *req, const struct app *app,
    struct wait_query *query, struct resp *resp)
{
	long seconds, since = 0;
	int given;

	given = req_query_number(req, "wait", 0, LONG_MAX, &seconds, resp);
	if (given < 0)
		return -1;
	if (!given)
		seconds = req->is_patient ? app->conf->long_poll_seconds : 0;
	if (seconds > WAIT_MAX)
		seconds = WAIT_MAX;
	given = req_query_number(req, "since", 0, LONG_MAX, &since, resp);
	if (given < 0)
		return -1;
	*query = (struct wait_query){ .ms = seconds * 1000 - req->age,
	    .has_since = given != 0, .since = (uint64_t)since };
	return 0;
}

void
wait_set(struct resp *resp, const struct wait_query *query, struct wait wait,
    bool ended)
{
	size_t at = strlen(resp->header);

	snprintf(resp->header + at, sizeof(resp->header) - at,
	    "ETag: \"%llu\"\r\n", (unsigned long long)wait.rev);
	if (ended || query->ms <= 0 ||
	    (query->has_since && query->since != wait.rev))
		return;
	wait.ms = query->ms;
	resp->wait = wait;
}

bool
wait_is_over(struct app *app, const struct wait *wait)
{
	struct cic_err err;
	struct cic_store *store = app_store(app, &err);
	uint64_t rev;
	int rc;

	if (store == NULL)
		return true;
	rc = wait->record ? cic_store_record_rev(store, wait->id, &rev, &err) :
	    cic_store_status(store, wait->id, &rev, NULL, &err);
	return rc != 0 || rev != wait->rev;
}
