/* store.h: revisions, by which waiting polls see that a build has changed. */
#include "store_rig.h"

static uint64_t
status_rev(const char *id)
{
	unsigned char raw[16];
	uint64_t rev = 99;

	cic_id_parse(id, raw);
	assert_int_equal(cic_store_status(store, raw, &rev, NULL, &err), 0);
	return rev;
}

static uint64_t
record_rev(const char *id)
{
	unsigned char raw[16];
	uint64_t rev = 99;

	cic_id_parse(id, raw);
	assert_int_equal(cic_store_record_rev(store, raw, &rev, &err), 0);
	return rev;
}

static void
set_progress(struct cic_build *b, void *arg)
{
	b->progress.step = *(int *)arg;
}

static void
progress(const char *id, int step)
{
	struct cic_change c = { .id = id, .attempt = -1, .apply = set_progress,
	    .arg = &step };

	assert_int_equal(cic_store_change(store, &c, &err), 0);
}

/* Progress moves the record's revision, and not the status body's. */
static void
two_revisions(void **state)
{
	char id[CIC_ID_TEXT];

	(void)state;
	ask_new("w", id);
	assert_int_equal(status_rev(id), 1);
	assert_int_equal(record_rev(id), 1);
	claim_is(id, NULL, 0);
	assert_int_equal(status_rev(id), 2);
	assert_int_equal(record_rev(id), 2);
	progress(id, 3);
	progress(id, 4);
	assert_int_equal(status_rev(id), 2);
	assert_int_equal(record_rev(id), 4);
	assert_int_equal(change(id, 1, CIC_BUILDING, NULL), 0);
	assert_int_equal(status_rev(id), 3);
	assert_int_equal(change(id, 1, CIC_FAILED, NULL), 0);
	assert_int_equal(status_rev(id), 4);
}

/* Write a status as it was before there were revisions. */
static void
put_old(const unsigned char id[16], const char *body)
{
	MDB_txn *txn;

	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_STATUS, cic_db_val(id, 16),
	    cic_db_val(body, strlen(body)), &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
}

static void
from_before(void **state)
{
	static const char body[] = "{\"filename\":null,\"image_id\":"
	    "\"w_s_x86_64_nompi_nogpu:latest\",\"message\":null,"
	    "\"status\":\"STARTED\"}\n";
	char id[CIC_ID_TEXT];
	unsigned char raw[16];

	(void)state;
	ask_new("w", id);
	claim_is(id, NULL, 0);
	cic_id_parse(id, raw);
	put_old(raw, body);
	assert_int_equal(status_rev(id), 0);
	status_has(id, body);
	progress(id, 1);
	assert_int_equal(status_rev(id), 0);
	assert_int_equal(change(id, 1, CIC_BUILDING, NULL), 0);
	assert_int_equal(status_rev(id), 1);
	status_has(id, "\"BUILDING\"");
	put_old(raw, "{}");
	assert_int_equal(status_rev(id), 0);
	status_has(id, "{}");
}

static void
last_change(void **state)
{
	char id[CIC_ID_TEXT];
	uint64_t before;

	(void)state;
	before = cic_store_last_change(store);
	assert_int_equal(cic_store_last_change(store), before);
	ask_new("w", id);
	assert_int_not_equal(cic_store_last_change(store), before);
	before = cic_store_last_change(store);
	status_rev(id);
	record_rev(id);
	assert_int_equal(cic_store_last_change(store), before);
	progress(id, 1);
	assert_int_not_equal(cic_store_last_change(store), before);
}

static void
unknown(void **state)
{
	unsigned char raw[16] = { 1 };
	uint64_t rev = 7;

	(void)state;
	assert_int_equal(cic_store_status(store, raw, &rev, NULL, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(cic_store_record_rev(store, raw, &rev, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(rev, 7);
}

static void
ends(void **state)
{
	static const struct { const char *body; bool end; } cases[] = {
		{ "{\"message\":null,\"status\":\"FINISHED\"}\n", true },
		{ "{\"message\":null,\"status\":\"FAILED\"}\n", true },
		{ "{\"message\":null,\"status\":\"BUILDING\"}\n", false },
		{ "{\"message\":\"\\\"status\\\":\\\"FAILED\\\"}\\n\","
		    "\"status\":\"PENDING\"}\n", false },
		{ "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cic_status_is_end(cases[i].body,
		    strlen(cases[i].body)), cases[i].end);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(two_revisions), T(from_before), T(last_change), T(unknown),
		cmocka_unit_test(ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
