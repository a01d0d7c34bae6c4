/*
 * Fuzz target: saved images.  The input is a handful of texts parted by NUL, the
 * first one the index.json (or, when it begins with "[", the manifest.json of
 * `docker save`).  "@3" in a text stands for the digest of text 3, counted from
 * 0, which must come after; so the fuzzer need not guess digests.  Text 3 lies in
 * the archive as blobs/sha256/<digest>, and as "m3".
 */
#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/mktar.h"
#include "buf.h"
#include "bundle.h"
#include "digest.h"
#include "err.h"
#include "oci.h"
#include "sifmeta.h"

#define TEXTS	10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct texts {
	struct cic_buf	 text[TEXTS];
	char		 digest[TEXTS][CIC_SHA256_HEX];
	int		 count;
};

static void
split(struct texts *t, const uint8_t *data, size_t size)
{
	size_t i;

	for (i = 0; i < TEXTS; i++)
		cic_buf_init(&t->text[i], 1 << 20);
	t->count = 1;
	for (i = 0; i < size; i++) {
		if (data[i] == '\0' && t->count < TEXTS)
			t->count++;
		else
			cic_buf_putc(&t->text[t->count - 1], (char)data[i]);
	}
}

/* "@<n>" -> the digest of text n, for those behind this one. */
static void
fill_in(struct texts *t, int n)
{
	struct cic_buf out;
	size_t i;
	int to;

	cic_buf_init(&out, 1 << 20);
	for (i = 0; i < t->text[n].len; i++) {
		const char *p = t->text[n].data + i;

		to = *p == '@' && isdigit((unsigned char)p[1]) ? p[1] - '0' : 0;
		if (to > n && to < t->count) {
			cic_buf_puts(&out, t->digest[to]);
			i++;
		} else
			cic_buf_putc(&out, *p);
	}
	cic_buf_release(&t->text[n]);
	t->text[n] = out;
	cic_digest_mem(out.data, out.len, t->digest[n]);
}

static void
add(struct cic_buf *tar, const char *name, const struct cic_buf *text)
{
	mktar_header(tar, &(struct mktar){ .name = name, .type = '0',
	    .size = text->len });
	mktar_data(tar, text->data, text->len);
}

static int
archive(struct texts *t, enum cic_oci_form form)
{
	char name[100], seen[TEXTS][CIC_SHA256_HEX];
	struct cic_buf tar;
	int i, k;

	mktar_init(&tar);
	for (i = t->count - 1; i >= 0; i--) {
		fill_in(t, i);
		strcpy(seen[i], t->digest[i]);
		for (k = i + 1; k < t->count && strcmp(seen[k], seen[i]) != 0; k++)
			;
		snprintf(name, sizeof(name), "blobs/sha256/%s", t->digest[i]);
		if (k == t->count)
			add(&tar, name, &t->text[i]);
		snprintf(name, sizeof(name), "m%d", i);
		add(&tar, name, &t->text[i]);
	}
	add(&tar, form == CIC_OCI_LAYOUT ? "index.json" : "manifest.json",
	    &t->text[0]);
	mktar_end(&tar);
	return mktar_fd(&tar);
}

static void
check(const struct cic_oci *oci, int fd)
{
	struct cic_sifmeta meta;
	struct cic_err err;
	struct stat st;
	size_t i;

	assert(oci->config != NULL && strlen(oci->id) == 64);
	assert(fstat(fd, &st) == 0);
	for (i = 0; i < oci->count; i++) {
		const struct cic_part *part = &oci->layer[i].part;

		assert(part->offset + part->size <= (uint64_t)st.st_size);
		assert(strlen(oci->layer[i].sha256) % 64 == 0);
	}
	if (cic_sifmeta_make(oci->config, "oci", "x", &meta, &err) == 0)
		cic_sifmeta_release(&meta);
}

static void
try(struct cic_bundle *bundle, int fd, const struct cic_oci_want *want)
{
	struct cic_err err = { .code = CIC_OK };
	struct cic_oci oci;

	if (cic_oci_open(bundle, want, &oci, &err) == 0) {
		check(&oci, fd);
		cic_oci_release(&oci);
	} else
		assert(err.code != CIC_OK && err.msg[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_oci_want want = { .form = size > 0 && data[0] == '[' ?
	    CIC_OCI_DOCKER_SAVE : CIC_OCI_LAYOUT, .reference = "", .platform = "" };
	struct cic_bundle *bundle;
	struct cic_err err;
	struct texts t;
	char path[64];
	int fd, i;

	if (size > 1 << 18)
		return 0;
	split(&t, data, size);
	fd = archive(&t, want.form);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bundle = cic_bundle_open(path, &err);
	assert(bundle != NULL);
	try(bundle, fd, &want);
	want.platform = "linux/arm64";
	want.reference = "a:1";
	try(bundle, fd, &want);
	cic_bundle_free(bundle);
	close(fd);
	for (i = 0; i < TEXTS; i++)
		cic_buf_release(&t.text[i]);
	return 0;
}
