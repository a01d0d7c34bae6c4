/* store.h: images, names, records nobody can read, folders that are no store. */
#include "store_rig.h"

static void
images(void **state)
{
	static const char file[] = "a_s_x86_64_nompi_nogpu_v_latest.sif";
	struct cic_image in = { .size = 1ULL << 40 }, out;
	char id[CIC_ID_TEXT];

	(void)state;
	assert_int_equal(cic_store_image(store, file, &out, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	memset(in.sha256, 'f', 64);
	snprintf(in.image_id, sizeof(in.image_id), "sha256:%s", in.sha256);
	ask_new("a", id);
	claim_is(id, NULL, 0);
	assert_int_equal(change(id, 7, CIC_FINISHED, &in), -1);
	assert_int_equal(cic_store_image(store, file, &out, &err), -1);
	assert_int_equal(change(id, 1, CIC_FINISHED, &in), 0);
	assert_int_equal(cic_store_image(store, file, &out, &err), 0);
	assert_string_equal(out.image_id, in.image_id);
	assert_string_equal(out.sha256, in.sha256);
	assert_int_equal(out.size, in.size);
}

static void
names(void **state)
{
	static const struct { const char *w1, *s1, *w2, *s2; } t[] = {
		{ "a_b", "c", "a", "b_c" },
		{ "Pillar_II", "x", "pillar_ii", "x" },
	};
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT], c[CIC_ID_TEXT];
	struct cic_build one, two, three;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cic_request r1 = request(t[i].w1, t[i].s1);
		struct cic_request r2 = request(t[i].w2, t[i].s2);

		assert_false(ask(&r1, OWNER, a));
		assert_false(ask(&r2, OWNER, b));
		one = get(a);
		two = get(b);
		assert_string_not_equal(one.names.file, two.names.file);
		assert_string_not_equal(one.names.image, two.names.image);
		assert_int_equal(strlen(two.names.file),
		    strlen(one.names.file) + 9);
		/* published, it is kept, though the other one's is free */
		assert_int_equal(change(a, -1, CIC_FAILED, NULL), 0);
		assert_int_equal(change(b, -1, CIC_FINISHED, NULL), 0);
		assert_false(ask(&r2, OWNER, c));
		three = get(c);
		assert_string_equal(three.names.file, two.names.file);
		assert_string_equal(three.names.image, two.names.image);
		cic_build_release(&three);
		/* a build that failed keeps nothing from anybody */
		r2.gpu[0] = r1.gpu[0] = 'g';
		assert_false(ask(&r1, OWNER, a));
		assert_int_equal(change(a, -1, CIC_FAILED, NULL), 0);
		assert_false(ask(&r2, OWNER, c));
		three = get(c);
		if (strstr(three.names.file, "_g_v_latest.sif") == NULL)
			fail_msg("%s", three.names.file);
		cic_build_release(&one);
		cic_build_release(&two);
		cic_build_release(&three);
	}
}

/* Put something else where the record is. */
static void
spoil(const char *id, const char *with)
{
	unsigned char raw[16];
	MDB_txn *txn;

	assert_true(cic_id_parse(id, raw));
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_BUILDS, cic_db_val(raw, 16),
	    cic_db_val(with, strlen(with)), &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
}

static void
count(const struct cic_build *b, void *arg)
{
	(void)b;
	++*(int *)arg;
}

static void
unreadable(void **state)
{
	static const char *const t[] = { "garbage", "{}", "{\"schema\":2}",
	    "{\"schema\":1,\"state\":\"PENDING\",\"cause\":\"\"}", "" };
	struct cic_request r = request("a", "s");
	char id[CIC_ID_TEXT], next[CIC_ID_TEXT];
	int running = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_false(ask(&r, OWNER, id));
		ask_new("z", next);
		spoil(id, t[i]);
		claim_is(next, NULL, 0);
		queue_is(0);
		status_has(id, "\"FAILED\"");
		assert_int_equal(change(next, -1, CIC_FAILED, NULL), 0);
	}
	assert_false(ask(&r, OWNER, id));
	claim_is(id, NULL, 0);
	ask_new("z", next);
	claim_is(next, NULL, 0);
	spoil(id, "garbage");
	assert_int_equal(cic_store_each_running(store, count, &running, &err), 0);
	assert_int_equal(running, 1);
	status_has(id, "\"FAILED\"");
	assert_int_equal(change(id, -1, CIC_FAILED, NULL), -1);
}

static void
no_room(void **state)
{
	struct cic_request r = request("a", "s");
	struct cic_accept accept = { .request = &r, .owner = OWNER,
	    .min_free = UINT64_MAX };
	char id[CIC_ID_TEXT] = "untouched";
	bool joined;

	(void)state;
	assert_int_equal(cic_store_accept(store, &accept, id, &joined,
	    &err), -1);
	assert_int_equal(err.code, CIC_ENOSPC);
	assert_string_equal(id, "untouched");
	queue_is(0);
}

static void
opening(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_null(cic_store_open(path, &site, &err));
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/data.mdb");
	assert_int_equal(cic_write_new_file(path, dir, sizeof(dir), 0600,
	    &err), 0);
	*strrchr(path, '/') = '\0';
	assert_null(cic_store_open(path, &site, &err));
	assert_int_equal(err.code, CIC_EIO);
	assert_non_null(strstr(err.msg, path));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(images), T(names), T(unreadable), T(no_room), T(opening),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
