/*
 * sqfs.h: images judged by unsquashfs, which extracts them into a temporary
 * folder; link counts, which it ignores, are read by libsquashfs.  Root is
 * needed for owners and devices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqfs/dir_reader.h>
#include <sqfs/inode.h>
#include <sqfs/super.h>

#include "err.h"
#include "sqfs.h"
#include "sqfs_io.h"
#include "tree.h"

#define OFFSET	36864

static struct cic_err err;
static struct cic_tree *tree;
static struct cic_sqfs *sqfs;
static char dir[] = "/tmp/cic-sqfs-XXXXXX";
static int fd;
static uint64_t size;

static int
run(const char *fmt, ...)
{
	char cmd[1024], whole[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "cd %s && %s", dir, cmd);
	return system(whole);
}

static void
start(unsigned threads)
{
	char path[64];
	struct cic_sqfs_options o = { .offset = OFFSET, .mtime = 1000,
	    .threads = threads, .level = 5 };

	run("rm -rf img x");
	snprintf(path, sizeof(path), "%s/img", dir);
	fd = o.fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd != -1);
	tree = cic_tree_new(500, &err);
	sqfs = cic_sqfs_new(&o, &err);
	if (tree == NULL || sqfs == NULL)
		fail_msg("%s", err.msg);
}

static int
stop(void **state)
{
	(void)state;
	cic_sqfs_free(sqfs);
	cic_tree_free(tree);
	sqfs = NULL;
	tree = NULL;
	if (fd != -1)
		close(fd);
	fd = -1;
	return 0;
}

static void
finish(void)
{
	if (cic_tree_finish(tree, &err) == -1 ||
	    cic_sqfs_finish(sqfs, tree, &size, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(size % 4096, 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), OFFSET + size);
}

static void
unpack(void)
{
	finish();
	assert_int_equal(run("unsquashfs -q -n -o %d -d x img >log 2>&1 || "
	    "{ cat log; false; }", OFFSET), 0);
}

static struct cic_inode *
put(const char *path, struct cic_attr attr, const char *target)
{
	struct cic_inode *inode = NULL;

	if (cic_tree_add(tree, path, &attr, target, &inode, &err) == -1)
		fail_msg("%s", err.msg);
	return inode;
}

static struct cic_inode *
file(const char *path, uint32_t mode, const void *data, size_t len)
{
	struct cic_inode *inode = put(path, (struct cic_attr){
	    .mode = S_IFREG | mode, .mtime = 77 }, NULL);

	inode->u.file = cic_sqfs_begin(sqfs, len, &err);
	assert_non_null(inode->u.file);
	assert_int_equal(cic_sqfs_append(sqfs, data, len, &err), 0);
	assert_int_equal(cic_sqfs_end(sqfs, &err), 0);
	return inode;
}

static struct stat
look(const char *path)
{
	struct stat st;
	char full[1400];

	snprintf(full, sizeof(full), "%s/x/%s", dir, path);
	if (lstat(full, &st) == -1)
		fail_msg("%s is missing", full);
	return st;
}

/* The link count in the image: unsquashfs counts for itself. */
static unsigned
links(const char *path)
{
	sqfs_file_t *f = cic_sqfs_file(fd, OFFSET);
	sqfs_compressor_t *z = cic_sqfs_zlib(CIC_SQFS_BLOCK, 0);
	sqfs_inode_generic_t *n = NULL;
	sqfs_dir_reader_t *r;
	sqfs_super_t super;
	unsigned count;

	/* our file only knows the size of what it wrote itself */
	assert_int_equal(f->truncate(f, size), 0);
	assert_int_equal(sqfs_super_read(&super, f), 0);
	r = sqfs_dir_reader_create(&super, z, f, 0);
	assert_non_null(r);
	assert_int_equal(sqfs_dir_reader_find_by_path(r, NULL, path, &n), 0);
	switch (n->base.type) {
	case SQFS_INODE_DIR:
		count = n->data.dir.nlink;
		break;
	case SQFS_INODE_EXT_DIR:
		count = n->data.dir_ext.nlink;
		break;
	case SQFS_INODE_EXT_FILE:
		count = n->data.file_ext.nlink;
		break;
	case SQFS_INODE_FIFO:
		count = n->data.ipc.nlink;
		break;
	default:
		count = 1;
	}
	sqfs_free(n);
	sqfs_destroy(r);
	sqfs_destroy(z);
	sqfs_destroy(f);
	return count;
}

