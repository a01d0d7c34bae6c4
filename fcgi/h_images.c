/*
 * GET /images, /images/<file>: the .sif files that are there to be downloaded.
 */
#include "route.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app.h"
#include "json.h"
#include "log.h"
#include "req.h"
#include "resp.h"

#define LIMIT_DEFAULT	200
#define LIMIT_MAX	1000
#define LOOKED_AT_MAX	5000
#define BODY_FULL	(900 * 1024)

/* A page, and what the caller wants to see on it. */
struct page {
	const struct app	*app;
	struct cic_store	*store;
	struct resp		*resp;
	bool			 admin;
	char			 workflow[CIC_NAME_MAX], step[CIC_NAME_MAX],
				 architecture[CIC_ARCH_MAX], part[64],
				 from[CIC_FILE_MAX];
	long			 limit;
	int			 count, looked_at;
	char			 next[CIC_FILE_MAX];	/* "": no more pages */
};

/* Is the file that the record tells of there, whole? */
static bool
is_there(const struct app *app, const char *file, int64_t size)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct stat st;

	return cic_path_format(path, &ignored, "%s/%s",
	    app->conf->images_location, file) == 0 && lstat(path, &st) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == size;
}

/* The name of the container image it was made of: the one of the request's two
 * whose file has this name. */
static void
print_image_name(const struct page *page, const char *file,
    const struct cic_request *request)
{
	struct cic_names names = { .file = "" };
	int suffix;

	for (suffix = 0; suffix < 2; suffix++) {
		cic_request_names(request, &page->app->site, suffix != 0,
		    &names);
		if (strcmp(names.file, file) == 0)
			break;
	}
	cic_buf_puts(&page->resp->body, ",\"image\":");
	cic_json_quote(&page->resp->body, suffix < 2 ? names.image : NULL);
}

/* Who asked for it, for administrators. */
static void
print_owners(const struct page *page, const char *id)
{
	struct cic_buf *body = &page->resp->body;
	struct cic_build build;
	struct cic_err ignored;
	int i;

	cic_buf_puts(body, ",\"owners\":[");
	if (id != NULL && cic_store_get(page->store, id, &build,
	    &ignored) == 0) {
		for (i = 0; i < build.owner_count; i++) {
			if (i > 0)
				cic_buf_putc(body, ',');
			cic_json_quote(body, build.owners[i]);
		}
		cic_build_release(&build);
	}
	cic_buf_putc(body, ']');
}

static void
print_image(const struct page *page, const char *file,
    const struct cic_json *record, const struct cic_request *request)
{
	static const char *const texts[] = { "sha256", "image_id",
	    "content_key", "workflow_commit", "catalog_commit", "build" };
	struct cic_buf *body = &page->resp->body;
	size_t i;

	cic_buf_puts(body, "{\"file\":");
	cic_json_quote(body, file);
	cic_buf_printf(body, ",\"size\":%lld,\"created\":%lld",
	    (long long)cic_json_int(cic_json_get(record, "size"), 0),
	    (long long)cic_json_int(cic_json_get(record, "ended"), 0));
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cic_buf_printf(body, ",\"%s\":", texts[i]);
		cic_json_quote(body, cic_json_get_string(record, texts[i]));
	}
	print_image_name(page, file, request);
	cic_buf_puts(body, ",\"url\":");
	/* file names need no escapes in an address */
	cic_buf_printf(body, "\"%s/images/download/%s\"",
	    page->app->conf->prefix, file);
	if (page->admin)
		print_owners(page, cic_json_get_string(record, "build"));
	cic_buf_puts(body, ",\"request\":");
	cic_request_print(body, request);
	cic_buf_putc(body, '}');
}

static bool
is_wanted(const struct page *page, const char *file,
    const struct cic_request *request)
{
	return (page->workflow[0] == '\0' ||
	    strcmp(page->workflow, request->workflow) == 0) &&
	    (page->step[0] == '\0' || strcmp(page->step, request->step) == 0) &&
	    (page->architecture[0] == '\0' ||
	    strcmp(page->architecture, request->architecture) == 0) &&
	    (page->part[0] == '\0' || strstr(file, page->part) != NULL);
}

