/* SHA-256 by libcrypto, the only file that names it; see digest.h. */
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "buf.h"

#define READ_SIZE (256 * 1024)

struct cic_digest {
	EVP_MD_CTX *ctx;
};

struct cic_digest *
cic_digest_begin(void)
{
	struct cic_digest *digest = calloc(1, sizeof(*digest));

	if (digest == NULL)
		return NULL;
	digest->ctx = EVP_MD_CTX_new();
	if (digest->ctx == NULL ||
	    EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(digest->ctx);
		free(digest);
		return NULL;
	}
	return digest;
}

void
cic_digest_add(struct cic_digest *digest, const void *data, size_t len)
{
	/* With SHA-256 in software this has no way to fail. */
	EVP_DigestUpdate(digest->ctx, data, len);
}

void
cic_digest_add_field(struct cic_digest *digest, const char *text)
{
	cic_digest_add(digest, text, strlen(text) + 1);
}

static void
to_hex(const unsigned char raw[32], char hex[CIC_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	int i;

	for (i = 0; i < 32; i++) {
		hex[2 * i] = digits[raw[i] >> 4];
		hex[2 * i + 1] = digits[raw[i] & 15];
	}
	hex[64] = '\0';
}

void
cic_digest_end(struct cic_digest *digest, char hex[CIC_SHA256_HEX])
{
	unsigned char raw[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex(digest->ctx, raw, NULL);
	to_hex(raw, hex);
	EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

void
cic_digest_raw(const void *data, size_t len, unsigned char out[32])
{
	unsigned char raw[EVP_MAX_MD_SIZE];

	/* No digest at all would be taken for one: two files for the same. */
	if (EVP_Digest(data, len, raw, NULL, EVP_sha256(), NULL) != 1)
		abort();
	memcpy(out, raw, 32);
}

void
cic_digest_mem(const void *data, size_t len, char hex[CIC_SHA256_HEX])
{
	unsigned char raw[32];

	cic_digest_raw(data, len, raw);
	to_hex(raw, hex);
}

int
cic_digest_file(const char *path, char hex[CIC_SHA256_HEX], uint64_t *size,
    struct cic_err *err)
{
	struct cic_digest *digest = NULL;
	unsigned char *chunk = malloc(READ_SIZE);
	uint64_t total = 0;
	ssize_t n = 0;
	int fd = -1, rc = -1;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		cic_err_errno(err, "open %s", path);
		goto out;
	}
	digest = cic_digest_begin();
	if (chunk == NULL || digest == NULL) {
		cic_err_set(err, CIC_EIO, "sha256 of %s: out of memory", path);
		goto out;
	}
	while ((n = read(fd, chunk, READ_SIZE)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0) {
			cic_digest_add(digest, chunk, (size_t)n);
			total += (uint64_t)n;
		}
	if (n < 0) {
		cic_err_errno(err, "read %s", path);
		goto out;
	}
	if (size != NULL)
		*size = total;
	rc = 0;
out:
	if (digest != NULL) {
		char discarded[CIC_SHA256_HEX];

		cic_digest_end(digest, rc == 0 ? hex : discarded);
	}
	if (fd >= 0)
		close(fd);
	free(chunk);
	return rc;
}

void
cic_base64(struct cic_buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned char text[65];
	size_t n;

	for (; len > 0; len -= n, p += n) {
		n = len < 48 ? len : 48;
		cic_buf_add(out, text, (size_t)EVP_EncodeBlock(text, p, (int)n));
	}
	explicit_bzero(text, sizeof(text));
}

size_t
cic_base64_read(const char *text, char *out, size_t max)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;
	const char *at;
	size_t len = 0;

	for (; *text != '\0' && len < max; text++) {
		at = strchr(alphabet, *text);
		if (at == NULL)
			break;
		bits = (bits << 6 | (unsigned)(at - alphabet)) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have & 0xff);
		}
	}
	return len;
}
