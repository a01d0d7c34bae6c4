/* Walking through builds and images; declared in store.h. */
#include "store_db.h"

#include <string.h>

/* Records looked at in one walk: it holds a reader's slot and old pages. */
#define LOOKED_AT_MAX 2000

static bool
fits(const struct cic_build_query *query, const struct cic_build *build)
{
	const struct cic_request *request = &build->request;

	if (query->states != 0 && !(query->states & (1u << build->state)))
		return false;
	if (query->workflow[0] != '\0' &&
	    strcmp(query->workflow, request->workflow) != 0)
		return false;
	return query->step[0] == '\0' || strcmp(query->step, request->step) == 0;
}

/* The newest of the owner's entries that is older than query->before. */
static int
seek(MDB_cursor *cursor, const struct cic_build_query *query, MDB_val *key,
    MDB_val *found)
{
	unsigned char start[CIC_DB_OWNER_KEY_MAX];
	uint64_t before = query->before != 0 ? query->before : UINT64_MAX;
	size_t len = cic_db_owner_key(query->owner != NULL ? query->owner : "",
	    before, start);
	int rc;

	*key = cic_db_val(start, len);
	rc = mdb_cursor_get(cursor, key, found, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(cursor, key, found, MDB_LAST);
	return rc != 0 ? rc : mdb_cursor_get(cursor, key, found, MDB_PREV);
}

static uint64_t
sequence_of(const MDB_val *key)
{
	const unsigned char *end = (const unsigned char *)key->mv_data +
	    key->mv_size;
	uint64_t seq = 0;
	int i;

	for (i = 8; i > 0; i--)
		seq = seq << 8 | end[-i];
	return seq;
}

/* Is it an entry of the same owner as the query's? */
static bool
is_owners(const struct cic_build_query *query, const MDB_val *key)
{
	unsigned char wanted[CIC_DB_OWNER_KEY_MAX];
	size_t len = cic_db_owner_key(query->owner != NULL ? query->owner : "",
	    0, wanted);

	return key->mv_size == len &&
	    memcmp(key->mv_data, wanted, len - 8) == 0;
}

/* One entry: 1 to go on, 0 when `visit` has enough, -1 on failure. */
static int
show(struct cic_store *store, MDB_txn *txn, const struct cic_build_query *query,
    const MDB_val *found, bool (*visit)(const struct cic_build *, void *),
    void *arg, struct cic_err *err)
{
	struct cic_build build;
	int rc = 1;

	if (found->mv_size != 16)
		return cic_err_set(err, CIC_EIO,
		    "store: malformed entry in owners");
	if (cic_db_get_build(store, txn, found->mv_data, &build, err) != 0)
		/* gone, or unreadable: it is no build to show */
		return err->code == CIC_ENOENT || err->code == CIC_EINVAL ?
		    1 : -1;
	if (fits(query, &build) && !visit(&build, arg))
		rc = 0;
	cic_build_release(&build);
	return rc;
}

int
cic_store_list_builds(struct cic_store *store,
    const struct cic_build_query *query,
    bool (*visit)(const struct cic_build *build, void *arg), void *arg,
    uint64_t *next, struct cic_err *err)
{
	uint64_t last = query->before;
	int looked_at = 0, rc, go_on = 1;
	MDB_cursor *cursor;
	MDB_val key, found;
	MDB_txn *txn;

	*next = 0;
	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_OWNERS], &cursor);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return cic_db_fail(store, rc, "owners", err);
	}
	for (rc = seek(cursor, query, &key, &found);
	    rc == 0 && is_owners(query, &key);
	    rc = mdb_cursor_get(cursor, &key, &found, MDB_PREV)) {
		if (looked_at++ == LOOKED_AT_MAX)
			go_on = 0;
		else
			go_on = show(store, txn, query, &found, visit, arg, err);
		if (go_on != 1)
			break;
		last = sequence_of(&key);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (go_on == 0)
		*next = last != 0 ? last : UINT64_MAX;
	if (go_on == -1)
		return -1;
	return rc == 0 || rc == MDB_NOTFOUND ? 0 :
	    cic_db_fail(store, rc, "owners", err);
}

int
cic_store_list_images(struct cic_store *store, const char *from,
    bool (*visit)(const char *file, const char *json, size_t len, void *arg),
    void *arg, struct cic_err *err)
{
	MDB_val found, key = cic_db_val(from, strlen(from));
	MDB_cursor *cursor;
	char file[CIC_FILE_MAX];
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_IMAGES], &cursor);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return cic_db_fail(store, rc, "images", err);
	}
	rc = mdb_cursor_get(cursor, &key, &found,
	    from[0] != '\0' ? MDB_SET_RANGE : MDB_FIRST);
	for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &found, MDB_NEXT)) {
		if (key.mv_size >= sizeof(file))
			continue;
		memcpy(file, key.mv_data, key.mv_size);
		file[key.mv_size] = '\0';
		if (!visit(file, found.mv_data, found.mv_size, arg))
			break;
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return rc == 0 || rc == MDB_NOTFOUND ? 0 :
	    cic_db_fail(store, rc, "images", err);
}

int
cic_store_count(struct cic_store *store, struct cic_store_counts *counts,
    struct cic_err *err)
{
	MDB_stat builds, queue, active, dying, images;
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	if ((rc = mdb_stat(txn, store->db[DB_BUILDS], &builds)) == 0 &&
	    (rc = mdb_stat(txn, store->db[DB_QUEUE], &queue)) == 0 &&
	    (rc = mdb_stat(txn, store->db[DB_ACTIVE], &active)) == 0 &&
	    (rc = mdb_stat(txn, store->db[DB_DYING], &dying)) == 0)
		rc = mdb_stat(txn, store->db[DB_IMAGES], &images);
	mdb_txn_abort(txn);
	if (rc != 0)
		return cic_db_fail(store, rc, "count", err);
	*counts = (struct cic_store_counts){ .builds = builds.ms_entries,
	    .queued = queue.ms_entries, .images = images.ms_entries };
	counts->running = dying.ms_entries;
	if (active.ms_entries > queue.ms_entries)
		counts->running += active.ms_entries - queue.ms_entries;
	return 0;
}
