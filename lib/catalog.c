/* What the registries hold; see catalog.h. */
#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

void
cic_catalog_release(struct cic_catalog *catalog)
{
	free(catalog->versions);
	free(catalog->steps);
	*catalog = (struct cic_catalog){ .updated = 0 };
}

/* Room for one more in a list; it grows by doubling. */
static int
make_room(void **list, size_t count, size_t size, struct cic_err *err)
{
	void *grown;

	if (count != 0 && (count & (count - 1)) != 0)
		return 0;
	grown = realloc(*list, (count == 0 ? 1 : 2 * count) * size);
	if (grown == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	*list = grown;
	return 0;
}

static bool
is_commit(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) &&
	    strspn(text, "0123456789abcdef") == len;
}

static int
by_name(const void *a, const void *b)
{
	const struct cic_catalog_version *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The branches come first and in order, so this finds every one of them. */
static bool
has_version(const struct cic_catalog *catalog, const char *name)
{
	struct cic_catalog_version key = { .tag = false };
	size_t branches = 0;

	snprintf(key.name, sizeof(key.name), "%s", name);
	while (branches < catalog->version_count &&
	    !catalog->versions[branches].tag)
		branches++;
	return branches > 0 && bsearch(&key, catalog->versions, branches,
	    sizeof(key), by_name) != NULL;
}

int
cic_catalog_add_version(struct cic_catalog *catalog, const char *name,
    bool tag, const char *commit, struct cic_err *err)
{
	void *list = catalog->versions;
	struct cic_catalog_version *version;

	/* "latest" is the default branch, whatever branches are called */
	if (catalog->version_count == CIC_CATALOG_ENTRIES ||
	    !cic_request_is_version(name) || strcmp(name, "latest") == 0 ||
	    !is_commit(commit) || (tag && has_version(catalog, name)))
		return 0;
	if (make_room(&list, catalog->version_count, sizeof(*version), err) != 0)
		return -1;
	catalog->versions = list;
	version = &catalog->versions[catalog->version_count++];
	version->tag = tag;
	snprintf(version->name, sizeof(version->name), "%s", name);
	snprintf(version->commit, sizeof(version->commit), "%s", commit);
	return 0;
}

int
cic_catalog_add_step(struct cic_catalog *catalog, const char *workflow,
    const char *name, struct cic_err *err)
{
	struct cic_catalog_step *step;
	void *list = catalog->steps;

	if (catalog->step_count == CIC_CATALOG_ENTRIES ||
	    !cic_request_is_name(workflow) || !cic_request_is_name(name))
		return 0;
	if (make_room(&list, catalog->step_count, sizeof(*step), err) != 0)
		return -1;
	catalog->steps = list;
	step = &catalog->steps[catalog->step_count++];
	snprintf(step->workflow, sizeof(step->workflow), "%s", workflow);
	snprintf(step->name, sizeof(step->name), "%s", name);
	return 0;
}

/* --- text ----------------------------------------------------------------- */

static void
print_or_null(struct cic_buf *buf, const char *key, const char *text)
{
	cic_buf_printf(buf, ",\"%s\":", key);
	cic_json_quote(buf, text[0] != '\0' ? text : NULL);
}

static void
print_version(struct cic_buf *buf, const struct cic_catalog_version *version)
{
	cic_buf_puts(buf, "{\"name\":");
	cic_json_quote(buf, version->name);
	cic_buf_printf(buf, ",\"kind\":\"%s\",\"commit\":\"%s\"}",
	    version->tag ? "tag" : "branch", version->commit);
}

/* The steps of one workflow, from the i-th on; returns where the next begins. */
static size_t
print_workflow(struct cic_buf *buf, const struct cic_catalog *catalog, size_t i)
{
	const char *workflow = catalog->steps[i].workflow;
	size_t first = i;

	cic_buf_puts(buf, "{\"name\":");
	cic_json_quote(buf, workflow);
	cic_buf_puts(buf, ",\"steps\":[");
	for (; i < catalog->step_count &&
	    strcmp(catalog->steps[i].workflow, workflow) == 0; i++) {
		cic_buf_puts(buf, i > first ? "," : "");
		cic_json_quote(buf, catalog->steps[i].name);
	}
	cic_buf_puts(buf, "]}");
	return i;
}

void
cic_catalog_print(struct cic_buf *buf, const struct cic_catalog *catalog)
{
	size_t i;

	if (catalog->updated > 0)
		cic_buf_printf(buf, "{\"updated\":%lld",
		    (long long)catalog->updated);
	else
		cic_buf_puts(buf, "{\"updated\":null");
	print_or_null(buf, "error", catalog->error);
	print_or_null(buf, "workflow_commit", catalog->workflow_commit);
	print_or_null(buf, "catalog_commit", catalog->catalog_commit);
	cic_buf_puts(buf, ",\"versions\":[");
	for (i = 0; i < catalog->version_count; i++) {
		cic_buf_puts(buf, i > 0 ? "," : "");
		print_version(buf, &catalog->versions[i]);
	}
	cic_buf_puts(buf, "],\"workflows\":[");
	for (i = 0; i < catalog->step_count; ) {
		cic_buf_puts(buf, i > 0 ? "," : "");
		i = print_workflow(buf, catalog, i);
	}
	cic_buf_puts(buf, "]}");
}

static int
read_versions(const struct cic_json *list, struct cic_catalog *catalog,
    struct cic_err *err)
{
	const struct cic_json *item = cic_json_first(list);
	const char *name, *kind, *commit;

	for (; item != NULL; item = cic_json_next(item)) {
		name = cic_json_get_string(item, "name");
		kind = cic_json_get_string(item, "kind");
		commit = cic_json_get_string(item, "commit");
		if (name == NULL || kind == NULL || commit == NULL)
			return cic_err_set(err, CIC_EINVAL,
			    "catalog: a version lacks something");
		if (cic_catalog_add_version(catalog, name,
		    strcmp(kind, "tag") == 0, commit, err) != 0)
			return -1;
	}
	return 0;
}

static int
read_workflows(const struct cic_json *list, struct cic_catalog *catalog,
    struct cic_err *err)
{
	const struct cic_json *item = cic_json_first(list), *step;
	const char *name;

	for (; item != NULL; item = cic_json_next(item)) {
		name = cic_json_get_string(item, "name");
		step = cic_json_first(cic_json_get(item, "steps"));
		for (; step != NULL; step = cic_json_next(step)) {
			if (name == NULL || cic_json_string(step) == NULL)
				return cic_err_set(err, CIC_EINVAL,
				    "catalog: a workflow lacks something");
			if (cic_catalog_add_step(catalog, name,
			    cic_json_string(step), err) != 0)
				return -1;
		}
	}
	return 0;
}

static int
read_commit(const struct cic_json *json, const char *key,
    char out[CIC_COMMIT_MAX], struct cic_err *err)
{
	const char *text = cic_json_get_string(json, key);

	if (text != NULL && !is_commit(text))
		return cic_err_set(err, CIC_EINVAL, "catalog: %s is no commit",
		    key);
	snprintf(out, CIC_COMMIT_MAX, "%s", text != NULL ? text : "");
	return 0;
}

int
cic_catalog_parse(const char *text, size_t len, struct cic_catalog *catalog,
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(text, len, err);
	const char *error;
	int rc;

	if (json == NULL)
		return cic_err_wrap(err, "catalog");
	error = cic_json_get_string(json, "error");
	snprintf(catalog->error, sizeof(catalog->error), "%s",
	    error != NULL ? error : "");
	catalog->updated = cic_json_int(cic_json_get(json, "updated"), 0);
	rc = read_commit(json, "workflow_commit", catalog->workflow_commit,
	    err) != 0 ||
	    read_commit(json, "catalog_commit", catalog->catalog_commit,
	    err) != 0 ||
	    read_versions(cic_json_get(json, "versions"), catalog, err) != 0 ||
	    read_workflows(cic_json_get(json, "workflows"), catalog, err) != 0 ?
	    -1 : 0;
	cic_json_free(json);
	if (rc != 0)
		cic_catalog_release(catalog);
	return rc;
}
