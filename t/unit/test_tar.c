/* tar.h: what is delivered, exactly, and what is refused. */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "input.h"
#include "mktar.h"
#include "tar.h"

static struct cic_err err;
static struct cic_item e;
static struct cic_buf b;
static struct cic_input *input;
static struct cic_tar *tar;
static struct cic_source *source;
static enum cic_tar_kind kind;
static int fd = -1;

static int
setup(void **state)
{
	(void)state;
	kind = CIC_TAR_EXPORT;
	mktar_init(&b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cic_tar_free(tar);
	tar = NULL;
	cic_input_free(input);
	input = NULL;
	if (fd != -1)
		close(fd);
	fd = -1;
	cic_buf_release(&b);
	return 0;
}

static void
again(void)
{
	teardown(NULL);
	mktar_init(&b);
}

/* From `input`; true when it begins a tar. */
static bool
begin(void)
{
	assert_non_null(input);
	tar = cic_tar_open(input, kind, &err);
	source = tar == NULL ? NULL : cic_tar_source(tar);
	return tar != NULL;
}

static bool
begin_fd(void)
{
	fd = mktar_fd(&b);
	input = cic_input_fd(fd, &err);
	return begin();
}

static void
open_it(void)
{
	if (!begin_fd())
		fail_msg("%s", err.msg);
}

static void
next(void)
{
	if (source->next(source, &e, &err) == -1)
		fail_msg("%s", err.msg);
}

static int
sink(void *arg, const void *data, size_t len, struct cic_err *er)
{
	(void)er;
	assert_true(len > 0 && len <= 1 << 20);
	cic_buf_add(arg, data, len);
	return 0;
}

/* The data of the entry is `len` bytes at `want`. */
static void
data_is(const void *want, size_t len)
{
	struct cic_buf got;

	cic_buf_init(&got, (size_t)1 << 30);
	if (source->data(source, sink, &got, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, want, len);
	cic_buf_release(&got);
}

/* Read all entries and their data until something fails. */
static int
read_all(void)
{
	struct cic_buf got;
	int r;

	cic_buf_init(&got, (size_t)1 << 30);
	do {
		r = source->next(source, &e, &err);
		if (r == 0 && e.path != NULL && S_ISREG(e.attr.mode) &&
		    e.hardlink == NULL)
			r = source->data(source, sink, &got, &err);
	} while (r == 0 && e.path != NULL);
	cic_buf_release(&got);
	return r;
}

/* The same from the start, which may fail as well. */
static int
try_all(void)
{
	return begin_fd() ? read_all() : -1;
}

static void
has(const char *what)
{
	if (strstr(err.msg, what) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", what, err.msg);
}

static void
refuses(const char *why)
{
	assert_int_equal(try_all(), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(why);
}

static void
all_types(void **state)
{
	(void)state;
	mktar_header(&b, &(struct mktar){ .name = "./f", .type = '0', .mode = 04751,
	    .uid = 70000, .gid = 5, .mtime = 123, .size = 5, .uname = "daemon" });
	mktar_data(&b, "hello", 5);
	mktar_dir(&b, "d/");
	mktar_link(&b, '1', "h", "./f");
	mktar_link(&b, '2', "s", "../../x");
	mktar_header(&b, &(struct mktar){ .name = "c", .type = '3', .mode = 0620,
	    .major = 4, .minor = 65600 });
	mktar_header(&b, &(struct mktar){ .name = "b", .type = '4', .major = 8 });
	mktar_header(&b, &(struct mktar){ .name = "p", .type = '6' });
	mktar_end(&b);
	open_it();
	next();
	assert_string_equal(e.path, "./f");
	assert_int_equal(e.attr.mode, S_IFREG | 04751);
	assert_int_equal(e.attr.uid, 70000);	/* not the host's "daemon" */
	assert_int_equal(e.attr.gid, 5);
	assert_int_equal(e.attr.mtime, 123);
	assert_int_equal(e.size, 5);
	assert_null(e.hardlink);
	data_is("hello", 5);
	next();
	assert_string_equal(e.path, "d/");
	assert_int_equal(e.attr.mode, S_IFDIR | 0755);
	next();
	assert_string_equal(e.hardlink, "./f");
	assert_int_equal(e.size, 0);
	next();
	assert_null(e.hardlink);
	assert_string_equal(e.symlink, "../../x");
	assert_int_equal(e.attr.mode, S_IFLNK | 0777);
	next();
	assert_int_equal(e.attr.mode, S_IFCHR | 0620);
	assert_int_equal(e.attr.major, 4);
	assert_int_equal(e.attr.minor, 65600);
	next();
	assert_true(S_ISBLK(e.attr.mode));
	next();
	assert_true(S_ISFIFO(e.attr.mode));
	next();
	assert_null(e.path);
}

/* Long, not UTF-8, decomposed, in pax and in GNU headers: the same bytes. */
static void
names_are_bytes(void **state)
{
	static const char *const names[] = {
		"caf\xc3\xa9", "cafe\xcc\x81", "latin\xe9", "\xff\xfe", "e\xed\xa0\x80",
		"a\nb", "\xe2\x84\xab", "new\\line*?",
	};
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		mktar_pax("path", names[i], strlen(names[i]));
		mktar_pax("linkpath", names[i], strlen(names[i]));
		mktar_link(&b, i % 2 ? '1' : '2', "x", "x");
		snprintf(name, sizeof(name), "%0120d/%s", 7, names[i]);
		mktar_header(&b, &(struct mktar){ .name = "././@LongLink",
		    .type = 'L', .size = strlen(name) + 1 });
		mktar_data(&b, name, strlen(name) + 1);
		mktar_file(&b, "short", "");
		mktar_file(&b, names[i], "");
	}
	mktar_end(&b);
	open_it();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		next();
		assert_string_equal(e.path, names[i]);
		assert_string_equal(i % 2 ? e.hardlink : e.symlink, names[i]);
		next();
		snprintf(name, sizeof(name), "%0120d/%s", 7, names[i]);
		assert_string_equal(e.path, name);
		next();
		assert_string_equal(e.path, names[i]);
	}
	next();
	assert_null(e.path);
}

/* What sqfstar gets wrong: a long target's leading "/" or "../". */
static void
long_link_targets(void **state)
{
	char target[200];

	(void)state;
	memset(target, 't', sizeof(target));
	memcpy(target, "/../", 4);
	mktar_pax("linkpath", target, sizeof(target));
	mktar_link(&b, '2', "l", "cut");
	mktar_end(&b);
	open_it();
	next();
	assert_int_equal(strlen(e.symlink), sizeof(target));
	assert_memory_equal(e.symlink, target, sizeof(target));
}

/* Docker writes what a hard link links to into its mode. */
static void
hard_links_of_every_type(void **state)
{
	static const unsigned type[] = { S_IFREG, S_IFLNK, S_IFIFO, S_IFCHR, S_IFSOCK };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		mktar_header(&b, &(struct mktar){ .name = "l", .type = '1',
		    .mode = type[i] | 0777, .link = "to" });
	mktar_end(&b);
	open_it();
	for (size_t i = 0; i < 5; i++) {
		next();
		assert_string_equal(e.path, "l");
		assert_non_null(e.hardlink);
		assert_string_equal(e.hardlink, "to");
	}
	next();
	assert_null(e.path);
}

static void
times(void **state)
{
	static const struct { const char *pax; uint32_t want; } t[] = {
		{ "1700000000", 1700000000 }, { "1700000000.999999999", 1700000000 },
		{ "-5", 0 }, { "-62135596800", 0 }, { "4294967295", 4294967295u },
		{ "99999999999", 4294967295u },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		mktar_pax("mtime", t[i].pax, strlen(t[i].pax));
		mktar_file(&b, "f", "");
	}
	mktar_end(&b);
	open_it();
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		next();
		assert_int_equal(e.attr.mtime, t[i].want);
	}
}

static void
xattrs(void **state)
{
	(void)state;
	mktar_pax("SCHILY.xattr.user.a", "x\0y\n", 4);
	mktar_file(&b, "f", "1");
	mktar_pax("LIBARCHIVE.xattr.user.b", "aGk=", 4);
	mktar_file(&b, "g", "");
	mktar_file(&b, "h", "");
	mktar_end(&b);
	open_it();
	next();
	assert_int_equal(e.nxattr, 1);
	assert_string_equal(e.xattr[0].name, "user.a");
	assert_int_equal(e.xattr[0].size, 4);
	assert_memory_equal(e.xattr[0].value, "x\0y\n", 4);
	next();
	assert_int_equal(e.nxattr, 1);
	assert_string_equal(e.xattr[0].name, "user.b");
	assert_memory_equal(e.xattr[0].value, "hi", 2);
	next();
	assert_int_equal(e.nxattr, 0);
}

static void
holes_are_zeros(void **state)
{
	static const char map[] = "1\n8\n4\n";	/* 1 piece: at 8, 4 bytes */

	(void)state;
	mktar_pax("GNU.sparse.major", "1", 1);
	mktar_pax("GNU.sparse.minor", "0", 1);
	mktar_pax("GNU.sparse.name", "holes", 5);
	mktar_pax("GNU.sparse.realsize", "20", 2);
	mktar_header(&b, &(struct mktar){ .name = "x", .type = '0', .size = 516 });
	cic_buf_add(&b, map, sizeof(map) - 1);
	mktar_pad(&b);
	mktar_data(&b, "DATA", 4);
	mktar_end(&b);
	open_it();
	next();
	assert_string_equal(e.path, "holes");
	assert_int_equal(e.size, 20);
	data_is("\0\0\0\0\0\0\0\0DATA\0\0\0\0\0\0\0\0", 20);
	next();
	assert_null(e.path);
}

/* Three entries that end at 512, 3072 and 4096, and the end mark.  Zeros as data
 * look like an end mark. */
static void
make_to_cut(struct cic_buf *whole)
{
	static const char zeros[2048];

	mktar_init(whole);
	mktar_dir(whole, "d");
	mktar_header(whole, &(struct mktar){ .name = "z", .type = '0', .size = 2048 });
	mktar_data(whole, zeros, sizeof(zeros));
	mktar_file(whole, "last", "some text");
	mktar_end(whole);
	assert_int_equal(whole->len, 5120);
}

static void
cut_is(const struct cic_buf *whole, size_t n, int want)
{
	again();
	cic_buf_add(&b, whole->data, n);
	if (try_all() != want)
		fail_msg("cut at %zu of %zu: %s", n, whole->len,
		    want == 0 ? err.msg : "not noticed");
}

/* Every way to be cut; one block of zeros is end mark enough. */
static void
cut_short(void **state)
{
	struct cic_buf whole;

	(void)state;
	make_to_cut(&whole);
	for (size_t n = 0; n <= whole.len; n += 256)
		cut_is(&whole, n, n >= 4608 ? 0 : -1);
	cic_buf_release(&whole);
}

/* A layer may end where an entry does. */
static void
layer_without_end(void **state)
{
	struct cic_buf whole;

	(void)state;
	make_to_cut(&whole);
	kind = CIC_TAR_LAYER;
	for (size_t n = 256; n <= 4096; n += 256)
		cut_is(&whole, n, n == 512 || n == 3072 || n == 4096 ? 0 : -1);
	for (size_t n = 4608; n <= 5120; n += 512)
		cut_is(&whole, n, 0);
	cic_buf_release(&whole);
}

/* An image's empty layer: nothing but the end mark. */
static void
layer_without_files(void **state)
{
	(void)state;
	kind = CIC_TAR_LAYER;
	mktar_end(&b);
	open_it();
	next();
	assert_null(e.path);
}

static void
cut_short_names_the_entry(void **state)
{
	(void)state;
	mktar_file(&b, "first", "1");
	mktar_header(&b, &(struct mktar){ .name = "sec\ned", .type = '0', .size = 9999 });
	mktar_data(&b, "little", 6);
	refuses("sec\\x0aed");
}

static void
not_a_tar(void **state)
{
	(void)state;
	cic_buf_puts(&b, "{\"message\":\"No such container\"}\n");
	refuses("(start)");
}

/* cpio: libarchive knows it, here it is no tar. */
static void
other_formats(void **state)
{
	(void)state;
	for (kind = CIC_TAR_EXPORT; kind <= CIC_TAR_LAYER; kind++) {
		again();
		for (int i = 0; i < 20; i++)
			cic_buf_puts(&b, "0707010000000000000000000000000000000000000000"
			    "0000000000000000000000000000000000000000000000000000000000"
			    "000000");
		refuses("format");
	}
}

/* --- compressed --------------------------------------------------------- */

static const char *const programs[] = { "gzip -n", "zstd -q" };

/* 3 MiB that do not shrink and a small file, compressed; `big` are the MiB. */
static void
make_packed(const char *program, unsigned char *big, size_t len)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		big[i] = (unsigned char)(seed >> 24);
	}
	again();
	mktar_header(&b, &(struct mktar){ .name = "big", .type = '0', .size = len });
	mktar_data(&b, big, len);
	mktar_file(&b, "small", "text");
	mktar_end(&b);
	mktar_pack(&b, program);
}

