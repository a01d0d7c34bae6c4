/*
 * A file system tree in memory; see tree.h.
 *
 * Names and inodes are apart, as on disk: a hard link is a second entry with
 * the same inode.  No entry is ever unlinked from its lists: replacing a name
 * changes entry->inode, removing it sets that to NULL.  So the links are
 * counted at the end, over what can still be reached.
 */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "tree_table.h"

const char *
cic_tree_show(const char *path, char buf[CIC_TREE_SHOW])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if (n > CIC_TREE_SHOW - 8) {
			memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= ' ' && c <= '~' && c != '\\') {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	buf[n] = '\0';
	return buf;
}

/* --- making -------------------------------------------------------------- */

/* Files are many: only a directory's inode has room for a directory's part. */
static struct cic_inode *
new_inode(struct cic_tree *tree, const struct cic_attr *attr, struct cic_err *err)
{
	size_t size = S_ISDIR(attr->mode) ? sizeof(struct cic_inode) :
	    offsetof(struct cic_inode, u) + sizeof(void *);
	struct cic_inode *inode = cic_tree_alloc(tree, size, err);

	if (inode != NULL) {
		inode->attr = *attr;
		inode->xattr = CIC_TREE_NO_XATTR;
		inode->ref = CIC_TREE_NO_REF;
	}
	return inode;
}

struct cic_tree *
cic_tree_new(uint32_t mtime, struct cic_err *err)
{
	const struct cic_attr attr = { .mode = S_IFDIR | 0755, .mtime = mtime };
	struct cic_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	tree->mtime = mtime;
	tree->layer = 1;
	if (cic_tree_table_init(tree, err) == 0)
		tree->root = new_inode(tree, &attr, err);
	if (tree->root == NULL) {
		cic_tree_free(tree);
		return NULL;
	}
	tree->root->u.dir.parent = tree->root;
	return tree;
}

void
cic_tree_free(struct cic_tree *tree)
{
	if (tree == NULL)
		return;
	cic_tree_table_release(tree);
	free(tree);
}

/* --- paths -------------------------------------------------------------- */

static bool
is_dir(const struct cic_inode *inode)
{
	return S_ISDIR(inode->attr.mode);
}

/* The next component: its start, its length in *len (0 at the end), with "/"
 * and "." left out. */
static const char *
component(const char *p, size_t *len)
{
	do {
		p += strspn(p, "/");
		*len = strcspn(p, "/");
		if (*len != 1 || *p != '.')
			return p;
		p++;
	} while (1);
}

static int
check_path(const char *path, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];
	const char *p = path, *why = NULL;
	size_t len;

	if (*path == '\0')
		why = "is empty";
	else if (strlen(path) > CIC_TREE_PATH)
		why = "is too long";
	while (why == NULL) {
		p = component(p, &len);
		if (len == 0)
			return 0;
		if (len == 2 && p[0] == '.' && p[1] == '.')
			why = "contains \"..\"";
		else if (len > CIC_TREE_NAME)
			why = "has a name longer than 255 bytes";
		p += len;
	}
	return cic_err_set(err, CIC_EINVAL, "path \"%s\" %s",
	    cic_tree_show(path, show), why);
}

static struct cic_entry *
make_parent(struct cic_tree *tree, struct cic_inode *dir, const char *name,
    size_t len, struct cic_err *err)
{
	const struct cic_attr attr = { .mode = S_IFDIR | 0755, .mtime = tree->mtime };
	struct cic_entry *e = cic_tree_lookup(tree, dir, name, len);

	if (e == NULL)
		e = cic_tree_new_entry(tree, dir, name, len, err);
	if (e == NULL)
		return NULL;
	e->touched = tree->layer;
	if (e->inode != NULL)
		return e;
	e->inode = new_inode(tree, &attr, err);
	if (e->inode == NULL)
		return NULL;
	e->inode->u.dir.parent = dir;
	return e;
}

static int
at_path(const char *path, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	return cic_err_wrap(err, "path \"%s\"", cic_tree_show(path, show));
}

/* `path` goes through its first `len` bytes, and those name no directory. */
static int
not_a_dir(const char *path, size_t len, struct cic_err *err)
{
	char show[CIC_TREE_SHOW], what[CIC_TREE_SHOW];
	char upto[CIC_TREE_PATH + 1];

	memcpy(upto, path, len);
	upto[len] = '\0';
	return cic_err_set(err, CIC_EINVAL,
	    "path \"%s\" leads through \"%s\", which is no directory",
	    cic_tree_show(path, show), cic_tree_show(upto, what));
}

/* Find or make the entry for a path, its inode perhaps NULL; *slot is NULL for
 * the root. */
static int
reserve(struct cic_tree *tree, const char *path, struct cic_entry **slot,
    struct cic_err *err)
{
	struct cic_inode *dir = tree->root;
	struct cic_entry *e = NULL;
	size_t len, more;
	const char *p, *next;

