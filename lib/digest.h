/*
 * SHA-256, as lower-case hexadecimal text.
 */
#ifndef CIC_DIGEST_H
#define CIC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CIC_SHA256_HEX	65	/* 64 digits and the NUL */

struct cic_digest;		/* a digest being fed */

/* NULL when out of memory.  cic_digest_end frees it. */
struct cic_digest *cic_digest_begin(void);
void cic_digest_add(struct cic_digest *digest, const void *data, size_t len);
/* Adds the text and its terminating NUL, so that fields cannot run together. */
void cic_digest_add_field(struct cic_digest *digest, const char *text);
void cic_digest_end(struct cic_digest *digest, char hex[CIC_SHA256_HEX]);

/* The digest of one piece of memory, raw or as text. */
void cic_digest_raw(const void *data, size_t len, unsigned char out[32]);
void cic_digest_mem(const void *data, size_t len, char hex[CIC_SHA256_HEX]);

/* The digest of a whole file; `size` (may be NULL) gets the bytes read. */
int cic_digest_file(const char *path, char hex[CIC_SHA256_HEX], uint64_t *size,
    struct cic_err *err);

/* Append the bytes in base64 (RFC 4648, padded). */
struct cic_buf;
void cic_base64(struct cic_buf *out, const void *data, size_t len);

/* The bytes that base64 text stands for, `max` of them at most; reading ends
 * at the first character that is none of base64's.  Returns their number. */
size_t cic_base64_read(const char *text, char *out, size_t max);

#endif
