/* API tokens; see store_token.h. */
#include "store_token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "buf.h"
#include "digest.h"
#include "id.h"
#include "json.h"
#include "store_db.h"

#define TOKEN_PREFIX	"cic_"
#define TOKEN_BYTES	32

bool
cic_token_is_like(const char *text)
{
	return strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0;
}

/* A new text.  base64url differs from base64 in two letters and the padding. */
static int
make_text(char text[CIC_TOKEN_TEXT], struct cic_err *err)
{
	unsigned char bytes[TOKEN_BYTES];
	struct cic_buf code;
	int rc = 0;
	char *p;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return cic_err_errno(err, "random bytes for a token");
	cic_buf_init(&code, 2 * TOKEN_BYTES);
	cic_base64(&code, bytes, sizeof(bytes));
	if (code.failed)
		rc = cic_err_set(err, CIC_EIO, "token: out of memory");
	else
		snprintf(text, CIC_TOKEN_TEXT, TOKEN_PREFIX "%.43s", code.data);
	for (p = text; rc == 0 && *p != '\0'; p++)
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(code.data, code.len);
	cic_buf_release(&code);
	return rc;
}

/* How each record of the owner begins: so a walk over everybody's tokens
 * parses only his. */
static void
print_owner(struct cic_buf *out, const char *owner)
{
	cic_buf_puts(out, "{\"owner\":");
	cic_json_quote(out, owner);
	cic_buf_putc(out, ',');
}

static void
print_token(struct cic_buf *out, const struct cic_token *token)
{
	print_owner(out, token->owner);
	cic_buf_printf(out, "\"id\":\"%s\",\"name\":", token->id);
	cic_json_quote(out, token->name);
	cic_buf_printf(out, ",\"created\":%lld,\"expires\":%lld}",
	    (long long)token->created, (long long)token->expires);
}

