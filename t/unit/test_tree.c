/* tree.h: insertion rules, layers, links, hostile paths, sorting and numbering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
link_to(struct cic_tree *t, const char *path, const char *target)
{
	if (cic_tree_link(t, path, target, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
next_layer(struct cic_tree *t)
{
	if (cic_tree_next_layer(t, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
is_there(struct cic_tree *t, const char *path)
{
	if (cic_tree_find(t, path) == NULL)
		fail_msg("%s is missing", path);
}

static void
is_gone(struct cic_tree *t, const char *path)
{
	if (cic_tree_find(t, path) != NULL)
		fail_msg("%s is there", path);
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

/* Two readers would not agree on which one counts. */
static void
twice_in_a_layer(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "f", S_IFREG);
	refuses(t, "./f", S_IFREG, "path \"./f\" comes twice");
	refuses(t, "f", S_IFDIR, "comes twice");
	refuses(t, "f", S_IFLNK | 0777, "comes twice");
	assert_int_equal(cic_tree_link(t, "f", "f", &err), -1);
	assert_non_null(strstr(err.msg, "comes twice"));
	assert_true(S_ISREG(cic_tree_find(t, "f")->attr.mode));
	adds(t, "d/x", S_IFREG);
	refuses(t, "d", S_IFREG, "comes twice");
	assert_int_equal(cic_tree_link(t, "d", "f", &err), -1);
	is_there(t, "d/x");
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 4);
}

/* Engines name a folder again when they come back to it. */
static void
directories_may_come_again(void **state)
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
	is_there(t, "d/sub/f");
	adds(t, "d/", S_IFDIR | 0711);
	assert_int_equal(d->attr.mode, S_IFDIR | 0711);
	adds(t, ".", S_IFDIR | 0711);
	assert_int_equal(t->root->attr.mode, S_IFDIR | 0711);
}

/* Of the same path, the upper layer's. */
static void
later_wins(void **state)
{
	struct cic_tree *t = *state;
	struct cic_inode *d;

	adds(t, "d/sub/f", S_IFREG);
	d = cic_tree_find(t, "d");
	d->xattr = 5;
	next_layer(t);
	adds(t, "d", S_IFDIR | 0700);		/* attributes only */
	assert_ptr_equal(cic_tree_find(t, "d"), d);
	assert_int_equal(d->attr.mode, S_IFDIR | 0700);
	assert_int_equal(d->xattr, CIC_TREE_NO_XATTR);
	is_there(t, "d/sub/f");
	next_layer(t);
	adds(t, "d", S_IFLNK | 0777);		/* takes the name over */
	is_gone(t, "d/sub");
	next_layer(t);
	adds(t, "d", S_IFDIR | 0755);		/* empty, not the old one */
	is_gone(t, "d/sub");
	adds(t, "d/sub", S_IFREG | 0600);
	assert_int_equal(cic_tree_find(t, "d/sub")->attr.mode, S_IFREG | 0600);
	next_layer(t);
	adds(t, "d/sub", S_IFREG | 0640);
	assert_int_equal(cic_tree_find(t, "d/sub")->attr.mode, S_IFREG | 0640);
	adds(t, ".", S_IFDIR | 0711);
	assert_int_equal(t->root->attr.mode, S_IFDIR | 0711);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 3);
}

/* A layer that only adds below keeps what a lower one said of the folder. */
static void
parents_keep_their_attributes(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "d", S_IFDIR | 01777);
	next_layer(t);
	adds(t, "d/f", S_IFREG);
	assert_int_equal(cic_tree_find(t, "d")->attr.mode, S_IFDIR | 01777);
	assert_int_equal(cic_tree_find(t, "d")->attr.mtime, 3);
	next_layer(t);
	refuses(t, "d/f/x", S_IFREG, "leads through \"d/f\"");
}

/* --- whiteouts ---------------------------------------------------------- */

static void
whiteout(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "f", S_IFREG);
	adds(t, "d/x/y", S_IFREG);
	adds(t, "d/z", S_IFREG);
	cic_tree_whiteout(t, "f");	/* of its own layer: no effect */
	cic_tree_whiteout(t, "d");
	is_there(t, "f");
	is_there(t, "d/x/y");
	next_layer(t);
	cic_tree_whiteout(t, "f");
	cic_tree_whiteout(t, "./d/x/");
	is_gone(t, "f");
	is_gone(t, "d/x");
	is_there(t, "d/z");
	next_layer(t);
	cic_tree_whiteout(t, "/d");
	is_gone(t, "d");
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 1);
}

