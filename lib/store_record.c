/* How a build stands in the databases; see store_db.h. */
#include "store_db.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"

void
cic_db_be64(uint64_t n, unsigned char out[8])
{
	int i;

	for (i = 7; i >= 0; i--, n >>= 8)
		out[i] = (unsigned char)n;
}

int
cic_db_next_sequence(struct cic_store *store, MDB_txn *txn, uint64_t *seq,
    struct cic_err *err)
{
	MDB_val found, key = cic_db_val("sequence", 8);

	*seq = 0;
	if (cic_db_get(store, txn, DB_META, key, &found, err) == 0) {
		if (found.mv_size != sizeof(*seq))
			return cic_err_set(err, CIC_EIO,
			    "store: malformed sequence number");
		memcpy(seq, found.mv_data, sizeof(*seq));
	} else if (err->code != CIC_ENOENT)
		return -1;
	++*seq;
	return cic_db_put(store, txn, DB_META, key, cic_db_val(seq, sizeof(*seq)), err);
}

/* Write the record and its status body. */
int
cic_db_put_build(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    struct cic_err *err)
{
	struct cic_buf text;
	unsigned char id[16];
	int rc = -1;

	cic_buf_init(&text, CIC_STORE_RECORD_MAX);
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
	if (cic_db_put(store, txn, DB_BUILDS, cic_db_val(id, 16), cic_db_val(text.data, text.len),
	    err) != 0)
		goto out;
	rc = cic_db_put_status(store, txn, id, build, err);
out:
	cic_buf_release(&text);
	return rc;
}

int
cic_db_get_build(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    struct cic_build *build, struct cic_err *err)
{
	MDB_val text;

	if (cic_db_get(store, txn, DB_BUILDS, cic_db_val(id, 16), &text, err) != 0)
		return -1;
	return cic_build_parse(text.mv_data, text.mv_size, store->site, build,
	    err);
}

int
cic_db_put_queue(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    const char *counted, struct cic_err *err)
{
	unsigned char seq[8], entry[16 + CIC_OWNER_MAX];
	size_t len = counted != NULL ? strnlen(counted, CIC_OWNER_MAX - 1) : 0;

	cic_db_be64(build->seq, seq);
	cic_id_parse(build->id, entry);
	if (len > 0)
		memcpy(entry + 16, counted, len);
	return cic_db_put(store, txn, DB_QUEUE, cic_db_val(seq, 8),
	    cic_db_val(entry, 16 + len), err);
}

