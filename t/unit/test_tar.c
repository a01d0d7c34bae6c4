/* tar.h: what is delivered, exactly, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
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
#include "mktar.h"
#include "tar.h"

static struct cic_err err;
static struct cic_tar_entry e;
static struct cic_buf b;
static struct cic_tar *tar;
static int fd = -1;

static int
setup(void **state)
{
	(void)state;
	mktar_init(&b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	cic_tar_free(tar);
	tar = NULL;
	if (fd != -1)
		close(fd);
	fd = -1;
	cic_buf_release(&b);
	return 0;
}

static void
open_it(void)
{
	fd = mktar_fd(&b);
	tar = cic_tar_open(fd, &err);
	assert_non_null(tar);
}

static void
next(void)
{
	if (cic_tar_next(tar, &e, &err) == -1)
		fail_msg("%s", err.msg);
}

/* Read all entries and their data until something fails. */
static int
sink(void *arg, const void *data, size_t len, struct cic_err *er)
{
	(void)er;
	cic_buf_add(arg, data, len);
	return 0;
}

static int
read_all(void)
{
	struct cic_buf got;
	int r;

	cic_buf_init(&got, 1 << 20);
	do {
		r = cic_tar_next(tar, &e, &err);
		if (r == 0 && e.path != NULL)
			r = cic_tar_data(tar, sink, &got, &err);
	} while (r == 0 && e.path != NULL);
	cic_buf_release(&got);
	return r;
}

/* The same from the start, which may fail as well. */
static int
try_all(void)
{
	fd = mktar_fd(&b);
	tar = cic_tar_open(fd, &err);
	return tar == NULL ? -1 : read_all();
}

static void
refuses(const char *why)
{
	assert_int_equal(try_all(), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
}

static void
all_types(void **state)
{
	struct cic_buf got;

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
	cic_buf_init(&got, 100);
	assert_int_equal(cic_tar_data(tar, sink, &got, &err), 0);
	assert_string_equal(got.data, "hello");
	cic_buf_release(&got);
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
	struct cic_buf got;

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
	cic_buf_init(&got, 100);
	assert_int_equal(cic_tar_data(tar, sink, &got, &err), 0);
	assert_int_equal(got.len, 20);
	assert_memory_equal(got.data, "\0\0\0\0\0\0\0\0DATA\0\0\0\0\0\0\0\0", 20);
	cic_buf_release(&got);
	next();
	assert_null(e.path);
}

/* Every way to be cut, with data that is zeros and looks like an end mark. */
static void
cut_short(void **state)
{
	static char zeros[4097];
	struct cic_buf whole;
	int entries;

	(void)state;
	memset(zeros, 0, sizeof(zeros));
	mktar_init(&whole);
	mktar_dir(&whole, "d");
	mktar_header(&whole, &(struct mktar){ .name = "z", .type = '0', .size = 2048 });
	mktar_data(&whole, zeros, 2048);
	mktar_file(&whole, "last", "some text");
	mktar_end(&whole);
	for (size_t n = 0; n <= whole.len; n += 256) {
		mktar_init(&b);
		cic_buf_add(&b, whole.data, n);
		entries = try_all();
		/* one block of zeros is end mark enough */
		if (n >= whole.len - 512)
			assert_int_equal(entries, 0);
		else if (entries != -1)
			fail_msg("cut at %zu of %zu: not noticed", n, whole.len);
		teardown(NULL);
	}
	cic_buf_release(&whole);
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

/* gzip, cpio, zip: libarchive knows them, here they are no tar. */
static void
other_formats(void **state)
{
	(void)state;
	cic_buf_add(&b, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
	for (int i = 0; i < 2000; i++)
		cic_buf_putc(&b, (char)i);
	refuses("format");
	teardown(NULL);
	mktar_init(&b);
	for (int i = 0; i < 20; i++)
		cic_buf_puts(&b, "07070100000000000000000000000000000000000000000000"
		    "000000000000000000000000000000000000000000000000000000000000");
	refuses("format");
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
	teardown(NULL);
	mktar_init(&b);
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
	tar = cic_tar_open(fd, &err);
	assert_int_equal(read_all(), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
failing_read(void **state)
{
	(void)state;
	tar = cic_tar_open(-1, &err);
	if (tar != NULL)
		assert_int_equal(cic_tar_next(tar, &e, &err), -1);
	assert_int_equal(err.code, CIC_EIO);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_types), T(names_are_bytes), T(long_link_targets), T(times),
		T(xattrs), T(holes_are_zeros), T(cut_short),
		T(cut_short_names_the_entry), T(not_a_tar), T(other_formats),
		T(bad_checksum), T(too_large), T(owner_out_of_range),
		T(device_out_of_range), T(pipe_is_drained), T(failing_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