/* What is not there, cannot be there or must not go. */
static void
whiteout_of_nothing(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "f", S_IFREG);
	adds(t, "l", S_IFLNK | 0777);
	next_layer(t);
	cic_tree_whiteout(t, "g");
	cic_tree_whiteout(t, "f/x");
	cic_tree_whiteout(t, "l/x");
	cic_tree_whiteout(t, "..");
	cic_tree_whiteout(t, "a/../f");
	cic_tree_whiteout(t, "");
	cic_tree_whiteout(t, ".");
	cic_tree_opaque(t, "g");
	cic_tree_opaque(t, "f");
	cic_tree_opaque(t, "l");
	cic_tree_opaque(t, "..");
	cic_tree_opaque(t, "");
	is_there(t, "f");
	is_there(t, "l");
	is_gone(t, "g");
	assert_int_equal(t->names, 2);
	/* what a lower layer took away */
	cic_tree_whiteout(t, "f");
	next_layer(t);
	cic_tree_whiteout(t, "f");
	is_gone(t, "f");
}

/* Whatever comes first in a layer, the whiteout or what the layer has there. */
static void
whiteout_and_new_file(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "before", S_IFREG | 0600);
	adds(t, "after", S_IFREG | 0600);
	next_layer(t);
	cic_tree_whiteout(t, "before");
	adds(t, "before", S_IFREG | 0644);
	adds(t, "after", S_IFREG | 0644);
	cic_tree_whiteout(t, "after");
	assert_int_equal(cic_tree_find(t, "before")->attr.mode, S_IFREG | 0644);
	assert_int_equal(cic_tree_find(t, "after")->attr.mode, S_IFREG | 0644);
	refuses(t, "before", S_IFREG, "comes twice");
}

/* A folder taken away and filled anew, as `rm -r d; mkdir -p d/sub` leaves it. */
static void
refill(struct cic_tree *t, bool opaque, bool before)
{
	adds(t, "d/old", S_IFREG);
	adds(t, "d/sub/old", S_IFREG);
	adds(t, "d/sub/deep/old", S_IFREG);
	adds(t, "d/both", S_IFREG | 0600);
	next_layer(t);
	for (int i = 0; i < 2; i++) {
		if (before == (i == 0)) {
			if (opaque)
				cic_tree_opaque(t, "d");
			else
				cic_tree_whiteout(t, "d");
			continue;
		}
		adds(t, "d", S_IFDIR | 0711);
		adds(t, "d/new", S_IFREG);
		adds(t, "d/sub/new", S_IFREG);
		adds(t, "d/both", S_IFREG | 0644);
		link_to(t, "d/link", "d/new");
	}
	is_gone(t, "d/old");
	is_gone(t, "d/sub/old");
	is_gone(t, "d/sub/deep");
	is_there(t, "d/new");
	is_there(t, "d/sub/new");
	is_there(t, "d/link");
	assert_int_equal(cic_tree_find(t, "d/both")->attr.mode, S_IFREG | 0644);
	assert_int_equal(cic_tree_find(t, "d")->attr.mode, S_IFDIR | 0711);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 6);
	assert_int_equal(cic_tree_find(t, "d")->u.dir.count, 4);
}

static void
whiteout_before_refill(void **state)
{
	refill(*state, false, true);
}

static void
whiteout_after_refill(void **state)
{
	refill(*state, false, false);
}

static void
opaque_before_refill(void **state)
{
	refill(*state, true, true);
}

static void
opaque_after_refill(void **state)
{
	refill(*state, true, false);
}