int
cic_db_uncount(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *user, struct cic_err *err)
{
	size_t len = strnlen(user, CIC_OWNER_MAX - 1);
	unsigned char seq[8];
	MDB_val entry;

	cic_db_be64(build->seq, seq);
	if (cic_db_get(store, txn, DB_QUEUE, cic_db_val(seq, 8), &entry,
	    err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	if (entry.mv_size != 16 + len ||
	    memcmp((const char *)entry.mv_data + 16, user, len) != 0)
		return 0;
	return cic_db_put_queue(store, txn, build, NULL, err);
}

int
cic_db_del_queue(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	unsigned char seq[8];

	cic_db_be64(build->seq, seq);
	return cic_db_del(store, txn, DB_QUEUE, cic_db_val(seq, 8), err);
}

size_t
cic_db_owner_key(const char *owner, uint64_t seq,
    unsigned char key[CIC_DB_OWNER_KEY_MAX])
{
	size_t len = strnlen(owner, CIC_OWNER_MAX - 1);

	memcpy(key, owner, len);
	key[len] = '\0';
	cic_db_be64(seq, key + len + 1);
	return len + 9;
}

int
cic_db_put_owner(struct cic_store *store, MDB_txn *txn, const struct cic_build *build,
    const char *owner, struct cic_err *err)
{
	unsigned char key[CIC_DB_OWNER_KEY_MAX], id[16];
	size_t len = cic_db_owner_key(owner, build->seq, key);

	cic_id_parse(build->id, id);
	return cic_db_put(store, txn, DB_OWNERS, cic_db_val(key, len), cic_db_val(id, 16), err);
}

int
cic_db_del_owner(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, const char *owner, struct cic_err *err)
{
	unsigned char key[CIC_DB_OWNER_KEY_MAX];
	size_t len = cic_db_owner_key(owner, build->seq, key);

	return cic_db_del(store, txn, DB_OWNERS, cic_db_val(key, len), err);
}

/* What a name stands for, how many builds in flight use it, and whether a file
 * of that name was ever published: then it is kept for good. */
struct name_entry {
	unsigned char	identity[32];
	uint32_t	users;
	uint32_t	published;
};

static int
get_name(struct cic_store *store, MDB_txn *txn, const char *file,
    struct name_entry *entry, struct cic_err *err)
{
	MDB_val found;

	if (cic_db_get(store, txn, DB_NAMES, cic_db_val(file, strlen(file)),
	    &found, err) != 0)
		return -1;
	if (found.mv_size != sizeof(*entry))
		return cic_err_set(err, CIC_EIO,
		    "store: malformed entry in names");
	memcpy(entry, found.mv_data, sizeof(*entry));
	return 0;
}

static int
put_name(struct cic_store *store, MDB_txn *txn, const char *file,
    const struct name_entry *entry, struct cic_err *err)
{
	MDB_val key = cic_db_val(file, strlen(file));

	if (entry->users == 0 && !entry->published)
		return cic_db_del(store, txn, DB_NAMES, key, err);
	return cic_db_put(store, txn, DB_NAMES, key,
	    cic_db_val(entry, sizeof(*entry)), err);
}

/* The build's names, and what stands for the file's. */
static int
find_names(struct cic_store *store, MDB_txn *txn, struct cic_build *build,
    struct name_entry *entry, struct cic_err *err)
{
	/* a request whose file was published with a suffix keeps it, even when
	 * the plain name has become free */
	static const struct { bool suffix, published; } tries[] = {
		{ true, true }, { false, false }, { true, false },
	};
	unsigned char identity[32];
	size_t i;

	cic_request_identity(&build->request, identity);
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		cic_request_names(&build->request, store->site,
		    tries[i].suffix, &build->names);
		if (get_name(store, txn, build->names.file, entry, err) != 0) {
			if (err->code != CIC_ENOENT)
				return -1;
			*entry = (struct name_entry){ .users = 0 };
			memcpy(entry->identity, identity, 32);
		}
		if (memcmp(entry->identity, identity, 32) == 0 &&
		    (!tries[i].published || entry->published))
			return 0;
	}
	return cic_err_set(err, CIC_EIO, "store: the name %s is taken",
	    build->names.file);
}

int
cic_db_take_names(struct cic_store *store, MDB_txn *txn,
    struct cic_build *build, struct cic_err *err)
{
	struct name_entry entry;

	if (find_names(store, txn, build, &entry, err) != 0)
		return -1;
	entry.users++;
	return put_name(store, txn, build->names.file, &entry, err);
}

int
cic_db_find_names(struct cic_store *store, MDB_txn *txn,
    struct cic_build *build, struct cic_err *err)
{
	struct name_entry ignored;

	return find_names(store, txn, build, &ignored, err);
}

int
cic_db_leave_names(struct cic_store *store, MDB_txn *txn,
    const struct cic_build *build, struct cic_err *err)
{
	struct name_entry entry;

	if (get_name(store, txn, build->names.file, &entry, err) != 0)
		return err->code == CIC_ENOENT ? 0 : -1;
	if (entry.users > 0)
		entry.users--;
	if (build->state == CIC_FINISHED)
		entry.published = 1;
	return put_name(store, txn, build->names.file, &entry, err);
}

int
cic_db_bury(struct cic_store *store, MDB_txn *txn, const unsigned char id[16],
    struct cic_err *err)
{
	struct cic_build tomb = { .state = CIC_FAILED,
	    .cause = CIC_CAUSE_REQUEST };
	int rc;

	snprintf(tomb.message, sizeof(tomb.message), "%.900s; ask again",
	    err->msg);
	rc = cic_db_put_status(store, txn, id, &tomb, err);
	if (rc == 0)	/* who asks again gets a new build, not this one */
		rc = cic_db_del(store, txn, DB_BUILDS, cic_db_val(id, 16), err);
	return rc;
}
