/* store.h: cancelling, leaving and hiding builds, places in the queue. */
#include "store_rig.h"

static void
cancel_is(const char *id, const char *user, bool admin, int wanted)
{
	enum cic_cancelled got;

	if (cic_store_cancel(store, id, user, admin, &got, &err) != 0)
		fail_msg("cancel: %s", err.msg);
	assert_int_equal(got, wanted);
}

static void
cancel_fails(const char *id, const char *user, bool admin, enum cic_code code)
{
	enum cic_cancelled got;

	assert_int_equal(cic_store_cancel(store, id, user, admin, &got, &err),
	    -1);
	assert_int_equal(err.code, code);
}

static void
hide_is(const char *id, const char *user, bool admin, int code)
{
	int rc = cic_store_hide(store, id, user, admin, &err);

	assert_int_equal(rc == 0 ? CIC_OK : err.code, code);
}

/* How many keys a database has; of `owners`, those of one owner. */
static size_t
keys(enum db db, const char *owner)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_txn *txn;
	size_t n = 0;

	assert_int_equal(cic_db_begin(store, false, &txn, &err), 0);
	assert_int_equal(mdb_cursor_open(txn, store->db[db], &cursor), 0);
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
		n += owner == NULL || strcmp(key.mv_data, owner) == 0;
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return n;
}

static void
cancelled_is(const char *id, const char *message)
{
	struct cic_build b = get(id);

	assert_int_equal(b.state, CIC_FAILED);
	assert_int_equal(b.cause, CIC_CAUSE_CANCELLED);
	assert_string_equal(b.message, message);
	assert_true(b.ended > 0);
	cic_build_release(&b);
}

static void
waiting(void **state)
{
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT], again[CIC_ID_TEXT];
	struct cic_request r = request("a", "s");

	(void)state;
	ask_new("a", a);
	ask_new("b", b);
	cancel_fails("00000000-0000-4000-8000-000000000000", OWNER, true,
	    CIC_ENOENT);
	cancel_fails("../x", OWNER, true, CIC_ENOENT);
	cancel_fails(a, "bob", false, CIC_ENOENT);
	cancel_fails(a, "", true, CIC_ENOENT);
	cancel_is(a, OWNER, false, CIC_CANCELLED);
	cancelled_is(a, "cancelled by ann");
	status_has(a, "\"message\":\"cancelled by ann\",\"status\":\"FAILED\"");
	queue_is(1);
	assert_int_equal(keys(DB_ACTIVE, NULL), 1);
	assert_int_equal(keys(DB_NAMES, NULL), 1);
	assert_int_equal(keys(DB_DYING, NULL), 0);
	cancel_fails(a, OWNER, false, CIC_EEXIST);
	cancel_fails(a, "root", true, CIC_EEXIST);
	/* it is still in the owner's list, and asking again is another one */
	assert_int_equal(keys(DB_OWNERS, OWNER), 2);
	assert_false(ask(&r, OWNER, again));
	assert_string_not_equal(again, a);
	claim_is(b, NULL, 0);
	claim_is(again, NULL, 0);
}

static void
owners(void **state)
{
	struct cic_request r = request("a", "s");
	char id[CIC_ID_TEXT], same[CIC_ID_TEXT];
	struct cic_build b;

	(void)state;
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, "bob", same));
	assert_true(ask(&r, "eve", same));
	cancel_is(id, "bob", false, CIC_LEFT);
	b = get(id);
	assert_int_equal(b.state, CIC_PENDING);
	assert_int_equal(b.owner_count, 2);
	assert_string_equal(b.owners[0], OWNER);
	assert_string_equal(b.owners[1], "eve");
	assert_string_equal(b.cancel, "");
	cic_build_release(&b);
	assert_int_equal(keys(DB_OWNERS, "bob"), 0);
	cancel_fails(id, "bob", false, CIC_ENOENT);
	/* who has left may come back */
	assert_true(ask(&r, "bob", same));
	claim_is(id, NULL, 0);
	cancel_is(id, "bob", false, CIC_LEFT);
	cancel_is(id, OWNER, false, CIC_LEFT);
	assert_false(cic_store_is_dying(store, id));
	cancel_is(id, "eve", false, CIC_CANCELLING);
	assert_true(cic_store_is_dying(store, id));
	/* an administrator ends it for all */
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, "bob", same));
	cancel_is(id, "root", true, CIC_CANCELLED);
	cancelled_is(id, "cancelled by root");
	assert_int_equal(keys(DB_OWNERS, "bob"), 1);
}