/* Bytes that do not compress, the same for the same seed. */
static unsigned char *
noise(size_t len, uint32_t seed)
{
	unsigned char *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (unsigned char)(seed >> 24);
	}
	return p;
}

static void
every_type(void **state)
{
	struct stat st;

	(void)state;
	start(2);
	file("bin/su", 04755, "text", 4);
	file("empty", 0600, "", 0);
	put("d", (struct cic_attr){ .mode = S_IFDIR | 01777, .uid = 3, .gid = 4,
	    .mtime = 4000000000u }, NULL);
	put("link", (struct cic_attr){ .mode = S_IFLNK | 0777, .uid = 70000 },
	    "../somewhere/\xff else");
	put("c", (struct cic_attr){ .mode = S_IFCHR | 0666, .major = 1, .minor = 300 },
	    NULL);
	put("b", (struct cic_attr){ .mode = S_IFBLK | 0660, .major = 259,
	    .minor = 1048575 }, NULL);
	put("p", (struct cic_attr){ .mode = S_IFIFO | 0600 }, NULL);
	put("s", (struct cic_attr){ .mode = S_IFSOCK | 0700 }, NULL);
	unpack();
	st = look("bin/su");
	assert_int_equal(st.st_mode, S_IFREG | 04755);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(st.st_mtime, 77);
	assert_int_equal(look("bin").st_mtime, 500);
	assert_int_equal(look("empty").st_size, 0);
	st = look("d");
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(st.st_gid, 4);
	assert_int_equal(run("readlink x/link > to"), 0);
	assert_int_equal(run("printf '../somewhere/\\377 else\\n' | cmp - to"), 0);
	assert_int_equal(look("link").st_uid, 70000);
	assert_int_equal(major(look("c").st_rdev), 1);
	assert_int_equal(minor(look("c").st_rdev), 300);
	assert_int_equal(major(look("b").st_rdev), 259);
	assert_int_equal(minor(look("b").st_rdev), 1048575);
	assert_true(S_ISFIFO(look("p").st_mode));
	assert_true(S_ISSOCK(look("s").st_mode));
}

/* Around the block size, sparse, noise, zeros: what was put in comes out. */
static void
contents(void **state)
{
	static const size_t len[] = { 1, 4095, 131071, 131072, 131073, 262144,
	    1000000, 5000000 };
	unsigned char *n, *zeros = calloc(1, 5000000);
	char name[32], full[600];

	(void)state;
	start(2);
	for (size_t i = 0; i < 8; i++) {
		n = noise(len[i], (uint32_t)i);
		snprintf(name, sizeof(name), "n%zu", i);
		file(name, 0644, n, len[i]);
		snprintf(name, sizeof(name), "z%zu", i);
		file(name, 0644, zeros, len[i]);
		memset(n, 0, len[i] / 2);
		snprintf(name, sizeof(name), "half%zu", i);
		file(name, 0644, n, len[i]);
		snprintf(full, sizeof(full), "%s/half%zu", dir, i);
		FILE *f = fopen(full, "w");
		assert_int_equal(fwrite(n, 1, len[i], f), len[i]);
		fclose(f);
		free(n);
	}
	unpack();
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(run("cmp half%zu x/half%zu", i, i), 0);
		assert_int_equal(run("head -c %zu /dev/zero | cmp - x/z%zu",
		    len[i], i), 0);
		n = noise(len[i], (uint32_t)i);
		snprintf(full, sizeof(full), "%s/x/n%zu", dir, i);
		FILE *f = fopen(full, "r");
		unsigned char *got = malloc(len[i] + 1);
		assert_int_equal(fread(got, 1, len[i] + 1, f), len[i]);
		assert_memory_equal(got, n, len[i]);
		fclose(f);
		free(got);
		free(n);
	}
	free(zeros);
}

