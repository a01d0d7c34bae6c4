/*
 * walk.h: a folder of every kind of file, as it is, in order.  Root is needed for
 * owners and devices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "folder.h"
#include "source.h"
#include "walk.h"

static struct cic_walk *walk;
static struct cic_source *source;
static struct cic_item e;
static struct cic_buf got;

/* The test's own files lie in a folder of their own, so that what is beside it
 * can be seen to be left alone. */
static int
setup(void **state)
{
	cic_buf_init(&got, (size_t)1 << 26);
	if (folder_make(state) == -1)
		return -1;
	return mkdir(in_folder("top"), 0755);
}

static int
teardown(void **state)
{
	cic_walk_free(walk);
	walk = NULL;
	cic_buf_release(&got);
	return folder_remove(state);
}

/* "<folder>/top/<name>", good until the fourth call after this one. */
static const char *
at(const char *name)
{
	char path[3000];

	snprintf(path, sizeof(path), "top/%s", name);
	return in_folder(path);
}

static void
put(const char *name, const void *data, size_t len)
{
	char path[3000];

	snprintf(path, sizeof(path), "top/%s", name);
	put_bytes(path, data, len);
}

static void
in_top(const char *command)
{
	char whole[2000];

	snprintf(whole, sizeof(whole), "cd %s && %s", in_folder("top"), command);
	sh(whole);
}

static void
begin(void)
{
	cic_walk_free(walk);
	walk = cic_walk_open(in_folder("top"), &err);
	if (walk == NULL)
		fail_msg("%s", err.msg);
	source = cic_walk_source(walk);
}

static void
next(const char *path)
{
	if (source->next(source, &e, &err) == -1)
		fail_msg("%s", err.msg);
	if (path == NULL) {
		assert_null(e.path);
		return;
	}
	assert_non_null(e.path);
	assert_string_equal(e.path, path);
}

static int
sink(void *arg, const void *data, size_t len, struct cic_err *er)
{
	(void)er;
	assert_true(len > 0 && len <= 1 << 20);
	cic_buf_add(arg, data, len);
	return 0;
}

static void
data_is(const void *want, size_t len)
{
	assert_int_equal(e.size, len);
	cic_buf_reset(&got);
	if (source->data(source, sink, &got, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(got.len, len);
	assert_memory_equal(got.data, want, len);
}

/* All paths, each with what it is a link to: "a\nb=a\nc>target\n". */
static const char *
paths(void)
{
	static char text[20000];
	size_t n = 0;

	begin();
	for (;;) {
		if (source->next(source, &e, &err) == -1)
			fail_msg("%s", err.msg);
		if (e.path == NULL)
			return text;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s%s\n",
		    e.path, e.hardlink != NULL ? "=" : "",
		    e.hardlink != NULL ? e.hardlink : "",
		    e.symlink != NULL ? ">" : "",
		    e.symlink != NULL ? e.symlink : "");
		assert_true(n < sizeof(text));
	}
}

static void
attributes(void **state)
{
	const struct timespec t[2] = { { 0, 0 }, { 1700000000, 999999999 } };

	(void)state;
	put("f", "hello", 5);
	assert_int_equal(chown(at("f"), 70000, 5), 0);
	assert_int_equal(chmod(at("f"), 04751), 0);
	assert_int_equal(utimensat(AT_FDCWD, at("f"), t, 0), 0);
	in_top("mkdir -m 1777 d && chown 3:4 d && ln -s ../../x l && chown -h 8:9 l");
	in_top("mknod -m 620 c c 4 65600 && mknod b b 259 1048575 && mkfifo -m 600 p");
	assert_int_equal(mknod(at("s"), S_IFSOCK | 0700, 0), 0);
	begin();
	next("b");
	assert_true(S_ISBLK(e.attr.mode));
	assert_int_equal(e.attr.major, 259);
	assert_int_equal(e.attr.minor, 1048575);
	next("c");
	assert_int_equal(e.attr.mode, S_IFCHR | 0620);
	assert_int_equal(e.attr.major, 4);
	assert_int_equal(e.attr.minor, 65600);
	assert_int_equal(e.size, 0);
	next("d");
	assert_int_equal(e.attr.mode, S_IFDIR | 01777);
	assert_int_equal(e.attr.uid, 3);
	assert_int_equal(e.attr.gid, 4);
	assert_int_equal(e.size, 0);
	next("f");
	assert_int_equal(e.attr.mode, S_IFREG | 04751);
	assert_int_equal(e.attr.uid, 70000);
	assert_int_equal(e.attr.gid, 5);
	assert_int_equal(e.attr.mtime, 1700000000);
	assert_int_equal(e.attr.major, 0);
	assert_null(e.hardlink);
	assert_null(e.symlink);
	data_is("hello", 5);
	next("l");
	assert_int_equal(e.attr.mode, S_IFLNK | 0777);
	assert_int_equal(e.attr.uid, 8);
	assert_string_equal(e.symlink, "../../x");
	assert_int_equal(e.size, 0);
	next("p");
	assert_int_equal(e.attr.mode, S_IFIFO | 0600);
	assert_null(e.symlink);
	next("s");
	assert_int_equal(e.attr.mode, S_IFSOCK | 0700);
	next(NULL);
	next(NULL);
}

static void
times(void **state)
{
	static const struct { time_t set; uint32_t want; } t[] = {
		{ -5, 0 }, { 0, 0 }, { 4000000000, 4000000000u },
		{ 4294967295, 4294967295u }, { 5000000000, 4294967295u },
	};

	(void)state;
	put("f", "", 0);
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct timespec set[2] = { { 0, 0 }, { t[i].set, 0 } };
		struct stat st;

		assert_int_equal(utimensat(AT_FDCWD, at("f"), set, 0), 0);
		assert_int_equal(stat(at("f"), &st), 0);
		if (st.st_mtime != t[i].set)
			continue;	/* more than this file system can */
		begin();
		next("f");
		assert_int_equal(e.attr.mtime, t[i].want);
	}
}

