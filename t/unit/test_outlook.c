/* outlook.h, store_catalog.h: what would come of a request, and who has too many
 * builds waiting. */
#include "store_rig.h"

#include "conf.h"
#include "outlook.h"

#define FILE_NAME	"w_s_x86_64_nompi_nogpu_v_latest.sif"
#define C(digit)	digit digit digit digit digit digit digit digit
#define COMMIT(digit)	C(digit) C(digit) C(digit) C(digit) C(digit)

static struct cic_conf conf;

/* A store whose site has a registry. */
static int
setup_rich(void **state)
{
	static const struct cic_request_site rich = {
		.default_platform = "linux/amd64", .images_prefix = "",
		.has_registry = true };

	if (setup(state) != 0)
		return -1;
	cic_store_close(store);
	store = cic_store_open(dir, &rich, &err);
	return store == NULL ? -1 : 0;
}

static struct cic_outlook
look(const struct cic_request *r)
{
	struct cic_outlook outlook;

	conf.images_location = dir;
	if (cic_outlook(store, &conf, r, &outlook, &err) != 0)
		fail_msg("outlook: %s", err.msg);
	return outlook;
}

static void
would(const struct cic_request *r, enum cic_would what, const char *reason)
{
	struct cic_outlook o = look(r);

	if (o.would != what || strstr(o.reason, reason) == NULL)
		fail_msg("%s: %s; not %s: %s", cic_would_name(o.would),
		    o.reason, cic_would_name(what), reason);
}

static void
put_catalog(const char *workflow, const char *software)
{
	struct cic_catalog c = { .updated = 1 };

	strcpy(c.workflow_commit, workflow);
	strcpy(c.catalog_commit, software);
	assert_int_equal(cic_catalog_add_version(&c, "v1", true, workflow, &err),
	    0);
	assert_int_equal(cic_store_put_catalog(store, &c, &err), 0);
	cic_catalog_release(&c);
}

/* How a build ends. */
struct end {
	const char	*workflow, *software, *image_id;
};

static void
apply_end(struct cic_build *b, void *arg)
{
	const struct end *end = arg;

	b->state = CIC_FINISHED;
	b->ended = b->started + 90 * 1000;
	snprintf(b->workflow_commit, CIC_COMMIT_MAX, "%s", end->workflow);
	snprintf(b->catalog_commit, CIC_COMMIT_MAX, "%s", end->software);
	snprintf(b->image_id, CIC_DIGEST_MAX, "%s", end->image_id);
	snprintf(b->content_key, CIC_SHA256_HEX, "key");
}

/* Ask, build and end: with a file of `size` bytes, or without one. */
static void
build(const struct cic_request *r, const struct end *end, uint64_t size)
{
	struct cic_image image = { .size = size };
	char id[CIC_ID_TEXT];
	struct cic_change c = { id, -1, apply_end, (void *)(uintptr_t)end,
		size > 0 ? &image : NULL };

	strcpy(image.image_id, end->image_id);
	strcpy(image.sha256, "sum");
	assert_false(ask(r, OWNER, id));
	claim_is(id, NULL, 0);
	if (cic_store_change(store, &c, &err) != 0)
		fail_msg("change: %s", err.msg);
}

static void
put_file(const char *text)
{
	char path[CIC_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, FILE_NAME);
	assert_int_equal(cic_write_file(path, text, strlen(text), 0644, &err), 0);
}

