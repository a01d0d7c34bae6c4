/*
 * A growing byte buffer with a maximum.
 *
 * `data` is never NULL after cic_buf_init and always followed by a NUL byte
 * that `len` does not count, so it may be read as a C string.  A failed append
 * (out of memory, or past the maximum) sets `failed` and every later append
 * does nothing: build the whole text, then test `failed` once.
 */
#ifndef CIC_BUF_H
#define CIC_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct cic_buf {
	char	*data;
	size_t	 len;
	size_t	 cap;		/* bytes allocated, 0 while nothing is */
	size_t	 max;		/* most bytes `len` may reach */
	bool	 failed;
};

void cic_buf_init(struct cic_buf *buf, size_t max);
void cic_buf_release(struct cic_buf *buf);	/* frees; usable again after init */
void cic_buf_reset(struct cic_buf *buf);	/* empty, memory and maximum kept */

void cic_buf_add(struct cic_buf *buf, const void *data, size_t len);
void cic_buf_puts(struct cic_buf *buf, const char *s);
void cic_buf_putc(struct cic_buf *buf, char c);
void cic_buf_printf(struct cic_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Hand the bytes over: the caller frees them; the buffer is empty after.
 * NULL when the buffer has failed. */
char *cic_buf_detach(struct cic_buf *buf);

#endif
