/* Reading, claiming and changing builds; see store.h. */
#include "store_db.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "json.h"

int
cic_store_get(struct cic_store *store, const char *id, struct cic_build *build,
    struct cic_err *err)
{
	unsigned char raw[16];
	MDB_txn *txn;
	int rc;

	if (!cic_id_parse(id, raw))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_get_build(store, txn, raw, build, err);
	mdb_txn_abort(txn);
	return rc;
}

static bool
is_busy(const char *file, const char *const *busy, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(busy[i], file) == 0)
			return true;
	return false;
}

/* Walk the queue; on success `build` is the claimed one. */
static int
claim_in(struct cic_store *store, MDB_txn *txn, MDB_cursor *queue,
    const char *const *busy, size_t n, struct cic_build *build,
    struct cic_err *err)
{
	MDB_val seq, found;
	unsigned char id[16];
	int rc;

	while ((rc = mdb_cursor_get(queue, &seq, &found, MDB_NEXT)) == 0) {
		if (found.mv_size < 16)
			return cic_err_set(err, CIC_EIO,
			    "store: malformed entry in queue");
		memcpy(id, found.mv_data, 16);
		if (cic_db_get_build(store, txn, id, build, err) != 0) {
			if (err->code != CIC_EINVAL && err->code != CIC_ENOENT)
				return -1;
			if (cic_db_bury(store, txn, id, err) != 0 ||
			    (rc = mdb_cursor_del(queue, 0)) != 0)
				return -1;
			continue;
		}
		if (is_busy(build->names.file, busy, n)) {
			cic_build_release(build);
			continue;
		}
		if ((rc = mdb_cursor_del(queue, 0)) != 0)
			return cic_db_fail(store, rc, "queue", err);
		build->state = CIC_STARTED;
		build->attempt++;
		build->rev++;
		build->started = cic_now_ms();
		build->stages.count = 0;
		return cic_db_put_build(store, txn, build, err);
	}
	return cic_db_fail(store, rc, "queue", err);
}

int
cic_store_claim(struct cic_store *store, const char *const *busy, size_t n,
    struct cic_build *build, struct cic_err *err)
{
	MDB_cursor *queue;
	MDB_txn *txn;
	size_t length;
	bool found;
	int rc;

	/* an empty queue is the usual case: look before taking the write lock */
	if (cic_store_queue_length(store, &length, err) != 0)
		return -1;
	if (length == 0)
		return cic_err_set(err, CIC_ENOENT, "the queue is empty");
	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_QUEUE], &queue);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return cic_db_fail(store, rc, "queue", err);
	}
	*build = (struct cic_build){ .owner_count = 0 };
	rc = claim_in(store, txn, queue, busy, n, build, err);
	mdb_cursor_close(queue);
	found = rc == 0;
	if (!found && err->code != CIC_ENOENT) {
		mdb_txn_abort(txn);
		goto fail;
	}
	/* nothing claimed, yet unreadable records may have been buried */
	if (cic_db_commit(store, txn, err) != 0)
		goto fail;
	if (!found)
		return cic_err_set(err, CIC_ENOENT,
		    "nothing in the queue can start now");
	return 0;
fail:
	cic_build_release(build);
	return -1;
}

/* Bring queue, active and images in line with the changed record. */
static int
write_change(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    const struct cic_image *image, struct cic_err *err)
{
	build->rev++;
	if (build->state == CIC_PENDING || cic_state_is_end(build->state))
		build->publishing = false;
	if (cic_db_put_build(store, txn, build, err) != 0)
		return -1;
	if (build->state == CIC_PENDING &&
	    cic_db_put_queue(store, txn, build, NULL, err) != 0)
		return -1;
	if (image != NULL &&
	    cic_db_put_image(store, txn, build, image, err) != 0)
		return -1;
	if (image == NULL && build->state == CIC_FINISHED &&
	    cic_db_confirm_image(store, txn, build, err) != 0)
		return -1;
	return cic_state_is_end(build->state) ?
	    cic_db_leave_flight(store, txn, build, err) : 0;
}

static int
change_in(struct cic_store *store, MDB_txn *txn, const struct cic_change *change,
    struct cic_build *build, struct cic_err *err)
{
	unsigned char id[16];

	if (!cic_id_parse(change->id, id))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (cic_db_get_build(store, txn, id, build, err) != 0)
		return -1;
	if (cic_state_is_end(build->state))
		return cic_err_set(err, CIC_EEXIST, "build %s has ended",
		    build->id);
	if (change->attempt != -1 && change->attempt != build->attempt)
		return cic_err_set(err, CIC_EEXIST,
		    "build %s: news of attempt %d, it is at %d", build->id,
		    change->attempt, build->attempt);
	change->apply(build, change->arg);
	return write_change(store, txn, build, change->image, err);
}

