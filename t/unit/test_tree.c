/* tree.h: insertion rules, links, hostile paths, sorting and numbering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "err.h"
#include "tree.h"

static struct cic_err err;

static int
setup(void **state)
{
	*state = cic_tree_new(7, &err);
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	cic_tree_free(*state);
	return 0;
}

static int
add(struct cic_tree *t, const char *path, uint32_t mode)
{
	const struct cic_attr a = { .mode = mode, .uid = 1, .gid = 2, .mtime = 3 };

	return cic_tree_add(t, path, &a, S_ISLNK(mode) ? "to" : NULL, NULL, &err);
}

static void
adds(struct cic_tree *t, const char *path, uint32_t mode)
{
	if (add(t, path, mode) == -1)
		fail_msg("%s: %s", path, err.msg);
}

static void
refuses(struct cic_tree *t, const char *path, uint32_t mode, const char *why)
{
	assert_int_equal(add(t, path, mode), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
}

static void
spellings_of_one_path(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "./a/b", S_IFREG | 0644);
	assert_non_null(cic_tree_find(t, "/a/./b"));
	assert_ptr_equal(cic_tree_find(t, "a//b/"), cic_tree_find(t, "a/b"));
	assert_ptr_equal(cic_tree_find(t, "./"), t->root);
	assert_ptr_equal(cic_tree_find(t, "/"), t->root);
	assert_null(cic_tree_find(t, ""));
	assert_null(cic_tree_find(t, "a/b/c"));
	assert_null(cic_tree_find(t, "a/c"));
	/* the parent nobody named */
	assert_int_equal(cic_tree_find(t, "a")->attr.mode, S_IFDIR | 0755);
	assert_int_equal(cic_tree_find(t, "a")->attr.mtime, 7);
}

static void
names_that_only_look_like_dots(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "...", S_IFREG);
	adds(t, "..a", S_IFREG);
	adds(t, "a..", S_IFREG);
	adds(t, ".a/.b", S_IFREG);
	assert_non_null(cic_tree_find(t, ".a/.b"));
}

static void
hostile_paths(void **state)
{
	struct cic_tree *t = *state;
	char name[300], path[5000];

	refuses(t, "", S_IFREG, "empty");
	refuses(t, "..", S_IFREG, "\"..\"");
	refuses(t, "a/../../b", S_IFREG, "\"..\"");
	refuses(t, "/..", S_IFDIR, "\"..\"");
	refuses(t, ".", S_IFREG, "root");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	refuses(t, name, S_IFREG, "longer than 255");
	name[255] = '\0';
	adds(t, name, S_IFREG);
	memset(path, 'a', sizeof(path));
	for (size_t i = 1; i < 4095; i += 2)
		path[i] = '/';
	path[4096] = '\0';
	refuses(t, path, S_IFREG, "too long");
	path[4095] = '\0';
	adds(t, path, S_IFREG);
	refuses(t, "x", 0, "unknown type");
	assert_int_equal(cic_tree_finish(t, &err), 0);
}

static void
through_what_is_no_directory(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "d/link", S_IFLNK | 0777);
	refuses(t, "d/link/etc/x", S_IFREG, "leads through \"d/link\"");
	adds(t, "f", S_IFREG);
	refuses(t, "f/x", S_IFREG, "leads through \"f\"");
	assert_null(cic_tree_find(t, "d/link/etc"));
	refuses(t, "f/bad\x1b\xff", S_IFREG, "f/bad\\x1b\\xff");
}

static void
bad_targets(void **state)
{
	const struct cic_attr a = { .mode = S_IFLNK | 0777 };
	char target[4097];

	memset(target, 't', 4096);
	target[4096] = '\0';
	assert_int_equal(cic_tree_add(*state, "l", &a, "", NULL, &err), -1);
	assert_int_equal(cic_tree_add(*state, "l", &a, target, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "4096"));
	assert_int_equal(cic_tree_add(*state, "l", &a, target + 1, NULL, &err), 0);
}

static void
later_wins(void **state)
{
	struct cic_tree *t = *state;
	struct cic_inode *d;

	adds(t, "d/sub/f", S_IFREG);
	d = cic_tree_find(t, "d");
	d->xattr = 5;
	adds(t, "d", S_IFDIR | 0700);		/* attributes only */
	assert_ptr_equal(cic_tree_find(t, "d"), d);
	assert_int_equal(d->attr.mode, S_IFDIR | 0700);
	assert_int_equal(d->attr.uid, 1);
	assert_int_equal(d->xattr, CIC_TREE_NO_XATTR);
	assert_non_null(cic_tree_find(t, "d/sub/f"));
	adds(t, "d", S_IFLNK | 0777);		/* takes the name over */
	assert_null(cic_tree_find(t, "d/sub"));
	adds(t, "d", S_IFDIR | 0755);		/* empty, not the old one */
	assert_null(cic_tree_find(t, "d/sub"));
	adds(t, "d/sub", S_IFREG | 0600);
	assert_int_equal(cic_tree_find(t, "d/sub")->attr.mode, S_IFREG | 0600);
	adds(t, ".", S_IFDIR | 0711);
	assert_int_equal(t->root->attr.mode, S_IFDIR | 0711);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 3);
}