static void
count(const struct cic_build *b, void *arg)
{
	assert_string_equal(b->id, arg);
	((char *)arg)[0] = '+';
}

static void
end_it(struct cic_build *b, void *arg)
{
	(void)arg;
	cic_build_end_cancelled(b, b->cancel);
}

static void
running(void **state)
{
	struct cic_change end = { .attempt = 1, .apply = end_it };
	struct cic_request r = request("a", "s");
	char id[CIC_ID_TEXT], next[CIC_ID_TEXT], same[CIC_ID_TEXT];
	struct cic_build b;

	(void)state;
	assert_false(ask(&r, OWNER, id));
	claim_is(id, NULL, 0);
	assert_int_equal(change(id, 1, CIC_BUILDING, NULL), 0);
	cancel_is(id, OWNER, false, CIC_CANCELLING);
	b = get(id);
	assert_int_equal(b.state, CIC_BUILDING);
	assert_string_equal(b.cancel, OWNER);
	cic_build_release(&b);
	/* again, and by another one: who was first is told */
	cancel_is(id, OWNER, false, CIC_CANCELLING);
	cancel_is(id, "root", true, CIC_CANCELLING);
	b = get(id);
	assert_string_equal(b.cancel, OWNER);
	cic_build_release(&b);
	/* a worker that starts finds it all the same, once */
	strcpy(same, id);
	assert_int_equal(cic_store_each_running(store, count, same, &err), 0);
	assert_int_equal(same[0], '+');
	/* who asks for the same does not join it, and stays in flight after */
	assert_false(ask(&r, "bob", next));
	assert_string_not_equal(next, id);
	end.id = id;
	assert_int_equal(cic_store_change(store, &end, &err), 0);
	cancelled_is(id, "cancelled by ann");
	assert_false(cic_store_is_dying(store, id));
	assert_true(ask(&r, "eve", same));
	assert_string_equal(same, next);
	claim_is(next, NULL, 0);
	assert_int_equal(change(next, 1, CIC_FINISHED, NULL), 0);
	assert_int_equal(keys(DB_ACTIVE, NULL), 0);
	/* one name for both builds: it was published once */
	assert_int_equal(keys(DB_NAMES, NULL), 1);
}

static void
set_publishing(struct cic_build *b, void *arg)
{
	(void)arg;
	b->publishing = true;
}

static void
publishing(void **state)
{
	struct cic_change c = { .attempt = 1, .apply = set_publishing };
	char id[CIC_ID_TEXT];
	struct cic_build b;

	(void)state;
	ask_new("a", id);
	c.id = id;
	claim_is(id, NULL, 0);
	assert_int_equal(cic_store_change(store, &c, &err), 0);
	cancel_fails(id, OWNER, false, CIC_EEXIST);
	cancel_fails(id, "root", true, CIC_EEXIST);
	/* it waits again, and may be cancelled again */
	assert_int_equal(change(id, 1, CIC_PENDING, NULL), 0);
	b = get(id);
	assert_false(b.publishing);
	cic_build_release(&b);
	cancel_is(id, OWNER, false, CIC_CANCELLED);
}

/* An unreadable record that is dying is buried, too. */
static void
unreadable(void **state)
{
	char id[CIC_ID_TEXT], seen[CIC_ID_TEXT];
	unsigned char raw[16];
	MDB_txn *txn;

	(void)state;
	ask_new("a", id);
	claim_is(id, NULL, 0);
	cancel_is(id, OWNER, false, CIC_CANCELLING);
	cic_id_parse(id, raw);
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_BUILDS, cic_db_val(raw, 16),
	    cic_db_val("{}", 2), &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
	strcpy(seen, id);
	assert_int_equal(cic_store_each_running(store, count, seen, &err), 0);
	assert_string_equal(seen, id);
	status_has(id, "\"FAILED\"");
	assert_false(cic_store_is_dying(store, id));
}

