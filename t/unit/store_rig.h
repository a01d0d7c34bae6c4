/* A store in a folder of its own, and what its tests ask of it. */
#ifndef STORE_RIG_H
#define STORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "path.h"
#include "store_db.h"

#define OWNER "ann"

static const struct cic_request_site site = { .default_platform = "linux/amd64",
	.images_prefix = "" };
static struct cic_err err;
static char dir[64];
static struct cic_store *store;

static inline int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cic-store-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	store = cic_store_open(dir, &site, &err);
	return store == NULL ? -1 : 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	cic_store_close(store);
	store = NULL;
	return cic_remove_tree(dir, &err);
}

static inline struct cic_request
request(const char *workflow, const char *step)
{
	struct cic_request r = { .container = CIC_SINGULARITY };

	snprintf(r.workflow, sizeof(r.workflow), "%s", workflow);
	snprintf(r.step, sizeof(r.step), "%s", step);
	strcpy(r.version, "latest");
	strcpy(r.platform, "linux/amd64");
	strcpy(r.architecture, "x86_64");
	strcpy(r.target, cic_arch_target(r.architecture));
	return r;
}

static inline bool
ask(const struct cic_request *r, const char *owner, char id[CIC_ID_TEXT])
{
	struct cic_accept accept = { .request = r, .owner = owner };
	bool joined;

	if (cic_store_accept(store, &accept, id, &joined, &err) != 0)
		fail_msg("accept: %s", err.msg);
	return joined;
}

static inline void
ask_new(const char *workflow, char id[CIC_ID_TEXT])
{
	struct cic_request r = request(workflow, "s");

	assert_false(ask(&r, OWNER, id));
}

static inline struct cic_build
get(const char *id)
{
	struct cic_build b;

	if (cic_store_get(store, id, &b, &err) != 0)
		fail_msg("get: %s", err.msg);
	return b;
}

static inline void
claim_is(const char *id, const char *const *busy, size_t n)
{
	struct cic_build b;
	int rc = cic_store_claim(store, busy, n, &b, &err);

	if (id == NULL) {
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, CIC_ENOENT);
		return;
	}
	if (rc != 0)
		fail_msg("claim: %s", err.msg);
	assert_string_equal(b.id, id);
	assert_int_equal(b.state, CIC_STARTED);
	assert_true(b.started > 0);
	cic_build_release(&b);
}

static inline void
queue_is(size_t n)
{
	size_t length;

	assert_int_equal(cic_store_queue_length(store, &length, &err), 0);
	assert_int_equal(length, n);
}

static inline void
status_has(const char *id, const char *what)
{
	unsigned char raw[16];
	struct cic_buf body;
	uint64_t rev;

	cic_buf_init(&body, 65536);
	assert_true(cic_id_parse(id, raw));
	assert_int_equal(cic_store_status(store, raw, &rev, &body, &err), 0);
	if (strstr(body.data, what) == NULL)
		fail_msg("\"%s\" is not in %s", what, body.data);
	cic_buf_release(&body);
}

static inline void
to_state(struct cic_build *b, void *arg)
{
	b->state = *(enum cic_state *)arg;
	b->ended = cic_state_is_end(b->state) ? cic_now_ms() : 0;
}

static inline int
change(const char *id, int attempt, enum cic_state to,
    const struct cic_image *image)
{
	struct cic_change c = { id, attempt, to_state, &to, image };

	return cic_store_change(store, &c, &err);
}

#endif