static void
removing(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "a/b/c", S_IFREG);
	adds(t, "a/x", S_IFREG);
	cic_tree_remove(t, "a/b");
	cic_tree_remove(t, "nothing/here");
	cic_tree_remove(t, "/");
	assert_null(cic_tree_find(t, "a/b/c"));
	adds(t, "a/b", S_IFREG);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 4);
	assert_int_equal(cic_tree_find(t, "a")->u.dir.count, 2);
}

static void
links(void **state)
{
	struct cic_tree *t = *state;
	struct cic_inode *f;

	adds(t, "f", S_IFREG);
	assert_int_equal(cic_tree_link(t, "d/l", "./f", &err), 0);
	assert_int_equal(cic_tree_link(t, "l2", "/d/l", &err), 0);
	assert_int_equal(cic_tree_link(t, "l2", "l2", &err), 0);	/* itself */
	f = cic_tree_find(t, "f");
	assert_ptr_equal(cic_tree_find(t, "l2"), f);
	adds(t, "f", S_IFREG | 0600);	/* the links keep the old file */
	assert_ptr_equal(cic_tree_find(t, "d/l"), f);
	assert_ptr_not_equal(cic_tree_find(t, "f"), f);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(f->nlink, 2);
	assert_int_equal(cic_tree_find(t, "f")->nlink, 1);
	assert_int_equal(t->root->nlink, 3);
	assert_int_equal(t->inodes, 4);
}

static void
bad_links(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "d/x", S_IFREG);
	assert_int_equal(cic_tree_link(t, "l", "gone\n", &err), -1);
	assert_non_null(strstr(err.msg, "\"l\" to \"gone\\x0a\", which is missing"));
	assert_int_equal(cic_tree_link(t, "l", "d", &err), -1);
	assert_non_null(strstr(err.msg, "a directory"));
	assert_int_equal(cic_tree_link(t, "l", "../d/x", &err), -1);
	assert_int_equal(cic_tree_link(t, "../l", "d/x", &err), -1);
	assert_int_equal(cic_tree_link(t, ".", "d/x", &err), -1);
	assert_null(cic_tree_find(t, "l"));
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 3);
}

static void
sorted_and_numbered(void **state)
{
	static const char *const want[] = { "Z", "a", "a-", "a.b", "ab", "\xc3\xbc" };
	struct cic_tree *t = *state;
	struct cic_inode *d;
	char path[32];

	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "d/%s", want[(i * 5 + 3) % 6]);
		adds(t, path, S_IFREG);
	}
	assert_int_equal(cic_tree_finish(t, &err), 0);
	d = cic_tree_find(t, "d");
	assert_int_equal(d->u.dir.count, 6);
	assert_int_equal(t->root->number, 1);
	assert_int_equal(d->number, 2);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(d->u.dir.entry[i]->name, want[i]);
		assert_int_equal(d->u.dir.entry[i]->inode->number, 3 + i);
	}
}

/* Quadratic lists take minutes here. */
static void
many_in_one_directory(void **state)
{
	struct cic_tree *t = *state;
	struct timespec a, b;
	char path[64];

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 300000; i++) {
		snprintf(path, sizeof(path), "usr/lib/big/file%d", (int)(i * 7919L % 300007));
		adds(t, path, S_IFREG | 0644);
	}
	assert_int_equal(cic_tree_finish(t, &err), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(cic_tree_find(t, "usr/lib/big")->u.dir.count, 300000);
	assert_true(b.tv_sec - a.tv_sec < 10);
	assert_true(t->nbucket >= t->names / 2);
}

static void
memory_has_a_limit(void **state)
{
	static char target[CIC_TREE_PATH + 1];
	const struct cic_attr a = { .mode = S_IFLNK | 0777 };
	struct cic_tree *t = *state;
	char path[32];
	int i, r = 0;

	t->bytes = CIC_TREE_BYTES - ((size_t)8 << 20);	/* as if in use */
	memset(target, 't', CIC_TREE_PATH);
	for (i = 0; r == 0 && i < 300000; i++) {
		snprintf(path, sizeof(path), "%d", i);
		r = cic_tree_add(t, path, &a, target, NULL, &err);
	}
	assert_int_equal(r, -1);
	assert_non_null(strstr(err.msg, "1024 MiB"));
}

static void
shown_for_people(void **state)
{
	char buf[CIC_TREE_SHOW], longer[600];

	(void)state;
	assert_string_equal(cic_tree_show("a b\\\n\x7f\xc3", buf),
	    "a b\\x5c\\x0a\\x7f\\xc3");
	memset(longer, '\1', sizeof(longer));
	longer[599] = '\0';
	cic_tree_show(longer, buf);
	assert_true(strlen(buf) < sizeof(buf));
	assert_string_equal(buf + strlen(buf) - 3, "...");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(spellings_of_one_path), T(names_that_only_look_like_dots),
		T(hostile_paths), T(through_what_is_no_directory), T(bad_targets),
		T(later_wins), T(removing), T(links), T(bad_links),
		T(sorted_and_numbered), T(many_in_one_directory),
		T(memory_has_a_limit), T(shown_for_people),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
