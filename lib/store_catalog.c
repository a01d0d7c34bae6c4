/* What the store knows of the registries and of a request; see store_catalog.h. */
#include "store_catalog.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "store_db.h"

#define KEY_MAX	(CIC_VERSION_MAX + 1)

static MDB_val
text_val(const char *text)
{
	return cic_db_val(text, strlen(text));
}

static int
put(struct cic_store *store, MDB_txn *txn, const char *key, const char *text,
    struct cic_err *err)
{
	return cic_db_put(store, txn, DB_CATALOG, text_val(key), text_val(text),
	    err);
}

/* The commits alone, for a look at one of them. */
static int
put_commits(struct cic_store *store, MDB_txn *txn,
    const struct cic_catalog *catalog, struct cic_err *err)
{
	char key[KEY_MAX];
	size_t i;

	if (put(store, txn, "latest", catalog->workflow_commit, err) != 0 ||
	    put(store, txn, "software", catalog->catalog_commit, err) != 0)
		return -1;
	for (i = 0; i < catalog->version_count; i++) {
		snprintf(key, sizeof(key), "=%s", catalog->versions[i].name);
		if (put(store, txn, key, catalog->versions[i].commit, err) != 0)
			return -1;
	}
	return 0;
}

int
cic_store_put_catalog(struct cic_store *store,
    const struct cic_catalog *catalog, struct cic_err *err)
{
	struct cic_buf text;
	MDB_txn *txn;
	int rc = -1;

	cic_buf_init(&text, CIC_CATALOG_TEXT);
	cic_catalog_print(&text, catalog);
	if (text.failed) {
		cic_err_set(err, CIC_EINVAL, "the catalog is larger than %d MiB",
		    CIC_CATALOG_TEXT >> 20);
		goto out;
	}
	if (cic_db_begin(store, true, &txn, err) != 0)
		goto out;
	rc = mdb_drop(txn, store->db[DB_CATALOG], 0);
	if (rc != 0)
		cic_db_fail(store, rc, "catalog", err);
	if (rc != 0 || put(store, txn, "body", text.data, err) != 0 ||
	    put_commits(store, txn, catalog, err) != 0) {
		mdb_txn_abort(txn);
		rc = -1;
	} else
		rc = cic_db_commit(store, txn, err);
out:
	cic_buf_release(&text);
	return rc;
}

int
cic_store_catalog(struct cic_store *store, struct cic_buf *body,
    struct cic_err *err)
{
	static const struct cic_catalog none = { .updated = 0 };
	MDB_txn *txn;
	MDB_val found;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_get(store, txn, DB_CATALOG, text_val("body"), &found, err);
	if (rc == 0)
		cic_buf_add(body, found.mv_data, found.mv_size);
	mdb_txn_abort(txn);
	if (rc != 0 && err->code == CIC_ENOENT) {
		cic_catalog_print(body, &none);
		rc = 0;
	}
	return rc;
}

int
cic_store_catalog_failed(struct cic_store *store, const char *why,
    struct cic_err *err)
{
	struct cic_catalog catalog = { .updated = 0 };
	struct cic_buf text;
	int rc;

	cic_buf_init(&text, CIC_CATALOG_TEXT);
	rc = cic_store_catalog(store, &text, err);
	if (rc == 0)
		rc = cic_catalog_parse(text.data, text.len, &catalog, err);
	if (rc == 0) {
		snprintf(catalog.error, sizeof(catalog.error), "%s", why);
		rc = cic_store_put_catalog(store, &catalog, err);
	}
	cic_catalog_release(&catalog);
	cic_buf_release(&text);
	return rc;
}

/* --- a request ------------------------------------------------------------ */

static int
look_for_active(struct cic_store *store, MDB_txn *txn,
    const struct cic_request *request, struct cic_prospect *out,
    struct cic_err *err)
{
	unsigned char key[32];
	MDB_val found;

