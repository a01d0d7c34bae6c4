/* The store over LMDB, the only file that names it; see store.h. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <lmdb.h>

#include "buf.h"
#include "json.h"
#include "path.h"

#define SCHEMA		"1"
#define MAP_SIZE	((size_t)64 << 30)	/* address space, not memory */
#define MAX_READERS	1024
#define RECORD_MAX	65536

enum db { DB_STATUS, DB_BUILDS, DB_QUEUE, DB_ACTIVE, DB_NAMES, DB_OWNERS,
	DB_IMAGES, DB_META, DB__MAX };

static const char *const db_names[DB__MAX] = {
	[DB_STATUS] = "status", [DB_BUILDS] = "builds", [DB_QUEUE] = "queue",
	[DB_ACTIVE] = "active", [DB_NAMES] = "names", [DB_OWNERS] = "owners",
	[DB_IMAGES] = "images", [DB_META] = "meta",
};

struct cic_store {
	MDB_env				*env;
	MDB_dbi				 db[DB__MAX];
	const struct cic_request_site	*site;
	char				*folder;
	bool				 broken;
};

static MDB_val
val(const void *data, size_t len)
{
	return (MDB_val){ .mv_size = len, .mv_data = (void *)(uintptr_t)data };
}

/* An LMDB code as our error.  `store` may be NULL while opening. */
static int
mdb_fail(struct cic_store *store, int rc, const char *what,
    struct cic_err *err)
{
	enum cic_code code = CIC_EIO;

	if (rc == MDB_NOTFOUND || rc == ENOENT)
		code = CIC_ENOENT;
	else if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT)
		code = CIC_ENOSPC;
	else if (rc == MDB_READERS_FULL)
		code = CIC_EAGAIN;
	else if (rc == EACCES || rc == EPERM || rc == EROFS)
		code = CIC_EDENIED;
	if (store != NULL && (rc == MDB_PANIC || rc == MDB_CORRUPTED ||
	    rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID))
		store->broken = true;
	return cic_err_set(err, code, "store: %s: %s", what, mdb_strerror(rc));
}

/* LMDB's map and locks need a local file system. */
static int
refuse_network(const char *folder, struct cic_err *err)
{
	static const struct { unsigned long magic; const char *name; } bad[] = {
		{ 0x6969, "NFS" }, { 0xff534d42, "CIFS" },
		{ 0xfe534d42, "SMB" }, { 0x517b, "SMB" },
		{ 0x0bd00bd0, "Lustre" }, { 0x47504653, "GPFS" },
		{ 0x19830326, "BeeGFS" }, { 0x00c36400, "CephFS" },
		{ 0x01021997, "9p" }, { 0x7461636f, "OCFS2" },
	};
	struct statfs fs;
	size_t i;

	if (statfs(folder, &fs) != 0)
		return cic_err_errno(err, "store folder %s", folder);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffffUL) == bad[i].magic)
			return cic_err_set(err, CIC_EINVAL,
			    "store folder %s is on %s; it must be on a local "
			    "file system (service.data)", folder, bad[i].name);
	return 0;
}

static int
begin(struct cic_store *store, bool write, MDB_txn **txn, struct cic_err *err)
{
	unsigned flags = write ? 0 : MDB_RDONLY;
	int rc = mdb_txn_begin(store->env, NULL, flags, txn), dead;

	if (rc == MDB_READERS_FULL) {
		/* killed readers keep their slots until somebody looks */
		mdb_reader_check(store->env, &dead);
		rc = mdb_txn_begin(store->env, NULL, flags, txn);
	}
	return rc == 0 ? 0 : mdb_fail(store, rc, "begin", err);
}

static int
commit(struct cic_store *store, MDB_txn *txn, struct cic_err *err)
{
	int rc = mdb_txn_commit(txn);

	return rc == 0 ? 0 : mdb_fail(store, rc, "commit", err);
}

static int
put(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val value, struct cic_err *err)
{
	int rc = mdb_put(txn, store->db[db], &key, &value, 0);

	return rc == 0 ? 0 : mdb_fail(store, rc, db_names[db], err);
}

static int
get(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val *value, struct cic_err *err)
{
	int rc = mdb_get(txn, store->db[db], &key, value);

	return rc == 0 ? 0 : mdb_fail(store, rc, db_names[db], err);
}