static void
duplicates_are_stored_once(void **state)
{
	unsigned char *n = noise(3000000, 9);

	(void)state;
	start(2);
	file("a", 0644, n, 3000000);
	file("b", 0644, n, 3000000);
	file("c", 0600, n, 100);
	file("d", 0600, n, 100);
	unpack();
	assert_true(size < 3200000);
	assert_int_equal(run("cmp x/a x/b && cmp x/c x/d"), 0);
	assert_int_equal(look("a").st_nlink, 1);
	free(n);
}

/* Equal blocks with different ends, equal ends of different files, equal sizes
 * with different data: what is shared must be what is equal. */
static void
nearly_duplicates(void **state)
{
	static const struct { const char *name; size_t len; uint32_t seed, end; }
	    f[] = {
		{ "a", 300000, 1, 0 }, { "b", 300000, 1, 7 }, { "c", 299999, 1, 0 },
		{ "d", 262144, 1, 0 }, { "e", 300000, 2, 0 }, { "f", 37856, 3, 0 },
		{ "g", 262144, 2, 0 }, { "h", 131072, 1, 0 }, { "i", 300000, 1, 0 },
	};
	const size_t count = sizeof(f) / sizeof(f[0]);
	unsigned char *n;

	(void)state;
	start(2);
	for (size_t i = 0; i < count; i++) {
		char full[600];

		n = noise(f[i].len, f[i].seed);
		n[f[i].len - 1] = (unsigned char)(n[f[i].len - 1] ^ f[i].end);
		file(f[i].name, 0644, n, f[i].len);
		snprintf(full, sizeof(full), "%s/want-%s", dir, f[i].name);
		FILE *out = fopen(full, "w");
		assert_int_equal(fwrite(n, 1, f[i].len, out), f[i].len);
		fclose(out);
		free(n);
	}
	unpack();
	for (size_t i = 0; i < count; i++)
		assert_int_equal(run("cmp want-%s x/%s", f[i].name, f[i].name), 0);
	/* blocks of a, e and h, and five ends */
	assert_true(size < 2 * 262144 + 131072 + 5 * 38000 + 8192);
}

/* What was announced must come, no more and no less. */
static void
wrong_sizes(void **state)
{
	(void)state;
	start(1);
	assert_non_null(cic_sqfs_begin(sqfs, 3, &err));
	assert_int_equal(cic_sqfs_append(sqfs, "12", 2, &err), 0);
	assert_int_equal(cic_sqfs_end(sqfs, &err), -1);
	stop(NULL);
	start(1);
	assert_non_null(cic_sqfs_begin(sqfs, 3, &err));
	assert_int_equal(cic_sqfs_append(sqfs, "1234", 4, &err), -1);
}

static void
hard_links(void **state)
{
	(void)state;
	start(1);
	file("z/f", 0644, "x", 1);
	put("p", (struct cic_attr){ .mode = S_IFIFO | 0600 }, NULL);
	assert_int_equal(cic_tree_link(tree, "a/l", "z/f", &err), 0);
	assert_int_equal(cic_tree_link(tree, "l", "a/l", &err), 0);
	assert_int_equal(cic_tree_link(tree, "p2", "p", &err), 0);
	/* the first name goes, the links stay */
	cic_tree_remove(tree, "z/f");
	unpack();
	assert_int_equal(look("l").st_nlink, 2);
	assert_true(look("l").st_ino == look("a/l").st_ino);
	assert_true(look("p").st_ino == look("p2").st_ino);
	assert_int_equal(run("test ! -e x/z/f"), 0);
	assert_int_equal(links("a/l"), 2);
	assert_int_equal(links("p2"), 2);
	assert_int_equal(links("a"), 2);
	assert_int_equal(links("/"), 4);
}

