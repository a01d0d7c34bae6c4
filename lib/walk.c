/* A folder as a source of files; see walk.h. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "err.h"
#include "source.h"

#define READ		((size_t)1 << 20)	/* bytes of a file read at a time */
#define LIST_MAX	65536			/* of xattr names, as in Linux */

/* A folder being read: its names, sorted; back to back in one piece. */
struct level {
	int		 fd;
	char		*text;
	char		**name;
	size_t		 count, next;
	size_t		 path_len;	/* of the folder in walk->path */
};

/* The first name of a file that has several. */
struct first {
	ino_t		 ino;		/* 0: free */
	dev_t		 dev;
	char		*path;
};

struct cic_walk {
	struct cic_source source;	/* first */
	struct level	*level;
	size_t		 depth, levels;	/* in use, allocated */
	char		 path[CIC_TREE_PATH + 1];
	char		 target[PATH_MAX];
	struct stat	 st;		/* of the current item */
	const char	*name;		/* its last component */
	dev_t		 dev;		/* of the whole folder */
	struct first	*first;		/* open addressing, a power of two */
	size_t		 firsts, nfirst;
	char		 names[LIST_MAX];
	unsigned char	*values;	/* of the current item's xattrs */
	_Alignas(8) unsigned char buf[READ];
};

/* --- messages ----------------------------------------------------------- */

static int
bad(const struct cic_walk *walk, const char *what, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	return cic_err_errno(err, "%s \"%s\"", what,
	    cic_tree_show(walk->path, show));
}

static int
no_memory(struct cic_err *err)
{
	return cic_err_set(err, CIC_EIO, "out of memory");
}

/* --- folders ------------------------------------------------------------ */

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
release_level(struct level *level)
{
	close(level->fd);
	free(level->text);
	free(level->name);
}

/* Room for `need` bytes; returns the memory or NULL, the old one then kept. */
static void *
more(void *old, size_t *have, size_t need)
{
	size_t size = *have == 0 ? 4096 : *have;
	void *p;

	while (size < need)
		size *= 2;
	if (size == *have)
		return old;
	p = realloc(old, size);
	if (p != NULL)
		*have = size;
	return p;
}

/* One name, with its type before it: see type_of. */
static int
add_name(struct level *level, const struct dirent64 *d, size_t *used, size_t *have)
{
	size_t len = strlen(d->d_name) + 1;
	char *p;

	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	p = more(level->text, have, *used + 1 + len);
	if (p == NULL)
		return -1;
	level->text = p;
	p[*used] = (char)d->d_type;
	memcpy(p + *used + 1, d->d_name, len);
	*used += 1 + len;
	level->count++;
	return 0;
}

/* What the folder's list said the name is: DT_REG … */
static unsigned char
type_of(const char *name)
{
	return (unsigned char)name[-1];
}

static int
sort_names(struct level *level)
{
	char *p = level->text;
	size_t i;

	level->name = malloc((level->count + 1) * sizeof(*level->name));
	if (level->name == NULL)
		return -1;
	for (i = 0; i < level->count; i++) {
		level->name[i] = p + 1;
		p += 1 + strlen(p + 1) + 1;
	}
	qsort(level->name, level->count, sizeof(*level->name), by_bytes);
	return 0;
}

/* Read the names of level->fd; errno is set on failure.  Not by readdir: glibc's
 * takes a folder that was removed for an empty one. */
static int
read_names(struct level *level, void *buf, size_t size)
{
	size_t used = 0, have = 0;
	const struct dirent64 *d;
	ssize_t n, at;

	while ((n = getdents64(level->fd, buf, size)) > 0) {
		for (at = 0; at < n; at += d->d_reclen) {
			d = (const void *)((const char *)buf + at);
			if (add_name(level, d, &used, &have) == -1)
				return -1;
		}
	}
	return n == -1 ? -1 : sort_names(level);
}