/* A folder's own files come right after it, whatever its name is followed by. */
static void
order(void **state)
{
	(void)state;
	in_top("mkdir -p a-b Z a/b/c \xc3\xbc && touch a/z a/a a/b.c a/b/c/f b a-b/x "
	    "\xc3\xbc/x Z/x && mkdir empty");
	assert_string_equal(paths(), "Z\nZ/x\na\na/a\na/b\na/b/c\na/b/c/f\na/b.c\n"
	    "a/z\na-b\na-b/x\nb\nempty\n\xc3\xbc\n\xc3\xbc/x\n");
}

static void
names_are_bytes(void **state)
{
	static const char *const names[] = { "\1\x7f", "\n", " ", "*?\\", "a\nb",
	    "cafe\xcc\x81", "caf\xc3\xa9", "latin\xe9", "\xff\xfe" };

	(void)state;
	for (size_t i = COUNT(names); i-- > 0; )
		put(names[i], names[i], strlen(names[i]));
	begin();
	for (size_t i = 0; i < COUNT(names); i++) {
		next(names[i]);
		data_is(names[i], strlen(names[i]));
	}
	next(NULL);
}

static void
nothing(void **state)
{
	(void)state;
	begin();
	next(NULL);
}

static void
empty_file(void **state)
{
	(void)state;
	put("f", "", 0);
	begin();
	next("f");
	data_is("", 0);
	next(NULL);
}

/* Data that nobody wants is no reason to stop. */
static void
data_not_read(void **state)
{
	(void)state;
	put("a", "12", 2);
	put("b", "345", 3);
	begin();
	next("a");
	next("b");
	data_is("345", 3);
	next(NULL);
}

/* --- links -------------------------------------------------------------- */

static void
hard_links(void **state)
{
	(void)state;
	in_top("mkdir d e && echo 1 > e/f && ln e/f a && ln e/f d/z && ln -s to l && "
	    "ln -P l m && mkfifo p && ln p q && mknod c c 1 3 && ln c cc");
	/* a name outside is none of ours */
	in_top("echo 2 > ../outside && ln ../outside o");
	assert_string_equal(paths(), "a\nc\ncc=c\nd\nd/z=a\ne\ne/f=a\nl>to\nm=l\no\n"
	    "p\nq=p\n");
	begin();
	next("a");
	data_is("1\n", 2);
}

