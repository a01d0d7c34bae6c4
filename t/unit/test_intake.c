/*
 * intake.h: layers become one root, through cic_convert and back through
 * unsquashfs; what nobody can see is not stored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert_rig.h"
#include "digest.h"
#include "oci.h"

static struct cic_oci_layer layer[CIC_OCI_LAYERS + 1];
static size_t nlayer;

static int
setup(void **state)
{
	nlayer = 0;
	memset(layer, 0, sizeof(layer));
	return rig_setup(state);
}

static int
teardown(void **state)
{
	while (nlayer > 0)
		close(layer[--nlayer].part.fd);
	return rig_teardown(state);
}

/* What is in b becomes the next layer; `pack` compresses it, or NULL. */
static void
packed_layer(const char *pack)
{
	struct cic_oci_layer *l = &layer[nlayer++];

	mktar_end(&b);
	if (pack != NULL)
		mktar_pack(&b, pack);
	snprintf(l->name, sizeof(l->name), "number %zu", nlayer);
	cic_digest_mem(b.data, b.len, l->sha256);
	l->part.size = b.len;
	l->part.fd = mktar_fd(&b);
	mktar_init(&b);
}

static void
end_layer(void)
{
	packed_layer(NULL);
}

static int
convert_layers(void)
{
	what.layer = layer;
	what.layers = nlayer;
	return convert();
}

static void
good_layers(void)
{
	if (convert_layers() == -1)
		fail_msg("%s", err.msg);
	unpack();
}

static void
refused_layers(const char *why)
{
	assert_int_equal(convert_layers(), -1);
	if (err.code != CIC_EINVAL)
		fail_msg("%s", err.msg);
	has(err.msg, why);
}

/* Forget the layers. */
static void
anew(void)
{
	while (nlayer > 0)
		close(layer[--nlayer].part.fd);
	memset(layer, 0, sizeof(layer));
}

/* A file of `len` bytes that do not shrink, other ones for other seeds. */
static void
put_noise(const char *name, size_t len, uint32_t seed)
{
	char *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	mktar_header(&b, &(struct mktar){ .name = name, .type = '0', .mode = 0644,
	    .size = len });
	mktar_data(&b, p, len);
	free(p);
}

/* --- what is left ------------------------------------------------------- */

static void
later_layers_win(void **state)
{
	(void)state;
	mktar_dir(&b, "d/");
	mktar_file(&b, "d/kept", "kept");
	mktar_file(&b, "d/changed", "old");
	mktar_file(&b, "file-to-folder", "old");
	mktar_file(&b, "folder-to-file/f", "old");
	mktar_link(&b, '2', "link-to-file", "d/kept");
	end_layer();
	mktar_header(&b, &(struct mktar){ .name = "d", .type = '5', .mode = 0700,
	    .uid = 5, .gid = 6, .mtime = 77 });
	mktar_file(&b, "./d/changed", "new");
	mktar_file(&b, "d/added", "new");
	mktar_dir(&b, "file-to-folder");
	mktar_file(&b, "file-to-folder/f", "new");
	mktar_file(&b, "folder-to-file", "new");
	mktar_file(&b, "link-to-file", "new");
	end_layer();
	good_layers();
	text_is("d/kept", "kept");
	text_is("d/changed", "new");
	text_is("d/added", "new");
	assert_int_equal(look("d").st_mode, S_IFDIR | 0700);
	assert_int_equal(look("d").st_uid, 5);
	assert_int_equal(look("d").st_mtime, 77);
	text_is("file-to-folder/f", "new");
	text_is("folder-to-file", "new");
	text_is("link-to-file", "new");
}

static void
whiteouts(void **state)
{
	(void)state;
	mktar_file(&b, "top", "old");
	mktar_file(&b, "d/f", "old");
	mktar_file(&b, "d/g", "kept");
	mktar_file(&b, "d/sub/f", "old");
	mktar_file(&b, "back", "old");
	mktar_link(&b, '2', "l", "d");
	end_layer();
	mktar_file(&b, ".wh.top", "");
	mktar_dir(&b, "d/");
	mktar_file(&b, "d/.wh.f", "");
	mktar_file(&b, "./d/.wh.sub", "");
	mktar_file(&b, "d/.wh.never", "");
	mktar_file(&b, "nowhere/.wh.f", "");
	mktar_file(&b, ".wh.l", "");
	mktar_file(&b, ".wh.back", "");
	end_layer();
	mktar_file(&b, "back", "again");
	end_layer();
	good_layers();
	gone("top");
	gone("d/f");
	gone("d/sub");
	gone("l");
	gone("nowhere");
	text_is("d/g", "kept");
	text_is("back", "again");
	assert_int_equal(run("test -z \"$(find x -name '.wh*')\""), 0);
}