/* Each layer's own, time and again, and within one another. */
static void
opaque_in_turn(void **state)
{
	struct cic_tree *t = *state;
	char path[32];

	for (int i = 0; i < 5; i++) {
		if (i > 0)
			next_layer(t);
		snprintf(path, sizeof(path), "a/b/f%d", i);
		adds(t, path, S_IFREG);
		cic_tree_opaque(t, i % 2 == 0 ? "a" : "a/b");
		cic_tree_opaque(t, i % 2 == 0 ? "a/b" : "a");
		is_there(t, path);
	}
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(cic_tree_find(t, "a/b")->u.dir.count, 1);
	is_there(t, "a/b/f4");
}

static void
opaque_root(void **state)
{
	struct cic_tree *t = *state;

	adds(t, ".", S_IFDIR | 0700);
	adds(t, "old", S_IFREG);
	next_layer(t);
	adds(t, "new", S_IFREG);
	cic_tree_opaque(t, "/");
	is_gone(t, "old");
	is_there(t, "new");
	assert_int_equal(t->root->attr.mode, S_IFDIR | 0700);
}

/* An opaque folder stays, with what a lower layer said of it. */
static void
opaque_keeps_the_folder(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "d", S_IFDIR | 01777);
	adds(t, "d/old", S_IFREG);
	next_layer(t);
	cic_tree_opaque(t, "d");
	assert_int_equal(cic_tree_find(t, "d")->attr.mode, S_IFDIR | 01777);
	assert_ptr_equal(cic_tree_find(t, "d")->u.dir.parent, t->root);
	is_gone(t, "d/old");
}

/* A folder put where a lower layer has a file, and the other way round. */
static void
whiteout_and_other_type(void **state)
{
	struct cic_tree *t = *state;

	adds(t, "f", S_IFREG);
	adds(t, "d/old", S_IFREG);
	next_layer(t);
	cic_tree_whiteout(t, "f");
	adds(t, "f/new", S_IFREG);
	adds(t, "d", S_IFREG);
	cic_tree_whiteout(t, "d");
	is_there(t, "f/new");
	assert_true(S_ISREG(cic_tree_find(t, "d")->attr.mode));
	next_layer(t);
	adds(t, "d", S_IFDIR | 0755);
	is_gone(t, "d/old");
}

/* The inode lives while it has a name, whatever became of the first one. */
static void
links_over_layers(void **state)
{
	struct cic_tree *t = *state;
	struct cic_inode *f;

	adds(t, "d/f", S_IFREG);
	adds(t, "g", S_IFREG);
	f = cic_tree_find(t, "d/f");
	next_layer(t);
	link_to(t, "l", "d/f");
	next_layer(t);
	cic_tree_whiteout(t, "d/f");
	assert_ptr_equal(cic_tree_find(t, "l"), f);
	adds(t, "d/f", S_IFREG | 0600);
	assert_ptr_not_equal(cic_tree_find(t, "d/f"), f);
	next_layer(t);
	cic_tree_whiteout(t, "d");
	next_layer(t);
	link_to(t, "g", "l");		/* takes g's name */
	cic_tree_mark(t);
	assert_int_equal(f->alive, 1);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(f->nlink, 2);
	assert_int_equal(t->inodes, 2);
}

static unsigned seed;

static unsigned
dice(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % n;
}

/* All that is in a tree, as text. */
static void
list(const struct cic_inode *dir, const char *path, char out[4096])
{
	for (uint32_t i = 0; i < dir->u.dir.count; i++) {
		const struct cic_entry *e = dir->u.dir.entry[i];
		char below[64];

		snprintf(below, sizeof(below), "%s/%s", path, e->name);
		snprintf(out + strlen(out), 4096 - strlen(out), "%s %o\n", below,
		    e->inode->attr.mode);
		if (S_ISDIR(e->inode->attr.mode))
			list(e->inode, below, out);
	}
}

static void
random_path(char path[16])
{
	snprintf(path, 16, "%c/%c/%c", 'a' + dice(3), 'a' + dice(3), 'a' + dice(3));
	path[1 + 2 * dice(3)] = '\0';
}

/* Two layers from `run`; what the upper one takes away is said before what it
 * adds (order 0), after it (1), or in between. */