	if (check_path(path, err) == -1)
		return -1;
	*slot = NULL;
	for (p = component(path, &len); len > 0; p = next, len = more) {
		next = component(p + len, &more);
		if (more == 0)
			break;
		e = make_parent(tree, dir, p, len, err);
		if (e == NULL)
			return at_path(path, err);
		if (!is_dir(e->inode))
			return not_a_dir(path, (size_t)(p + len - path), err);
		dir = e->inode;
	}
	if (len == 0)
		return 0;
	*slot = cic_tree_lookup(tree, dir, p, len);
	if (*slot == NULL)
		*slot = cic_tree_new_entry(tree, dir, p, len, err);
	return *slot == NULL ? at_path(path, err) : 0;
}

/* The present layer names what `slot` holds from here on. */
static int
give_name(struct cic_tree *tree, const char *path, struct cic_entry *slot,
    struct cic_inode *inode, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	if (slot->touched == tree->layer && slot->inode != NULL &&
	    !(is_dir(slot->inode) && is_dir(inode)))
		return cic_err_set(err, CIC_EINVAL, "path \"%s\" comes twice",
		    cic_tree_show(path, show));
	slot->inode = inode;
	slot->touched = tree->layer;
	return 0;
}

/* --- adding ------------------------------------------------------------- */

static int
check_kind(const char *path, const struct cic_attr *attr, const char *target,
    struct cic_err *err)
{
	char show[CIC_TREE_SHOW];
	size_t len;

	switch (attr->mode & S_IFMT) {
	case S_IFLNK:
		len = target == NULL ? 0 : strlen(target);
		if (len > 0 && len <= CIC_TREE_PATH)
			return 0;
		return cic_err_set(err, CIC_EINVAL, "symbolic link \"%s\" has a "
		    "target of %zu bytes", cic_tree_show(path, show), len);
	case S_IFREG:
	case S_IFDIR:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return cic_err_set(err, CIC_EINVAL, "\"%s\" has an unknown type",
		    cic_tree_show(path, show));
	}
}

/* Directory over directory, the root included: attributes only. */
static void
change(struct cic_inode *inode, const struct cic_attr *attr)
{
	inode->attr = *attr;
	inode->xattr = CIC_TREE_NO_XATTR;
}

static int
set_target(struct cic_tree *tree, struct cic_inode *inode, const char *target,
    struct cic_err *err)
{
	size_t size = strlen(target) + 1;
	char *copy = cic_tree_alloc(tree, size, err);

	if (copy == NULL)
		return -1;
	inode->u.target = memcpy(copy, target, size);
	return 0;
}

int
cic_tree_add(struct cic_tree *tree, const char *path,
    const struct cic_attr *attr, const char *target, struct cic_inode **out,
    struct cic_err *err)
{
	struct cic_entry *slot;
	struct cic_inode *inode;

	if (check_kind(path, attr, target, err) == -1 ||
	    reserve(tree, path, &slot, err) == -1)
		return -1;
	if (slot == NULL && !S_ISDIR(attr->mode))
		return cic_err_set(err, CIC_EINVAL, "the root is no directory");
	inode = slot == NULL ? tree->root : slot->inode;
	if (inode != NULL && is_dir(inode) && S_ISDIR(attr->mode))
		change(inode, attr);
	else
		inode = new_inode(tree, attr, err);
	if (inode == NULL)
		return -1;
	if (S_ISDIR(attr->mode) && slot != NULL)
		inode->u.dir.parent = slot->dir;
	if (S_ISLNK(attr->mode) && set_target(tree, inode, target, err) == -1)
		return -1;
	if (slot != NULL && give_name(tree, path, slot, inode, err) == -1)
		return -1;
	if (out != NULL)
		*out = inode;
	return 0;
}

static struct cic_entry *
find(const struct cic_tree *tree, const char *path)
{
	const struct cic_inode *dir = tree->root;
	struct cic_entry *e = NULL;
	struct cic_err ignored;
	const char *p;
	size_t len;

	if (check_path(path, &ignored) == -1)
		return NULL;
	for (p = component(path, &len); len > 0; p = component(p + len, &len)) {
		if (!is_dir(dir))
			return NULL;
		e = cic_tree_lookup(tree, dir, p, len);
		if (e == NULL || e->inode == NULL)
			return NULL;
		dir = e->inode;
	}
	return e;
}

struct cic_inode *
cic_tree_find(const struct cic_tree *tree, const char *path)
{
	struct cic_entry *e = find(tree, path);
	size_t len;

	if (e != NULL)
		return e->inode;
	component(path, &len);
	return len == 0 && *path != '\0' ? tree->root : NULL;
}

