/* bundle.h: files found in a folder and in a tar archive, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundle.h"
#include "err.h"
#include "folder.h"
#include "mktar.h"

static struct cic_bundle *bundle;
static struct cic_buf b;	/* an archive being made */

static int
setup(void **state)
{
	mktar_init(&b);
	return folder_make(state);
}

static int
teardown(void **state)
{
	cic_bundle_free(bundle);
	bundle = NULL;
	cic_buf_release(&b);
	return folder_remove(state);
}

static void
open_path(const char *path)
{
	cic_bundle_free(bundle);
	bundle = cic_bundle_open(path, &err);
	if (bundle == NULL)
		fail_msg("%s", err.msg);
}

/* The archive in b, which is used up. */
static void
open_tar(void)
{
	mktar_end(&b);
	put_bytes("a.tar", b.data, b.len);
	cic_buf_release(&b);
	mktar_init(&b);
	open_path(in_folder("a.tar"));
}

/* What is in b is no archive, and why. */
static void
refused(enum cic_code code, const char *why)
{
	put_bytes("a.tar", b.data, b.len);
	cic_buf_release(&b);
	mktar_init(&b);
	assert_null(cic_bundle_open(in_folder("a.tar"), &err));
	assert_int_equal(err.code, code);
	has(err.msg, in_folder("a.tar"));
	has(err.msg, why);
}

static void
holds(const char *name, const char *want)
{
	struct cic_part part = { .fd = -1 };
	struct cic_buf text;
	char got[100] = "";

	cic_buf_init(&text, 1 << 20);
	if (cic_bundle_read(bundle, name, &text, &err) == -1 ||
	    cic_bundle_find(bundle, name, &part, &err) == -1)
		fail_msg("%s: %s", name, err.msg);
	assert_string_equal(text.data, want);
	assert_int_equal(part.size, strlen(want));
	assert_int_equal(pread(part.fd, got, strlen(want), (off_t)part.offset),
	    strlen(want));
	assert_string_equal(got, want);
	cic_buf_release(&text);
}

static void
misses(const char *name, enum cic_code code, const char *why)
{
	struct cic_part part = { .fd = 42 };
	struct cic_buf text;

	cic_buf_init(&text, 100);
	assert_int_equal(cic_bundle_find(bundle, name, &part, &err), -1);
	if (err.code != code)
		fail_msg("%s: %s", name, err.msg);
	has(err.msg, why);
	assert_int_equal(part.fd, 42);
	assert_int_equal(cic_bundle_read(bundle, name, &text, &err), -1);
	assert_int_equal(err.code, code);
	assert_int_equal(text.len, 0);
	cic_buf_release(&text);
}

static void
make_folder(void)
{
	assert_int_equal(mkdir(in_folder("d"), 0755), 0);
	assert_int_equal(mkdir(in_folder("d/sub"), 0755), 0);
	put_file("d/one", "text");
	put_file("d/sub/two", "more text");
	put_file("d/empty", "");
}

static void
make_tar(void)
{
	mktar_dir(&b, "./");
	mktar_dir(&b, "sub/");
	mktar_file(&b, "./one", "text");
	mktar_file(&b, "sub/two", "more text");
	mktar_file(&b, "empty", "");
}

/* --- both --------------------------------------------------------------- */

static void
finds(void)
{
	holds("one", "text");
	holds("sub/two", "more text");
	holds("./sub//two", "more text");
	holds("empty", "");
	holds("one", "text");	/* once more */
	misses("three", CIC_ENOENT, "three");
	misses("sub/one", CIC_ENOENT, "sub/one");
	misses("two", CIC_ENOENT, "two");
	misses("one/x", CIC_ENOENT, "one/x");
}

static void
leads_out(void)
{
	static const char *const bad[] = { "", ".", "/", "..", "../one",
	    "sub/../../one" };

	for (size_t i = 0; i < COUNT(bad); i++)
		misses(bad[i], CIC_EINVAL, "no name of a file");
}

static void
name_too_long(void)
{
	char name[3000];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	misses(name, CIC_EINVAL, "no name of a file");
}

static void
in_a_folder(void **state)
{
	(void)state;
	make_folder();
	open_path(in_folder("d"));
	finds();
	leads_out();
	name_too_long();
	misses("sub", CIC_EINVAL, "sub is no regular file");
}

static void
in_an_archive(void **state)
{
	(void)state;
	make_tar();
	open_tar();
	finds();
	leads_out();
	name_too_long();
	misses("sub", CIC_ENOENT, "sub");
}