static void
xattrs(void **state)
{
	static const struct cic_xattr x[] = {
		{ "user.a", "1\0002", 3 }, { "system.posix_acl_access", "?", 1 },
		{ "security.capability", "\1\0\0\2\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 },
		{ "user.", "no name", 7 }, { "user.a", "last", 4 },
	};
	char path[600], value[100];

	(void)state;
	start(1);
	assert_int_equal(cic_sqfs_xattrs(sqfs, x, 5,
	    &file("f", 0755, "x", 1)->xattr, &err), 0);
	assert_int_equal(cic_sqfs_xattrs(sqfs, x, 1,
	    &put("d", (struct cic_attr){ .mode = S_IFDIR | 0755 }, NULL)->xattr,
	    &err), 0);
	assert_int_equal(cic_sqfs_xattrs(sqfs, x + 1, 1,
	    &file("none", 0755, "x", 1)->xattr, &err), 0);
	unpack();
	snprintf(path, sizeof(path), "%s/x/f", dir);
	assert_int_equal(getxattr(path, "security.capability", value, 100), 20);
	assert_memory_equal(value, x[2].value, 20);
	if (getxattr(path, "user.a", value, 100) == -1)
		return;		/* /tmp cannot hold them: tmpfs */
	assert_memory_equal(value, "last", 4);
	assert_int_equal(listxattr(path, NULL, 0), 7 + 20);
	snprintf(path, sizeof(path), "%s/x/d", dir);
	assert_int_equal(getxattr(path, "user.a", value, 100), 3);
}

/* Long directories change inode type, index and header runs. */
static void
large_directory(void **state)
{
	char name[64];

	(void)state;
	start(2);
	for (int i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "big/%05d-with-a-longer-name", i);
		file(name, 0644, name, i % 100 == 0 ? 20 : 0);
	}
	unpack();
	assert_int_equal(run("test $(ls x/big | wc -l) = 70000"), 0);
	assert_int_equal(links("big"), 2);
	assert_int_equal(run("test \"$(cat x/big/00100*)\" = big/00100-with-a-lon"), 0);
}

static void
deep_directory(void **state)
{
	char path[2 * 600 + 2] = "";

	(void)state;
	start(1);
	for (int i = 0; i < 500; i++)
		strcat(path, "d/");
	strcat(path, "f");
	file(path, 0644, "deep", 4);
	unpack();
	assert_int_equal(look(path).st_size, 4);
}

static void
same_for_any_number_of_threads(void **state)
{
	char name[32];

	(void)state;
	run("rm -f sum");
	for (unsigned threads = 1; threads <= 7; threads += 2) {
		start(threads);
		for (uint32_t i = 0; i < 400; i++) {
			size_t len = i * 997;
			unsigned char *n = noise(len + 1, i % 300);

			memset(n, 'x', len / 3);
			snprintf(name, sizeof(name), "f%u", i);
			file(name, 0644, n, len);
			free(n);
		}
		finish();
		run("sha256sum img >> sum");
		stop(NULL);
	}
	assert_int_equal(run("test $(sort -u sum | wc -l) = 1"), 0);
}

static void
a_file_without_data(void **state)
{
	(void)state;
	start(1);
	put("f", (struct cic_attr){ .mode = S_IFREG | 0644 }, NULL);
	assert_int_equal(cic_tree_finish(tree, &err), 0);
	assert_int_equal(cic_sqfs_finish(sqfs, tree, &size, &err), -1);
}

static void
bad_options(void **state)
{
	struct cic_sqfs_options o = { .fd = 0, .threads = 0, .level = 5 };

	(void)state;
	assert_null(cic_sqfs_new(&o, &err));
	assert_int_equal(err.code, CIC_EINVAL);
	o.threads = 1;
	o.offset = 100;
	assert_null(cic_sqfs_new(&o, &err));
	o.offset = 0;
	o.level = 13;
	assert_null(cic_sqfs_new(&o, &err));
}