static int
del(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    struct cic_err *err)
{
	int rc = mdb_del(txn, store->db[db], &key, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 :
	    mdb_fail(store, rc, db_names[db], err);
}

/* Check or write the schema version. */
static int
open_schema(struct cic_store *store, MDB_txn *txn, struct cic_err *err)
{
	MDB_val found, key = val("schema", 6);

	if (get(store, txn, DB_META, key, &found, err) != 0) {
		if (err->code != CIC_ENOENT)
			return -1;
		return put(store, txn, DB_META, key,
		    val(SCHEMA, strlen(SCHEMA)), err);
	}
	if (found.mv_size != strlen(SCHEMA) ||
	    memcmp(found.mv_data, SCHEMA, found.mv_size) != 0)
		return cic_err_set(err, CIC_EIO,
		    "store: made by another version; this program knows "
		    "schema " SCHEMA);
	return 0;
}

static int
open_databases(struct cic_store *store, struct cic_err *err)
{
	MDB_txn *txn;
	int rc, i;

	if (begin(store, true, &txn, err) != 0)
		return -1;
	for (i = 0; i < DB__MAX; i++) {
		rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &store->db[i]);
		if (rc != 0) {
			mdb_txn_abort(txn);
			return mdb_fail(store, rc, db_names[i], err);
		}
	}
	if (open_schema(store, txn, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	return commit(store, txn, err);
}

struct cic_store *
cic_store_open(const char *folder, const struct cic_request_site *site,
    struct cic_err *err)
{
	struct cic_store *store;
	mode_t mask;
	int rc;

	if (refuse_network(folder, err) != 0)
		return NULL;
	store = calloc(1, sizeof(*store));
	if (store == NULL || (store->folder = strdup(folder)) == NULL) {
		free(store);
		cic_err_set(err, CIC_EIO, "store: out of memory");
		return NULL;
	}
	store->site = site;
	mask = umask(0007);	/* both programs' users share the group */
	if ((rc = mdb_env_create(&store->env)) != 0 ||
	    (rc = mdb_env_set_maxdbs(store->env, DB__MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(store->env, MAP_SIZE)) != 0 ||
	    (rc = mdb_env_set_maxreaders(store->env, MAX_READERS)) != 0 ||
	    (rc = mdb_env_open(store->env, folder, MDB_NOTLS, 0660)) != 0) {
		mdb_fail(NULL, rc, folder, err);
		umask(mask);
		goto fail;
	}
	umask(mask);
	if (open_databases(store, err) != 0)
		goto fail;
	return store;
fail:
	cic_store_close(store);
	return NULL;
}

void
cic_store_close(struct cic_store *store)
{
	if (store == NULL)
		return;
	if (store->env != NULL)
		mdb_env_close(store->env);
	free(store->folder);
	free(store);
}

bool
cic_store_is_broken(const struct cic_store *store)
{
	return store->broken;
}

static void
be64(uint64_t n, unsigned char out[8])
{
	int i;

	for (i = 7; i >= 0; i--, n >>= 8)
		out[i] = (unsigned char)n;
}

static int
next_sequence(struct cic_store *store, MDB_txn *txn, uint64_t *seq,
    struct cic_err *err)
{
	MDB_val found, key = val("sequence", 8);

	*seq = 0;
	if (get(store, txn, DB_META, key, &found, err) == 0) {
		if (found.mv_size != sizeof(*seq))
			return cic_err_set(err, CIC_EIO,
			    "store: malformed sequence number");
		memcpy(seq, found.mv_data, sizeof(*seq));
	} else if (err->code != CIC_ENOENT)
		return -1;
	++*seq;
	return put(store, txn, DB_META, key, val(seq, sizeof(*seq)), err);
}

/* Write the record and its status body. */
static int
put_build(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    struct cic_err *err)
{
	struct cic_buf text;
	unsigned char id[16];
	int rc = -1;

	cic_buf_init(&text, RECORD_MAX);
	if (!cic_id_parse(build->id, id)) {
		cic_err_set(err, CIC_EINVAL, "store: malformed build id");
		goto out;
	}
	cic_build_print(&text, build);
	if (text.failed) {
		cic_err_set(err, CIC_EIO, "store: record of %s is too large",
		    build->id);
		goto out;
	}
	if (put(store, txn, DB_BUILDS, val(id, 16), val(text.data, text.len),
	    err) != 0)
		goto out;
	cic_buf_reset(&text);
	cic_build_print_status(&text, build);
	rc = put(store, txn, DB_STATUS, val(id, 16), val(text.data, text.len),
	    err);
out:
	cic_buf_release(&text);
	return rc;
}

static int
get_build(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    struct cic_build *build, struct cic_err *err)
{
	MDB_val text;

	if (get(store, txn, DB_BUILDS, val(id, 16), &text, err) != 0)
		return -1;
	return cic_build_parse(text.mv_data, text.mv_size, store->site, build,
	    err);
}

static int
put_queue(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    struct cic_err *err)
{
	unsigned char seq[8], id[16];

	be64(build->seq, seq);
	cic_id_parse(build->id, id);
	return put(store, txn, DB_QUEUE, val(seq, 8), val(id, 16), err);
}

static int
put_owner(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    const char *owner, struct cic_err *err)
{
	unsigned char key[CIC_OWNER_MAX + 8], id[16];
	size_t len = strnlen(owner, CIC_OWNER_MAX - 1);

	memcpy(key, owner, len);
	key[len] = '\0';
	be64(build->seq, key + len + 1);
	cic_id_parse(build->id, id);
	return put(store, txn, DB_OWNERS, val(key, len + 9), val(id, 16), err);
}

/* Give the build its names: the plain ones unless they stand for something
 * else already, then the ones with a suffix. */
static int
take_names(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    struct cic_err *err)
{
	unsigned char identity[32];
	MDB_val found;
	int suffix;

	cic_request_identity(&build->request, identity);
	for (suffix = 0; suffix < 2; suffix++) {
		MDB_val key;

		cic_request_names(&build->request, store->site, suffix != 0,
		    &build->names);
		key = val(build->names.file, strlen(build->names.file));
		if (get(store, txn, DB_NAMES, key, &found, err) != 0) {
			if (err->code != CIC_ENOENT)
				return -1;
			return put(store, txn, DB_NAMES, key,
			    val(identity, 32), err);
		}
		if (found.mv_size == 32 &&
		    memcmp(found.mv_data, identity, 32) == 0)
			return 0;
	}
	return cic_err_set(err, CIC_EIO, "store: the name %s is taken",
	    build->names.file);
}

/* The same request is in flight: let the owner in. */
static int
join(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    const char *owner, struct cic_build *build, struct cic_err *err)
{
	bool changed;

	if (get_build(store, txn, id, build, err) != 0)
		return -1;
	changed = cic_build_add_owner(build, owner);
	if (changed && put_owner(store, txn, build, owner, err) != 0)
		return -1;
	if (build->state != CIC_PENDING && !build->recheck) {
		/* its commits are resolved; the asker may know newer ones */
		build->recheck = true;
		changed = true;
	}
	if (!changed)
		return 0;
	build->rev++;
	return put_build(store, txn, build, err);
}

static int
create(struct cic_store *store, MDB_txn *txn, const unsigned char key[32],
    const struct cic_request *request, const char *owner,
    struct cic_build *build, struct cic_err *err)
{
	unsigned char id[16];

	cic_id_new(build->id);
	cic_id_parse(build->id, id);
	build->request = *request;
	build->created = cic_now_ms();
	build->rev = 1;
	cic_build_add_owner(build, owner);
	if (next_sequence(store, txn, &build->seq, err) != 0 ||
	    take_names(store, txn, build, err) != 0 ||
	    put_build(store, txn, build, err) != 0 ||
	    put_queue(store, txn, build, err) != 0 ||
	    put_owner(store, txn, build, owner, err) != 0)
		return -1;
	return put(store, txn, DB_ACTIVE, val(key, 32), val(id, 16), err);
}

static int
accept_in(struct cic_store *store, MDB_txn *txn,
    const struct cic_request *request, const char *owner,
    struct cic_build *build, bool *joined, struct cic_err *err)
{
	unsigned char key[32], id[16];
	MDB_val found;

	cic_request_key(request, key);
	if (get(store, txn, DB_ACTIVE, val(key, 32), &found, err) == 0) {
		if (found.mv_size != 16)
			return cic_err_set(err, CIC_EIO,
			    "store: malformed entry in active");
		memcpy(id, found.mv_data, 16);
		*joined = true;
		if (join(store, txn, id, owner, build, err) == 0)
			return 0;
		if (err->code != CIC_EINVAL && err->code != CIC_ENOENT)
			return -1;
		/* an unreadable record is no build anybody could join */
		*build = (struct cic_build){ .owner_count = 0 };
	} else if (err->code != CIC_ENOENT)
		return -1;
	*joined = false;
	return create(store, txn, key, request, owner, build, err);
}

int
cic_store_accept(struct cic_store *store, const struct cic_request *request,
    const char *owner, uint64_t min_free, char id[CIC_ID_TEXT], bool *joined,
    struct cic_err *err)
{
	struct cic_build build = { .owner_count = 0 };
	uint64_t free_bytes;
	MDB_txn *txn;
	int rc = -1;

	if (cic_free_bytes(store->folder, &free_bytes, err) != 0)
		return -1;
	if (free_bytes < min_free)
		return cic_err_set(err, CIC_ENOSPC,
		    "the service's disk is nearly full (%llu MiB free); "
		    "nothing was queued",
		    (unsigned long long)(free_bytes >> 20));
	if (begin(store, true, &txn, err) != 0)
		return -1;
	if (accept_in(store, txn, request, owner, &build, joined, err) != 0) {
		mdb_txn_abort(txn);
		goto out;
	}
	if (commit(store, txn, err) != 0)
		goto out;
	memcpy(id, build.id, CIC_ID_TEXT);
	rc = 0;
out:
	cic_build_release(&build);
	return rc;
}

int
cic_store_status(struct cic_store *store, const unsigned char id[16],
    struct cic_buf *body, struct cic_err *err)
{
	MDB_txn *txn;
	MDB_val found;
	int rc;

	if (begin(store, false, &txn, err) != 0)
		return -1;
	rc = get(store, txn, DB_STATUS, val(id, 16), &found, err);
	if (rc == 0)
		cic_buf_add(body, found.mv_data, found.mv_size);
	mdb_txn_abort(txn);
	return rc;
}

int
cic_store_get(struct cic_store *store, const char *id, struct cic_build *build,
    struct cic_err *err)
{
	unsigned char raw[16];
	MDB_txn *txn;
	int rc;

	if (!cic_id_parse(id, raw))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (begin(store, false, &txn, err) != 0)
		return -1;
	rc = get_build(store, txn, raw, build, err);
	mdb_txn_abort(txn);
	return rc;
}

/* A record nobody can read must not be tried for ever: say so in its status,
 * which is all that is left of it. */
static int
bury(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    struct cic_err *err)
{
	struct cic_build tomb = { .state = CIC_FAILED,
	    .cause = CIC_CAUSE_REQUEST };
	struct cic_buf body;
	int rc;

	snprintf(tomb.message, sizeof(tomb.message), "%.900s; ask again",
	    err->msg);
	cic_buf_init(&body, RECORD_MAX);
	cic_build_print_status(&body, &tomb);
	rc = put(store, txn, DB_STATUS, val(id, 16), val(body.data, body.len),
	    err);
	cic_buf_release(&body);
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
		if (found.mv_size != 16)
			return cic_err_set(err, CIC_EIO,
			    "store: malformed entry in queue");
		memcpy(id, found.mv_data, 16);
		if (get_build(store, txn, id, build, err) != 0) {
			if (bury(store, txn, id, err) != 0 ||
			    (rc = mdb_cursor_del(queue, 0)) != 0)
				return -1;
			continue;
		}
		if (is_busy(build->names.file, busy, n)) {
			cic_build_release(build);
			continue;
		}
		if ((rc = mdb_cursor_del(queue, 0)) != 0)
			return mdb_fail(store, rc, "queue", err);
		build->state = CIC_STARTED;
		build->attempt++;
		build->rev++;
		build->started = cic_now_ms();
		return put_build(store, txn, build, err);
	}
	return mdb_fail(store, rc, "queue", err);
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
	if (begin(store, true, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_QUEUE], &queue);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return mdb_fail(store, rc, "queue", err);
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
	if (commit(store, txn, err) != 0)
		goto fail;
	if (!found)
		return cic_err_set(err, CIC_ENOENT,
		    "nothing in the queue can start now");
	return 0;
fail:
	cic_build_release(build);
	return -1;
}

static int
put_image(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    const struct cic_image *image, struct cic_err *err)
{
	struct cic_buf text;
	int rc;

	cic_buf_init(&text, RECORD_MAX);
	cic_buf_printf(&text, "{\"schema\":%s,\"image_id\":", SCHEMA);
	cic_json_quote(&text, image->image_id);
	cic_buf_printf(&text, ",\"sha256\":\"%s\",\"size\":%llu,\"build\":\"%s\","
	    "\"ended\":%lld,\"content_key\":\"%s\",\"request\":", image->sha256,
	    (unsigned long long)image->size, build->id,
	    (long long)build->ended, build->content_key);
	cic_request_print(&text, &build->request);
	cic_buf_putc(&text, '}');
	rc = text.failed ? cic_err_set(err, CIC_EIO, "store: out of memory") :
	    put(store, txn, DB_IMAGES, val(build->names.file,
	    strlen(build->names.file)), val(text.data, text.len), err);
	cic_buf_release(&text);
	return rc;
}

/* Bring queue, active and images in line with the changed record. */
static int
write_change(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    const struct cic_image *image, struct cic_err *err)
{
	unsigned char key[32];

	build->rev++;
	if (put_build(store, txn, build, err) != 0)
		return -1;
	if (build->state == CIC_PENDING &&
	    put_queue(store, txn, build, err) != 0)
		return -1;
	if (image != NULL && put_image(store, txn, build, image, err) != 0)
		return -1;
	if (!cic_state_is_end(build->state))
		return 0;
	cic_request_key(&build->request, key);
	return del(store, txn, DB_ACTIVE, val(key, 32), err);
}

static int
change_in(struct cic_store *store, MDB_txn *txn, const struct cic_change *change,
    struct cic_build *build, struct cic_err *err)
{
	unsigned char id[16];

	if (!cic_id_parse(change->id, id))
		return cic_err_set(err, CIC_ENOENT, "no build has that id");
	if (get_build(store, txn, id, build, err) != 0)
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

	if (begin(store, true, &txn, err) != 0)
		return -1;
	rc = change_in(store, txn, change, &build, err);
	cic_build_release(&build);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	return commit(store, txn, err);
}

/* Ids of the builds in flight, from `active`: 16 bytes each, appended. */
static int
active_ids(struct cic_store *store, struct cic_buf *ids, struct cic_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, found;
	MDB_txn *txn;
	int rc;

	if (begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_cursor_open(txn, store->db[DB_ACTIVE], &cursor);
	if (rc == 0) {
		while ((rc = mdb_cursor_get(cursor, &key, &found,
		    MDB_NEXT)) == 0)
			if (found.mv_size == 16)
				cic_buf_add(ids, found.mv_data, 16);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 0 : mdb_fail(store, rc, "active", err);
}

/* An unreadable record in flight: bury it, so that its status is true. */
static void
bury_active(struct cic_store *store, const char *id, struct cic_err *err)
{
	unsigned char raw[16];
	MDB_txn *txn;

	cic_id_parse(id, raw);
	if (begin(store, true, &txn, err) != 0)
		return;
	if (bury(store, txn, raw, err) == 0)
		commit(store, txn, err);
	else
		mdb_txn_abort(txn);
}

int
cic_store_each_running(struct cic_store *store,
    void (*visit)(const struct cic_build *build, void *arg), void *arg,
    struct cic_err *err)
{
	struct cic_build build;
	char id[CIC_ID_TEXT];
	struct cic_buf ids;
	size_t at;
	int rc;

	cic_buf_init(&ids, SIZE_MAX / 2);
	rc = active_ids(store, &ids, err);
	for (at = 0; rc == 0 && at + 16 <= ids.len; at += 16) {
		cic_id_format((const unsigned char *)ids.data + at, id);
		if (cic_store_get(store, id, &build, err) != 0) {
			if (err->code == CIC_EINVAL)
				bury_active(store, id, err);
			continue;
		}
		if (build.state != CIC_PENDING &&
		    !cic_state_is_end(build.state))
			visit(&build, arg);
		cic_build_release(&build);
	}
	cic_buf_release(&ids);
	return rc;
}

int
cic_store_image(struct cic_store *store, const char *file,
    struct cic_image *image, struct cic_err *err)
{
	struct cic_json *json = NULL;
	const char *image_id, *sha256;
	MDB_txn *txn;
	MDB_val found;
	int rc;

	if (begin(store, false, &txn, err) != 0)
		return -1;
	rc = get(store, txn, DB_IMAGES, val(file, strlen(file)), &found, err);
	if (rc == 0)
		json = cic_json_parse(found.mv_data, found.mv_size, err);
	mdb_txn_abort(txn);
	if (json == NULL)
		return -1;
	image_id = cic_json_get_string(json, "image_id");
	sha256 = cic_json_get_string(json, "sha256");
	if (image_id == NULL || sha256 == NULL)
		rc = cic_err_set(err, CIC_EIO,
		    "store: malformed image record of %s", file);
	else {
		snprintf(image->image_id, sizeof(image->image_id), "%s",
		    image_id);
		snprintf(image->sha256, sizeof(image->sha256), "%s", sha256);
		image->size = (uint64_t)cic_json_int(
		    cic_json_get(json, "size"), 0);
	}
	cic_json_free(json);
	return rc;
}

int
cic_store_queue_length(struct cic_store *store, size_t *length,
    struct cic_err *err)
{
	MDB_stat stat;
	MDB_txn *txn;
	int rc;

	if (begin(store, false, &txn, err) != 0)
		return -1;
	rc = mdb_stat(txn, store->db[DB_QUEUE], &stat);
	mdb_txn_abort(txn);
	if (rc != 0)
		return mdb_fail(store, rc, "queue", err);
	*length = stat.ms_entries;
	return 0;
}

void
cic_store_check_readers(struct cic_store *store)
{
	int dead;

	mdb_reader_check(store->env, &dead);
}