/* So many that the table of them grows. */
static void
many_hard_links(void **state)
{
	char first[32], second[32];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(first, sizeof(first), "a%04d", i);
		snprintf(second, sizeof(second), "b%04d", i * 7 % 3000);
		put(first, "", 0);
		assert_int_equal(link(at(first), at(second)), 0);
	}
	begin();
	for (int i = 0; i < 3000; i++) {
		snprintf(first, sizeof(first), "a%04d", i);
		next(first);
		assert_null(e.hardlink);
	}
	for (int i = 0; i < 3000; i++) {
		int k = 0;

		while (k * 7 % 3000 != i)
			k++;
		snprintf(first, sizeof(first), "a%04d", k);
		snprintf(second, sizeof(second), "b%04d", i);
		next(second);
		assert_non_null(e.hardlink);
		assert_string_equal(e.hardlink, first);
	}
	next(NULL);
}

static void
symbolic_links(void **state)
{
	char target[4096];

	(void)state;
	memset(target, 't', 4095);
	target[4095] = '\0';
	memcpy(target, "/../\xff", 5);
	assert_int_equal(symlink(target, at("long")), 0);
	in_top("mkdir d && touch d/f ../beside && ln -s d link && ln -s ../beside up && "
	    "ln -s nowhere dangling && ln -s . here");
	begin();
	next("d");
	next("d/f");
	next("dangling");
	assert_string_equal(e.symlink, "nowhere");
	next("here");
	next("link");	/* not gone through */
	assert_string_equal(e.symlink, "d");
	next("long");
	assert_string_equal(e.symlink, target);
	next("up");
	assert_string_equal(e.symlink, "../beside");
	next(NULL);
}

/* --- extended attributes ------------------------------------------------ */

static void
has_xattr(const char *name, const void *value, size_t len)
{
	for (size_t i = 0; i < e.nxattr; i++) {
		if (strcmp(e.xattr[i].name, name) != 0)
			continue;
		assert_int_equal(e.xattr[i].size, len);
		assert_memory_equal(e.xattr[i].value, value, len);
		return;
	}
	fail_msg("%s has no %s", e.path, name);
}

static void
xattrs(void **state)
{
	static const char cap[20] = "\1\0\0\2\0 ";
	char longer[2000];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	put("f", "", 0);
	in_top("mkdir d && ln -s f l && touch none && ln f z");
	if (setxattr(at("f"), "user.a", "1\0002", 3, 0) == -1)
		return;		/* /tmp cannot hold them: tmpfs */
	assert_int_equal(setxattr(at("f"), "security.capability", cap, 20, 0), 0);
	assert_int_equal(setxattr(at("f"), "user.empty", "", 0, 0), 0);
	assert_int_equal(setxattr(at("f"), "user.longer", longer, sizeof(longer), 0), 0);
	assert_int_equal(setxattr(at("f"), "trusted.b", "tt", 2, 0), 0);
	assert_int_equal(setxattr(at("d"), "user.d", "dir", 3, 0), 0);
	assert_int_equal(lsetxattr(at("l"), "trusted.l", "link", 4, 0), 0);
	begin();
	next("d");
	assert_int_equal(e.nxattr, 1);
	has_xattr("user.d", "dir", 3);
	next("f");
	assert_int_equal(e.nxattr, 5);
	has_xattr("user.a", "1\0002", 3);
	has_xattr("security.capability", cap, 20);
	has_xattr("user.empty", "", 0);
	has_xattr("user.longer", longer, sizeof(longer));
	has_xattr("trusted.b", "tt", 2);
	next("l");
	assert_int_equal(e.nxattr, 1);
	has_xattr("trusted.l", "link", 4);
	next("none");
	assert_int_equal(e.nxattr, 0);
	next("z");
	assert_string_equal(e.hardlink, "f");
	next(NULL);
}