/* In the layer before its own entries there, or after. */
static void
opaque(void **state)
{
	(void)state;
	mktar_file(&b, "first/old", "old");
	mktar_file(&b, "first/sub/old", "old");
	mktar_file(&b, "last/old", "old");
	mktar_file(&b, "last/sub/old", "old");
	mktar_file(&b, "last/both", "old");
	end_layer();
	mktar_dir(&b, "first/");
	mktar_file(&b, "first/.wh..wh..opq", "");
	mktar_file(&b, "first/new", "new");
	mktar_dir(&b, "last/");
	mktar_file(&b, "last/both", "new");
	mktar_dir(&b, "last/sub/");
	mktar_file(&b, "last/sub/new", "new");
	mktar_file(&b, "last/.wh..wh..opq", "");
	end_layer();
	good_layers();
	assert_int_equal(run("test \"$(cd x && find first last | sort | paste -sd' ')\" ="
	    " 'first first/new last last/both last/sub last/sub/new'"), 0);
	text_is("last/both", "new");
}

static void
opaque_top(void **state)
{
	(void)state;
	mktar_file(&b, "old", "old");
	end_layer();
	mktar_file(&b, "new", "new");
	mktar_file(&b, ".wh..wh..opq", "");
	end_layer();
	good_layers();
	gone("old");
	text_is("new", "new");
}

/* A folder that was removed and made again, without an opaque mark. */
static void
removed_and_made_again(void **state)
{
	(void)state;
	mktar_file(&b, "a/old", "old");
	mktar_file(&b, "z/old", "old");
	end_layer();
	mktar_file(&b, ".wh.a", "");
	mktar_dir(&b, "a");
	mktar_file(&b, "a/new", "new");
	mktar_dir(&b, "z");
	mktar_file(&b, "z/new", "new");
	mktar_file(&b, ".wh.z", "");
	end_layer();
	good_layers();
	gone("a/old");
	gone("z/old");
	text_is("a/new", "new");
	text_is("z/new", "new");
}

/* Names that only look like whiteouts, and whiteouts of what is no name. */
static void
odd_names(void **state)
{
	(void)state;
	mktar_file(&b, "f", "text");
	mktar_file(&b, "d/f", "text");
	mktar_file(&b, "..f", "text");
	end_layer();
	mktar_file(&b, ".wh", "mine");
	mktar_file(&b, "a.wh.f", "mine");
	mktar_file(&b, "wh.f", "mine");
	mktar_file(&b, ".wh.", "");
	mktar_file(&b, "d/.wh.", "");
	mktar_file(&b, ".wh..", "");
	mktar_file(&b, "d/.wh..", "");
	mktar_file(&b, ".wh...", "");
	mktar_file(&b, "d/.wh...", "");
	mktar_file(&b, ".wh..wh.aufs", "");
	mktar_file(&b, "d/.wh..wh.orph", "");
	mktar_file(&b, ".wh...f", "");
	end_layer();
	good_layers();
	text_is("f", "text");
	text_is("d/f", "text");
	gone("..f");
	text_is(".wh", "mine");
	text_is("a.wh.f", "mine");
	text_is("wh.f", "mine");
	assert_int_equal(run("test -z \"$(find x -name '.wh.*')\""), 0);
}

/* In a flattened image such a name is a name. */
static void
whiteouts_of_an_export(void **state)
{
	(void)state;
	mktar_file(&b, "f", "text");
	mktar_file(&b, ".wh.f", "text");
	mktar_end(&b);
	good();
	text_is("f", "text");
	text_is(".wh.f", "text");
}