static void
life_of_an_image(void **state)
{
	static const struct end one = { COMMIT("1"), COMMIT("a"), "image1" },
	    two = { COMMIT("2"), COMMIT("b"), "image1" };
	struct cic_request r = request("w", "s"), docker = r, other;
	char id[CIC_ID_TEXT];
	struct cic_outlook o;

	(void)state;
	would(&r, CIC_WOULD_BUILD, "no such image yet");
	docker.container = CIC_DOCKER;
	would(&docker, CIC_WOULD_BUILD, "unless the engine");
	build(&r, &one, 4);
	would(&r, CIC_WOULD_BUILD, "file is gone");
	put_file("12345");
	would(&r, CIC_WOULD_BUILD, "file is gone");
	put_file("1234");
	would(&r, CIC_WOULD_BUILD, "the commits are not known yet");
	put_catalog(COMMIT("1"), COMMIT("a"));
	would(&r, CIC_WOULD_NOTHING, "this image exists since 20");
	would(&docker, CIC_WOULD_NOTHING, "nothing has changed");
	o = look(&r);
	assert_string_equal(o.known.names.file, FILE_NAME);
	assert_string_equal(o.known.image_key, "key");
	assert_int_equal(o.known.image_took, 90 * 1000);
	r.force = true;
	would(&r, CIC_WOULD_BUILD, "force is set");
	r.force = false;
	r.push = true;
	would(&r, CIC_WOULD_BUILD, "not pushed");
	r.push = false;
	put_catalog(COMMIT("2"), COMMIT("b"));
	would(&r, CIC_WOULD_BUILD, "the workflow has moved from 111111111111 to "
	    "222222222222");
	put_catalog(COMMIT("1"), COMMIT("b"));
	would(&r, CIC_WOULD_BUILD, "the software catalog has moved from "
	    "aaaaaaaaaaaa to bbbbbbbbbbbb");
	/* built, and nothing was to be done: the image is of these commits, too */
	put_catalog(COMMIT("2"), COMMIT("b"));
	r.push = true;
	build(&r, &two, 0);
	would(&r, CIC_WOULD_NOTHING, "nothing has changed");
	assert_int_equal(look(&r).known.image_took, 90 * 1000);
	/* the engine had another image: of this file that says nothing */
	build(&docker, &(struct end){ COMMIT("3"), COMMIT("b"), "image2" }, 0);
	put_catalog(COMMIT("3"), COMMIT("b"));
	would(&r, CIC_WOULD_BUILD, "from 222222222222 to 333333333333");
	assert_false(ask(&r, OWNER, id));
	would(&r, CIC_WOULD_ATTACH, "in flight");
	assert_string_equal(look(&r).known.active, id);
	other = request("w", "other");
	would(&other, CIC_WOULD_BUILD, "no such image yet");
	assert_string_equal(look(&other).known.active, "");
}

static void
versions(void **state)
{
	struct cic_request r = request("w", "s");

	(void)state;
	put_catalog(COMMIT("1"), COMMIT("a"));
	assert_string_equal(look(&r).known.workflow_commit, COMMIT("1"));
	assert_string_equal(look(&r).known.catalog_commit, COMMIT("a"));
	strcpy(r.version, "v1");
	assert_string_equal(look(&r).known.workflow_commit, COMMIT("1"));
	strcpy(r.version, "v2");
	assert_string_equal(look(&r).known.workflow_commit, "");
	strcpy(r.version, "software");
	assert_string_equal(look(&r).known.workflow_commit, "");
	strcpy(r.version, COMMIT("7"));
	assert_string_equal(look(&r).known.workflow_commit, COMMIT("7"));
	strcpy(r.version, "7777777");
	assert_string_equal(look(&r).known.workflow_commit, "");
}

/* A record of before the commits were kept, one that is no record, and a name
 * that stands for something else. */
static void
old_records(void **state)
{
	static const struct end end = { "", "", "image1" };
	struct cic_request r = request("w", "s"), base = request("BASE", "BASE");
	struct cic_request twin = request("W", "s");
	MDB_txn *txn;

	(void)state;
	put_catalog(COMMIT("1"), COMMIT("a"));
	build(&r, &end, 4);
	put_file("1234");
	would(&r, CIC_WOULD_BUILD, "not known of which commits");
	would(&twin, CIC_WOULD_BUILD, "no such image yet");
	build(&base, &end, 4);
	would(&base, CIC_WOULD_BUILD, "looked at each time");
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put(store, txn, DB_IMAGES,
	    cic_db_val(FILE_NAME, strlen(FILE_NAME)), cic_db_val("x", 1), &err),
	    0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
	would(&r, CIC_WOULD_BUILD, "no such image yet");
	build(&r, &end, 0);	/* harmless */
}

static void
catalogs(void **state)
{
	struct cic_buf body;

	(void)state;
	cic_buf_init(&body, 1 << 20);
	assert_int_equal(cic_store_catalog(store, &body, &err), 0);
	assert_non_null(strstr(body.data, "{\"updated\":null,\"error\":null,"));
	assert_int_equal(cic_store_catalog_failed(store, "no \"net\"", &err), 0);
	put_catalog(COMMIT("1"), COMMIT("a"));
	cic_buf_reset(&body);
	assert_int_equal(cic_store_catalog(store, &body, &err), 0);
	assert_non_null(strstr(body.data, "{\"updated\":1,\"error\":null,"));
	assert_int_equal(cic_store_catalog_failed(store, "no \"net\"", &err), 0);
	cic_buf_reset(&body);
	assert_int_equal(cic_store_catalog(store, &body, &err), 0);
	assert_non_null(strstr(body.data, "{\"updated\":1,\"error\":\"no "
	    "\\\"net\\\"\",\"workflow_commit\":\"" COMMIT("1") "\""));
	assert_non_null(strstr(body.data, "\"v1\""));
	cic_buf_release(&body);
}

