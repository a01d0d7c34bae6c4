/*
 * The store's own plumbing over LMDB, and how a build stands in its databases.
 * For store*.c only; store.h is the store.
 *
 * All functions return 0, or -1 with err; inside a transaction the caller
 * aborts it then.  A missing key is CIC_ENOENT.  Values point into the map and
 * live until the transaction's next write or its end.
 */
#ifndef CIC_STORE_DB_H
#define CIC_STORE_DB_H

#include <lmdb.h>

#include "store.h"

#define CIC_STORE_SCHEMA	"1"	/* of the databases and their records */
#define CIC_STORE_RECORD_MAX	65536

enum db { DB_STATUS, DB_BUILDS, DB_QUEUE, DB_ACTIVE, DB_NAMES, DB_OWNERS,
	DB_IMAGES, DB_META, DB_TOKENS, DB_DYING, DB_TRASH, DB_CATALOG,
	DB__MAX };

struct cic_store {
	MDB_env				*env;
	MDB_dbi				 db[DB__MAX];
	const struct cic_request_site	*site;
	char				*folder;
	bool				 broken;
};

/* store_db.c: LMDB */

MDB_val cic_db_val(const void *data, size_t len);
/* An LMDB code as our error; notes when LMDB has given up.  Returns -1.
 * `store` may be NULL while opening. */
int cic_db_fail(struct cic_store *store, int rc, const char *what,
    struct cic_err *err);
int cic_db_begin(struct cic_store *store, bool write, MDB_txn **txn,
    struct cic_err *err);
/* Synced when this returns 0; the transaction is gone either way. */
int cic_db_commit(struct cic_store *store, MDB_txn *txn, struct cic_err *err);
int cic_db_put(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val value, struct cic_err *err);
int cic_db_get(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    MDB_val *value, struct cic_err *err);
/* A key that is not there is fine. */
int cic_db_del(struct cic_store *store, MDB_txn *txn, enum db db, MDB_val key,
    struct cic_err *err);

/* store_image.c: records of published files */

int cic_db_put_image(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const struct cic_image *image,
    struct cic_err *err);
/* A build has ended well without making a file: when it used the image that the
 * file of that name was made of, the file is as good as of its commits. */
int cic_db_confirm_image(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);

/* store_rev.c: what a status poll reads */

/* The status body, with a revision that is greater by one when it is another
 * body than the one before. */
int cic_db_put_status(struct cic_store *store, MDB_txn *txn,
    const unsigned char id[16], const struct cic_build *build,
    struct cic_err *err);

/* store_record.c: builds */

void cic_db_be64(uint64_t n, unsigned char out[8]);

int cic_db_next_sequence(struct cic_store *store, MDB_txn *txn, uint64_t *seq,
    struct cic_err *err);
/* The record and its status body. */
int cic_db_put_build(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);
/* CIC_EINVAL: there is a record, but it cannot be read. */
int cic_db_get_build(struct cic_store *store, MDB_txn *txn,
    const unsigned char id[16], struct cic_build *build, struct cic_err *err);
/* `counted`: the user among whose waiting builds it counts, or NULL. */
int cic_db_put_queue(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *counted, struct cic_err *err);
/* If it waits and counts for this user, it counts for nobody any more. */
int cic_db_uncount(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *user, struct cic_err *err);
/* Not in the queue: fine. */
int cic_db_del_queue(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);
int cic_db_put_owner(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *owner, struct cic_err *err);
/* Not there: fine. */
int cic_db_del_owner(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *owner, struct cic_err *err);
/* The key of an owner's entry; returns its length. */
#define CIC_DB_OWNER_KEY_MAX	(CIC_OWNER_MAX + 8)
size_t cic_db_owner_key(const char *owner, uint64_t seq,
    unsigned char key[CIC_DB_OWNER_KEY_MAX]);
/* Give the build its names: the plain ones unless they stand for something
 * else already, then the ones with a suffix. */
int cic_db_take_names(struct cic_store *store, MDB_txn *txn,
    struct cic_build *build, struct cic_err *err);
/* The names it would get; nothing is written. */
int cic_db_find_names(struct cic_store *store, MDB_txn *txn,
    struct cic_build *build, struct cic_err *err);
/* The build has ended: a name that was never published, and that no other
 * build uses, is free again, so that a mistaken request keeps none. */
int cic_db_leave_names(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);
/* A record nobody can read must not be tried for ever: say err->msg in its
 * status, which is all that is left of it. */
int cic_db_bury(struct cic_store *store, MDB_txn *txn,
    const unsigned char id[16], struct cic_err *err);

/* store_owner.c */

/* Out of `active`, if the request's place there is this build's. */
int cic_db_leave_active(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);
/* A build that waited, or was in flight, has ended: out of all databases that
 * tell who is. */
int cic_db_leave_flight(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err);

#endif