static void
too_many_xattrs(void **state)
{
	char name[32];

	(void)state;
	put("f", "", 0);
	for (int i = 0; i < CIC_ITEM_XATTRS; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		if (setxattr(at("f"), name, "", 0, 0) == -1)
			return;		/* not so many on this file system */
	}
	begin();
	next("f");
	assert_int_equal(e.nxattr, CIC_ITEM_XATTRS);
	if (setxattr(at("f"), "user.more", "", 0, 0) == -1)
		return;
	begin();
	assert_int_equal(source->next(source, &e, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "\"f\": too many extended attributes");
}

/* --- data --------------------------------------------------------------- */

/* Pieces of data in a file that is a hole else; the block size of the file
 * system is at most 64 KiB. */
static void
holes(const size_t *piece, size_t n, size_t size)
{
	char *want = calloc(1, size);
	int fd = open(at("f"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;

	assert_non_null(want);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	for (size_t i = 0; i < n; i++) {
		memset(want + piece[i], 'a' + (int)i, 65536);
		assert_int_equal(pwrite(fd, want + piece[i], 65536,
		    (off_t)piece[i]), 65536);
	}
	fsync(fd);	/* so that its blocks are counted */
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((size_t)st.st_blocks * 512 < size);
	close(fd);
	begin();
	next("f");
	data_is(want, size);
	next(NULL);
	free(want);
}

static void
sparse_files(void **state)
{
	static const size_t mib = 1 << 20;

	(void)state;
	holes(NULL, 0, 3 * mib + 1);
	holes((const size_t[]){ 0 }, 1, 3 * mib);			/* at the end */
	holes((const size_t[]){ 3 * mib - 65536 }, 1, 3 * mib);		/* at the start */
	holes((const size_t[]){ 0, 3 * mib - 65536 }, 2, 3 * mib);	/* in between */
	holes((const size_t[]){ 65536, mib, 2 * mib - 65536, 2 * mib }, 4,
	    5 * mib + 7);
}

static void
large_files(void **state)
{
	static const size_t size[] = { 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1,
	    5000003 };
	char *data = malloc(5000003);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 5000003; i++)
		data[i] = (char)(i * 31 >> 3);
	for (size_t i = 0; i < COUNT(size); i++) {
		put("f", data, size[i]);
		begin();
		next("f");
		data_is(data, size[i]);
	}
	free(data);
}

static int
cut(void *arg, const void *data, size_t len, struct cic_err *er)
{
	(void)data;
	(void)len;
	return truncate(arg, 100) == 0 ? 0 : cic_err_errno(er, "truncate");
}

static void
shorter_meanwhile(void **state)
{
	static char data[3 << 20];
	char path[CIC_PATH_MAX];

	(void)state;
	memset(data, 'x', sizeof(data));
	put("f\n", data, sizeof(data));
	strcpy(path, at("f\n"));
	begin();
	next("f\n");
	assert_int_equal(source->data(source, cut, path, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "\"f\\x0a\" became shorter");
	put("f\n", data, sizeof(data));
	begin();
	next("f\n");
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(source->data(source, sink, &got, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
}

/* A hole can be cut off as well, with whatever was behind it. */
static void
shorter_with_holes(void **state)
{
	(void)state;
	put("f", "", 0);
	in_top("truncate -s 3M f && echo end >> f && sync f");
	begin();
	next("f");
	assert_int_equal(truncate(at("f"), 1 << 20), 0);
	assert_int_equal(source->data(source, sink, &got, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "\"f\" became shorter");
}

/* No more than was announced. */
static void
longer_meanwhile(void **state)
{
	(void)state;
	put("f", "text", 4);
	begin();
	next("f");
	put("f", "text and more", 13);
	data_is("text", 4);
}

/* What has become of the file is not followed. */
static void
link_meanwhile(void **state)
{
	(void)state;
	put("f", "text", 4);
	put_file("secret", "secret");
	begin();
	next("f");
	in_top("ln -sf ../secret f");
	assert_int_equal(source->data(source, sink, &got, &err), -1);
	assert_int_equal(got.len, 0);
	has(err.msg, "open \"f\"");
}

static void
gone_meanwhile(void **state)
{
	(void)state;
	in_top("mkdir d && touch a d/f");
	begin();
	next("a");
	in_top("rm a");
	assert_int_equal(unlink(at("d/f")), 0);
	next("d");
	assert_int_equal(rmdir(at("d")), 0);
	assert_int_equal(source->next(source, &e, &err), -1);
	has(err.msg, "\"d\"");
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
	put("f", "text", 4);
	assert_int_equal(truncate(at("f"), 1 << 20), 0);
	put("g", "text", 4);
	begin();
	for (int i = 0; i < 2; i++) {
		next(i == 0 ? "f" : "g");
		assert_int_equal(source->data(source, stop, NULL, &err), -1);
		assert_int_equal(err.code, CIC_ENOSPC);
		assert_string_equal(err.msg, "enough");
	}
}

/* --- limits ------------------------------------------------------------- */

/* Folders in folders; `name` is each one's. */
static void
make_deep(const char *name, int levels)
{
	int fd = open(in_folder("top"), O_DIRECTORY | O_RDONLY), below;

	for (int i = 0; i < levels; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		below = openat(fd, name, O_DIRECTORY | O_RDONLY);
		assert_true(below != -1);
		close(fd);
		fd = below;
	}
	close(openat(fd, "f", O_CREAT | O_WRONLY, 0644));
	close(fd);
}

static void
deep(void **state)
{
	size_t n = 0;

	(void)state;
	make_deep("d", 500);
	begin();
	do {
		assert_int_equal(source->next(source, &e, &err), 0);
		n++;
	} while (e.path != NULL);
	assert_int_equal(n, 500 + 1 + 1);
}

static void
path_too_long(void **state)
{
	char name[201];
	int r;

	(void)state;
	memset(name, 'n', 200);
	name[200] = '\0';
	make_deep(name, 21);
	begin();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(source->next(source, &e, &err), 0);
		assert_int_equal(strlen(e.path), i * 201 + 200);
	}
	r = source->next(source, &e, &err);
	assert_int_equal(r, -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "longer than 4095 bytes");
}

/* What is mounted below is not the image's. */
static void
other_mounts(void **state)
{
	(void)state;
	in_top("mkdir m && touch m/below z");
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", at("m"), "tmpfs", 0, "mode=700") == -1)
		return;		/* root, but not of this machine */
	put("m/other", "", 0);
	begin();
	next("m");
	assert_int_equal(e.attr.mode, S_IFDIR | 0700);
	next("z");
	next(NULL);
	cic_walk_free(walk);
	walk = NULL;
	assert_int_equal(umount(at("m")), 0);
}

static void
no_such_folder(void **state)
{
	uid_t me = geteuid();

	(void)state;
	assert_null(cic_walk_open(at("none"), &err));
	assert_int_equal(err.code, CIC_ENOENT);
	put("f", "", 0);
	assert_null(cic_walk_open(at("f"), &err));
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	walk = cic_walk_open(in_folder("top"), &err);
	assert_int_equal(seteuid(me), 0);
	assert_null(walk);
	assert_int_equal(err.code, CIC_EDENIED);
	has(err.msg, "top");
}

/* A folder below that may not be read is an error, not an empty one. */
static void
unreadable(void **state)
{
	int r;

	(void)state;
	in_top("mkdir -m 700 d && touch d/f");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	begin();
	next("d");
	r = source->next(source, &e, &err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -1);
	assert_int_equal(err.code, CIC_EDENIED);
	has(err.msg, "\"d\"");
}

/* readdir would say that it is empty. */
static void
a_folder_that_is_gone(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkdir(in_folder("gone"), 0700), 0);
	fd = open(in_folder("gone"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(rmdir(in_folder("gone")), 0);
	assert_null(cic_walk_fd(fd, &err));
	assert_int_equal(err.code, CIC_ENOENT);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(attributes), T(times), T(order), T(names_are_bytes), T(nothing),
		T(empty_file), T(data_not_read), T(hard_links), T(many_hard_links),
		T(symbolic_links), T(xattrs), T(too_many_xattrs), T(sparse_files),
		T(large_files), T(shorter_meanwhile),
		T(shorter_with_holes), T(longer_meanwhile),
		T(link_meanwhile), T(gone_meanwhile), T(sinks_own_error), T(deep),
		T(path_too_long), T(other_mounts), T(no_such_folder), T(unreadable),
		T(a_folder_that_is_gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0) {
		puts("1..0 # SKIP needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