static bool
copy_member(const struct cic_json *json, const char *key, char *out, size_t size)
{
	const char *text = cic_json_get_string(json, key);

	if (text == NULL || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

/* A record that cannot be read is nobody's token. */
static int
parse_token(MDB_val value, struct cic_token *token, struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(value.mv_data, value.mv_size,
	    err);
	bool ok;

	ok = json != NULL &&
	    copy_member(json, "id", token->id, sizeof(token->id)) &&
	    copy_member(json, "name", token->name, sizeof(token->name)) &&
	    copy_member(json, "owner", token->owner, sizeof(token->owner)) &&
	    token->owner[0] != '\0';
	token->created = cic_json_int(cic_json_get(json, "created"), 0);
	token->expires = cic_json_int(cic_json_get(json, "expires"), 0);
	cic_json_free(json);
	return ok ? 0 : cic_err_set(err, CIC_ENOENT,
	    "store: malformed token record");
}

/*
 * Walk over all tokens of `owner` in a write transaction: the expired are
 * removed; `visit` gets the others and says whether to remove them.
 */
static int
sweep_owner(struct cic_store *store, MDB_txn *txn, const char *owner,
    bool (*visit)(const struct cic_token *token, void *arg), void *arg,
    struct cic_err *err)
{
	struct cic_token token;
	struct cic_buf start;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if ((rc = mdb_cursor_open(txn, store->db[DB_TOKENS], &cursor)) != 0)
		return cic_db_fail(store, rc, "tokens", err);
	cic_buf_init(&start, CIC_STORE_RECORD_MAX);
	print_owner(&start, owner);
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (value.mv_size < start.len ||
		    memcmp(value.mv_data, start.data, start.len) != 0 ||
		    parse_token(value, &token, err) != 0)
			continue;
		if ((token.expires <= cic_now_ms() || visit(&token, arg)) &&
		    (rc = mdb_cursor_del(cursor, 0)) != 0)
			break;
	}
	mdb_cursor_close(cursor);
	if (start.failed)
		rc = ENOMEM;
	cic_buf_release(&start);
	return rc == MDB_NOTFOUND ? 0 : cic_db_fail(store, rc, "tokens", err);
}

struct listing {
	struct cic_token	*tokens;
	int			 count;
};

static bool
list_one(const struct cic_token *token, void *arg)
{
	struct listing *listing = arg;

	if (listing->count < CIC_TOKENS_MAX)
		listing->tokens[listing->count++] = *token;
	return false;
}

static int
by_age(const void *a, const void *b)
{
	const struct cic_token *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? -1 : 1;
	return strcmp(x->id, y->id);
}

int
cic_store_token_list(struct cic_store *store, const char *owner,
    struct cic_token tokens[CIC_TOKENS_MAX], int *count, struct cic_err *err)
{
	struct listing listing = { .tokens = tokens };
	MDB_txn *txn;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	if (sweep_owner(store, txn, owner, list_one, &listing, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	/* without a change LMDB writes nothing */
	if (cic_db_commit(store, txn, err) != 0)
		return -1;
	qsort(tokens, (size_t)listing.count, sizeof(tokens[0]), by_age);
	*count = listing.count;
	return 0;
}

static bool
count_one(const struct cic_token *token, void *arg)
{
	(void)token;
	++*(int *)arg;
	return false;
}

/* What cannot be written and read back the same would make two owners one. */
static int
check_survives(const struct cic_token *token, const struct cic_buf *record,
    struct cic_err *err)
{
	struct cic_token back;

	if (record->failed)
		return cic_err_set(err, CIC_EIO, "token: out of memory");
	if (parse_token(cic_db_val(record->data, record->len), &back,
	    err) != 0 || strcmp(back.owner, token->owner) != 0 ||
	    strcmp(back.name, token->name) != 0)
		return cic_err_set(err, CIC_EINVAL,
		    "token: its name or its owner's is not UTF-8");
	return 0;
}

static int
put_token(struct cic_store *store, MDB_txn *txn, const struct cic_token *token,
    const char *text, const struct cic_buf *record, struct cic_err *err)
{
	unsigned char key[32];
	int count = 0;

	if (sweep_owner(store, txn, token->owner, count_one, &count, err) != 0)
		return -1;
	if (count >= CIC_TOKENS_MAX)
		return cic_err_set(err, CIC_EEXIST,
		    "you have %d tokens, the most there may be; delete one",
		    count);
	cic_digest_raw(text, strlen(text), key);
	return cic_db_put(store, txn, DB_TOKENS, cic_db_val(key, sizeof(key)),
	    cic_db_val(record->data, record->len), err);
}

int
cic_store_token_new(struct cic_store *store, struct cic_token *token,
    char text[CIC_TOKEN_TEXT], struct cic_err *err)
{
	struct cic_buf record;
	MDB_txn *txn;
	int rc = -1;

	cic_id_new(token->id);
	token->created = cic_now_ms();
	cic_buf_init(&record, CIC_STORE_RECORD_MAX);
	print_token(&record, token);
	if (check_survives(token, &record, err) != 0 ||
	    make_text(text, err) != 0 ||
	    cic_db_begin(store, true, &txn, err) != 0)
		goto out;
	if (put_token(store, txn, token, text, &record, err) != 0)
		mdb_txn_abort(txn);
	else
		rc = cic_db_commit(store, txn, err);
out:
	if (rc != 0)
		explicit_bzero(text, CIC_TOKEN_TEXT);
	cic_buf_release(&record);
	return rc;
}

static int
remove_key(struct cic_store *store, const unsigned char key[32],
    struct cic_err *err)
{
	MDB_txn *txn;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	if (cic_db_del(store, txn, DB_TOKENS, cic_db_val(key, 32), err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	return cic_db_commit(store, txn, err);
}

int
cic_store_token_find(struct cic_store *store, const char *text,
    struct cic_token *token, struct cic_err *err)
{
	struct cic_token found;
	unsigned char key[32];
	MDB_txn *txn;
	MDB_val value;
	int rc;

	if (strlen(text) != CIC_TOKEN_TEXT - 1 || !cic_token_is_like(text))
		return cic_err_set(err, CIC_ENOENT, "that is no token");
	cic_digest_raw(text, strlen(text), key);
	if (cic_db_begin(store, false, &txn, err) != 0)
		return -1;
	rc = cic_db_get(store, txn, DB_TOKENS, cic_db_val(key, sizeof(key)),
	    &value, err);
	if (rc == 0)
		rc = parse_token(value, &found, err);
	mdb_txn_abort(txn);
	if (rc != 0)
		return -1;
	if (found.expires <= cic_now_ms()) {
		/* whether it can be removed or not, it is none */
		remove_key(store, key, err);
		return cic_err_set(err, CIC_ENOENT, "the token has expired");
	}
	*token = found;
	return 0;
}

struct wanted {
	const char	*id;
	bool		 found;
};

static bool
is_wanted(const struct cic_token *token, void *arg)
{
	struct wanted *wanted = arg;
	bool is = strcmp(token->id, wanted->id) == 0;

	wanted->found |= is;
	return is;
}

int
cic_store_token_revoke(struct cic_store *store, const char *owner,
    const char *id, struct cic_err *err)
{
	struct wanted wanted = { .id = id };
	MDB_txn *txn;

	if (cic_db_begin(store, true, &txn, err) != 0)
		return -1;
	if (sweep_owner(store, txn, owner, is_wanted, &wanted, err) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	if (cic_db_commit(store, txn, err) != 0)
		return -1;
	return wanted.found ? 0 : cic_err_set(err, CIC_ENOENT,
	    "you have no token with that id");
}