/* Text that is longer than who reads it wants. */
static void
too_large(void **state)
{
	struct cic_buf text;

	(void)state;
	make_folder();
	make_tar();
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			open_path(in_folder("d"));
		else
			open_tar();
		cic_buf_init(&text, 9);
		assert_int_equal(cic_bundle_read(bundle, "sub/two", &text, &err), 0);
		/* appended, so there is no room left */
		assert_int_equal(cic_bundle_read(bundle, "one", &text, &err), -1);
		assert_int_equal(err.code, CIC_EINVAL);
		has(err.msg, "one is larger than 9 bytes");
		assert_string_equal(text.data, "more text");
		cic_buf_release(&text);
	}
}

/* --- folders ------------------------------------------------------------ */

/* Who made the folder could let them lead anywhere. */
static void
links_of_a_folder(void **state)
{
	static const char *const links[] = { "file", "folder/two", "out", "dangling",
	    "absolute" };

	(void)state;
	make_folder();
	put_file("outside", "secret");
	assert_int_equal(symlink("one", in_folder("d/file")), 0);
	assert_int_equal(symlink("sub", in_folder("d/folder")), 0);
	assert_int_equal(symlink("../outside", in_folder("d/out")), 0);
	assert_int_equal(symlink("nowhere", in_folder("d/dangling")), 0);
	assert_int_equal(symlink(in_folder("outside"), in_folder("d/absolute")), 0);
	open_path(in_folder("d"));
	for (size_t i = 0; i < COUNT(links); i++) {
		struct cic_part part;

		assert_int_equal(cic_bundle_find(bundle, links[i], &part, &err), -1);
		has(err.msg, links[i]);
	}
	/* but the folder itself may be one */
	assert_int_equal(symlink("d", in_folder("l")), 0);
	open_path(in_folder("l"));
	holds("one", "text");
}

/* Nothing that is opened is waited for. */
static void
special_files(void **state)
{
	(void)state;
	make_folder();
	assert_int_equal(mkfifo(in_folder("d/fifo"), 0600), 0);
	open_path(in_folder("d"));
	misses("fifo", CIC_EINVAL, "no regular file");
	assert_null(cic_bundle_open(in_folder("d/fifo"), &err));
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "neither a file nor a folder");
	assert_null(cic_bundle_open("/dev/zero", &err));
	assert_int_equal(err.code, CIC_EINVAL);
}

static void
not_there(void **state)
{
	uid_t me = geteuid();

	(void)state;
	assert_null(cic_bundle_open(in_folder("none"), &err));
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, in_folder("none"));
	/* root may open anything, so somebody else asks */
	assert_int_equal(mkdir(in_folder("mine"), me == 0 ? 0700 : 0), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	bundle = cic_bundle_open(in_folder("mine"), &err);
	assert_int_equal(seteuid(me), 0);
	assert_null(bundle);
	assert_int_equal(err.code, CIC_EDENIED);
}

/* --- archives ----------------------------------------------------------- */

/* How docker writes a layer that two images have, or one image twice. */
static void
links_of_an_archive(void **state)
{
	(void)state;
	mktar_dir(&b, "1/");
	mktar_link(&b, '2', "1/layer.tar", "../2/layer.tar");
	mktar_file(&b, "2/layer.tar", "the layer");
	mktar_link(&b, '2', "3/layer.tar", "./../1/./layer.tar");
	mktar_link(&b, '1', "4/hard", "2/layer.tar");
	mktar_link(&b, '2', "sub/beside", "other");
	mktar_file(&b, "sub/other", "other");
	mktar_link(&b, '2', "top", "sub/beside");
	open_tar();
	holds("1/layer.tar", "the layer");
	holds("2/layer.tar", "the layer");
	holds("3/layer.tar", "the layer");
	holds("4/hard", "the layer");
	holds("sub/beside", "other");
	holds("top", "other");
}

static void
links_that_lead_nowhere(void **state)
{
	(void)state;
	mktar_link(&b, '2', "gone", "none");
	mktar_link(&b, '2', "out", "../../etc/passwd");
	mktar_link(&b, '2', "d/root", "/etc/passwd");
	mktar_link(&b, '2', "to-folder", "sub");
	mktar_dir(&b, "sub");
	open_tar();
	misses("gone", CIC_ENOENT, "no member \"none\"");
	misses("out", CIC_ENOENT, "no member \"out\"");
	misses("d/root", CIC_ENOENT, "no member \"d/etc/passwd\"");
	misses("to-folder", CIC_ENOENT, "no member \"sub\"");
}

static void
circles(void **state)
{
	char name[16], to[16];

	(void)state;
	mktar_link(&b, '2', "self", "self");
	mktar_link(&b, '2', "a", "b");
	mktar_link(&b, '1', "b", "a");
	/* a long way is as bad */
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i + 1);
		mktar_link(&b, '2', name, to);
	}
	mktar_file(&b, "l20", "text");
	open_tar();
	misses("self", CIC_EINVAL, "\"self\" is a link in a circle");
	misses("a", CIC_EINVAL, "circle");
	misses("b", CIC_EINVAL, "circle");
	misses("l0", CIC_EINVAL, "circle");
	holds("l15", "text");
}

