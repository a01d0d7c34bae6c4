/* A file as the answer; see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app.h"
#include "req.h"
#include "resp.h"

struct range {
	uint64_t	from, to;	/* the last byte, too */
};

static bool
read_number(const char **text, uint64_t *number)
{
	size_t len = strspn(*text, "0123456789");

	/* 18 digits are more than any file and less than 2^63 */
	if (len == 0 || len > 18)
		return false;
	*number = strtoull(*text, NULL, 10);
	*text += len;
	return true;
}

/*
 * One range of "bytes=": 1 with `range` set, 0 when the header is something
 * else (several ranges, another unit) and the whole file is the answer, -1 when
 * the file has no such bytes.
 */
static int
read_range(const char *text, uint64_t size, struct range *range)
{
	uint64_t from = 0, to = UINT64_MAX;
	bool has_from;

	if (strncmp(text, "bytes=", 6) != 0)
		return 0;
	text += 6;
	has_from = read_number(&text, &from);
	if (*text++ != '-')
		return 0;
	if (*text != '\0' && !read_number(&text, &to))
		return 0;
	if (*text != '\0' || (!has_from && to == UINT64_MAX) ||
	    (has_from && to < from))
		return 0;
	if (!has_from) {	/* the last `to` bytes */
		if (to == 0 || size == 0)
			return -1;
		from = to < size ? size - to : 0;
		to = size - 1;
	}
	if (from >= size)
		return -1;
	*range = (struct range){ from, to < size ? to : size - 1 };
	return 1;
}

/* The answer's bytes and the headers that go with them. */
static void
answer_range(const struct req *req, uint64_t size, const char *etag,
    struct resp *resp)
{
	struct range range;
	int kind = 0;

	if (req->range[0] != '\0' && (req->if_range[0] == '\0' ||
	    strcmp(req->if_range, etag) == 0))
		kind = read_range(req->range, size, &range);
	if (kind < 0) {
		resp_problem(resp, PROBLEM_RANGE,
		    "there are %llu bytes", (unsigned long long)size);
		snprintf(resp->header, sizeof(resp->header),
		    "Content-Range: bytes */%llu\r\n",
		    (unsigned long long)size);
		return;
	}
	snprintf(resp->header, sizeof(resp->header), "Accept-Ranges: bytes\r\n"
	    "ETag: %s\r\nX-Content-Type-Options: nosniff\r\n", etag);
	resp->fd_len = size;
	if (kind == 0)
		return;
	resp->status = 206;
	resp->fd_at = range.from;
	resp->fd_len = range.to - range.from + 1;
	snprintf(resp->header + strlen(resp->header), sizeof(resp->header) -
	    strlen(resp->header), "Content-Range: bytes %llu-%llu/%llu\r\n",
	    (unsigned long long)range.from, (unsigned long long)range.to,
	    (unsigned long long)size);
}

static int
serve_bytes(const struct req *req, const struct file *file, struct resp *resp,
    struct cic_err *err)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	struct stat st;
	char etag[64];

	if (fd < 0)
		return cic_err_errno(err, "%s", file->path);
	resp->fd = fd;
	if (fstat(fd, &st) != 0)
		return cic_err_errno(err, "%s", file->path);
	snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"",
	    (unsigned long long)st.st_ino, (unsigned long long)st.st_mtime *
	    1000000000 + (unsigned long long)st.st_mtim.tv_nsec,
	    (unsigned long long)st.st_size);
	answer_range(req, (uint64_t)st.st_size, etag, resp);
	return 0;
}

int
file_answer(const struct app *app, const struct req *req,
    const struct file *file, struct resp *resp, struct cic_err *err)
{
	struct stat st;
	int rc = 0;

	if (lstat(file->path, &st) != 0)
		return cic_err_errno(err, "%s", file->path);
	if (!S_ISREG(st.st_mode))
		return cic_err_set(err, CIC_ENOENT, "%s is no file", file->path);
	resp->content_type = file->type;
	if (req->handoff == HANDOFF_ACCEL)
		snprintf(resp->handoff, sizeof(resp->handoff),
		    "X-Accel-Redirect: %s%s\r\n", app->conf->prefix,
		    file->address);
	else if (req->handoff == HANDOFF_SENDFILE)
		snprintf(resp->handoff, sizeof(resp->handoff),
		    "X-Sendfile: %s\r\nX-Content-Type-Options: nosniff\r\n",
		    file->path);
	else
		rc = serve_bytes(req, file, resp, err);
	if (rc == 0 && resp->status < 400 && file->disposition != NULL)
		snprintf(resp->header + strlen(resp->header),
		    sizeof(resp->header) - strlen(resp->header),
		    "Content-Disposition: %s\r\n", file->disposition);
	return rc;
}