/* Read a record's request; false when it is not one of ours. */
static bool
read_request(const struct app *app, const struct cic_json *record,
    struct cic_request *request)
{
	const struct cic_json *json = cic_json_get(record, "request");
	struct cic_request_site past = app->site;
	struct cic_buf text;
	struct cic_err ignored;
	bool ok;

	past.has_registry = true;	/* it had one then, perhaps */
	cic_buf_init(&text, 65536);
	cic_json_print(&text, json);
	ok = json != NULL && cic_request_parse(text.data, text.len, &past,
	    request, &ignored) == 0;
	cic_buf_release(&text);
	return ok;
}

/* Print it when it is to be shown.  Returns whether it was. */
static bool
show(struct page *page, const char *file, const char *json, size_t len)
{
	struct cic_request request;
	struct cic_json *record;
	struct cic_err ignored;
	bool shown = false;

	record = cic_json_parse(json, len, &ignored);
	if (record != NULL && read_request(page->app, record, &request) &&
	    is_wanted(page, file, &request) && is_there(page->app, file,
	    cic_json_int(cic_json_get(record, "size"), -1))) {
		if (page->count > 0)
			cic_buf_putc(&page->resp->body, ',');
		print_image(page, file, record, &request);
		shown = true;
	}
	cic_json_free(record);
	return shown;
}

static bool
add_image(const char *file, const char *json, size_t len, void *arg)
{
	struct page *page = arg;

	if (page->count == page->limit || page->looked_at == LOOKED_AT_MAX ||
	    page->resp->body.len > BODY_FULL) {
		snprintf(page->next, sizeof(page->next), "%s", file);
		return false;
	}
	if (show(page, file, json, len))
		page->count++;
	page->looked_at++;
	return true;
}

static bool
add_one(const char *file, const char *json, size_t len, void *arg)
{
	struct page *page = arg;

	if (strcmp(file, page->from) == 0 && show(page, file, json, len))
		page->count++;
	return false;
}

static int
read_wish(const struct req *req, struct page *page, struct resp *resp)
{
	const struct { const char *name; char *out; size_t size; } texts[] = {
		{ "workflow", page->workflow, sizeof(page->workflow) },
		{ "step", page->step, sizeof(page->step) },
		{ "architecture", page->architecture,
		    sizeof(page->architecture) },
		{ "q", page->part, sizeof(page->part) },
		{ "cursor", page->from, sizeof(page->from) },
	};
	size_t i;

	page->limit = LIMIT_DEFAULT;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (req_query(req, texts[i].name, texts[i].out, texts[i].size,
		    resp) < 0)
			return -1;
	return req_query_number(req, "limit", 1, LIMIT_MAX, &page->limit,
	    resp) < 0 ? -1 : 0;
}

/* Walk the images; false with `resp` filled when the store fails. */
static bool
walk(struct app *app, struct page *page,
    bool (*visit)(const char *, const char *, size_t, void *))
{
	struct cic_err err;

	page->store = app_store(app, &err);
	if (page->store != NULL && cic_store_list_images(page->store,
	    page->from, visit, page, &err) == 0)
		return true;
	cic_log_warnx("GET /images: %s", err.msg);
	resp_store_failure(page->resp, &err);
	return false;
}

void
h_images_list(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct page page = { .app = app, .resp = resp,
	    .admin = cic_conf_is_admin(app->conf, req->owner) };

	(void)rest;
	if (read_wish(req, &page, resp) != 0)
		return;
	cic_buf_puts(&resp->body, "{\"images\":[");
	if (!walk(app, &page, add_image))
		return;
	cic_buf_puts(&resp->body, "],\"next\":");
	cic_json_quote(&resp->body, page.next[0] != '\0' ? page.next : NULL);
	cic_buf_puts(&resp->body, "}\n");
}

void
h_images_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct page page = { .app = app, .resp = resp,
	    .admin = cic_conf_is_admin(app->conf, req->owner) };

	if (strlen(rest) < sizeof(page.from)) {
		strcpy(page.from, rest);
		if (!walk(app, &page, add_one))
			return;
	}
	if (page.count == 0)
		resp_problem(resp, PROBLEM_NOT_FOUND, "there is no image of "
		    "that name; GET %s/images has those there are",
		    app->conf->prefix);
	else
		cic_buf_putc(&resp->body, '\n');
}