/* Not files and links: no members, whatever their names. */
static void
other_types(void **state)
{
	(void)state;
	mktar_file(&b, "f", "text");
	mktar_header(&b, &(struct mktar){ .name = "c", .type = '3', .major = 1 });
	mktar_header(&b, &(struct mktar){ .name = "p", .type = '6' });
	mktar_dir(&b, "f");
	mktar_file(&b, "../out", "text");
	open_tar();
	holds("f", "text");
	misses("c", CIC_ENOENT, "");
	misses("p", CIC_ENOENT, "");
}

/* Two readers would not agree on which one it is. */
static void
twice(void **state)
{
	(void)state;
	mktar_file(&b, "a", "1");
	mktar_file(&b, "b", "1");
	mktar_file(&b, "./a", "2");
	mktar_end(&b);
	refused(CIC_EINVAL, "member \"a\" comes twice");
	mktar_file(&b, "a", "1");
	mktar_link(&b, '2', "a", "b");
	mktar_end(&b);
	refused(CIC_EINVAL, "member \"a\" comes twice");
}

static void
compressed(void **state)
{
	static const struct { const char *start; size_t len; const char *why; } t[] = {
		{ "\x1f\x8b\x08", 3, "compressed; gunzip it first" },
		{ "\x28\xb5\x2f\xfd", 4, "compressed; unzstd it first" },
		{ "\xfd" "7zXZ", 6, "compressed; unxz it first" },
		{ "BZh91AY", 7, "compressed; bunzip2 it first" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		cic_buf_add(&b, t[i].start, t[i].len);
		for (int k = 0; k < 1000; k++)
			cic_buf_putc(&b, (char)k);
		refused(CIC_EINVAL, t[i].why);
	}
	mktar_file(&b, "a", "1");
	mktar_end(&b);
	mktar_pack(&b, "gzip");
	refused(CIC_EINVAL, "gunzip");
	mktar_file(&b, "a", "1");
	mktar_end(&b);
	mktar_pack(&b, "zstd -q");
	refused(CIC_EINVAL, "unzstd");
}

static void
damaged(void **state)
{
	(void)state;
	refused(CIC_EINVAL, "");
	cic_buf_puts(&b, "this is no archive");
	refused(CIC_EINVAL, "");
	for (int i = 0; i < 1000; i++)
		cic_buf_puts(&b, "this is no archive");
	refused(CIC_EINVAL, "");
	mktar_file(&b, "a", "1");
	mktar_file(&b, "b", "1");
	b.data[1024 + 3] ^= 1;
	mktar_end(&b);
	refused(CIC_EINVAL, "\"a\"");
}

static void
cut_short(void **state)
{
	struct cic_buf whole;

	(void)state;
	make_tar();
	mktar_header(&b, &(struct mktar){ .name = "large", .type = '0',
	    .size = 100000 });
	for (int i = 0; i < 10000; i++)
		cic_buf_puts(&b, "0123456789");
	mktar_pad(&b);
	mktar_end(&b);
	whole = b;
	mktar_init(&b);
	for (size_t n = 0; n < whole.len - 512; n += n < 6000 ? 512 : 30000) {
		cic_buf_add(&b, whole.data, n);
		refused(CIC_EINVAL, "");
	}
	cic_buf_add(&b, whole.data, whole.len - 2000);
	refused(CIC_EINVAL, "\"large\"");
	cic_buf_release(&whole);
}

static void
too_many(void **state)
{
	char name[16];

	(void)state;
	for (unsigned i = 0; i < CIC_BUNDLE_MEMBERS; i++) {
		snprintf(name, sizeof(name), "%u", i);
		mktar_file(&b, name, "");
	}
	mktar_dir(&b, "folders do not count");
	open_tar();
	holds("99999", "");
	for (unsigned i = 0; i <= CIC_BUNDLE_MEMBERS; i++) {
		snprintf(name, sizeof(name), "%u", i);
		mktar_file(&b, name, "");
	}
	mktar_end(&b);
	refused(CIC_EINVAL, "over 100000 members");
}

/* Its data is not in one piece: what would be read is not what is in it. */
static void
holes(void **state)
{
	static const char map[] = "1\n8\n4\n";

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
	refused(CIC_EINVAL, "\"holes\" is stored with holes");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(in_a_folder), T(in_an_archive), T(too_large),
		T(links_of_a_folder), T(special_files), T(not_there),
		T(links_of_an_archive), T(links_that_lead_nowhere), T(circles),
		T(other_types), T(twice), T(compressed), T(damaged), T(cut_short),
		T(too_many), T(holes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
