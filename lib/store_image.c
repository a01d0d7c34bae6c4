/* Records of published files; see store_db.h and store.h. */
#include "store_db.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "json.h"

static MDB_val
key_of(const char *file)
{
	return cic_db_val(file, strlen(file));
}

static int
put_text(struct cic_store *store, MDB_txn *txn, const char *file,
    const struct cic_buf *text, struct cic_err *err)
{
	if (text->failed)
		return cic_err_set(err, CIC_EIO,
		    "store: image record of %s is too large", file);
	return cic_db_put(store, txn, DB_IMAGES, key_of(file),
	    cic_db_val(text->data, text->len), err);
}

int
cic_db_put_image(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const struct cic_image *image,
    struct cic_err *err)
{
	struct cic_buf text;
	int rc;

	cic_buf_init(&text, CIC_STORE_RECORD_MAX);
	cic_buf_printf(&text, "{\"schema\":%s,\"image_id\":", CIC_STORE_SCHEMA);
	cic_json_quote(&text, image->image_id);
	cic_buf_puts(&text, ",\"sha256\":");
	cic_json_quote(&text, image->sha256);
	cic_buf_puts(&text, ",\"content_key\":");
	cic_json_quote(&text, build->content_key);
	cic_buf_puts(&text, ",\"workflow_commit\":");
	cic_json_quote(&text, build->workflow_commit);
	cic_buf_puts(&text, ",\"catalog_commit\":");
	cic_json_quote(&text, build->catalog_commit);
	cic_buf_printf(&text, ",\"pushed\":%s,\"size\":%llu,\"build\":\"%s\","
	    "\"ended\":%lld,\"request\":", build->request.push ? "true" :
	    "false", (unsigned long long)image->size, build->id,
	    (long long)build->ended);
	cic_request_print(&text, &build->request);
	cic_buf_putc(&text, '}');
	rc = put_text(store, txn, build->names.file, &text, err);
	cic_buf_release(&text);
	return rc;
}

/* The record with what the build tells anew in it; the rest stays. */
static void
print_confirmed(struct cic_buf *text, const struct cic_json *record,
    const struct cic_build *build)
{
	bool pushed = build->request.push ||
	    cic_json_bool(cic_json_get(record, "pushed"));
	const struct cic_json *member = cic_json_first(record);
	const char *key;

	cic_buf_puts(text, "{\"workflow_commit\":");
	cic_json_quote(text, build->workflow_commit);
	cic_buf_puts(text, ",\"catalog_commit\":");
	cic_json_quote(text, build->catalog_commit);
	cic_buf_printf(text, ",\"pushed\":%s", pushed ? "true" : "false");
	for (; member != NULL; member = cic_json_next(member)) {
		key = cic_json_key(member);
		if (strcmp(key, "workflow_commit") == 0 ||
		    strcmp(key, "catalog_commit") == 0 ||
		    strcmp(key, "pushed") == 0)
			continue;
		cic_buf_putc(text, ',');
		cic_json_quote(text, key);
		cic_buf_putc(text, ':');
		cic_json_print(text, member);
	}
	cic_buf_putc(text, '}');
}

int
cic_db_confirm_image(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	struct cic_json *record;
	const char *image_id;
	struct cic_buf text;
	MDB_val found;
	int rc = 0;

	if (cic_db_get(store, txn, DB_IMAGES, key_of(build->names.file), &found,
	    err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	record = cic_json_parse(found.mv_data, found.mv_size, err);
	image_id = cic_json_get_string(record, "image_id");
	cic_buf_init(&text, CIC_STORE_RECORD_MAX);
	if (image_id != NULL && strcmp(image_id, build->image_id) == 0) {
		print_confirmed(&text, record, build);
		rc = put_text(store, txn, build->names.file, &text, err);
	}
	cic_buf_release(&text);
	cic_json_free(record);
	return rc;
}

int
cic_store_image(struct cic_store *store, const char *file,
    struct cic_image *image, struct cic_err *err)
{
	struct cic_json *json = NULL;
	const char *image_id, *sha256;
	MDB_txn *txn;
	MDB_val found;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_get(store, txn, DB_IMAGES, key_of(file), &found, err);
	if (rc == 0)
		json = cic_json_parse(found.mv_data, found.mv_size, err);
	mdb_txn_abort(txn);
	if (json == NULL)
		return -1;
	image_id = cic_json_get_string(json, "image_id");
	sha256 = cic_json_get_string(json, "sha256");
	if (image_id == NULL || sha256 == NULL)
		rc = cic_err_set(err, CIC_EIO,
		    "store: malformed image record of %s", file);
	else {
		snprintf(image->image_id, sizeof(image->image_id), "%s",
		    image_id);
		snprintf(image->sha256, sizeof(image->sha256), "%s", sha256);
		image->size = (uint64_t)cic_json_int(
		    cic_json_get(json, "size"), 0);
	}
	cic_json_free(json);
	return rc;
}