void
cic_tree_remove(struct cic_tree *tree, const char *path)
{
	struct cic_entry *e = find(tree, path);

	if (e != NULL)
		e->inode = NULL;
}

int
cic_tree_link(struct cic_tree *tree, const char *path, const char *target,
    struct cic_err *err)
{
	struct cic_inode *inode = cic_tree_find(tree, target);
	char show[CIC_TREE_SHOW], what[CIC_TREE_SHOW];
	struct cic_entry *slot;

	if (inode == NULL || is_dir(inode))
		return cic_err_set(err, CIC_EINVAL,
		    "hard link \"%s\" to \"%s\", which is %s",
		    cic_tree_show(path, show), cic_tree_show(target, what),
		    inode == NULL ? "missing" : "a directory");
	if (reserve(tree, path, &slot, err) == -1)
		return -1;
	if (slot == NULL)
		return cic_err_set(err, CIC_EINVAL, "the root is no directory");
	return give_name(tree, path, slot, inode, err);
}

/* --- layers ------------------------------------------------------------- */

int
cic_tree_next_layer(struct cic_tree *tree, struct cic_err *err)
{
	if (tree->layer >= CIC_TREE_LAYERS)
		return cic_err_set(err, CIC_EINVAL, "more than %u layers",
		    CIC_TREE_LAYERS);
	tree->layer++;
	return 0;
}

/* Remove what the present layer has not touched.  Calls itself as deep as
 * CIC_TREE_PATH allows, 2048 times. */
static void
clear(const struct cic_tree *tree, struct cic_inode *dir)
{
	struct cic_entry *e;

	/* Nothing of lower layers can come after. */
	if (dir->u.dir.cleared == tree->layer)
		return;
	dir->u.dir.cleared = tree->layer;
	for (e = dir->u.dir.last; e != NULL; e = e->older) {
		if (e->touched != tree->layer)
			e->inode = NULL;
		else if (e->inode != NULL && is_dir(e->inode))
			clear(tree, e->inode);
	}
}

void
cic_tree_opaque(struct cic_tree *tree, const char *path)
{
	struct cic_inode *dir = cic_tree_find(tree, path);

	if (dir != NULL && is_dir(dir))
		clear(tree, dir);
}

void
cic_tree_whiteout(struct cic_tree *tree, const char *path)
{
	struct cic_entry *e = find(tree, path);

	if (e == NULL)
		return;
	if (e->touched != tree->layer)
		e->inode = NULL;
	else if (is_dir(e->inode))
		clear(tree, e->inode);
}

static void
mark(struct cic_inode *dir)
{
	struct cic_entry *e;

	dir->alive = 1;
	for (e = dir->u.dir.last; e != NULL; e = e->older) {
		if (e->inode != NULL && is_dir(e->inode))
			mark(e->inode);
		else if (e->inode != NULL)
			e->inode->alive = 1;
	}
}

void
cic_tree_mark(struct cic_tree *tree)
{
	mark(tree->root);
}

/* --- finishing ---------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct cic_entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Sort one directory and number what is in it. */
static int
finish_dir(struct cic_tree *tree, struct cic_inode *dir, struct cic_err *err)
{
	struct cic_entry *e;
	uint32_t n = 0, i;

	for (e = dir->u.dir.last; e != NULL; e = e->older)
		n += e->inode != NULL;
	dir->u.dir.entry = cic_tree_alloc(tree, (n + 1) * sizeof(e), err);
	if (dir->u.dir.entry == NULL)
		return -1;
	for (e = dir->u.dir.last; e != NULL; e = e->older) {
		if (e->inode != NULL)
			dir->u.dir.entry[dir->u.dir.count++] = e;
	}
	qsort(dir->u.dir.entry, n, sizeof(e), by_name);
	dir->nlink = 2;
	for (i = 0; i < n; i++) {
		struct cic_inode *inode = dir->u.dir.entry[i]->inode;

		if (inode->number == 0)
			inode->number = ++tree->inodes;
		if (is_dir(inode))
			dir->nlink++;
		else
			inode->nlink++;
	}
	return 0;
}

int
cic_tree_finish(struct cic_tree *tree, struct cic_err *err)
{
	struct cic_inode *dir = tree->root, *inode;

	tree->inodes = dir->number = 1;
	if (finish_dir(tree, dir, err) == -1)
		return -1;
	for (;;) {
		if (dir->u.dir.cursor < dir->u.dir.count) {
			inode = dir->u.dir.entry[dir->u.dir.cursor++]->inode;
			if (!is_dir(inode))
				continue;
			dir = inode;
			if (finish_dir(tree, dir, err) == -1)
				return -1;
			continue;
		}
		dir->u.dir.cursor = 0;
		if (dir == tree->root)
			return 0;
		dir = dir->u.dir.parent;
	}
}
