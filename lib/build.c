/* A build's record; see build.h. */
#include "build.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "json.h"

#define SCHEMA 1	/* of the record; a reader refuses another one */
#define COUNT_MAX 1000000000	/* of attempts: one more still fits */

static const char *const state_names[CIC_STATE__MAX] = {
	[CIC_PENDING] = "PENDING",
	[CIC_STARTED] = "STARTED",
	[CIC_BUILDING] = "BUILDING",
	[CIC_CONVERTING] = "CONVERTING",
	[CIC_FINISHED] = "FINISHED",
	[CIC_FAILED] = "FAILED",
};

static const char *const cause_names[CIC_CAUSE__MAX] = {
	[CIC_CAUSE_NONE] = "",
	[CIC_CAUSE_REQUEST] = "request",
	[CIC_CAUSE_GIT_UNREACHABLE] = "git unreachable",
	[CIC_CAUSE_NO_SUCH_WORKFLOW] = "no such workflow",
	[CIC_CAUSE_NO_SUCH_VERSION] = "no such version",
	[CIC_CAUSE_BAD_ENTRY] = "bad registry entry",
	[CIC_CAUSE_APT] = "apt",
	[CIC_CAUSE_PIP] = "pip",
	[CIC_CAUSE_SPACK_CONCRETIZE] = "spack concretize",
	[CIC_CAUSE_SPACK_PACKAGE] = "spack package",
	[CIC_CAUSE_SPACK] = "spack",
	[CIC_CAUSE_POST_INST] = "post_inst",
	[CIC_CAUSE_BASE_IMAGE] = "base image",
	[CIC_CAUSE_IMAGE_BUILD] = "image build",
	[CIC_CAUSE_PLATFORM] = "platform",
	[CIC_CAUSE_ENGINE] = "engine down",
	[CIC_CAUSE_REGISTRY] = "registry",
	[CIC_CAUSE_PUSH] = "push refused",
	[CIC_CAUSE_CONVERT] = "convert",
	[CIC_CAUSE_DISK] = "out of disk",
	[CIC_CAUSE_MEMORY] = "out of memory",
	[CIC_CAUSE_CANCELLED] = "cancelled",
	[CIC_CAUSE_STALLED] = "stalled",
	[CIC_CAUSE_TIMED_OUT] = "timed out",
	[CIC_CAUSE_LOST] = "lost worker",
	[CIC_CAUSE_INTERNAL] = "internal",
};

void
cic_build_release(struct cic_build *build)
{
	int i;

	for (i = 0; i < build->owner_count; i++)
		free(build->owners[i]);
	*build = (struct cic_build){ .owner_count = 0 };
}

static int
find_owner(const struct cic_build *build, const char *owner)
{
	int i;

	for (i = 0; i < build->owner_count; i++)
		if (strcmp(build->owners[i], owner) == 0)
			return i;
	return -1;
}

bool
cic_build_has_owner(const struct cic_build *build, const char *owner)
{
	return find_owner(build, owner) >= 0;
}

bool
cic_build_add_owner(struct cic_build *build, const char *owner)
{
	if (cic_build_has_owner(build, owner) ||
	    build->owner_count == CIC_OWNERS_MAX ||
	    strlen(owner) >= CIC_OWNER_MAX)
		return false;
	build->owners[build->owner_count] = strdup(owner);
	if (build->owners[build->owner_count] == NULL)
		return false;
	build->owner_count++;
	return true;
}

bool
cic_build_remove_owner(struct cic_build *build, const char *owner)
{
	int i = find_owner(build, owner);

	if (i < 0)
		return false;
	free(build->owners[i]);
	build->owner_count--;
	memmove(&build->owners[i], &build->owners[i + 1],
	    (size_t)(build->owner_count - i) * sizeof(build->owners[0]));
	return true;
}

void
cic_build_end_cancelled(struct cic_build *build, const char *name)
{
	build->state = CIC_FAILED;
	build->cause = CIC_CAUSE_CANCELLED;
	build->ended = cic_now_ms();
	build->excerpt[0] = build->package[0] = '\0';
	snprintf(build->message, sizeof(build->message), "cancelled by %.255s",
	    name);
}

const char *
cic_state_name(enum cic_state state)
{
	return state_names[state];
}

enum cic_state
cic_state_parse(const char *name)
{
	int i;

	for (i = 0; name != NULL && i < CIC_STATE__MAX; i++)
		if (strcmp(state_names[i], name) == 0)
			return (enum cic_state)i;
	return CIC_STATE__MAX;
}

const char *
cic_cause_name(enum cic_cause cause)
{
	return cause_names[cause];
}

enum cic_cause
cic_cause_parse(const char *name)
{
	int i;

	for (i = 0; name != NULL && i < CIC_CAUSE__MAX; i++)
		if (strcmp(cause_names[i], name) == 0)
			return (enum cic_cause)i;
	return CIC_CAUSE__MAX;
}

int64_t
cic_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The texts of a record, as a table: name, where, size, and whether records
 * from before it existed are still read. */
