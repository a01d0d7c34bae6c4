/*
 * GET /builds: the caller's builds, newest first, a page at a time.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"

#define LIMIT_DEFAULT	50
#define LIMIT_MAX	200
#define BODY_FULL	(900 * 1024)	/* a page ends here, too */

/* Words of `state` that stand for several. */
static const struct { const char *word; unsigned states; } groups[] = {
	{ "running", 1u << CIC_STARTED | 1u << CIC_BUILDING |
	    1u << CIC_CONVERTING },
	{ "ended", 1u << CIC_FINISHED | 1u << CIC_FAILED },
};

struct wish {
	struct cic_build_query	query;
	char			states[128], workflow[CIC_NAME_MAX],
				step[CIC_NAME_MAX], cursor[24];
	long			limit, all;
};

struct page {
	struct resp	*resp;
	const char	*user;
	bool		 admin;
	long		 left;
};

static unsigned
states_of(const char *word)
{
	enum cic_state state = cic_state_parse(word);
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].word, word) == 0)
			return groups[i].states;
	return state == CIC_STATE__MAX ? 0 : 1u << state;
}

static int
read_states(struct wish *wish, struct resp *resp)
{
	char *save, *word;
	unsigned states;

	for (word = strtok_r(wish->states, ",", &save); word != NULL;
	    word = strtok_r(NULL, ",", &save)) {
		states = states_of(word);
		if (states == 0) {
			resp_problem_field(resp, "state", "%.20s is none; there "
			    "are PENDING, STARTED, BUILDING, CONVERTING, "
			    "FINISHED, FAILED, running, ended", word);
			return -1;
		}
		wish->query.states |= states;
	}
	return 0;
}

/* A cursor is what an earlier answer gave: a sequence number. */
static int
read_cursor(struct wish *wish, struct resp *resp)
{
	char *end;

	if (wish->cursor[0] == '\0')
		return 0;
	wish->query.before = strtoull(wish->cursor, &end, 10);
	if (wish->cursor[0] >= '0' && wish->cursor[0] <= '9' && *end == '\0' &&
	    wish->query.before != 0)
		return 0;
	resp_problem_field(resp, "cursor", "it is none; take \"next\" of the "
	    "page before");
	return -1;
}

static int
read_wish(const struct req *req, struct wish *wish, struct resp *resp)
{
	*wish = (struct wish){ .limit = LIMIT_DEFAULT };
	if (req_query(req, "state", wish->states, sizeof(wish->states),
	    resp) < 0 ||
	    req_query(req, "workflow", wish->workflow, sizeof(wish->workflow),
	    resp) < 0 ||
	    req_query(req, "step", wish->step, sizeof(wish->step), resp) < 0 ||
	    req_query(req, "cursor", wish->cursor, sizeof(wish->cursor),
	    resp) < 0 ||
	    req_query_number(req, "limit", 1, LIMIT_MAX, &wish->limit,
	    resp) < 0 ||
	    req_query_number(req, "all", 0, 1, &wish->all, resp) < 0)
		return -1;
	wish->query.workflow = wish->workflow;
	wish->query.step = wish->step;
	wish->query.owner = req->owner;
	return read_states(wish, resp) != 0 ? -1 : read_cursor(wish, resp);
}

static bool
add_build(const struct cic_build *build, void *arg)
{
	struct page *page = arg;
	struct cic_build shown = *build;	/* borrows its strings */
	char user[CIC_OWNER_MAX];

	if (page->left == 0 || page->resp->body.len > BODY_FULL)
		return false;
	shown.excerpt[0] = '\0';
	if (!page->admin) {	/* who else asked is not told */
		snprintf(user, sizeof(user), "%s", page->user);
		shown.owners[0] = user;
		shown.owner_count = 1;
	}
	if (page->resp->body.data[page->resp->body.len - 1] != '[')
		cic_buf_putc(&page->resp->body, ',');
	cic_build_print(&page->resp->body, &shown);
	page->left--;
	return true;
}

void
h_builds_list(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct page page = { .resp = resp, .user = req->owner,
	    .admin = cic_conf_is_admin(app->conf, req->owner) };
	struct cic_store *store;
	struct cic_err err;
	struct wish wish;
	uint64_t next;

	(void)rest;
	if (read_wish(req, &wish, resp) != 0)
		return;
	if (wish.all && !page.admin) {
		resp_problem(resp, PROBLEM_FORBIDDEN, "all: only the users of "
		    "service.admins may see everybody's builds");
		return;
	}
	if (wish.all)
		wish.query.owner = NULL;
	page.left = wish.limit;
	cic_buf_puts(&resp->body, "{\"builds\":[");
	store = app_store(app, &err);
	if (store == NULL || cic_store_list_builds(store, &wish.query,
	    add_build, &page, &next, &err) != 0) {
		cic_log_warnx("GET /builds: %s", err.msg);
		resp_store_failure(resp, &err);
		return;
	}
	if (next == 0)
		cic_buf_puts(&resp->body, "],\"next\":null}\n");
	else
		cic_buf_printf(&resp->body, "],\"next\":\"%llu\"}\n",
		    (unsigned long long)next);
}
