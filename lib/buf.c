/* A growing byte buffer; see buf.h. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What `data` points to while nothing is allocated; never written. */
static char empty[1];

void
cic_buf_init(struct cic_buf *buf, size_t max)
{
	*buf = (struct cic_buf){ .data = empty, .max = max };
}

void
cic_buf_release(struct cic_buf *buf)
{
	if (buf->cap != 0)
		free(buf->data);
	cic_buf_init(buf, buf->max);
}

void
cic_buf_reset(struct cic_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->cap != 0)
		buf->data[0] = '\0';
}

/* Room for `more` bytes and the NUL; false (and failed) when there is none. */
static bool
reserve(struct cic_buf *buf, size_t more)
{
	size_t cap = buf->cap != 0 ? buf->cap : 256;
	char *data;

	if (buf->failed || more > buf->max || buf->len > buf->max - more) {
		buf->failed = true;
		return false;
	}
	if (buf->len + more + 1 <= buf->cap)
		return true;
	while (cap < buf->len + more + 1)
		cap *= 2;
	data = realloc(buf->cap != 0 ? buf->data : NULL, cap);
	if (data == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

void
cic_buf_add(struct cic_buf *buf, const void *data, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void
cic_buf_puts(struct cic_buf *buf, const char *s)
{
	cic_buf_add(buf, s, strlen(s));
}

void
cic_buf_putc(struct cic_buf *buf, char c)
{
	cic_buf_add(buf, &c, 1);
}

void
cic_buf_printf(struct cic_buf *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(buf, (size_t)n)) {
		buf->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)n;
}

char *
cic_buf_detach(struct cic_buf *buf)
{
	char *data;

	if (buf->failed)
		return NULL;
	cic_buf_add(buf, "", 0);	/* an empty buffer still hands out memory */
	if (buf->failed)
		return NULL;
	data = buf->data;
	cic_buf_init(buf, buf->max);
	return data;
}