/* --- quotas --------------------------------------------------------------- */

static char last[CIC_ID_TEXT];

static int
ask_as(const char *owner, const char *workflow, int max, bool uncounted)
{
	struct cic_request r = request(workflow, "s");
	struct cic_accept accept = { .request = &r, .owner = owner,
	    .pending_max = max, .uncounted = uncounted };
	bool joined;

	return cic_store_accept(store, &accept, last, &joined, &err);
}

static void
refused(const char *owner, const char *workflow, int max)
{
	assert_int_equal(ask_as(owner, workflow, max, false), -1);
	assert_int_equal(err.code, CIC_EQUOTA);
}

static void
quota(void **state)
{
	char first[CIC_ID_TEXT];

	(void)state;
	assert_int_equal(ask_as("ann", "a", 2, false), 0);
	strcpy(first, last);
	assert_int_equal(ask_as("ann", "b", 2, false), 0);
	refused("ann", "c", 2);
	assert_non_null(strstr(err.msg, "2 of your builds wait"));
	queue_is(2);
	/* joining, what exists, a larger quota, none, and others' */
	assert_int_equal(ask_as("ann", "a", 2, false), 0);
	assert_string_equal(last, first);
	assert_int_equal(ask_as("ann", "d", 2, true), 0);
	assert_int_equal(ask_as("ann", "e", 3, false), 0);
	refused("ann", "f", 3);
	assert_int_equal(ask_as("ann", "f", 0, false), 0);
	assert_int_equal(ask_as("an", "g", 1, false), 0);
	assert_int_equal(ask_as("anna", "h", 1, false), 0);
	refused("anna", "i", 1);
	/* who joins waits for a build that counts for somebody else */
	assert_int_equal(ask_as("bob", "a", 1, false), 0);
	assert_int_equal(ask_as("bob", "j", 1, false), 0);
	/* one is started, another one ends while it waits */
	refused("ann", "k", 4);
	claim_is(first, NULL, 0);
	refused("ann", "k", 3);
	assert_int_equal(ask_as("ann", "k", 4, false), 0);
	assert_int_equal(change(last, -1, CIC_FAILED, NULL), 0);
	assert_int_equal(ask_as("ann", "l", 4, false), 0);
	/* one that is queued again does not count again */
	assert_int_equal(change(first, 1, CIC_PENDING, NULL), 0);
	refused("ann", "m", 4);
	assert_int_equal(ask_as("ann", "m", 5, false), 0);
}

/* Who leaves a build to others has one less waiting. */
static void
leaving(void **state)
{
	enum cic_cancelled result;
	char id[CIC_ID_TEXT];
	size_t position;
	struct cic_build b;

	(void)state;
	assert_int_equal(ask_as("ann", "a", 1, false), 0);
	strcpy(id, last);
	assert_int_equal(ask_as("bob", "a", 1, false), 0);
	assert_int_equal(ask_as("cat", "a", 1, false), 0);
	/* bob, for whom it never counted */
	assert_int_equal(cic_store_cancel(store, id, "bob", false, &result,
	    &err), 0);
	refused("ann", "b", 1);
	assert_int_equal(cic_store_cancel(store, id, "ann", false, &result,
	    &err), 0);
	assert_int_equal(result, CIC_LEFT);
	assert_int_equal(ask_as("ann", "b", 1, false), 0);
	b = get(last);
	assert_int_equal(cic_store_queue_position(store, &b, &position, &err),
	    0);
	assert_int_equal(position, 2);
	cic_build_release(&b);
	assert_int_equal(ask_as("cat", "c", 1, false), 0);
	claim_is(id, NULL, 0);
}

/* Entries of before quotas: an id and nothing else. */
static void
old_queue(void **state)
{
	struct cic_build b;
	char id[CIC_ID_TEXT];
	MDB_txn *txn;

	(void)state;
	ask_new("a", id);
	b = get(id);
	assert_int_equal(cic_db_begin(store, true, &txn, &err), 0);
	assert_int_equal(cic_db_put_queue(store, txn, &b, NULL, &err), 0);
	assert_int_equal(cic_db_commit(store, txn, &err), 0);
	cic_build_release(&b);
	queue_is(1);
	assert_int_equal(ask_as(OWNER, "b", 1, false), 0);
	refused(OWNER, "c", 1);
	assert_int_equal(ask_as("", "d", 1, false), 0);
	claim_is(id, NULL, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_rich, teardown)
	const struct CMUnitTest tests[] = {
		T(life_of_an_image), T(versions), T(old_records), T(catalogs),
		T(quota), T(leaving), T(old_queue),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