static void
hard_links(void **state)
{
	(void)state;
	mktar_file(&b, "d/f", "text");
	mktar_file(&b, "g", "old");
	mktar_link(&b, '1', "g2", "g");
	end_layer();
	mktar_link(&b, '1', "l", "d/f");	/* to a lower layer's */
	mktar_link(&b, '1', "e/l", "./l");
	mktar_file(&b, "g", "new");		/* g2 keeps the old one */
	end_layer();
	mktar_file(&b, ".wh.d", "");
	end_layer();
	good_layers();
	gone("d");
	text_is("l", "text");
	assert_int_equal(look("l").st_nlink, 2);
	assert_true(look("l").st_ino == look("e/l").st_ino);
	text_is("g", "new");
	text_is("g2", "old");
	assert_int_equal(look("g2").st_nlink, 1);
}

static void
what_engines_change(void **state)
{
	(void)state;
	mktar_header(&b, &(struct mktar){ .name = "./", .type = '5', .mode = 0700,
	    .uid = 5, .mtime = 99 });
	mktar_file(&b, "etc/hostname", "mine");
	mktar_file(&b, "a", "1");
	end_layer();
	mktar_file(&b, "dev/console", "");
	mktar_file(&b, "etc/resolv.conf", "mine");
	mktar_file(&b, "b", "2");
	end_layer();
	good_layers();
	assert_int_equal(look("").st_mode, S_IFDIR | 0755);
	assert_int_equal(look("").st_uid, 0);
	assert_int_equal(look("").st_mtime, CREATED);
	text_is("etc/hostname", "");
	text_is("etc/resolv.conf", "");
	gone("dev/console");
	text_is("a", "1");
	text_is("b", "2");
}

/* --- data --------------------------------------------------------------- */

/* Files are told apart by their place in the layers: same sizes, and dead ones
 * of every kind in between. */
static void
dead_files_count(void **state)
{
	(void)state;
	mktar_file(&b, "replaced", "no1");
	mktar_file(&b, "a", "one");
	mktar_file(&b, "removed", "no2");
	mktar_file(&b, "etc/hosts", "no3");
	mktar_link(&b, '1', "a2", "a");
	mktar_file(&b, "b", "two");
	mktar_file(&b, "below/f", "no4");
	end_layer();
	mktar_file(&b, "c", "tri");
	mktar_file(&b, ".wh.removed", "no5");
	mktar_file(&b, "replaced", "yes");
	mktar_link(&b, '2', "below", "a");
	mktar_file(&b, ".wh..wh.x", "no6");
	mktar_file(&b, "d", "for");
	end_layer();
	mktar_file(&b, "e", "fiv");
	end_layer();
	good_layers();
	text_is("a", "one");
	text_is("a2", "one");
	text_is("b", "two");
	text_is("c", "tri");
	text_is("d", "for");
	text_is("e", "fiv");
	text_is("replaced", "yes");
	assert_int_equal(out.bytes, 6 * 3);
}

/* Replaced, removed, below what was replaced: 4 MB that are nowhere. */
static void
dead_data_is_not_stored(void **state)
{
	(void)state;
	put_noise("replaced", 1000000, 1);
	put_noise("removed", 1000000, 2);
	put_noise("d/below", 1000000, 3);
	put_noise("o/hidden", 1000000, 4);
	put_noise("alive", 100000, 5);
	end_layer();
	mktar_file(&b, "replaced", "small");
	mktar_file(&b, ".wh.removed", "");
	mktar_file(&b, "d", "");
	mktar_file(&b, "o/.wh..wh..opq", "");
	end_layer();
	good_layers();
	assert_int_equal(out.bytes, 100000 + 5);
	assert_in_range(out.size, 100000, 200000);
	assert_int_equal(look("alive").st_size, 100000);
}

static void
compressed_layers(void **state)
{
	static const char *const how[] = { NULL, "gzip", "zstd -q", "gzip -1" };
	char first[65] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(how); i++) {
		anew();
		put_noise("big", 3000000, 1);
		mktar_file(&b, "old", "old");
		packed_layer(how[i]);
		mktar_file(&b, ".wh.old", "");
		mktar_file(&b, "new", "new");
		packed_layer(how[COUNT(how) - 1 - i]);	/* mixed */
		if (convert_layers() == -1)
			fail_msg("%s", err.msg);
		if (i == 0)
			strcpy(first, out.sha256);
		assert_string_equal(out.sha256, first);
	}
	unpack();
	text_is("new", "new");
	gone("old");
}

