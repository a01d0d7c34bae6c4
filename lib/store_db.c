/* The store's plumbing over LMDB; see store_db.h. */
#include "store_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "path.h"

#define MAP_SIZE	((size_t)64 << 30)	/* address space, not memory */
#define MAX_READERS	1024

static const char *const db_names[DB__MAX] = {
	[DB_STATUS] = "status", [DB_BUILDS] = "builds", [DB_QUEUE] = "queue",
	[DB_ACTIVE] = "active", [DB_NAMES] = "names", [DB_OWNERS] = "owners",
	[DB_IMAGES] = "images", [DB_META] = "meta", [DB_TOKENS] = "tokens",
	[DB_DYING] = "dying", [DB_TRASH] = "trash", [DB_CATALOG] = "catalog",
};

MDB_val
cic_db_val(const void *data, size_t len)
{
	return (MDB_val){ .mv_size = len, .mv_data = (void *)(uintptr_t)data };
}

/* LMDB says EIO when only a part of several pages could be written, which is what
 * the last pages of a disk do. */
static bool
is_full(const struct cic_store *store, int rc)
{
	struct cic_err ignored;
	uint64_t bytes;

	return rc == EIO && store != NULL && cic_free_bytes(store->folder, &bytes,
	    &ignored) == 0 && bytes < (64u << 10);
}

/* An LMDB code as our error.  `store` may be NULL while opening. */
int
cic_db_fail(struct cic_store *store, int rc, const char *what,
    struct cic_err *err)
{
	enum cic_code code = CIC_EIO;

	if (rc == MDB_NOTFOUND || rc == ENOENT)
		code = CIC_ENOENT;
	else if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT ||
	    is_full(store, rc))
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

int
cic_db_begin(struct cic_store *store, bool write, MDB_txn **txn, struct cic_err *err)
{
	unsigned flags = write ? 0 : MDB_RDONLY;
	int rc = mdb_txn_begin(store->env, NULL, flags, txn), dead;

	if (rc == MDB_READERS_FULL) {
		/* killed readers keep their slots until somebody looks */
		mdb_reader_check(store->env, &dead);
		rc = mdb_txn_begin(store->env, NULL, flags, txn);
	}
	return rc == 0 ? 0 : cic_db_fail(store, rc, "begin", err);
}

int
cic_db_commit(struct cic_store *store, MDB_txn *txn, struct cic_err *err)
{
	int rc = mdb_txn_commit(txn);

	return rc == 0 ? 0 : cic_db_fail(store, rc, "commit", err);
}

int
cic_db_put(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val value, struct cic_err *err)
{
	int rc = mdb_put(txn, store->db[db], &key, &value, 0);

	return rc == 0 ? 0 : cic_db_fail(store, rc, db_names[db], err);
}

int
cic_db_get(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val *value, struct cic_err *err)
{
	int rc = mdb_get(txn, store->db[db], &key, value);

	return rc == 0 ? 0 : cic_db_fail(store, rc, db_names[db], err);
}

int
cic_db_del(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    struct cic_err *err)
{
	int rc = mdb_del(txn, store->db[db], &key, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 :
	    cic_db_fail(store, rc, db_names[db], err);
}

/* Check or write the schema version. */
static int
open_schema(struct cic_store *store, MDB_txn *txn, struct cic_err *err)
{
	MDB_val found, key = cic_db_val("schema", 6);

	if (cic_db_get(store, txn, DB_META, key, &found, err) != 0) {
		if (err->code != CIC_ENOENT)
			return -1;
		return cic_db_put(store, txn, DB_META, key,
		    cic_db_val(CIC_STORE_SCHEMA, strlen(CIC_STORE_SCHEMA)), err);
	}
	if (found.mv_size != strlen(CIC_STORE_SCHEMA) ||
	    memcmp(found.mv_data, CIC_STORE_SCHEMA, found.mv_size) != 0)
		return cic_err_set(err, CIC_EIO,
		    "store: made by another version; this program knows "
		    "schema " CIC_STORE_SCHEMA);
	return 0;
}

static int
open_databases(struct cic_store *store, struct cic_err *err)
{
	MDB_txn *txn;
	int rc, i;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	for (i = 0; i < DB__MAX; i++) {
		rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &store->db[i]);
		if (rc != 0) {
			mdb_txn_abort(txn);
			return cic_db_fail(store, rc, db_names[i], err);
		}
	}
	if (open_schema(store, txn, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	return cic_db_commit(store, txn, err);
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
		cic_db_fail(NULL, rc, folder, err);
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
