/* store.h: walking through builds, over many and past what is broken. */
#include "store_rig.h"

#define MANY 4100

struct seen {
	int	 count, wanted;
	uint64_t last;
};

static bool
see(const struct cic_build *build, void *arg)
{
	struct seen *seen = arg;

	if (seen->count == seen->wanted)
		return false;
	assert_true(seen->last == 0 || build->seq < seen->last);
	seen->last = build->seq;
	seen->count++;
	return true;
}

/* One transaction for all: they need not be safe one by one. */
static void
put_many(int n)
{
	struct cic_request r = request("w", "s");
	struct cic_build build;
	MDB_txn *txn;
	int i;

	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	for (i = 0; i < n; i++) {
		build = (struct cic_build){ .request = r };
		cic_id_new(build.id);
		cic_request_names(&r, &site, false, &build.names);
		cic_build_add_owner(&build, OWNER);
		assert_int_equal(cic_db_next_sequence(store, txn, &build.seq,
		    &err), 0);
		if (i == 0)
			build.state = CIC_FAILED;
		assert_int_equal(cic_db_put_build(store, txn, &build, &err), 0);
		assert_int_equal(cic_db_put_owner(store, txn, &build, OWNER,
		    &err), 0);
		cic_build_release(&build);
	}
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
}

static uint64_t
list(struct cic_build_query query, struct seen *seen)
{
	uint64_t next;

	query.workflow = query.step = "";
	if (cic_store_list_builds(store, &query, see, seen, &next, &err) != 0)
		fail_msg("%s", err.msg);
	return next;
}

/* What fits comes last of all: pages before it are empty, and say where to go
 * on. */
static void
test_many(void **state)
{
	struct cic_build_query query = { .owner = OWNER,
	    .states = 1u << CIC_FAILED };
	struct seen seen = { .wanted = 10 };
	int pages = 1;

	(void)state;
	put_many(MANY);
	while ((query.before = list(query, &seen)) != 0) {
		assert_int_equal(seen.count, 0);
		pages++;
	}
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last, 1);
	assert_int_equal(pages, 3);
	/* each exactly once, whatever the size of a page */
	query.states = 0;
	seen = (struct seen){ .wanted = 0 };
	do
		seen.wanted += 7;
	while ((query.before = list(query, &seen)) != 0);
	assert_int_equal(seen.count, MANY);
}

/* The first and the last of all entries, neighbours with names alike. */
static void
test_neighbours(void **state)
{
	static const char *const owners[] = { "a", "an", "ann", "anna", "b" };
	struct cic_request r = request("w", "s");
	char id[CIC_ID_TEXT];
	struct seen seen;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		seen = (struct seen){ .wanted = 9 };
		assert_int_equal(list((struct cic_build_query){
		    .owner = owners[i] }, &seen), 0);
		assert_int_equal(seen.count, 0);
		ask(&r, owners[i], id);
		r.step[0]++;
	}
	for (i = 0; i < 5; i++) {
		seen = (struct seen){ .wanted = 9 };
		assert_int_equal(list((struct cic_build_query){
		    .owner = owners[i] }, &seen), 0);
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.last, i + 1);
	}
	seen = (struct seen){ .wanted = 9 };
	list((struct cic_build_query){ .owner = NULL }, &seen);
	assert_int_equal(seen.count, 5);
}

/* A record that cannot be read is no build; the others are still shown. */
static void
test_broken(void **state)
{
	struct seen seen = { .wanted = 9 };
	unsigned char raw[16];
	char id[CIC_ID_TEXT];
	MDB_txn *txn;

	(void)state;
	ask_new("one", id);
	ask_new("two", id);
	ask_new("three", id);
	cic_id_parse(id, raw);
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_BUILDS, cic_db_val(raw, 16),
	    cic_db_val("{}", 2), &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
	assert_int_equal(list((struct cic_build_query){ .owner = OWNER },
	    &seen), 0);
	assert_int_equal(seen.count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neighbours, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
