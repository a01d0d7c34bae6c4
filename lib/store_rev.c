/*
 * What a waiting poll asks of the store: has this build changed?  Declared in
 * store.h.
 *
 * A value of `status` is the revision, 8 bytes big-endian, and the body.  One
 * that begins with '{' was written before revisions were: it has revision 0.
 */
#include "store_db.h"

#include <string.h>

#include "buf.h"
#include "json.h"

#define REV_BYTES	8

static uint64_t
split_status(MDB_val *value)
{
	const unsigned char *data = value->mv_data;
	uint64_t rev = 0;
	int i;

	if (value->mv_size < REV_BYTES || data[0] == '{')
		return 0;
	for (i = 0; i < REV_BYTES; i++)
		rev = rev << 8 | data[i];
	*value = cic_db_val(data + REV_BYTES, value->mv_size - REV_BYTES);
	return rev;
}

int
cic_db_put_status(struct cic_store *store, MDB_txn *txn,
    const unsigned char id[16], const struct cic_build *build,
    struct cic_err *err)
{
	static const unsigned char place[REV_BYTES];	/* of the revision */
	MDB_val old, key = cic_db_val(id, 16);
	struct cic_buf text;
	uint64_t rev = 0;
	int rc = 0;

	cic_buf_init(&text, CIC_STORE_RECORD_MAX);
	cic_buf_add(&text, place, REV_BYTES);
	cic_build_print_status(&text, build);
	if (text.failed) {
		rc = cic_err_set(err, CIC_EIO, "store: status of %s is too large",
		    build->id);
		goto out;
	}
	if (cic_db_get(store, txn, DB_STATUS, key, &old, err) == 0) {
		rev = split_status(&old);
		if (old.mv_size == text.len - REV_BYTES && memcmp(old.mv_data,
		    text.data + REV_BYTES, old.mv_size) == 0)
			goto out;
	} else if (err->code != CIC_ENOENT) {
		rc = -1;
		goto out;
	}
	cic_db_be64(rev + 1, (unsigned char *)text.data);
	rc = cic_db_put(store, txn, DB_STATUS, key,
	    cic_db_val(text.data, text.len), err);
out:
	cic_buf_release(&text);
	return rc;
}

int
cic_store_status(struct cic_store *store, const unsigned char id[16],
    uint64_t *rev, struct cic_buf *body, struct cic_err *err)
{
	MDB_txn *txn;
	MDB_val found;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_get(store, txn, DB_STATUS, cic_db_val(id, 16), &found, err);
	if (rc == 0) {
		*rev = split_status(&found);
		if (body != NULL)
			cic_buf_add(body, found.mv_data, found.mv_size);
	}
	mdb_txn_abort(txn);
	return rc;
}

int
cic_store_record_rev(struct cic_store *store, const unsigned char id[16],
    uint64_t *rev, struct cic_err *err)
{
	struct cic_json *json = NULL;
	MDB_txn *txn;
	MDB_val found;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	if (cic_db_get(store, txn, DB_BUILDS, cic_db_val(id, 16), &found,
	    err) == 0)
		json = cic_json_parse(found.mv_data, found.mv_size, err);
	mdb_txn_abort(txn);
	if (json == NULL)
		return -1;
	*rev = (uint64_t)cic_json_int(cic_json_get(json, "rev"), 0);
	cic_json_free(json);
	return 0;
}

uint64_t
cic_store_last_change(struct cic_store *store)
{
	MDB_envinfo info;

	return mdb_env_info(store->env, &info) == 0 ? info.me_last_txnid : 0;
}