static const struct text_field {
	const char	*name;
	size_t		 offset, size;
	bool		 optional;
} text_fields[] = {
#define FIELD(key, member, opt) { key, offsetof(struct cic_build, member), \
	sizeof(((struct cic_build *)NULL)->member), opt }
#define TEXT_FIELD(key, member) FIELD(key, member, false)
	TEXT_FIELD("id", id),
	TEXT_FIELD("image", names.image),
	TEXT_FIELD("file", names.file),
	TEXT_FIELD("message", message),
	FIELD("excerpt", excerpt, true),
	FIELD("package", package, true),
	FIELD("cancel", cancel, true),
	TEXT_FIELD("image_id", image_id),
	TEXT_FIELD("content_key", content_key),
	TEXT_FIELD("workflow_commit", workflow_commit),
	TEXT_FIELD("catalog_commit", catalog_commit),
	TEXT_FIELD("sha256", sha256),
#undef TEXT_FIELD
#undef FIELD
};
#define TEXT_FIELDS (sizeof(text_fields) / sizeof(text_fields[0]))

/* All members, without the brace that ends them. */
static void
print_members(struct cic_buf *buf, const struct cic_build *build)
{
	size_t i;
	int n;

	cic_buf_printf(buf, "{\"schema\":%d,\"seq\":%llu,\"rev\":%llu,"
	    "\"state\":\"%s\",\"attempt\":%d,\"lost\":%d,\"recheck\":%s,\"reruns\":%d,\"force_done\":%s,"
	    "\"publishing\":%s,"
	    "\"created\":%lld,\"started\":%lld,\"ended\":%lld,"
	    "\"size\":%llu,\"cause\":\"%s\"", SCHEMA,
	    (unsigned long long)build->seq, (unsigned long long)build->rev,
	    cic_state_name(build->state), build->attempt, build->lost,
	    build->recheck ? "true" : "false", build->reruns, build->force_done ? "true" : "false",
	    build->publishing ? "true" : "false",
	    (long long)build->created, (long long)build->started, (long long)build->ended,
	    (unsigned long long)build->size, cic_cause_name(build->cause));
	for (i = 0; i < TEXT_FIELDS; i++) {
		cic_buf_printf(buf, ",\"%s\":", text_fields[i].name);
		cic_json_quote(buf,
		    (const char *)build + text_fields[i].offset);
	}
	cic_buf_puts(buf, ",\"owners\":[");
	for (n = 0; n < build->owner_count; n++) {
		if (n > 0)
			cic_buf_putc(buf, ',');
		cic_json_quote(buf, build->owners[n]);
	}
	cic_buf_puts(buf, "],\"progress\":");
	cic_progress_print(buf, &build->progress);
	cic_buf_puts(buf, ",\"stages\":");
	cic_stages_print(buf, &build->stages);
	cic_buf_puts(buf, ",\"request\":");
	cic_request_print(buf, &build->request);
}

void
cic_build_print(struct cic_buf *buf, const struct cic_build *build)
{
	print_members(buf, build);
	cic_buf_putc(buf, '}');
}

void
cic_build_print_placed(struct cic_buf *buf, const struct cic_build *build,
    size_t position)
{
	print_members(buf, build);
	if (position == 0)
		cic_buf_puts(buf, ",\"queue_position\":null}");
	else
		cic_buf_printf(buf, ",\"queue_position\":%zu}", position);
}

/* Text that may be no UTF-8, as a log's cut within a character: U+FFFD is
 * longer. */
static bool
may_have_grown(const char *name)
{
	return strcmp(name, "message") == 0 || strcmp(name, "excerpt") == 0 ||
	    strcmp(name, "cancel") == 0;
}

static int
parse_texts(const struct cic_json *json, struct cic_build *build,
    struct cic_err *err)
{
	unsigned char raw[16];
	const char *text;
	size_t i;

	for (i = 0; i < TEXT_FIELDS; i++) {
		text = cic_json_get_string(json, text_fields[i].name);
		if (text == NULL && text_fields[i].optional)
			continue;
		if (text == NULL || (strlen(text) >= text_fields[i].size &&
		    !may_have_grown(text_fields[i].name)))
			return cic_err_set(err, CIC_EINVAL,
			    "build record: %s is missing or too long",
			    text_fields[i].name);
		snprintf((char *)build + text_fields[i].offset,
		    text_fields[i].size, "%s", text);
	}
	if (!cic_id_parse(build->id, raw))
		return cic_err_set(err, CIC_EINVAL,
		    "build record: id is malformed");
	return 0;
}

/* The names are made anew: a record cannot have others than the request. */
static int
check_names(const struct cic_request_site *site, struct cic_build *build,
    struct cic_err *err)
{
	struct cic_names names = { .file = "" };
	int suffix;

	for (suffix = 0; suffix < 2; suffix++) {
		cic_request_names(&build->request, site, suffix != 0, &names);
		if (strcmp(names.file, build->names.file) != 0)
			continue;
		build->names = names;
		return 0;
	}
	return cic_err_set(err, CIC_EINVAL,
	    "build record: the file name is not the request's");
}

