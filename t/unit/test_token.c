/* API tokens in the store. */
#include "store_rig.h"

#include "digest.h"
#include "store_token.h"

#define HOUR	((int64_t)3600 * 1000)

static int
make(const char *owner, const char *name, int64_t lives,
    struct cic_token *token, char text[CIC_TOKEN_TEXT])
{
	*token = (struct cic_token){ .expires = cic_now_ms() + lives };
	snprintf(token->owner, sizeof(token->owner), "%s", owner);
	snprintf(token->name, sizeof(token->name), "%s", name);
	return cic_store_token_new(store, token, text, &err);
}

static void
made(const char *owner, const char *name, int64_t lives,
    struct cic_token *token, char text[CIC_TOKEN_TEXT])
{
	if (make(owner, name, lives, token, text) != 0)
		fail_msg("new: %s", err.msg);
}

static void
nobodys(const char *text)
{
	struct cic_token token;

	assert_int_equal(cic_store_token_find(store, text, &token, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
}

static int
listed(const char *owner, struct cic_token tokens[CIC_TOKENS_MAX])
{
	int count;

	if (cic_store_token_list(store, owner, tokens, &count, &err) != 0)
		fail_msg("list: %s", err.msg);
	return count;
}

/* Entries of the database, whoever they belong to. */
static size_t
entries(void)
{
	MDB_stat stat;
	MDB_txn *txn;

	assert_int_equal(cic_db_begin(store, false, &txn, &err), 0);
	assert_int_equal(mdb_stat(txn, store->db[DB_TOKENS], &stat), 0);
	mdb_txn_abort(txn);
	return stat.ms_entries;
}

static void
made_and_found(void **state)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	char text[CIC_TOKEN_TEXT], other[CIC_TOKEN_TEXT], wrong[80];
	struct cic_token token, found;

	(void)state;
	made("ann", "laptop \"1\" \xc3\xa9", HOUR, &token, text);
	made("ann", "laptop", HOUR, &token, other);
	assert_string_not_equal(text, other);
	assert_int_equal(strlen(text), 47);
	assert_memory_equal(text, "cic_", 4);
	assert_int_equal(strspn(text + 4, alphabet), 43);
	assert_int_equal(cic_store_token_find(store, text, &found, &err), 0);
	assert_string_equal(found.owner, "ann");
	assert_string_equal(found.name, "laptop \"1\" \xc3\xa9");
	assert_true(found.created > 0 && found.expires > found.created);
	/* nearly right is wrong */
	snprintf(wrong, sizeof(wrong), "%.46s", text);
	nobodys(wrong);
	snprintf(wrong, sizeof(wrong), "%s=", text);
	nobodys(wrong);
	snprintf(wrong, sizeof(wrong), "%s", text);
	wrong[46] = wrong[46] == 'A' ? 'B' : 'A';
	nobodys(wrong);
	snprintf(wrong, sizeof(wrong), "CIC_%s", text + 4);
	nobodys(wrong);
	nobodys("");
	nobodys("cic_");
	assert_true(cic_token_is_like("cic_"));
	assert_false(cic_token_is_like("cic"));
}

/* The key is the digest, and the text is nowhere in the file. */
static void
never_in_clear(void **state)
{
	char text[CIC_TOKEN_TEXT], path[CIC_PATH_MAX];
	struct cic_token token;
	unsigned char key[32];
	struct cic_buf file;
	MDB_val value;
	MDB_txn *txn;

	(void)state;
	made("ann", "laptop", HOUR, &token, text);
	cic_digest_raw(text, strlen(text), key);
	assert_int_equal(cic_db_begin(store, false, &txn, &err), 0);
	assert_int_equal(cic_db_get(store, txn, DB_TOKENS, cic_db_val(key, 32),
	    &value, &err), 0);
	mdb_txn_abort(txn);
	assert_int_equal(cic_path_format(path, &err, "%s/data.mdb", dir), 0);
	cic_buf_init(&file, 64 << 20);
	assert_int_equal(cic_read_file(path, &file, &err), 0);
	assert_non_null(memmem(file.data, file.len, "laptop", 6));
	assert_null(memmem(file.data, file.len, text, strlen(text)));
	assert_null(memmem(file.data, file.len, text + 4, 16));
	cic_buf_release(&file);
}

static void
expiring(void **state)
{
	char text[CIC_TOKEN_TEXT], old[CIC_TOKEN_TEXT];
	struct cic_token token, tokens[CIC_TOKENS_MAX];

	(void)state;
	made("ann", "live", HOUR, &token, text);
	made("ann", "old", 0, &token, old);
	assert_int_equal(entries(), 2);
	nobodys(old);
	assert_int_equal(entries(), 1);		/* removed when seen */
	made("ann", "old", -HOUR, &token, old);
	made("bob", "old", -HOUR, &token, old);
	assert_int_equal(listed("ann", tokens), 1);
	assert_int_equal(entries(), 2);		/* when listed; bob's stays */
	assert_string_equal(tokens[0].name, "live");
	assert_int_equal(cic_store_token_revoke(store, "bob", token.id, &err),
	    -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(entries(), 1);
}

static void
revoking(void **state)
{
	char a[CIC_TOKEN_TEXT], b[CIC_TOKEN_TEXT];
	struct cic_token ta, tb, found;

	(void)state;
	made("ann", "a", HOUR, &ta, a);
	made("ann", "b", HOUR, &tb, b);
	assert_int_equal(cic_store_token_revoke(store, "bob", ta.id, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	/* an owner whose name begins the same */
	assert_int_equal(cic_store_token_revoke(store, "an", ta.id, &err), -1);
	assert_int_equal(cic_store_token_find(store, a, &found, &err), 0);
	assert_int_equal(cic_store_token_revoke(store, "ann", ta.id, &err), 0);
	nobodys(a);
	assert_int_equal(cic_store_token_find(store, b, &found, &err), 0);
	assert_string_equal(found.id, tb.id);
	assert_int_equal(cic_store_token_revoke(store, "ann", ta.id, &err), -1);
}

static void
fifty_each(void **state)
{
	struct cic_token token, tokens[CIC_TOKENS_MAX];
	char text[CIC_TOKEN_TEXT], name[16];
	int i;

	(void)state;
	made("ann", "old", -HOUR, &token, text);	/* does not count */
	for (i = 0; i < CIC_TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		made("ann", name, HOUR, &token, text);
	}
	assert_int_equal(make("ann", "more", HOUR, &token, text), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_string_equal(text, "");
	assert_int_equal(listed("ann", tokens), CIC_TOKENS_MAX);
	for (i = 1; i < CIC_TOKENS_MAX; i++)
		assert_true(tokens[i].created >= tokens[i - 1].created);
	made("bob", "his", HOUR, &token, text);
	assert_int_equal(cic_store_token_revoke(store, "ann", tokens[7].id,
	    &err), 0);
	made("ann", "more", HOUR, &token, text);
}

/* Owners that JSON would show alike stay apart: they get no token at all. */
static void
odd_names(void **state)
{
	struct cic_token token, tokens[CIC_TOKENS_MAX];
	char text[CIC_TOKEN_TEXT];

	(void)state;
	assert_int_equal(make("ann\xff", "x", HOUR, &token, text), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(make("ann", "x\xc3", HOUR, &token, text), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(make("", "x", HOUR, &token, text), -1);
	assert_int_equal(entries(), 0);
	made("ann\",\"id\":\"1", "x", HOUR, &token, text);
	assert_int_equal(listed("ann", tokens), 0);
	assert_int_equal(listed("ann\",\"id\":\"1", tokens), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(made_and_found), T(never_in_clear), T(expiring), T(revoking),
		T(fifty_each), T(odd_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
