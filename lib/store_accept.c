/* Accepting a request: a new build, or one in flight; declared in store.h. */
#include "store_db.h"

#include <string.h>

#include "path.h"

/* The same request is in flight: let the owner in. */
static int
join(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    const char *owner, struct cic_build *build, struct cic_err *err)
{
	bool changed;

	if (cic_db_get_build(store, txn, id, build, err) != 0)
		return -1;
	changed = cic_build_add_owner(build, owner);
	if (changed && cic_db_put_owner(store, txn, build, owner, err) != 0)
		return -1;
	if (build->state != CIC_PENDING && !build->recheck) {
		/* its commits are resolved; the asker may know newer ones */
		build->recheck = true;
		changed = true;
	}
	if (!changed)
		return 0;
	build->rev++;
	return cic_db_put_build(store, txn, build, err);
}

/* How many builds wait that count for this user? */
static int
count_pending(struct cic_store *store, MDB_txn *txn, const char *user,
    int *count, struct cic_err *err)
{
	size_t len = strnlen(user, CIC_OWNER_MAX - 1);
	MDB_cursor *queue;
	MDB_val seq, entry;
	int rc;

	*count = 0;
	rc = mdb_cursor_open(txn, store->db[DB_QUEUE], &queue);
	if (rc != 0)
		return cic_db_fail(store, rc, "queue", err);
	while ((rc = mdb_cursor_get(queue, &seq, &entry, MDB_NEXT)) == 0)
		if (len > 0 && entry.mv_size == 16 + len &&
		    memcmp((const char *)entry.mv_data + 16, user, len) == 0)
			++*count;
	mdb_cursor_close(queue);
	return rc == MDB_NOTFOUND ? 0 : cic_db_fail(store, rc, "queue", err);
}

static int
check_quota(struct cic_store *store, MDB_txn *txn,
    const struct cic_accept *accept, struct cic_err *err)
{
	int waiting;

	if (accept->uncounted || accept->pending_max == 0)
		return 0;
	if (count_pending(store, txn, accept->owner, &waiting, err) != 0)
		return -1;
	if (waiting < accept->pending_max)
		return 0;
	return cic_err_set(err, CIC_EQUOTA, "%d of your builds wait to be "
	    "started, and %d may (limits.pending_per_user); ask again when "
	    "there are fewer", waiting, accept->pending_max);
}

static int
create(struct cic_store *store, MDB_txn *txn, const unsigned char key[32],
    const struct cic_accept *accept, struct cic_build *build,
    struct cic_err *err)
{
	const char *owner = accept->owner;
	unsigned char id[16];

	if (check_quota(store, txn, accept, err) != 0)
		return -1;
	cic_id_new(build->id);
	cic_id_parse(build->id, id);
	build->request = *accept->request;
	build->created = cic_now_ms();
	build->rev = 1;
	cic_build_add_owner(build, owner);
	if (cic_db_next_sequence(store, txn, &build->seq, err) != 0 ||
	    cic_db_take_names(store, txn, build, err) != 0 ||
	    cic_db_put_build(store, txn, build, err) != 0 ||
	    cic_db_put_queue(store, txn, build,
	    accept->uncounted ? NULL : owner, err) != 0 ||
	    cic_db_put_owner(store, txn, build, owner, err) != 0 ||
	    cic_db_put_owner(store, txn, build, "", err) != 0)
		return -1;
	return cic_db_put(store, txn, DB_ACTIVE, cic_db_val(key, 32), cic_db_val(id, 16), err);
}

static int
accept_in(struct cic_store *store, MDB_txn *txn,
    const struct cic_accept *accept, struct cic_build *build, bool *joined,
    struct cic_err *err)
{
	unsigned char key[32], id[16];
	MDB_val found;

	cic_request_key(accept->request, key);
	if (cic_db_get(store, txn, DB_ACTIVE, cic_db_val(key, 32), &found, err) == 0) {
		if (found.mv_size != 16)
			return cic_err_set(err, CIC_EIO,
			    "store: malformed entry in active");
		memcpy(id, found.mv_data, 16);
		*joined = true;
		if (join(store, txn, id, accept->owner, build, err) == 0)
			return 0;
		if (err->code != CIC_EINVAL && err->code != CIC_ENOENT)
			return -1;
		/* an unreadable record is no build anybody could join */
		if (cic_db_bury(store, txn, id, err) != 0)
			return -1;
		*build = (struct cic_build){ .owner_count = 0 };
	} else if (err->code != CIC_ENOENT)
		return -1;
	*joined = false;
	return create(store, txn, key, accept, build, err);
}

int
cic_store_accept(struct cic_store *store, const struct cic_accept *accept,
    char id[CIC_ID_TEXT], bool *joined, struct cic_err *err)
{
	struct cic_build build = { .owner_count = 0 };
	uint64_t free_bytes;
	MDB_txn *txn;
	int rc = -1;

	if (cic_free_bytes(store->folder, &free_bytes, err) != 0)
		return -1;
	if (free_bytes < accept->min_free)
		return cic_err_set(err, CIC_ENOSPC,
		    "the service's disk is nearly full (%llu MiB free); "
		    "nothing was queued",
		    (unsigned long long)(free_bytes >> 20));
	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	if (accept_in(store, txn, accept, &build, joined, err) != 0) {
		mdb_txn_abort(txn);
		goto out;
	}
	if (cic_db_commit(store, txn, err) != 0)
		goto out;
	memcpy(id, build.id, CIC_ID_TEXT);
	rc = 0;
out:
	cic_build_release(&build);
	return rc;
}