	cic_request_key(request, key);
	if (cic_db_get(store, txn, DB_ACTIVE, cic_db_val(key, 32), &found,
	    err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	if (found.mv_size == 16)
		cic_id_format(found.mv_data, out->active);
	return 0;
}

static bool
is_whole_id(const char *version)
{
	size_t len = strlen(version);

	return (len == 40 || len == 64) &&
	    strspn(version, "0123456789abcdef") == len;
}

static int
get_commit(struct cic_store *store, MDB_txn *txn, const char *key,
    char out[CIC_COMMIT_MAX], struct cic_err *err)
{
	MDB_val found;

	if (cic_db_get(store, txn, DB_CATALOG, text_val(key), &found, err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	if (found.mv_size < CIC_COMMIT_MAX)
		snprintf(out, CIC_COMMIT_MAX, "%.*s", (int)found.mv_size,
		    (const char *)found.mv_data);
	return 0;
}

static int
look_for_commits(struct cic_store *store, MDB_txn *txn,
    const struct cic_request *request, struct cic_prospect *out,
    struct cic_err *err)
{
	char key[KEY_MAX];

	if (strcmp(request->version, "latest") == 0)
		snprintf(key, sizeof(key), "latest");
	else
		snprintf(key, sizeof(key), "=%s", request->version);
	if (get_commit(store, txn, key, out->workflow_commit, err) != 0 ||
	    get_commit(store, txn, "software", out->catalog_commit, err) != 0)
		return -1;
	/* no branch or tag of that name: a commit's own id does not move */
	if (out->workflow_commit[0] == '\0' && is_whole_id(request->version))
		snprintf(out->workflow_commit, sizeof(out->workflow_commit),
		    "%.64s", request->version);
	return 0;
}

static void
copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text != NULL ? text : "");
}

/* How long the build took that made it, when its record is still there. */
static int64_t
time_taken(struct cic_store *store, MDB_txn *txn, const char *id)
{
	struct cic_build build = { .owner_count = 0 };
	unsigned char raw[16];
	struct cic_err ignored;
	int64_t took = -1;

	if (id == NULL || !cic_id_parse(id, raw) ||
	    cic_db_get_build(store, txn, raw, &build, &ignored) != 0)
		return -1;
	if (build.started > 0 && build.ended >= build.started)
		took = build.ended - build.started;
	cic_build_release(&build);
	return took;
}

static int
look_for_image(struct cic_store *store, MDB_txn *txn,
    struct cic_prospect *out, struct cic_err *err)
{
	struct cic_json *json;
	const char *id;
	MDB_val found;

	if (cic_db_get(store, txn, DB_IMAGES, text_val(out->names.file), &found,
	    err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	json = cic_json_parse(found.mv_data, found.mv_size, err);
	if (json == NULL)
		return 0;	/* as if there were none */
	out->has_image = true;
	copy(out->image.image_id, sizeof(out->image.image_id),
	    cic_json_get_string(json, "image_id"));
	copy(out->image.sha256, sizeof(out->image.sha256),
	    cic_json_get_string(json, "sha256"));
	out->image.size = (uint64_t)cic_json_int(cic_json_get(json, "size"), 0);
	out->image_pushed = cic_json_bool(cic_json_get(json, "pushed"));
	copy(out->image_workflow, sizeof(out->image_workflow),
	    cic_json_get_string(json, "workflow_commit"));
	copy(out->image_catalog, sizeof(out->image_catalog),
	    cic_json_get_string(json, "catalog_commit"));
	copy(out->image_key, sizeof(out->image_key),
	    cic_json_get_string(json, "content_key"));
	out->image_made = cic_json_int(cic_json_get(json, "ended"), 0);
	id = cic_json_get_string(json, "build");
	out->image_took = time_taken(store, txn, id);
	cic_json_free(json);
	return 0;
}

int
cic_store_look(struct cic_store *store, const struct cic_request *request,
    struct cic_prospect *out, struct cic_err *err)
{
	struct cic_build build = { .request = *request };
	MDB_txn *txn;
	int rc;

	*out = (struct cic_prospect){ .image_took = -1 };
	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_find_names(store, txn, &build, err);
	out->names = build.names;
	/* a name stands for one identity: so does the file that has it */
	if (rc != 0 || look_for_active(store, txn, request, out, err) != 0 ||
	    look_for_commits(store, txn, request, out, err) != 0 ||
	    look_for_image(store, txn, out, err) != 0)
		rc = -1;
	mdb_txn_abort(txn);
	return rc;
}