static void
two_layers(unsigned run, unsigned order, char out[4096])
{
	struct cic_tree *t = cic_tree_new(0, &err);
	char gone[4][16], new[4][16];
	unsigned kind[4], g = 0, n = 0, coin = order;

	seed = run;
	assert_non_null(t);
	for (int i = 0; i < 8; i++) {
		random_path(new[0]);
		add(t, new[0], dice(3) == 0 ? S_IFDIR | 0700 : S_IFREG | 0600);
	}
	next_layer(t);
	for (int i = 0; i < 4; i++) {
		random_path(gone[i]);
		kind[i] = dice(2);
		random_path(new[i]);
	}
	while (g < 4 || n < 4) {
		coin = coin * 1664525u + 1013904223u;
		if (g < 4 && (n == 4 || order == 0 || (order > 1 && coin >> 31))) {
			(kind[g] ? cic_tree_opaque : cic_tree_whiteout)(t, gone[g]);
			g++;
		} else {
			/* as layers do, folders first */
			for (char *p = strchr(new[n], '/'); p != NULL;
			    p = strchr(p + 1, '/')) {
				*p = '\0';
				add(t, new[n], S_IFDIR | 0755);
				*p = '/';
			}
			add(t, new[n], S_IFREG | 0644);
			n++;
		}
	}
	assert_int_equal(cic_tree_finish(t, &err), 0);
	*out = '\0';
	list(t->root, "", out);
	cic_tree_free(t);
}

static void
order_in_a_layer_does_not_matter(void **state)
{
	char first[4096], other[4096];

	(void)state;
	for (unsigned run = 0; run < 3000; run++) {
		two_layers(run, 0, first);
		for (unsigned order = 1; order < 5; order++) {
			two_layers(run, order, other);
			if (strcmp(first, other) != 0)
				fail_msg("run %u order %u:\n%s\nis not\n%s", run,
				    order, other, first);
		}
	}
}

/* --- mark --------------------------------------------------------------- */

static void
marks_what_is_left(void **state)
{
	struct cic_tree *t = *state;
	struct cic_inode *replaced, *removed, *below, *kept, *deep, *later;

	adds(t, "replaced", S_IFREG);
	adds(t, "removed", S_IFREG);
	adds(t, "d/below", S_IFREG);
	adds(t, "kept", S_IFREG);
	adds(t, "a/b/c/deep", S_IFREG);
	replaced = cic_tree_find(t, "replaced");
	removed = cic_tree_find(t, "removed");
	below = cic_tree_find(t, "d/below");
	kept = cic_tree_find(t, "kept");
	deep = cic_tree_find(t, "a/b/c/deep");
	next_layer(t);
	adds(t, "replaced", S_IFREG);
	cic_tree_whiteout(t, "removed");
	adds(t, "d", S_IFLNK | 0777);	/* what was below goes with it */
	assert_int_equal(kept->alive, 0);
	cic_tree_mark(t);
	assert_int_equal(replaced->alive, 0);
	assert_int_equal(removed->alive, 0);
	assert_int_equal(below->alive, 0);
	assert_int_equal(kept->alive, 1);
	assert_int_equal(deep->alive, 1);
	assert_int_equal(cic_tree_find(t, "replaced")->alive, 1);
	assert_int_equal(cic_tree_find(t, "a/b")->alive, 1);
	assert_int_equal(t->root->alive, 1);
	adds(t, "later", S_IFREG);	/* more may come */
	later = cic_tree_find(t, "later");
	assert_int_equal(later->alive, 0);
	assert_int_equal(cic_tree_finish(t, &err), 0);
}

