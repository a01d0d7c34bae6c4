/*
 * API tokens in the store: a text that stands for its owner until it expires
 * or is revoked.
 *
 * The text is "cic_" and 43 characters of base64url, 32 random bytes.  Only
 * its SHA-256 is kept, as the key of the database `tokens`; so the text can be
 * shown once, a copy of the store opens nothing, and a look-up compares no
 * secret bytes.  The value is the token's record, JSON.
 *
 * A token that has expired is removed by whoever meets it.
 */
#ifndef CIC_STORE_TOKEN_H
#define CIC_STORE_TOKEN_H

#include <stdbool.h>

#include "store.h"

#define CIC_TOKEN_TEXT		48	/* 47 characters and the NUL */
#define CIC_TOKEN_NAME_MAX	65	/* 64 bytes and the NUL */
#define CIC_TOKENS_MAX		50	/* of one owner */

struct cic_token {
	char	id[CIC_ID_TEXT];	/* its name in the API, no secret */
	char	name[CIC_TOKEN_NAME_MAX];	/* what its owner calls it */
	char	owner[CIC_OWNER_MAX];
	int64_t	created, expires;	/* ms since 1970 */
};

/* May this be a token?  No user may have such a name. */
bool cic_token_is_like(const char *text);

/*
 * Make a token of token->name and ->owner, good until ->expires; id and
 * created are set.  `text` is the token itself, for its owner's eyes.
 * CIC_EEXIST: the owner has CIC_TOKENS_MAX already.  CIC_EINVAL: name or owner
 * is not UTF-8 and could not be told from another one's.
 */
int cic_store_token_new(struct cic_store *store, struct cic_token *token,
    char text[CIC_TOKEN_TEXT], struct cic_err *err);

/* The live token with this text.  CIC_ENOENT: none, expired or revoked. */
int cic_store_token_find(struct cic_store *store, const char *text,
    struct cic_token *token, struct cic_err *err);

/* The owner's live tokens, oldest first. */
int cic_store_token_list(struct cic_store *store, const char *owner,
    struct cic_token tokens[CIC_TOKENS_MAX], int *count, struct cic_err *err);

/* End a token now.  CIC_ENOENT: the owner has none with that id. */
int cic_store_token_revoke(struct cic_store *store, const char *owner,
    const char *id, struct cic_err *err);

#endif