/* Go down into the folder `fd`, which is taken; its path is walk->path. */
static int
enter(struct cic_walk *walk, int fd, struct cic_err *err)
{
	struct level *level, *p;
	size_t n = walk->levels == 0 ? 32 : walk->levels * 2;

	if (walk->depth == walk->levels) {
		p = realloc(walk->level, n * sizeof(*p));
		if (p == NULL) {
			close(fd);
			return no_memory(err);
		}
		walk->level = p;
		walk->levels = n;
	}
	level = &walk->level[walk->depth];
	*level = (struct level){ .fd = fd, .path_len = strlen(walk->path) };
	if (read_names(level, walk->buf, READ) == -1) {
		bad(walk, "read folder", err);
		release_level(level);
		return -1;
	}
	walk->depth++;
	return 0;
}

/* Into the current item, which is a folder. */
static int
enter_item(struct cic_walk *walk, struct cic_err *err)
{
	const struct level *above = &walk->level[walk->depth - 1];
	int fd;

	if (walk->st.st_dev != walk->dev)
		return 0;
	fd = openat(above->fd, walk->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	return fd == -1 ? bad(walk, "open folder", err) : enter(walk, fd, err);
}

/* --- one item ----------------------------------------------------------- */

/* The place of a file in the table: its own, or a free one. */
static struct first *
find_first(struct cic_walk *walk, ino_t ino, dev_t dev)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 40) *
	    UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 32) & (walk->nfirst - 1);

	while (walk->first[i].ino != 0 && (walk->first[i].ino != ino ||
	    walk->first[i].dev != dev))
		i = (i + 1) & (walk->nfirst - 1);
	return &walk->first[i];
}

static int
grow_firsts(struct cic_walk *walk)
{
	struct first *old = walk->first;
	size_t n = walk->nfirst, i;

	walk->nfirst = n == 0 ? 1024 : n * 2;
	walk->first = calloc(walk->nfirst, sizeof(*walk->first));
	if (walk->first == NULL) {
		walk->first = old;
		walk->nfirst = n;
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (old[i].ino != 0)
			*find_first(walk, old[i].ino, old[i].dev) = old[i];
	}
	free(old);
	return 0;
}

/* Has this file had a name already?  Then that is what the item links to. */
static int
fill_hardlink(struct cic_walk *walk, struct cic_item *item, struct cic_err *err)
{
	struct first *first;

	if (walk->st.st_nlink < 2 || S_ISDIR(walk->st.st_mode))
		return 0;
	if (walk->firsts * 2 >= walk->nfirst && grow_firsts(walk) == -1)
		return no_memory(err);
	first = find_first(walk, walk->st.st_ino, walk->st.st_dev);
	if (first->ino != 0) {
		item->hardlink = first->path;
		return 0;
	}
	first->path = strdup(walk->path);
	if (first->path == NULL)
		return no_memory(err);
	first->ino = walk->st.st_ino;
	first->dev = walk->st.st_dev;
	walk->firsts++;
	return 0;
}

/* One attribute's value, behind those already there. */
static int
add_xattr(struct cic_walk *walk, struct cic_item *item, const char *file,
    const char *name, size_t *used, struct cic_err *err)
{
	unsigned char *p;
	ssize_t n;

	if (item->nxattr == CIC_ITEM_XATTRS)
		return cic_err_set(err, CIC_EINVAL,
		    "\"%s\": too many extended attributes", walk->name);
	p = realloc(walk->values, *used + CIC_ITEM_VALUE);
	if (p == NULL)
		return no_memory(err);
	walk->values = p;
	n = lgetxattr(file, name, p + *used, CIC_ITEM_VALUE);
	if (n == -1 && errno == ENODATA)
		return 0;
	if (n == -1)
		return bad(walk, "extended attributes of", err);
	item->xattr[item->nxattr].name = name;
	item->xattr[item->nxattr++].size = (size_t)n;
	*used += (size_t)n;
	return 0;
}