/* A part of a larger file, as in an archive. */
static void
layer_in_an_archive(void **state)
{
	struct cic_buf whole;

	(void)state;
	mktar_file(&b, "f", "text");
	mktar_end(&b);
	whole = b;
	mktar_init(&b);
	cic_buf_puts(&b, "something before it");
	cic_buf_add(&b, whole.data, whole.len);
	cic_buf_puts(&b, "something behind it");
	strcpy(layer[0].name, "part");
	cic_digest_mem(whole.data, whole.len, layer[0].sha256);
	layer[0].part.offset = 19;
	layer[0].part.size = whole.len;
	cic_buf_release(&whole);
	layer[0].part.fd = mktar_fd(&b);
	mktar_init(&b);
	nlayer = 1;
	good_layers();
	text_is("f", "text");
}

static void
empty_layers(void **state)
{
	(void)state;
	end_layer();
	mktar_file(&b, "f", "text");
	end_layer();
	packed_layer("gzip");
	good_layers();
	text_is("f", "text");
}

static unsigned told;
static uint64_t told_bytes, told_files;

static void
progress(void *arg, uint64_t bytes, uint64_t files)
{
	(void)arg;
	told++;
	told_bytes = bytes;
	told_files = files;
}

static void
progress_is_told(void **state)
{
	(void)state;
	told = 0;
	what.progress = progress;
	put_noise("big", 3000000, 1);
	mktar_file(&b, "dead", "dead");
	end_layer();
	mktar_file(&b, ".wh.dead", "");
	mktar_file(&b, "f", "text");
	end_layer();
	assert_int_equal(convert_layers(), 0);
	assert_in_range(told, 2, 5);
	assert_int_equal(told_bytes, 3000004);
	assert_int_equal(told_bytes, out.bytes);
	assert_int_equal(told_files, 3);
}

/* --- the file that is kept ---------------------------------------------- */

static void
lock_is(const char *want)
{
	char *text;

	what.lock = "opt/lock";
	if (convert_layers() == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(run("siftool dump 5 x.sif > object"), 0);
	text = get_file(in_folder("object"));
	if (want == NULL)
		assert_null(strstr(text, "spack_lock"));
	else
		has(text, want);
	free(text);
}

static void
lock_of_the_upper_layer(void **state)
{
	(void)state;
	mktar_file(&b, "opt/lock", "[1]");
	mktar_file(&b, "f", "");
	end_layer();
	lock_is("\"spack_lock\":[1]}");
	mktar_file(&b, "opt/lock", "[2]");
	end_layer();
	lock_is("\"spack_lock\":[2]}");
	mktar_file(&b, "opt/.wh.lock", "");
	end_layer();
	lock_is(NULL);
}

/* A lower layer's lock lives on under another name, and is no lock any more. */
static void
lock_with_another_name(void **state)
{
	(void)state;
	mktar_file(&b, "opt/lock", "[1]");
	end_layer();
	mktar_link(&b, '1', "other", "opt/lock");
	end_layer();
	lock_is("\"spack_lock\":[1]}");
	mktar_file(&b, "opt/lock", "[2]");
	end_layer();
	lock_is("\"spack_lock\":[2]}");
	mktar_file(&b, "opt/.wh.lock", "");
	end_layer();
	lock_is(NULL);
	unpack();
	text_is("other", "[1]");
}

/* Nor does it matter which of its names a layer has first. */
static void
lock_that_is_a_hard_link(void **state)
{
	(void)state;
	mktar_file(&b, "other", "[3]");
	mktar_link(&b, '1', "opt/lock", "other");
	end_layer();
	lock_is("\"spack_lock\":[3]}");
}

/* --- what is wrong ------------------------------------------------------ */

static void
wrong_digest(void **state)
{
	static const char *const how[] = { NULL, "gzip", "zstd -q" };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(how); i++) {
		anew();
		mktar_file(&b, "a", "1");
		packed_layer(how[i / 2]);
		put_noise("b", i % 2 == 0 ? 1000 : 3000000, 1);
		packed_layer(how[i / 2]);
		layer[1].sha256[5] ^= 1;
		refused_layers("layer number 2");
		has(err.msg, "damaged");
		/* nobody says what it should be */
		layer[1].sha256[0] = '\0';
		assert_int_equal(convert_layers(), 0);
	}
}

