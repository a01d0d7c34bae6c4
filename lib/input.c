/* Bytes from descriptors and parts of files; see input.h. */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "err.h"

#define READ	((size_t)1 << 20)	/* bytes asked of the kernel at a time */

struct from_fd {
	struct cic_input input;		/* first */
	int		 fd;
	unsigned char	 buf[READ];
};

struct part {
	struct cic_input input;		/* first */
	int		 fd;
	uint64_t	 offset, left;
	const char	*name, *sha256;
	struct cic_digest *digest;	/* NULL: not wanted, or checked */
	unsigned char	 buf[READ];
};

void
cic_input_free(struct cic_input *input)
{
	if (input != NULL)
		input->free(input);
}

static ssize_t
fd_read(struct cic_input *input, const void **data, struct cic_err *err)
{
	struct from_fd *from = (struct from_fd *)input;
	ssize_t n;

	do {
		n = read(from->fd, from->buf, READ);
	} while (n == -1 && errno == EINTR);
	*data = from->buf;
	return n == -1 ? cic_err_errno(err, "read") : n;
}

static void
fd_free(struct cic_input *input)
{
	free(input);
}

struct cic_input *
cic_input_fd(int fd, struct cic_err *err)
{
	struct from_fd *from = malloc(sizeof(*from));

	if (from == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	from->input = (struct cic_input){ fd_read, NULL, fd_free };
	from->fd = fd;
	return &from->input;
}

/* All has been read: was it what the digest says? */
static int
check(struct part *part, struct cic_err *err)
{
	char hex[CIC_SHA256_HEX];

	if (part->digest == NULL)
		return 0;
	cic_digest_end(part->digest, hex);
	part->digest = NULL;
	if (strcmp(hex, part->sha256) == 0)
		return 0;
	return cic_err_set(err, CIC_EINVAL, "%s: damaged: its sha256 is %s and "
	    "should be %s", part->name, hex, part->sha256);
}

static ssize_t
part_read(struct cic_input *input, const void **data, struct cic_err *err)
{
	struct part *part = (struct part *)input;
	size_t want = part->left < READ ? (size_t)part->left : READ;
	ssize_t n;

	if (want == 0)
		return check(part, err);
	do {
		n = pread(part->fd, part->buf, want, (off_t)part->offset);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return cic_err_errno(err, "%s: read", part->name);
	if (n == 0)
		return cic_err_set(err, CIC_EINVAL, "%s: the file ends %llu bytes "
		    "too early", part->name, (unsigned long long)part->left);
	if (part->digest != NULL)
		cic_digest_add(part->digest, part->buf, (size_t)n);
	part->offset += (uint64_t)n;
	part->left -= (uint64_t)n;
	*data = part->buf;
	return n;
}

static uint64_t
part_skip(struct cic_input *input, uint64_t n)
{
	struct part *part = (struct part *)input;

	if (n > part->left)
		n = part->left;
	part->offset += n;
	part->left -= n;
	return n;
}

static void
part_free(struct cic_input *input)
{
	struct part *part = (struct part *)input;
	char hex[CIC_SHA256_HEX];

	if (part->digest != NULL)
		cic_digest_end(part->digest, hex);
	free(part);
}

struct cic_input *
cic_input_part(int fd, uint64_t offset, uint64_t size, const char *name,
    const char *sha256, struct cic_err *err)
{
	struct part *part = malloc(sizeof(*part));
	struct cic_digest *digest = NULL;

	if (sha256 != NULL)
		digest = cic_digest_begin();
	if (part == NULL || (sha256 != NULL && digest == NULL)) {
		free(part);
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	part->input = (struct cic_input){ part_read,
	    digest == NULL ? part_skip : NULL, part_free };
	part->fd = fd;
	part->offset = offset;
	part->left = size;
	part->name = name;
	part->sha256 = sha256;
	part->digest = digest;
	return &part->input;
}