int
cic_store_change(struct cic_store *store, const struct cic_change *change,
    struct cic_err *err)
{
	struct cic_build build = { .owner_count = 0 };
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	rc = change_in(store, txn, change, &build, err);
	cic_build_release(&build);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	return cic_db_commit(store, txn, err);
}

/* Where a build in flight stands: in `active` by its request's key, in `dying`
 * by its id. */
struct flight {
	enum db		db;
	unsigned char	key[32];
	size_t		key_len;
	unsigned char	id[16];
};

/* All of one of the two, appended to `flights`. */
static int
read_flights(struct cic_store *store, MDB_txn *txn, enum db db,
    struct cic_buf *flights, struct cic_err *err)
{
	struct flight f = { .db = db, .key_len = db == DB_ACTIVE ? 32 : 16 };
	MDB_cursor *cursor;
	MDB_val key, found;
	int rc = mdb_cursor_open(txn, store->db[db], &cursor);

	if (rc != 0)
		return cic_db_fail(store, rc, "builds in flight", err);
	while ((rc = mdb_cursor_get(cursor, &key, &found, MDB_NEXT)) == 0) {
		if (db == DB_DYING)
			found = key;
		if (key.mv_size != f.key_len || found.mv_size != sizeof(f.id))
			continue;
		memcpy(f.key, key.mv_data, key.mv_size);
		memcpy(f.id, found.mv_data, sizeof(f.id));
		cic_buf_add(flights, &f, sizeof(f));
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 :
	    cic_db_fail(store, rc, "builds in flight", err);
}

static int
all_flights(struct cic_store *store, struct cic_buf *flights,
    struct cic_err *err)
{
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = read_flights(store, txn, DB_ACTIVE, flights, err);
	if (rc == 0)
		rc = read_flights(store, txn, DB_DYING, flights, err);
	mdb_txn_abort(txn);
	return rc;
}

/* An unreadable record in flight: bury it, so that its status is true. */
static void
bury_flight(struct cic_store *store, const struct flight *f,
    struct cic_err *err)
{
	MDB_txn *txn;
	struct cic_err why = *err;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return;
	if (cic_db_bury(store, txn, f->id, &why) == 0 &&
	    cic_db_del(store, txn, f->db, cic_db_val(f->key, f->key_len),
	    err) == 0)
		cic_db_commit(store, txn, err);
	else
		mdb_txn_abort(txn);
}

int
cic_store_each_running(struct cic_store *store,
    void (*visit)(const struct cic_build *build, void *arg), void *arg,
    struct cic_err *err)
{
	struct cic_buf flights;
	struct cic_build build;
	char id[CIC_ID_TEXT];
	struct flight f;
	size_t at;
	int rc;

	cic_buf_init(&flights, SIZE_MAX / 2);
	rc = all_flights(store, &flights, err);
	for (at = 0; rc == 0 && at + sizeof(f) <= flights.len;
	    at += sizeof(f)) {
		memcpy(&f, flights.data + at, sizeof(f));
		cic_id_format(f.id, id);
		if (cic_store_get(store, id, &build, err) != 0) {
			if (err->code == CIC_EINVAL)
				bury_flight(store, &f, err);
			continue;
		}
		if (build.state != CIC_PENDING &&
		    !cic_state_is_end(build.state))
			visit(&build, arg);
		cic_build_release(&build);
	}
	cic_buf_release(&flights);
	return rc;
}

int
cic_store_queue_length(struct cic_store *store, size_t *length,
    struct cic_err *err)
{
	MDB_stat stat;
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_stat(txn, store->db[DB_QUEUE], &stat);
	mdb_txn_abort(txn);
	if (rc != 0)
		return cic_db_fail(store, rc, "queue", err);
	*length = stat.ms_entries;
	return 0;
}

int
cic_store_queue_position(struct cic_store *store,
    const struct cic_build *build, size_t *position, struct cic_err *err)
{
	MDB_cursor *queue;
	unsigned char id[16];
	MDB_val seq, found;
	MDB_txn *txn;
	size_t n = 0;
	int rc;

	*position = 0;
	if (build->state != CIC_PENDING || !cic_id_parse(build->id, id))
		return 0;
	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_QUEUE], &queue);
	if (rc == 0) {
		while ((rc = mdb_cursor_get(queue, &seq, &found,
		    MDB_NEXT)) == 0 && *position == 0) {
			n++;
			if (found.mv_size >= 16 &&
			    memcmp(found.mv_data, id, 16) == 0)
				*position = n;
		}
		mdb_cursor_close(queue);
	}
	mdb_txn_abort(txn);
	return rc == 0 || rc == MDB_NOTFOUND ? 0 :
	    cic_db_fail(store, rc, "queue", err);
}

void
cic_store_check_readers(struct cic_store *store)
{
	int dead;

	mdb_reader_check(store->env, &dead);
}