static void
damaged_layers(void **state)
{
	(void)state;
	mktar_file(&b, "a", "1");
	end_layer();
	mktar_file(&b, "b", "2");
	end_layer();
	layer[1].part.size = 700;
	refused_layers("layer number 2: tar: ");
	layer[1].part.size = 100000;
	refused_layers("ends");
	has(err.msg, "too early");
	layer[1].part.size = 0;
	refused_layers("layer number 2: ");
	anew();
	cic_buf_puts(&b, "this is no tar");
	end_layer();
	refused_layers("layer number 1: ");
}

static void
hostile_layers(void **state)
{
	(void)state;
	mktar_link(&b, '2', "d", "/etc");
	end_layer();
	mktar_file(&b, "d/passwd", "1");
	end_layer();
	refused_layers("layer number 2: path \"d/passwd\" leads through \"d\"");
	anew();
	mktar_file(&b, "f", "1");
	end_layer();
	mktar_file(&b, "f", "2");
	mktar_file(&b, "./f", "3");
	end_layer();
	refused_layers("layer number 2: path \"./f\" comes twice");
	anew();
	mktar_file(&b, "../f", "1");
	end_layer();
	refused_layers("layer number 1: path \"../f\"");
	anew();
	mktar_file(&b, "f", "1");
	end_layer();
	mktar_file(&b, ".wh.f", "");
	mktar_link(&b, '1', "l", "f");
	end_layer();
	refused_layers("\"l\" to \"f\", which is missing");
}

/* A whiteout goes through no link either. */
static void
whiteouts_through_links(void **state)
{
	(void)state;
	mktar_file(&b, "d/f", "text");
	mktar_link(&b, '2', "l", "d");
	mktar_link(&b, '2', "up", "..");
	end_layer();
	mktar_file(&b, "l/.wh.f", "");
	mktar_file(&b, "l/.wh..wh..opq", "");
	mktar_file(&b, "d/../d/.wh.f", "");
	mktar_file(&b, "g", "");
	end_layer();
	good_layers();
	text_is("d/f", "text");
	links_to("l", "d");
}

static void
no_files(void **state)
{
	(void)state;
	refused_layers("the image has no files");
	end_layer();
	refused_layers("the image has no files");
	mktar_file(&b, ".wh.f", "");
	mktar_dir(&b, "./");
	end_layer();
	refused_layers("the image has no files");
}

/* Names that every image gets anew may have others, which stay, and may hide what
 * lower layers have. */
static void
left_out_names(void **state)
{
	(void)state;
	mktar_file(&b, "etc/hosts", "text");
	mktar_link(&b, '1', "etc/other", "etc/hosts");
	mktar_file(&b, "etc/hostname/inside", "1");
	mktar_dir(&b, ".dockerenv");
	end_layer();
	mktar_file(&b, "etc/hostname", "name");
	end_layer();
	good_layers();
	assert_int_equal(run("test \"$(cat x/etc/other)\" = text && test -f x/etc/hosts"
	    " && test ! -s x/etc/hosts && test -f x/etc/hostname && "
	    "test ! -s x/etc/hostname && test -d x/.dockerenv"), 0);
}

/* All layers together, not each. */
static void
announced_bytes(void **state)
{
	static const char map[] = "1\n0\n0\n";

	(void)state;
	for (int i = 0; i < 2; i++) {
		mktar_pax("GNU.sparse.major", "1", 1);
		mktar_pax("GNU.sparse.minor", "0", 1);
		mktar_pax("GNU.sparse.name", "holes", 5);
		mktar_pax("GNU.sparse.realsize", "600000000000", 12);
		mktar_header(&b, &(struct mktar){ .name = "x", .type = '0',
		    .size = 512 });
		mktar_data(&b, map, sizeof(map) - 1);
		end_layer();
	}
	refused_layers("\"holes\": more than 1 TiB of file data");
}