static void
layers_are_compressed(void **state)
{
	static unsigned char big[3 << 20];

	(void)state;
	kind = CIC_TAR_LAYER;
	for (size_t i = 0; i < 2; i++) {
		make_packed(programs[i], big, sizeof(big));
		open_it();
		next();
		assert_string_equal(e.path, "big");
		data_is(big, sizeof(big));
		next();
		assert_string_equal(e.path, "small");
		data_is("text", 4);
		next();
		assert_null(e.path);
	}
}

static void
exports_are_not(void **state)
{
	static unsigned char big[1000];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		make_packed(programs[i], big, sizeof(big));
		refuses("format");
	}
}

/* xz and bzip2 are no layer's compressions. */
static void
other_compressions(void **state)
{
	(void)state;
	kind = CIC_TAR_LAYER;
	cic_buf_add(&b, "\xfd" "7zXZ\0\0\4\xe6\xd6\xb4\x46", 12);
	for (int i = 0; i < 2000; i++)
		cic_buf_putc(&b, (char)i);
	refuses("format");
	again();
	cic_buf_puts(&b, "BZh91AY&SY");
	for (int i = 0; i < 2000; i++)
		cic_buf_putc(&b, (char)i);
	refuses("format");
}

static void
packed_and_cut(void **state)
{
	static unsigned char big[3 << 20];
	struct cic_buf whole;

	(void)state;
	kind = CIC_TAR_LAYER;
	for (size_t i = 0; i < 2; i++) {
		make_packed(programs[i], big, sizeof(big));
		whole = b;
		mktar_init(&b);
		cut_is(&whole, 100, -1);
		cut_is(&whole, 1 << 20, -1);
		cut_is(&whole, whole.len - 2000, -1);
		cut_is(&whole, whole.len, 0);
		cic_buf_release(&whole);
	}
}

