/* store.h: accepting, joining, claiming and changing builds. */
#include "store_rig.h"

static void
accepted(void **state)
{
	static const char unknown[] = "00000000-0000-4000-8000-000000000000";
	struct cic_request r = request("w", "s");
	unsigned char raw[16];
	struct cic_build b;
	char id[CIC_ID_TEXT];
	struct cic_buf body;
	uint64_t rev;

	(void)state;
	assert_false(ask(&r, OWNER, id));
	b = get(id);
	assert_string_equal(b.id, id);
	assert_int_equal(b.state, CIC_PENDING);
	assert_int_equal(b.seq, 1);
	assert_int_equal(b.rev, 1);
	assert_int_equal(b.attempt, 0);
	assert_int_equal(b.owner_count, 1);
	assert_string_equal(b.owners[0], OWNER);
	assert_memory_equal(&b.request, &r, sizeof(r));
	assert_string_equal(b.names.file,
	    "w_s_x86_64_nompi_nogpu_v_latest.sif");
	cic_build_release(&b);
	cic_buf_init(&body, 65536);
	cic_id_parse(id, raw);
	assert_int_equal(cic_store_status(store, raw, &rev, &body, &err), 0);
	assert_string_equal(body.data, "{\"filename\":null,\"image_id\":"
	    "\"w_s_x86_64_nompi_nogpu:latest\",\"message\":null,"
	    "\"status\":\"PENDING\"}\n");
	cic_id_parse(unknown, raw);
	assert_int_equal(cic_store_status(store, raw, &rev, &body, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	cic_buf_release(&body);
	assert_int_equal(cic_store_get(store, unknown, &b, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(cic_store_get(store, "../x", &b, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
}

static void
joining(void **state)
{
	struct cic_request r = request("w", "s");
	char id[CIC_ID_TEXT], other[CIC_ID_TEXT];
	struct cic_build b;

	(void)state;
	assert_false(ask(&r, OWNER, id));
	assert_true(ask(&r, OWNER, other));
	assert_string_equal(other, id);
	assert_true(ask(&r, "bob", other));
	b = get(id);
	assert_int_equal(b.owner_count, 2);
	assert_string_equal(b.owners[1], "bob");
	assert_false(b.recheck);
	assert_int_equal(b.rev, 2);
	cic_build_release(&b);
	queue_is(1);
	claim_is(id, NULL, 0);
	assert_true(ask(&r, "bob", other));
	b = get(id);
	assert_int_equal(b.owner_count, 2);
	assert_true(b.recheck);
	cic_build_release(&b);
	r.force = true;
	assert_false(ask(&r, OWNER, other));
	assert_string_not_equal(other, id);
}

static void
claiming(void **state)
{
	static const char *const busy[] = { "x.sif",
	    "a_s_x86_64_nompi_nogpu_v_latest.sif" };
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT], c[CIC_ID_TEXT];
	struct cic_build got;

	(void)state;
	claim_is(NULL, NULL, 0);
	ask_new("a", a);
	ask_new("b", b);
	ask_new("c", c);
	claim_is(b, busy, 2);
	claim_is(a, NULL, 0);
	queue_is(1);
	claim_is(c, busy, 2);
	queue_is(0);
	claim_is(NULL, NULL, 0);
	got = get(a);
	assert_int_equal(got.attempt, 1);
	cic_build_release(&got);
	ask_new("a2", a);
	claim_is(a, busy, 2);
}

static void
changing(void **state)
{
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT], again[CIC_ID_TEXT];
	struct cic_request r = request("a", "s");
	struct cic_build got;

	(void)state;
	ask_new("a", a);
	ask_new("b", b);
	claim_is(a, NULL, 0);
	assert_int_equal(change(a, 0, CIC_BUILDING, NULL), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_int_equal(change(a, 1, CIC_BUILDING, NULL), 0);
	status_has(a, "\"BUILDING\"");
	assert_int_equal(change(a, 1, CIC_PENDING, NULL), 0);
	queue_is(2);
	claim_is(a, NULL, 0);	/* before b: its old place */
	assert_int_equal(change(a, 1, CIC_BUILDING, NULL), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_true(ask(&r, OWNER, again));
	assert_int_equal(change(a, -1, CIC_FINISHED, NULL), 0);
	status_has(a, "\"filename\":\"a_s_x86_64_nompi_nogpu_v_latest.sif\"");
	assert_int_equal(change(a, -1, CIC_BUILDING, NULL), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	status_has(a, "\"FINISHED\"");
	assert_false(ask(&r, OWNER, again));
	assert_string_not_equal(again, a);
	assert_int_equal(change("00000000-0000-4000-8000-000000000000", -1,
	    CIC_FAILED, NULL), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	/* ended while it waits: nobody starts it any more */
	assert_int_equal(change(b, -1, CIC_FAILED, NULL), 0);
	queue_is(1);
	claim_is(again, NULL, 0);
	got = get(b);
	assert_int_equal(got.state, CIC_FAILED);
	cic_build_release(&got);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(accepted), T(joining), T(claiming), T(changing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