static void
too_large_a_file(void **state)
{
	static const char map[] = "1\n0\n0\n";

	(void)state;
	mktar_pax("GNU.sparse.major", "1", 1);
	mktar_pax("GNU.sparse.minor", "0", 1);
	mktar_pax("GNU.sparse.name", "holes", 5);
	mktar_pax("GNU.sparse.realsize", "68719476737", 11);
	mktar_header(&b, &(struct mktar){ .name = "x", .type = '0', .size = 512 });
	mktar_data(&b, map, sizeof(map) - 1);
	end_layer();
	refused_layers("over 64 GiB");
}

/* PAX records come in the order of somebody's hash table. */
static void
order_of_attributes(void **state)
{
	static const char *const names[] = { "SCHILY.xattr.user.b",
	    "SCHILY.xattr.user.a", "SCHILY.xattr.trusted.c" };
	char first[65];

	(void)state;
	for (size_t turn = 0; turn < 3; turn++) {
		anew();
		for (size_t i = 0; i < 3; i++)
			mktar_pax(names[(i + turn) % 3], names[(i + turn) % 3], 15);
		mktar_file(&b, "f", "1");
		end_layer();
		if (convert_layers() == -1)
			fail_msg("%s", err.msg);
		if (turn == 0)
			strcpy(first, out.sha256);
		assert_string_equal(out.sha256, first);
	}
}

/* The second pass finds another layer than the first one did. */
static void
change_a_layer(void *arg, uint64_t bytes, uint64_t files)
{
	const struct cic_buf *other = arg;

	(void)bytes;
	(void)files;
	assert_int_equal(pwrite(layer[1].part.fd, other->data, other->len, 0),
	    other->len);
}

/* Two files, and then another layer of the same length. */
static void
make_to_change(const char *sha256)
{
	anew();
	put_noise("big", 3000000, 1);
	end_layer();
	mktar_file(&b, "f", "1");
	mktar_dir(&b, "d");
	end_layer();
	strcpy(layer[1].sha256, sha256);
	what.progress = change_a_layer;
	what.arg = &b;
}

static void
changed_meanwhile(void **state)
{
	char hex[CIC_SHA256_HEX];

	(void)state;
	cic_digest_mem("", 0, hex);
	make_to_change(hex);
	mktar_file(&b, "f", "2");
	refused_layers("layer number 2");
	has(err.msg, "damaged");
	/* without a digest at least the number of files must be right */
	cic_buf_reset(&b);
	make_to_change("");
	mktar_file(&b, "f", "1");
	mktar_file(&b, "d", "");
	refused_layers("layer number 2: the layer was changed while it was read");
	cic_buf_reset(&b);
	make_to_change("");
	mktar_dir(&b, "f");
	mktar_dir(&b, "d");
	mktar_dir(&b, "e");
	refused_layers("the layer was changed while it was read");
}

/* As many as there may be; each one takes away what the one below it has. */
static void
many_layers(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < CIC_OCI_LAYERS; i++) {
		snprintf(name, sizeof(name), ".wh.f%u", i);
		mktar_file(&b, name, "");
		snprintf(name, sizeof(name), "f%u", i + 1);
		mktar_file(&b, name, name);
		end_layer();
	}
	good_layers();
	gone("f998");
	text_is("f999", "f999");
	mktar_file(&b, "f", "");
	end_layer();
	refused_layers("more than 1000 layers");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(later_layers_win), T(whiteouts), T(opaque), T(opaque_top),
		T(removed_and_made_again), T(odd_names),
		T(whiteouts_of_an_export), T(hard_links), T(what_engines_change),
		T(dead_files_count), T(dead_data_is_not_stored),
		T(compressed_layers), T(layer_in_an_archive), T(empty_layers),
		T(progress_is_told), T(lock_of_the_upper_layer),
		T(lock_with_another_name), T(lock_that_is_a_hard_link),
		T(wrong_digest), T(damaged_layers),
		T(hostile_layers), T(whiteouts_through_links), T(no_files), T(left_out_names),
		T(announced_bytes), T(too_large_a_file), T(order_of_attributes),
		T(changed_meanwhile), T(many_layers),
	};

	RIG_MAIN(tests);
}