/* What pigz, eStargz and zstd:chunked write: one stream after another, and, in
 * zstd, a frame to be skipped behind them. */
static void
packed_in_pieces(void **state)
{
	struct cic_buf all;

	(void)state;
	kind = CIC_TAR_LAYER;
	for (size_t i = 0; i < 2; i++) {
		cic_buf_init(&all, 1 << 20);
		for (int k = 0; k < 3; k++) {
			again();
			if (k < 2)
				mktar_file(&b, k == 0 ? "one" : "two", "text");
			else
				mktar_end(&b);
			mktar_pack(&b, programs[i]);
			cic_buf_add(&all, b.data, b.len);
		}
		if (i == 1)
			cic_buf_add(&all, "\x50\x2a\x4d\x18\3\0\0\0end", 11);
		again();
		cic_buf_add(&b, all.data, all.len);
		cic_buf_release(&all);
		open_it();
		next();
		assert_string_equal(e.path, "one");
		data_is("text", 4);
		next();
		assert_string_equal(e.path, "two");
		next();
		assert_null(e.path);
	}
}

static void
bad_checksum(void **state)
{
	(void)state;
	mktar_file(&b, "a", "1");
	mktar_file(&b, "b", "2");
	b.data[1024 + 5] ^= 1;
	mktar_end(&b);
	refuses("\"a\"");
}