/* /dev/full takes nothing. */
/* libsquashfs writes past its memory at multiples of 512 sets. */
static void
many_sets(void **state)
{
	static const unsigned counts[] = { 512, 1536, 513 };
	char value[32], name[32];

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		start(1);
		for (unsigned i = 0; i < counts[k]; i++) {
			struct cic_xattr x = { "trusted.n", value,
			    (size_t)snprintf(value, sizeof(value), "%u", i) };

			snprintf(name, sizeof(name), "f%u", i);
			assert_int_equal(cic_sqfs_xattrs(sqfs, &x, 1,
			    &file(name, 0644, "", 0)->xattr, &err), 0);
		}
		run("rm -rf x");
		unpack();
		stop(NULL);
	}
}

static void
too_many_attributes(void **state)
{
	static char value[65536];
	struct cic_xattr x = { "user.n", value, sizeof(value) };
	uint32_t id;
	int i, r = 0;

	(void)state;
	start(1);
	for (i = 0; r == 0 && i < 300; i++) {
		memcpy(value, &i, sizeof(i));
		r = cic_sqfs_xattrs(sqfs, &x, 1, &id, &err);
	}
	assert_int_equal(i, 257);
	assert_non_null(strstr(err.msg, "over 16 MiB"));
}

/* One more than the super block can count. */
static void
too_many_owners(void **state)
{
	char name[32];

	(void)state;
	for (uint32_t n = 65535; n <= 65536; n++) {
		start(1);
		for (uint32_t i = 1; i < n; i++) {
			snprintf(name, sizeof(name), "d%u", i);
			put(name, (struct cic_attr){ .mode = S_IFDIR, .uid = i }, NULL);
		}
		assert_int_equal(cic_tree_finish(tree, &err), 0);
		assert_int_equal(cic_sqfs_finish(sqfs, tree, &size, &err),
		    n == 65535 ? 0 : -1);
		stop(NULL);
	}
	assert_non_null(strstr(err.msg, "65,535 different owners"));
}

/* The disk is full while the last blocks, holes among them, are on their way. */
static void
full_in_the_end(void **state)
{
	static unsigned char zeros[CIC_SQFS_BLOCK];
	unsigned char *n = noise(CIC_SQFS_BLOCK, 5);
	struct rlimit old, now;
	char name[32];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	start(2);
	now = old;
	now.rlim_cur = OFFSET + 3 * CIC_SQFS_BLOCK;
	for (int i = 0; i < 18; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		n[0] = (unsigned char)i;
		file(name, 0644, i % 3 == 2 ? zeros : n, CIC_SQFS_BLOCK);
	}
	setrlimit(RLIMIT_FSIZE, &now);
	assert_int_equal(cic_tree_finish(tree, &err), 0);
	assert_int_equal(cic_sqfs_finish(sqfs, tree, &size, &err), -1);
	stop(NULL);
	setrlimit(RLIMIT_FSIZE, &old);
	free(n);
}

static void
full_disk(void **state)
{
	struct cic_sqfs_options o = { .threads = 1, .level = 1 };

	(void)state;
	fd = o.fd = open("/dev/full", O_RDWR);
	assert_true(fd != -1);
	assert_null(cic_sqfs_new(&o, &err));
	assert_int_equal(err.code, CIC_ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest root_tests[] = {
#define T(f) cmocka_unit_test_teardown(f, stop)
		T(every_type), T(contents), T(duplicates_are_stored_once),
		T(nearly_duplicates), T(wrong_sizes),
		T(hard_links), T(xattrs), T(large_directory), T(deep_directory),
		T(same_for_any_number_of_threads), T(a_file_without_data),
		T(bad_options), T(many_sets), T(too_many_attributes),
		T(too_many_owners), T(full_in_the_end), T(full_disk),
	};
	int r;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (geteuid() != 0 || system("unsquashfs -v >/dev/null 2>&1") == 127 << 8) {
		puts("1..0 # SKIP needs root and unsquashfs (squashfs-tools)");
		return 0;
	}
	fd = -1;
	if (mkdtemp(dir) == NULL)
		return 1;
	r = cmocka_run_group_tests(root_tests, NULL, NULL);
	run("rm -rf %s", dir);
	return r;
}
