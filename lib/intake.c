/* An image's files into tree and squashfs; see intake.h. */
#include "intake.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "input.h"
#include "oci.h"
#include "source.h"
#include "sqfs.h"
#include "tar.h"
#include "tree.h"

#define STEP		((uint64_t)1 << 20)	/* data between two reports */
#define FILES		10000			/* names between two */
#define WHITEOUT	".wh."
#define OPAQUE		".wh..wh..opq"

/* --- counting ----------------------------------------------------------- */

static void
report(struct cic_intake *in, bool now)
{
	if (in->progress == NULL || (!now && in->bytes - in->reported < STEP &&
	    in->files - in->reported_files < FILES))
		return;
	in->reported = in->bytes;
	in->reported_files = in->files;
	in->progress(in->arg, in->bytes, in->files);
}

/* --- paths -------------------------------------------------------------- */

/* The top folder is not in an export at all. */
static bool
is_top(const char *path)
{
	size_t len;

	cic_source_plain(path, &len);
	return len == 0;
}

static void
leave_out(struct cic_tree *tree)
{
	const struct cic_inode *inode;
	const char *name;
	size_t i;

	for (i = 0; (name = cic_source_left_out(i)) != NULL; i++) {
		inode = cic_tree_find(tree, name);
		if (inode != NULL && !S_ISDIR(inode->attr.mode))
			cic_tree_remove(tree, name);
	}
}

/* --- one item ----------------------------------------------------------- */

/* An SELinux label is the exporting host's, with a random category per
 * container: it has no meaning elsewhere and would differ every time.  The others
 * are how overlay file systems keep their books. */
static void
drop_host_xattrs(struct cic_item *item)
{
	static const char *const host[] = { "security.selinux",
	    "trusted.overlay.", "user.overlay.", "user.fuseoverlayfs." };
	size_t i, k, n = 0;

	for (i = 0; i < item->nxattr; i++) {
		for (k = 0; k < sizeof(host) / sizeof(host[0]); k++) {
			if (strncmp(item->xattr[i].name, host[k],
			    strlen(host[k])) == 0)
				break;
		}
		if (k == sizeof(host) / sizeof(host[0]))
			item->xattr[n++] = item->xattr[i];
	}
	item->nxattr = n;
}

/* In the order of their names, whatever the order they come in: that of a file
 * system is an accident.  Of equal ones the last stays last. */
static void
sort_xattrs(struct cic_item *item)
{
	struct cic_xattr x;
	size_t i, k;

	for (i = 1; i < item->nxattr; i++) {
		x = item->xattr[i];
		for (k = i; k > 0 && strcmp(item->xattr[k - 1].name, x.name) > 0; k--)
			item->xattr[k] = item->xattr[k - 1];
		item->xattr[k] = x;
	}
}

/* All sizes are announced before any data: what a few headers claim must not cost
 * a day. */
static int
count_bytes(struct cic_intake *in, const struct cic_item *item,
    struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	if (item->size > CIC_SOURCE_BYTES - in->announced)
		return cic_err_set(err, CIC_EINVAL, "\"%s\": more than 1 TiB of "
		    "file data", cic_tree_show(item->path, show));
	in->announced += item->size;
	return 0;
}

/* Name and attributes; *inode is NULL for a hard link. */
static int
add_name(struct cic_intake *in, struct cic_item *item, struct cic_inode **inode,
    struct cic_err *err)
{
	*inode = NULL;
	in->files++;
	if (item->hardlink != NULL)
		return cic_tree_link(in->tree, item->path, item->hardlink, err);
	drop_host_xattrs(item);
	sort_xattrs(item);
	if (count_bytes(in, item, err) == -1)
		return -1;
	return cic_tree_add(in->tree, item->path, &item->attr, item->symlink,
	    inode, err) == -1 ? -1 : cic_sqfs_xattrs(in->sqfs, item->xattr,
	    item->nxattr, &(*inode)->xattr, err);
}

static int
data_sink(void *arg, const void *data, size_t len, struct cic_err *err)
{
	struct cic_intake *in = arg;

	in->bytes += len;
	report(in, false);
	return cic_sqfs_append(in->sqfs, data, len, err);
}

static int
keeping_sink(void *arg, const void *data, size_t len, struct cic_err *err)
{
	struct cic_intake *in = arg;

	cic_buf_add(&in->kept, data, len);
	return data_sink(arg, data, len, err);
}

static int
add_data(struct cic_intake *in, struct cic_source *source,
    const struct cic_item *item, struct cic_inode *inode, struct cic_err *err)
{
	/* the same path in a lower layer is another file, perhaps alive by another
	 * name */
	bool keep = in->keep != NULL && item->size <= CIC_INTAKE_KEEP &&
	    cic_tree_find(in->tree, in->keep) == inode;

	inode->u.file = cic_sqfs_begin(in->sqfs, item->size, err);
	if (inode->u.file == NULL || source->data(source,
	    keep ? keeping_sink : data_sink, in, err) == -1)
		return -1;
	return cic_sqfs_end(in->sqfs, err);
}

/* --- a flattened image -------------------------------------------------- */

static int
take_item(struct cic_intake *in, struct cic_source *source,
    struct cic_item *item, struct cic_err *err)
{
	struct cic_inode *inode;

	if (is_top(item->path) || cic_source_leaves_out(item->path,
	    item->attr.mode))
		return 0;
	if (add_name(in, item, &inode, err) == -1)
		return -1;
	report(in, false);
	return inode != NULL && S_ISREG(item->attr.mode) ?
	    add_data(in, source, item, inode, err) : 0;
}

int
cic_intake_source(struct cic_intake *in, struct cic_source *source,
    struct cic_err *err)
{
	struct cic_item item;