/* As deep as a path can be. */
static void
marks_and_clears_deep(void **state)
{
	struct cic_tree *t = *state;
	char path[4096];

	memset(path, 'a', sizeof(path));
	for (size_t i = 1; i < 4095; i += 2)
		path[i] = '/';
	path[4095] = '\0';
	adds(t, path, S_IFREG);
	cic_tree_mark(t);
	assert_int_equal(cic_tree_find(t, path)->alive, 1);
	next_layer(t);
	path[4094] = 'b';
	adds(t, path, S_IFREG);
	cic_tree_opaque(t, ".");
	is_there(t, path);
	path[4094] = 'a';
	is_gone(t, path);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(t->inodes, 1 + 2048);
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
	f = cic_tree_find(t, "f");
	assert_ptr_equal(cic_tree_find(t, "l2"), f);
	next_layer(t);
	assert_int_equal(cic_tree_link(t, "l2", "l2", &err), 0);	/* itself */
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

/* --- limits ------------------------------------------------------------- */

/* A hash that does not grow makes lists of them: quadratic. */
static void
many_in_one_directory(void **state)
{
	struct cic_tree *t = *state;
	char path[64];

	for (int i = 0; i < 300000; i++) {
		snprintf(path, sizeof(path), "usr/lib/big/file%d", (int)(i * 7919L % 300007));
		adds(t, path, S_IFREG | 0644);
	}
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(cic_tree_find(t, "usr/lib/big")->u.dir.count, 300000);
	assert_true(t->nbucket >= t->names / 2);
}

/* Names ever added: those taken away count as well. */
static void
directory_has_a_limit(void **state)
{
	struct cic_tree *t = *state;
	char path[64];

	for (unsigned i = 0; i < CIC_TREE_DIR; i++) {
		snprintf(path, sizeof(path), "a/big/%u", i);
		adds(t, path, S_IFREG);
		cic_tree_remove(t, path);
	}
	refuses(t, "a/big/one more", S_IFREG, "path \"a/big/one more\"");
	assert_non_null(strstr(err.msg, "500000 names in one directory"));
	refuses(t, "a/big/sub/dir", S_IFREG, "names in one directory");
	adds(t, "a/big/7", S_IFREG);		/* that is no new name */
	adds(t, "a/other", S_IFREG);
	assert_int_equal(cic_tree_finish(t, &err), 0);
	assert_int_equal(cic_tree_find(t, "a/big")->u.dir.count, 1);
}

static void
entries_have_a_limit(void **state)
{
	struct cic_tree *t = *state;

	t->names = CIC_TREE_ENTRIES - 1;	/* as if in use */
	adds(t, "last", S_IFREG);
	refuses(t, "one more", S_IFREG, "path \"one more\"");
	assert_non_null(strstr(err.msg, "more than 4194304 entries"));
}

static void
layers_have_a_limit(void **state)
{
	struct cic_tree *t = *state;

	for (unsigned i = 1; i < CIC_TREE_LAYERS; i++) {
		adds(t, "f", S_IFREG);
		next_layer(t);
	}
	adds(t, "f", S_IFREG);
	assert_int_equal(cic_tree_next_layer(t, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_non_null(strstr(err.msg, "more than 1000 layers"));
	refuses(t, "f", S_IFREG, "comes twice");	/* still the last one */
}

static void
memory_has_a_limit(void **state)
{
	static char target[CIC_TREE_PATH + 1];
	const struct cic_attr a = { .mode = S_IFLNK | 0777 };
	struct cic_tree *t = *state;
	char path[32], limit[32];
	int i, r = 0;

	t->bytes = CIC_TREE_BYTES - ((size_t)8 << 20);	/* as if in use */
	memset(target, 't', CIC_TREE_PATH);
	for (i = 0; r == 0 && i < 300000; i++) {
		snprintf(path, sizeof(path), "%d", i);
		r = cic_tree_add(t, path, &a, target, NULL, &err);
	}
	assert_int_equal(r, -1);
	assert_int_equal(err.code, CIC_EINVAL);
	snprintf(limit, sizeof(limit), "%zu MiB", CIC_TREE_BYTES >> 20);
	assert_non_null(strstr(err.msg, limit));
	assert_true(i > 1000 && i < 4096);
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
		T(twice_in_a_layer), T(directories_may_come_again),
		T(later_wins), T(parents_keep_their_attributes),
		T(whiteout), T(whiteout_of_nothing), T(whiteout_and_new_file),
		T(whiteout_before_refill), T(whiteout_after_refill),
		T(opaque_before_refill), T(opaque_after_refill),
		T(opaque_in_turn), T(opaque_root), T(opaque_keeps_the_folder),
		T(whiteout_and_other_type), T(links_over_layers),
		T(order_in_a_layer_does_not_matter),
		T(marks_what_is_left), T(marks_and_clears_deep),
		T(removing), T(links), T(bad_links),
		T(sorted_and_numbered), T(many_in_one_directory),
		T(directory_has_a_limit), T(entries_have_a_limit),
		T(layers_have_a_limit), T(memory_has_a_limit),
		T(shown_for_people),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
