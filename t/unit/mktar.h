/*
 * Tar streams made by hand, for tests that must say every byte.
 *
 *	struct cic_buf b;
 *	mktar_init(&b);
 *	mktar_pax("path", name, strlen(name));	for the next entry
 *	mktar_file(&b, "a", "text");
 *	mktar_end(&b);
 *	mktar_pack(&b, "gzip");		if it is to be compressed
 *	fd = mktar_fd(&b);		close it; releases b
 */
#ifndef MKTAR_H
#define MKTAR_H

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"

struct mktar {
	const char	*name, *link;
	char		 type;		/* '0' file, '5' directory, … */
	unsigned	 mode, uid, gid, major, minor;
	unsigned long long mtime, size;
	const char	*uname;
};

/* pax records waiting for their entry; one header must hold them all. */
static struct cic_buf mktar_records = { .max = 1 << 20 };

static inline void
mktar_init(struct cic_buf *b)
{
	cic_buf_init(b, (size_t)1 << 30);
}

static inline void
mktar_pad(struct cic_buf *b)
{
	while (b->len % 512 != 0)
		cic_buf_putc(b, '\0');
}

/* A ustar header alone. */
static inline void
mktar_block(struct cic_buf *b, const struct mktar *e)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	snprintf(h, 100, "%s", e->name);
	snprintf(h + 100, 8, "%07o", e->mode);
	snprintf(h + 108, 8, "%07o", e->uid);
	snprintf(h + 116, 8, "%07o", e->gid);
	snprintf(h + 124, 12, "%011llo", e->size);
	snprintf(h + 136, 12, "%011llo", e->mtime);
	memset(h + 148, ' ', 8);
	h[156] = e->type;
	snprintf(h + 157, 100, "%s", e->link == NULL ? "" : e->link);
	memcpy(h + 257, "ustar\00000", 8);
	snprintf(h + 265, 32, "%s", e->uname == NULL ? "" : e->uname);
	snprintf(h + 329, 8, "%07o", e->major);
	snprintf(h + 337, 8, "%07o", e->minor);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	cic_buf_add(b, h, sizeof(h));
}

/* The same, after the pax records that wait for it. */
static inline void
mktar_header(struct cic_buf *b, const struct mktar *e)
{
	if (mktar_records.len > 0) {
		mktar_block(b, &(struct mktar){ .name = "pax", .type = 'x',
		    .mode = 0644, .size = mktar_records.len });
		cic_buf_add(b, mktar_records.data, mktar_records.len);
		mktar_pad(b);
		cic_buf_release(&mktar_records);
	}
	mktar_block(b, e);
}

static inline void
mktar_data(struct cic_buf *b, const void *data, size_t len)
{
	cic_buf_add(b, data, len);
	mktar_pad(b);
}

/* One pax record for the entry that follows. */
static inline void
mktar_pax(const char *key, const void *value, size_t len)
{
	size_t n = strlen(key) + len + 3, digits = 1, p;

	for (p = 10; n + digits >= p; p *= 10)
		digits++;
	cic_buf_printf(&mktar_records, "%zu %s=", n + digits, key);
	cic_buf_add(&mktar_records, value, len);
	cic_buf_putc(&mktar_records, '\n');
}

static inline void
mktar_file(struct cic_buf *b, const char *name, const char *text)
{
	mktar_header(b, &(struct mktar){ .name = name, .type = '0', .mode = 0644,
	    .mtime = 1000, .size = strlen(text) });
	mktar_data(b, text, strlen(text));
}

static inline void
mktar_link(struct cic_buf *b, char type, const char *name, const char *link)
{
	mktar_header(b, &(struct mktar){ .name = name, .type = type,
	    .mode = 0777, .mtime = 1000, .link = link });
}

static inline void
mktar_dir(struct cic_buf *b, const char *name)
{
	mktar_header(b, &(struct mktar){ .name = name, .type = '5', .mode = 0755,
	    .mtime = 1000 });
}

static inline void
mktar_end(struct cic_buf *b)
{
	static const char zero[1024];

	cic_buf_add(b, zero, sizeof(zero));
}

static inline int
mktar_fd(struct cic_buf *b)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert(fd != -1 && !b->failed);
	assert(write(fd, b->data, b->len) == (ssize_t)b->len);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	cic_buf_release(b);
	return fd;
}

/* What a program makes of it: "gzip", "zstd -q". */
static inline void
mktar_pack(struct cic_buf *b, const char *program)
{
	int from = mktar_fd(b), to = memfd_create("packed", MFD_CLOEXEC);
	char cmd[200], part[4096];
	ssize_t n;

	snprintf(cmd, sizeof(cmd), "%s </proc/%d/fd/%d >/proc/%d/fd/%d", program,
	    (int)getpid(), from, (int)getpid(), to);
	assert(system(cmd) == 0);
	mktar_init(b);
	while ((n = read(to, part, sizeof(part))) > 0)
		cic_buf_add(b, part, (size_t)n);
	close(from);
	close(to);
}

#endif