static int
fill_xattrs(struct cic_walk *walk, struct cic_item *item, struct cic_err *err)
{
	const struct level *level = &walk->level[walk->depth - 1];
	char file[64 + NAME_MAX];
	size_t used = 0, i;
	const char *name;
	ssize_t len;

	snprintf(file, sizeof(file), "/proc/self/fd/%d/%s", level->fd, walk->name);
	len = llistxattr(file, walk->names, sizeof(walk->names));
	if (len == -1 && errno != ENOTSUP)
		return bad(walk, "extended attributes of", err);
	for (name = walk->names; len > 0 && name < walk->names + len;
	    name += strlen(name) + 1) {
		if (add_xattr(walk, item, file, name, &used, err) == -1)
			return -1;
	}
	/* Only now do they lie where they stay. */
	for (i = 0, used = 0; i < item->nxattr; i++) {
		item->xattr[i].value = walk->values + used;
		used += item->xattr[i].size;
	}
	return 0;
}

static int
fill_symlink(struct cic_walk *walk, struct cic_item *item, struct cic_err *err)
{
	const struct level *level = &walk->level[walk->depth - 1];
	ssize_t n;

	if (!S_ISLNK(walk->st.st_mode))
		return 0;
	n = readlinkat(level->fd, walk->name, walk->target,
	    sizeof(walk->target) - 1);
	if (n == -1)
		return bad(walk, "read link", err);
	walk->target[n] = '\0';
	item->symlink = walk->target;
	return 0;
}

static int
fill(struct cic_walk *walk, struct cic_item *item, struct cic_err *err)
{
	const struct stat *st = &walk->st;

	item->path = walk->path;
	item->attr = (struct cic_attr){
		.mode = st->st_mode, .uid = st->st_uid, .gid = st->st_gid,
		.mtime = cic_source_time(st->st_mtim.tv_sec),
	};
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		item->attr.major = major(st->st_rdev) & 0xfff;
		item->attr.minor = minor(st->st_rdev) & 0xfffff;
	}
	if (S_ISREG(st->st_mode))
		item->size = (uint64_t)st->st_size;
	if (fill_hardlink(walk, item, err) == -1)
		return -1;
	if (item->hardlink != NULL)
		return 0;
	return fill_symlink(walk, item, err) == -1 ? -1 :
	    fill_xattrs(walk, item, err);
}

/* Look at the next name; walk->name stays NULL after the last one.  1: there is
 * nothing we want. */
static int
next_name(struct cic_walk *walk, struct cic_err *err)
{
	struct level *level = NULL;
	size_t room;

	while (walk->depth > 0) {
		level = &walk->level[walk->depth - 1];
		if (level->next < level->count)
			break;
		release_level(level);
		walk->depth--;
	}
	if (walk->depth == 0)
		return 0;
	walk->name = level->name[level->next++];
	room = sizeof(walk->path) - level->path_len;
	if ((size_t)snprintf(walk->path + level->path_len, room, "%s%s",
	    level->path_len > 0 ? "/" : "", walk->name) >= room)
		return cic_err_set(err, CIC_EINVAL, "a path is longer than %d bytes",
		    CIC_TREE_PATH);
	if (fstatat(level->fd, walk->name, &walk->st, AT_SYMLINK_NOFOLLOW) == -1)
		/* an overlay lists a whiteout that has nothing below it */
		return errno == ENOENT && type_of(walk->name) == DT_CHR ? 1 :
		    bad(walk, "look at", err);
	/* Not even as the first name of a file that has others. */
	return cic_source_leaves_out(walk->path, walk->st.st_mode);
}

static int
next_item(struct cic_source *source, struct cic_item *item, struct cic_err *err)
{
	struct cic_walk *walk = (struct cic_walk *)source;
	int r;

	item->path = item->hardlink = item->symlink = NULL;
	item->size = 0;
	item->nxattr = 0;
	/* The item before this one: if it was a folder, what is in it is next. */
	if (walk->name != NULL && S_ISDIR(walk->st.st_mode) &&
	    enter_item(walk, err) == -1)
		return -1;
	do {
		walk->name = NULL;
		r = next_name(walk, err);
	} while (r == 1);
	return r == -1 || walk->name == NULL ? r : fill(walk, item, err);
}

/* --- data --------------------------------------------------------------- */

static int
shorter(const struct cic_walk *walk, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	return cic_err_set(err, CIC_EINVAL, "\"%s\" became shorter while it was "
	    "read", cic_tree_show(walk->path, show));
}

