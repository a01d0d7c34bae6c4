/* Builds that their owners want no more; declared in store.h. */
#include "store_db.h"

#include <string.h>

int
cic_db_leave_active(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	unsigned char key[32], id[16];
	MDB_val found;

	cic_request_key(&build->request, key);
	if (cic_db_get(store, txn, DB_ACTIVE, cic_db_val(key, 32), &found,
	    err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	/* since it was cancelled, somebody may have asked for the same again */
	if (!cic_id_parse(build->id, id) || found.mv_size != 16 ||
	    memcmp(found.mv_data, id, 16) != 0)
		return 0;
	return cic_db_del(store, txn, DB_ACTIVE, cic_db_val(key, 32), err);
}

int
cic_db_leave_flight(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	unsigned char id[16];

	cic_id_parse(build->id, id);
	if (cic_db_leave_names(store, txn, build, err) != 0 ||
	    cic_db_del_queue(store, txn, build, err) != 0 ||
	    cic_db_del(store, txn, DB_DYING, cic_db_val(id, 16), err) != 0)
		return -1;
	return cic_db_leave_active(store, txn, build, err);
}

/* The build of that id, if this user may do something to it. */
static int
get_own(struct cic_store *store, MDB_txn *txn, const char *id,
    const char *user, bool admin, struct cic_build *build, struct cic_err *err)
{
	unsigned char raw[16];

	if (!cic_id_parse(id, raw))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (cic_db_get_build(store, txn, raw, build, err) != 0)
		return -1;
	return admin || cic_build_has_owner(build, user) ? 0 :
	    cic_err_set(err, CIC_ENOENT, "no build of %s has that id", user);
}

/* The owner has it no more in his list. */
static int
leave(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    const char *owner, struct cic_err *err)
{
	cic_build_remove_owner(build, owner);
	build->rev++;
	return cic_db_del_owner(store, txn, build, owner, err) == 0 ?
	    cic_db_put_build(store, txn, build, err) : -1;
}

static int
end_pending(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    const char *user, struct cic_err *err)
{
	cic_build_end_cancelled(build, user);
	build->rev++;
	return cic_db_put_build(store, txn, build, err) == 0 ?
	    cic_db_leave_flight(store, txn, build, err) : -1;
}

static int
mark_dying(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    const char *user, struct cic_err *err)
{
	unsigned char id[16];

	cic_id_parse(build->id, id);
	memcpy(build->cancel, user, strlen(user) + 1);
	build->rev++;
	if (cic_db_put_build(store, txn, build, err) != 0 ||
	    cic_db_put(store, txn, DB_DYING, cic_db_val(id, 16),
	    cic_db_val("", 0), err) != 0)
		return -1;
	return cic_db_leave_active(store, txn, build, err);
}

static int
cancel_in(struct cic_store *store, MDB_txn *txn, const char *id,
    const char *user, bool admin, struct cic_build *build,
    enum cic_cancelled *result, struct cic_err *err)
{
	if (get_own(store, txn, id, user, admin, build, err) != 0)
		return -1;
	if (cic_state_is_end(build->state))
		return cic_err_set(err, CIC_EEXIST, "the build has ended");
	if (build->publishing)
		return cic_err_set(err, CIC_EEXIST,
		    "the build is done, its file is being published");
	*result = CIC_CANCELLING;
	if (build->cancel[0] != '\0')
		return 0;
	if (!admin && build->owner_count > 1) {
		*result = CIC_LEFT;
		return cic_db_uncount(store, txn, build, user, err) == 0 ?
		    leave(store, txn, build, user, err) : -1;
	}
	if (build->state != CIC_PENDING)
		return mark_dying(store, txn, build, user, err);
	*result = CIC_CANCELLED;
	return end_pending(store, txn, build, user, err);
}

int
cic_store_cancel(struct cic_store *store, const char *id, const char *user,
    bool admin, enum cic_cancelled *result, struct cic_err *err)
{
	struct cic_build build = { .owner_count = 0 };
	MDB_txn *txn;
	int rc;

	if (user[0] == '\0' || strlen(user) >= sizeof(build.cancel))
		return cic_err_set(err, CIC_ENOENT, "nobody has that name");
	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	rc = cancel_in(store, txn, id, user, admin, &build, result, err);
	cic_build_release(&build);
	if (rc == 0)
		return cic_db_commit(store, txn, err);
	mdb_txn_abort(txn);
	return -1;
}

/* Is the build in there, which has ids for keys? */
static bool
has_id(struct cic_store *store, MDB_txn *txn, enum db db,
    const unsigned char id[16])
{
	struct cic_err ignored;
	MDB_val found;

	return cic_db_get(store, txn, db, cic_db_val(id, 16), &found,
	    &ignored) == 0;
}

bool
cic_store_is_dying(struct cic_store *store, const char *id)
{
	struct cic_err ignored;
	unsigned char raw[16];
	MDB_txn *txn;
	bool dying;

	if (!cic_id_parse(id, raw) ||
	    cic_db_begin(store, false, &txn, &ignored) != 0)
		return false;
	dying = has_id(store, txn, DB_DYING, raw);
	mdb_txn_abort(txn);
	return dying;
}

/* Nobody has the build in his list any more: its record goes. */
static int
remove_build(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	unsigned char id[16];
	int i;

	cic_id_parse(build->id, id);
	for (i = 0; i < build->owner_count; i++)
		if (cic_db_del_owner(store, txn, build, build->owners[i],
		    err) != 0)
			return -1;
	/* nor is it in the list of all */
	if (cic_db_del_owner(store, txn, build, "", err) != 0 ||
	    cic_db_del(store, txn, DB_BUILDS, cic_db_val(id, 16), err) != 0)
		return -1;
	return cic_db_put(store, txn, DB_TRASH, cic_db_val(id, 16),
	    cic_db_val("", 0), err);
}

static int
hide_in(struct cic_store *store, MDB_txn *txn, const char *id,
    const char *user, bool admin, struct cic_build *build, struct cic_err *err)
{
	if (get_own(store, txn, id, user, admin, build, err) != 0)
		return -1;
	if (!cic_state_is_end(build->state))
		return cic_err_set(err, CIC_EEXIST,
		    "the build has not ended; cancel it first");
	if (build->owner_count > 1 && cic_build_has_owner(build, user))
		return leave(store, txn, build, user, err);
	return remove_build(store, txn, build, err);
}

int
cic_store_hide(struct cic_store *store, const char *id, const char *user,
    bool admin, struct cic_err *err)
{
	struct cic_build build = { .owner_count = 0 };
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	rc = hide_in(store, txn, id, user, admin, &build, err);
	cic_build_release(&build);
	if (rc == 0)
		return cic_db_commit(store, txn, err);
	mdb_txn_abort(txn);
	return -1;
}

int
cic_store_trash(struct cic_store *store, char id[CIC_ID_TEXT],
    struct cic_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, found;
	MDB_txn *txn;
	int rc;

	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_TRASH], &cursor);
	if (rc == 0) {
		/* a build that has a record is no trash, whatever stands here */
		while ((rc = mdb_cursor_get(cursor, &key, &found,
		    MDB_NEXT)) == 0)
			if (key.mv_size == 16 && !has_id(store, txn, DB_BUILDS,
			    key.mv_data))
				break;
		if (rc == 0)
			cic_id_format(key.mv_data, id);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return rc == 0 ? 0 : cic_db_fail(store, rc, "trash", err);
}

int
cic_store_trash_removed(struct cic_store *store, const char *id,
    struct cic_err *err)
{
	unsigned char raw[16];
	MDB_txn *txn;

	if (!cic_id_parse(id, raw))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	if (cic_db_del(store, txn, DB_TRASH, cic_db_val(raw, 16), err) == 0)
		return cic_db_commit(store, txn, err);
	mdb_txn_abort(txn);
	return -1;
}