	for (;;) {
		if (source->next(source, &item, err) == -1)
			return -1;
		if (item.path == NULL)
			break;
		if (take_item(in, source, &item, err) == -1)
			return -1;
	}
	if (in->files == 0)
		return cic_err_set(err, CIC_EINVAL, "the image has no files");
	report(in, true);
	return 0;
}

/* --- layers: names ------------------------------------------------------ */

struct passes {
	struct cic_intake *in;
	/* The regular files of all layers, in the order in which they come; NULL:
	 * left out. */
	struct cic_inode **file;
	size_t		 count, room;
	size_t		 next;		/* in the second pass */
};

static int
remember(struct passes *p, struct cic_inode *inode, struct cic_err *err)
{
	size_t room = p->room == 0 ? 4096 : p->room * 2;
	struct cic_inode **file;

	if (p->count == p->room) {
		file = realloc(p->file, room * sizeof(*file));
		if (file == NULL)
			return cic_err_set(err, CIC_EIO, "out of memory");
		p->file = file;
		p->room = room;
	}
	p->file[p->count++] = inode;
	return 0;
}

/* Does the item only say what is no more?  Then that is done. */
static bool
take_whiteout(struct cic_tree *tree, const char *path)
{
	char target[CIC_TREE_PATH + 1];
	const char *slash, *name;
	size_t len, parent;

	path = cic_source_plain(path, &len);
	if (len > CIC_TREE_PATH)
		return false;
	slash = memrchr(path, '/', len);
	name = slash == NULL ? path : slash + 1;
	parent = (size_t)(name - path);
	len -= parent;
	if (len < strlen(WHITEOUT) || memcmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
		return false;
	memcpy(target, path, parent);
	strcpy(target + parent, parent == 0 ? "." : "");
	if (len == strlen(OPAQUE) && memcmp(name, OPAQUE, len) == 0) {
		cic_tree_opaque(tree, target);
		return true;
	}
	name += strlen(WHITEOUT);
	len -= strlen(WHITEOUT);
	/* aufs's own files, .wh..wh.*, mean nothing; nor do names that are none */
	if ((len >= 4 && memcmp(name, WHITEOUT, 4) == 0) || len == 0 ||
	    (len == 1 && *name == '.'))
		return true;
	memcpy(target + parent, name, len);
	target[parent + len] = '\0';
	cic_tree_whiteout(tree, target);
	return true;
}

static int
name_item(struct passes *p, struct cic_source *source, struct cic_item *item,
    struct cic_err *err)
{
	bool is_file = item->hardlink == NULL && S_ISREG(item->attr.mode);
	struct cic_inode *inode = NULL;

	(void)source;
	/* Names that are left out in the end may have others, and hide folders. */
	if (!is_top(item->path) && !take_whiteout(p->in->tree, item->path) &&
	    add_name(p->in, item, &inode, err) == -1)
		return -1;
	report(p->in, false);
	return is_file ? remember(p, inode, err) : 0;
}

/* --- layers: data ------------------------------------------------------- */

static int
changed(struct cic_err *err)
{
	return cic_err_set(err, CIC_EINVAL,
	    "the layer was changed while it was read");
}

static int
data_item(struct passes *p, struct cic_source *source, struct cic_item *item,
    struct cic_err *err)
{
	struct cic_inode *inode;

	if (item->hardlink != NULL || !S_ISREG(item->attr.mode))
		return 0;
	if (p->next == p->count)
		return changed(err);
	inode = p->file[p->next++];
	return inode == NULL || !inode->alive ? 0 :
	    add_data(p->in, source, item, inode, err);
}

/* --- layers ------------------------------------------------------------- */

typedef int item_fn(struct passes *p, struct cic_source *source,
    struct cic_item *item, struct cic_err *err);

static int
each_item(struct passes *p, struct cic_tar *tar, item_fn *fn,
    struct cic_err *err)
{
	struct cic_source *source = cic_tar_source(tar);
	struct cic_item item;

	for (;;) {
		if (source->next(source, &item, err) == -1)
			return -1;
		if (item.path == NULL)
			return 0;
		if (fn(p, source, &item, err) == -1)
			return -1;
	}
}

/* The digest is compared in both passes: either believes what it reads. */
static int
each_layer(struct passes *p, const struct cic_oci_layer *layer, item_fn *fn,
    struct cic_err *err)
{
	struct cic_input *input = cic_input_part(layer->part.fd,
	    layer->part.offset, layer->part.size, layer->name,
	    layer->sha256[0] != '\0' ? layer->sha256 : NULL, err);
	struct cic_tar *tar = NULL;
	int r = -1;

	if (input != NULL)
		tar = cic_tar_open(input, CIC_TAR_LAYER, err);
	if (tar != NULL)
		r = each_item(p, tar, fn, err);
	cic_tar_free(tar);
	cic_input_free(input);
	return r == 0 ? 0 : cic_err_wrap(err, "layer %.200s", layer->name);
}

int
cic_intake_layers(struct cic_intake *in, const struct cic_oci_layer *layer,
    size_t count, struct cic_err *err)
{
	struct passes p = { .in = in };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = cic_tree_next_layer(in->tree, err);
		if (r == 0)
			r = each_layer(&p, &layer[i], name_item, err);
	}
	if (r == 0 && in->files == 0)
		r = cic_err_set(err, CIC_EINVAL, "the image has no files");
	if (r == 0) {
		leave_out(in->tree);
		cic_tree_mark(in->tree);
	}
	for (i = 0; r == 0 && i < count; i++)
		r = each_layer(&p, &layer[i], data_item, err);
	if (r == 0 && p.next != p.count)
		r = changed(err);
	free(p.file);
	if (r == 0)
		report(in, true);
	return r;
}