static int
parse_request(const struct cic_json *json, const struct cic_request_site *site,
    struct cic_build *build, struct cic_err *err)
{
	struct cic_request_site past = *site;
	struct cic_buf text;
	int rc;

	/* what has ended is only read, and may have been pushed to a registry
	 * that the site has no more */
	past.has_registry |= cic_state_is_end(build->state);
	if (json == NULL)
		return cic_err_set(err, CIC_EINVAL,
		    "build record: it holds no request");
	cic_buf_init(&text, 65536);
	cic_json_print(&text, json);
	rc = cic_request_parse(text.data, text.len, &past, &build->request,
	    err);
	cic_buf_release(&text);
	return rc == 0 ? 0 : cic_err_wrap(err, "build record: request");
}

static int
parse_record(const struct cic_json *json, const struct cic_request_site *site,
    struct cic_build *build, struct cic_err *err)
{
	const struct cic_json *owner;
	int64_t schema = cic_json_int(cic_json_get(json, "schema"), -1);
	int64_t attempt, lost, reruns, seq = cic_json_int(cic_json_get(json, "seq"), 0);

	if (schema != SCHEMA)
		return cic_err_set(err, CIC_EINVAL,
		    "build record: schema %lld, this program knows %d",
		    (long long)schema, SCHEMA);
	if (seq < 0)
		return cic_err_set(err, CIC_EINVAL,
		    "build record: seq is out of range");
	build->seq = (uint64_t)seq;
	build->rev = (uint64_t)cic_json_int(cic_json_get(json, "rev"), 0);
	attempt = cic_json_int(cic_json_get(json, "attempt"), -1);
	lost = cic_json_int(cic_json_get(json, "lost"), -1);
	reruns = cic_json_int(cic_json_get(json, "reruns"), -1);
	if (attempt < 0 || attempt > COUNT_MAX || lost < 0 ||
	    lost > COUNT_MAX || reruns < 0 || reruns > COUNT_MAX)
		return cic_err_set(err, CIC_EINVAL, "build record: attempt, "
		    "lost or reruns is out of range");
	build->attempt = (int)attempt;
	build->lost = (int)lost;
	build->reruns = (int)reruns;
	build->recheck = cic_json_bool(cic_json_get(json, "recheck"));
	build->force_done = cic_json_bool(cic_json_get(json, "force_done"));
	build->publishing = cic_json_bool(cic_json_get(json, "publishing"));
	build->created = cic_json_int(cic_json_get(json, "created"), 0);
	build->started = cic_json_int(cic_json_get(json, "started"), 0);
	build->ended = cic_json_int(cic_json_get(json, "ended"), 0);
	build->size = (uint64_t)cic_json_int(cic_json_get(json, "size"), 0);
	build->state = cic_state_parse(cic_json_get_string(json, "state"));
	build->cause = cic_cause_parse(cic_json_get_string(json, "cause"));
	if (build->state == CIC_STATE__MAX || build->cause == CIC_CAUSE__MAX)
		return cic_err_set(err, CIC_EINVAL,
		    "build record: unknown state or cause");
	owner = cic_json_first(cic_json_get(json, "owners"));
	for (; owner != NULL; owner = cic_json_next(owner))
		if (cic_json_string(owner) != NULL)
			cic_build_add_owner(build, cic_json_string(owner));
	cic_progress_parse(cic_json_get(json, "progress"), &build->progress);
	cic_stages_parse(cic_json_get(json, "stages"), &build->stages);
	if (parse_texts(json, build, err) != 0)
		return -1;
	if (parse_request(cic_json_get(json, "request"), site, build,
	    err) != 0)
		return -1;
	return check_names(site, build, err);
}

int
cic_build_parse(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_build *build,
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(text, len, err);
	struct cic_build b = { .owner_count = 0 };
	int rc;

	if (json == NULL)
		return cic_err_wrap(err, "build record");
	rc = parse_record(json, site, &b, err);
	cic_json_free(json);
	if (rc != 0) {
		cic_build_release(&b);
		return -1;
	}
	*build = b;
	return 0;
}

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

void
cic_build_print_status(struct cic_buf *buf, const struct cic_build *build)
{
	bool served = build->state == CIC_FINISHED &&
	    build->request.container == CIC_SINGULARITY;

	cic_buf_puts(buf, "{\"filename\":");
	cic_json_quote(buf, served ? build->names.file : NULL);
	cic_buf_puts(buf, ",\"image_id\":");
	cic_json_quote(buf, build->names.image);
	cic_buf_puts(buf, ",\"message\":");
	cic_json_quote(buf, or_null(build->message));
	cic_buf_printf(buf, ",\"status\":\"%s\"}\n",
	    cic_state_name(build->state));
}

bool
cic_status_is_end(const char *body, size_t len)
{
	static const char *const ends[] = { "\"status\":\"FINISHED\"}\n",
	    "\"status\":\"FAILED\"}\n" };
	size_t i, n;

	/* `status` is the last key, and quotes in a message are escaped */
	for (i = 0; i < 2; i++) {
		n = strlen(ends[i]);
		if (len >= n && memcmp(body + len - n, ends[i], n) == 0)
			return true;
	}
	return false;
}