static void
too_large(void **state)
{
	(void)state;
	mktar_pax("size", "2000000000000", 13);
	mktar_file(&b, "huge", "");
	mktar_end(&b);
	refuses("1 TiB");
	again();
	mktar_pax("size", "99999999999999999999", 20);
	mktar_file(&b, "huge", "");
	mktar_end(&b);
	refuses("");
}

static void
owner_out_of_range(void **state)
{
	(void)state;
	mktar_pax("uid", "4294967295", 10);
	mktar_file(&b, "ok", "");
	mktar_pax("uid", "4294967296", 10);
	mktar_file(&b, "not", "");
	mktar_end(&b);
	refuses("\"not\": owner");
}

static void
device_out_of_range(void **state)
{
	(void)state;
	mktar_header(&b, &(struct mktar){ .name = "dev", .type = '3', .major = 4096 });
	mktar_end(&b);
	refuses("device");
}

/* The writer of a pipe must never see it break, whatever follows the end. */
static void
pipe_is_drained(void **state)
{
	int p[2], status;
	pid_t pid;

	(void)state;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		char junk[65536] = { 0 };

		close(p[0]);
		/* in pieces, as a socket delivers */
		for (size_t i = 0; i < b.len; i += 100)
			if (write(p[1], b.data + i, b.len - i < 100 ?
			    b.len - i : 100) == -1)
				_exit(1);
		for (int i = 0; i < 64; i++)
			if (write(p[1], junk, sizeof(junk)) == -1)
				_exit(1);
		_exit(0);
	}
	close(p[1]);
	fd = p[0];
	input = cic_input_fd(fd, &err);
	assert_true(begin());
	assert_int_equal(read_all(), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- inputs ------------------------------------------------------------- */

/* Gives `good` bytes of b in pieces of `piece`, then fails or, if it must not,
 * ends. */
struct failing {
	struct cic_input input;
	size_t	 at, good, piece;
	bool	 fails;
	bool	 told;		/* how it ends */
};

static ssize_t
failing_read(struct cic_input *in, const void **data, struct cic_err *er)
{
	struct failing *f = (struct failing *)in;
	size_t n = f->good - f->at < f->piece ? f->good - f->at : f->piece;

	/* It says so once: who asks again is told nothing. */
	if (n == 0 && f->fails && !f->told) {
		f->told = true;
		return cic_err_set(er, CIC_EAGAIN, "the engine is gone");
	}
	f->told = f->told || n == 0;
	*data = b.data + f->at;
	f->at += n;
	return (ssize_t)n;
}

static void
no_free(struct cic_input *in)
{
	(void)in;
}

/* Wherever the input fails, that is what is said: not that the tar is cut. */
static void
fails_at(size_t good, size_t piece)
{
	static struct failing f;

	f = (struct failing){ .input = { failing_read, NULL, no_free },
	    .good = good, .piece = piece, .fails = true };
	input = &f.input;
	err = (struct cic_err){ CIC_OK, "" };
	if ((begin() ? read_all() : -1) != -1)
		fail_msg("after %zu bytes: not noticed", good);
	if (err.code != CIC_EAGAIN)
		fail_msg("after %zu bytes: %s", good, err.msg);
	has("the engine is gone");
	cic_tar_free(tar);
	tar = NULL;
}

static void
inputs_own_message(void **state)
{
	struct cic_buf whole;

	(void)state;
	make_to_cut(&whole);
	cic_buf_add(&b, whole.data, whole.len);
	for (kind = CIC_TAR_EXPORT; kind <= CIC_TAR_LAYER; kind++) {
		for (size_t good = 0; good <= whole.len; good += 256)
			fails_at(good, 100);
		fails_at(whole.len, whole.len);
	}
	cic_buf_release(&whole);
}

/* Also where libarchive would take it for the end of what is compressed. */
static void
packed_inputs_own_message(void **state)
{
	static unsigned char big[100000];

	(void)state;
	kind = CIC_TAR_LAYER;
	for (size_t i = 0; i < 2; i++) {
		make_packed(programs[i], big, sizeof(big));
		for (size_t good = 0; good < b.len; good += b.len / 7)
			fails_at(good, 1000);
		for (size_t good = b.len - 20; good <= b.len; good++)
			fails_at(good, 1000);
		fails_at(b.len, b.len);
	}
}

/* The digest of a layer is told at its end, too, and must be heard. */
static void
wrong_digest(void **state)
{
	static unsigned char big[3 << 20];
	const char *const how[] = { programs[0], programs[1], "cat" };
	const char *zeros = "00000000000000000000000000000000"
	    "00000000000000000000000000000000";
	size_t size;

	(void)state;
	kind = CIC_TAR_LAYER;
	for (size_t i = 0; i < 6; i++) {
		make_packed(how[i / 2], big, i % 2 ? sizeof(big) : 1000);
		size = b.len;
		fd = mktar_fd(&b);
		input = cic_input_part(fd, 0, size, "the layer", zeros, &err);
		assert_int_equal(begin() ? read_all() : -1, -1);
		assert_int_equal(err.code, CIC_EINVAL);
		has("the layer: damaged");
	}
}

static void
says_after_which_entry(void **state)
{
	struct cic_buf whole;

	(void)state;
	make_to_cut(&whole);
	cic_buf_add(&b, whole.data, whole.len);
	fails_at(1024, 100);
	has("\"z\"");
	cic_buf_release(&whole);
}

static void
bad_descriptor(void **state)
{
	(void)state;
	input = cic_input_fd(-1, &err);
	assert_int_equal(begin() ? read_all() : -1, -1);
	assert_int_equal(err.code, CIC_EIO);
	has(strerror(EBADF));
}

/* Its digest is checked at the end of the input, so that must be reached. */
static void
all_is_read(void **state)
{
	static struct failing f = { .input = { failing_read, NULL, no_free },
	    .piece = 512 };

	(void)state;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	for (int i = 0; i < 100; i++)
		mktar_end(&b);
	f.good = b.len;
	input = &f.input;
	assert_true(begin());
	assert_int_equal(read_all(), 0);
	assert_int_equal(f.at, b.len);
	assert_true(f.told);
}

static int
stop(void *arg, const void *data, size_t len, struct cic_err *er)
{
	(void)arg;
	(void)data;
	(void)len;
	return cic_err_set(er, CIC_ENOSPC, "enough");
}

static void
sinks_own_error(void **state)
{
	(void)state;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	open_it();
	next();
	assert_int_equal(source->data(source, stop, NULL, &err), -1);
	assert_int_equal(err.code, CIC_ENOSPC);
	assert_string_equal(err.msg, "enough");
}

/* Data that nobody wants is skipped, and known to be where it is. */
static void
offsets(void **state)
{
	static char text[100000];
	char got[5] = "";
	size_t want;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	mktar_file(&b, "first", text);
	mktar_pax("path", "second", 6);
	mktar_file(&b, "cut", "text");
	want = b.len - 512;
	mktar_file(&b, "third", "");
	mktar_end(&b);
	cic_buf_add(&b, "behind it", 9);
	fd = mktar_fd(&b);
	input = cic_input_part(fd, 0, want + 512 + 512 + 1024, "part", NULL, &err);
	assert_true(begin());
	next();
	assert_int_equal(cic_tar_offset(tar), 512);
	next();
	assert_string_equal(e.path, "second");
	assert_int_equal(cic_tar_offset(tar), want);
	assert_int_equal(pread(fd, got, 4, (off_t)cic_tar_offset(tar)), 4);
	assert_string_equal(got, "text");
	next();
	assert_string_equal(e.path, "third");
	next();
	assert_null(e.path);
}

/* A part that is skipped over must not seem longer than it is. */
static void
skipped_past_the_end(void **state)
{
	(void)state;
	mktar_header(&b, &(struct mktar){ .name = "f", .type = '0', .size = 100000 });
	mktar_data(&b, "little", 6);
	fd = mktar_fd(&b);
	input = cic_input_part(fd, 0, 1024, "part", NULL, &err);
	kind = CIC_TAR_LAYER;
	assert_true(begin());
	next();
	assert_int_equal(source->next(source, &e, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has("\"f\"");
}

static void
version(void **state)
{
	unsigned major;

	(void)state;
	assert_int_equal(sscanf(cic_tar_version(), "%u.", &major), 1);
	assert_true(major >= 3);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_types), T(names_are_bytes), T(long_link_targets),
		T(hard_links_of_every_type), T(times),
		T(xattrs), T(holes_are_zeros), T(cut_short),
		T(layer_without_end), T(layer_without_files),
		T(cut_short_names_the_entry), T(not_a_tar), T(other_formats),
		T(layers_are_compressed), T(exports_are_not),
		T(other_compressions), T(packed_and_cut), T(packed_in_pieces),
		T(bad_checksum), T(too_large), T(owner_out_of_range),
		T(device_out_of_range), T(pipe_is_drained),
		T(inputs_own_message), T(packed_inputs_own_message),
		T(wrong_digest),
		T(says_after_which_entry), T(bad_descriptor), T(all_is_read),
		T(sinks_own_error), T(offsets), T(skipped_past_the_end),
		T(version),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