/* Read up to `end`. */
static int
read_data(struct cic_walk *walk, int fd, uint64_t at, uint64_t end,
    cic_sink *sink, void *arg, struct cic_err *err)
{
	ssize_t n;

	for (; at < end; at += (uint64_t)n) {
		n = pread(fd, walk->buf, end - at < READ ? (size_t)(end - at) :
		    READ, (off_t)at);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			return bad(walk, "read", err);
		else if (n == 0)
			return shorter(walk, err);
		else if (sink(arg, walk->buf, (size_t)n, err) == -1)
			return -1;
	}
	return 0;
}

/* Data and holes in turn. */
static int
read_sparse(struct cic_walk *walk, int fd, cic_sink *sink, void *arg,
    struct cic_err *err)
{
	uint64_t size = (uint64_t)walk->st.st_size, at = 0, data, hole;
	struct stat now;
	off_t o;

	while (at < size) {
		o = lseek(fd, (off_t)at, SEEK_DATA);
		if (o == -1 && errno != ENXIO)	/* cannot tell: all is data */
			o = (off_t)at;
		data = o == -1 || (uint64_t)o > size ? size : (uint64_t)o;
		if (cic_source_zeros(data - at, sink, arg, err) == -1)
			return -1;
		o = lseek(fd, (off_t)data, SEEK_HOLE);
		hole = o == -1 || (uint64_t)o > size ? size : (uint64_t)o;
		if (data < size && hole <= data)
			hole = size;
		if (read_data(walk, fd, data, hole, sink, arg, err) == -1)
			return -1;
		at = hole > data ? hole : size;
	}
	/* what was cut off looks like a hole */
	if (fstat(fd, &now) == -1)
		return bad(walk, "look at", err);
	return (uint64_t)now.st_size < size ? shorter(walk, err) : 0;
}

static int
item_data(struct cic_source *source, cic_sink *sink, void *arg,
    struct cic_err *err)
{
	struct cic_walk *walk = (struct cic_walk *)source;
	const struct level *level = &walk->level[walk->depth - 1];
	uint64_t size = (uint64_t)walk->st.st_size;
	int fd, r;

	if (size == 0)
		return 0;
	if (size > CIC_SOURCE_BYTES)
		return cic_err_set(err, CIC_EINVAL, "\"%s\" is larger than 1 TiB",
		    walk->name);
	fd = openat(level->fd, walk->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1)
		return bad(walk, "open", err);
	/* A hole is worth looking for when there are too few blocks. */
	if ((uint64_t)walk->st.st_blocks * 512 < size)
		r = read_sparse(walk, fd, sink, arg, err);
	else
		r = read_data(walk, fd, 0, size, sink, arg, err);
	close(fd);
	return r;
}

/* --- the whole ---------------------------------------------------------- */

struct cic_walk *
cic_walk_fd(int fd, struct cic_err *err)
{
	struct cic_walk *walk = calloc(1, sizeof(*walk));
	struct stat st;

	if (walk == NULL || fstat(fd, &st) == -1) {
		cic_err_errno(err, "look at a folder");
		free(walk);
		close(fd);
		return NULL;
	}
	walk->source = (struct cic_source){ next_item, item_data };
	walk->dev = st.st_dev;
	if (enter(walk, fd, err) == -1) {
		cic_walk_free(walk);
		return NULL;
	}
	return walk;
}

struct cic_walk *
cic_walk_open(const char *folder, struct cic_err *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1)
		return cic_walk_fd(fd, err);
	cic_err_errno(err, "open folder %s", folder);
	return NULL;
}

void
cic_walk_free(struct cic_walk *walk)
{
	size_t i;

	if (walk == NULL)
		return;
	while (walk->depth > 0)
		release_level(&walk->level[--walk->depth]);
	for (i = 0; i < walk->nfirst; i++)
		free(walk->first[i].path);
	free(walk->first);
	free(walk->level);
	free(walk->values);
	free(walk);
}

struct cic_source *
cic_walk_source(struct cic_walk *walk)
{
	return &walk->source;
}