static void
hiding(void **state)
{
	struct cic_request r = request("a", "s");
	char id[CIC_ID_TEXT], same[CIC_ID_TEXT], trash[CIC_ID_TEXT];
	struct cic_build b;

	(void)state;
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, "bob", same));
	hide_is(id, OWNER, false, CIC_EEXIST);
	claim_is(id, NULL, 0);
	hide_is(id, "root", true, CIC_EEXIST);
	assert_int_equal(change(id, 1, CIC_FINISHED, NULL), 0);
	hide_is(id, "eve", false, CIC_ENOENT);
	hide_is(id, OWNER, false, CIC_OK);
	hide_is(id, OWNER, false, CIC_ENOENT);
	b = get(id);
	assert_int_equal(b.owner_count, 1);
	assert_string_equal(b.owners[0], "bob");
	cic_build_release(&b);
	assert_int_equal(keys(DB_OWNERS, OWNER), 0);
	assert_int_equal(cic_store_trash(store, trash, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	/* the last one */
	hide_is(id, "bob", false, CIC_OK);
	assert_int_equal(cic_store_get(store, id, &b, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(keys(DB_OWNERS, NULL), 0);
	status_has(id, "\"status\":\"FINISHED\"");
	hide_is(id, "root", true, CIC_ENOENT);
	assert_int_equal(cic_store_trash(store, trash, &err), 0);
	assert_string_equal(trash, id);
	assert_int_equal(cic_store_trash_removed(store, trash, &err), 0);
	assert_int_equal(cic_store_trash(store, trash, &err), -1);
	/* an administrator who has it not in his list: for all */
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, "bob", same));
	assert_int_equal(change(id, -1, CIC_FAILED, NULL), 0);
	hide_is(id, "root", true, CIC_OK);
	assert_int_equal(keys(DB_OWNERS, NULL), 0);
	/* one who has it: his own */
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, "root", same));
	assert_int_equal(change(id, -1, CIC_FAILED, NULL), 0);
	hide_is(id, "root", true, CIC_OK);
	assert_int_equal(keys(DB_OWNERS, OWNER), 1);
}

/* Whoever writes the store cannot have the folder of a build removed. */
static void
false_trash(void **state)
{
	char id[CIC_ID_TEXT], trash[CIC_ID_TEXT];
	unsigned char raw[16];
	MDB_txn *txn;

	(void)state;
	ask_new("a", id);
	cic_id_parse(id, raw);
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_TRASH, cic_db_val(raw, 16),
	    cic_db_val("", 0), &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_TRASH, cic_db_val("../..", 5),
	    cic_db_val("", 0), &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
	assert_int_equal(cic_store_trash(store, trash, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
}

static void
position_is(const char *id, size_t wanted)
{
	struct cic_build b = get(id);
	size_t got;

	assert_int_equal(cic_store_queue_position(store, &b, &got, &err), 0);
	cic_build_release(&b);
	assert_int_equal(got, wanted);
}

static void
positions(void **state)
{
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT], c[CIC_ID_TEXT];

	(void)state;
	ask_new("a", a);
	ask_new("b", b);
	ask_new("c", c);
	position_is(a, 1);
	position_is(b, 2);
	position_is(c, 3);
	claim_is(a, NULL, 0);
	position_is(a, 0);
	position_is(c, 2);
	cancel_is(b, OWNER, false, CIC_CANCELLED);
	position_is(b, 0);
	position_is(c, 1);
	/* one that was lost waits at its old place */
	assert_int_equal(change(a, 1, CIC_PENDING, NULL), 0);
	position_is(a, 1);
	position_is(c, 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(waiting), T(owners), T(running), T(publishing),
		T(unreadable), T(hiding), T(false_trash), T(positions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
