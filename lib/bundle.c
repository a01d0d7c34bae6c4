/* Folders and tar archives as sets of named files; see bundle.h. */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "input.h"
#include "tar.h"

#define NAME_MAX_BYTES	1024
#define HOPS		8	/* links followed one after another */
#define FDS		1024	/* files of a folder that are held open */

struct member {
	char		*name;
	char		*link;		/* the member it is a link to, or NULL */
	uint64_t	 offset, size;
};

struct cic_bundle {
	int		 fd;		/* the archive or the folder */
	bool		 is_folder;
	struct member	*member;	/* archives: sorted by name */
	size_t		 count, room;
	int		*open;		/* folders: files handed out */
	size_t		 opened;
};

/* --- names -------------------------------------------------------------- */

/* "a//./b" -> "a/b"; with `base`, relative to the folder that is in.  False
 * when it leads out or is too long. */
static bool
normal_name(const char *base, const char *name, char out[NAME_MAX_BYTES])
{
	const char *slash = base == NULL ? NULL : strrchr(base, '/');
	size_t n = 0, len;

	if (slash != NULL) {
		n = (size_t)(slash - base);
		if (n >= NAME_MAX_BYTES)
			return false;
		memcpy(out, base, n);
	}
	for (; *name != '\0'; name += len) {
		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (len == 0 || (len == 1 && name[0] == '.'))
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			if (n == 0)
				return false;
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		if (n + len + 2 > NAME_MAX_BYTES)
			return false;
		if (n > 0)
			out[n++] = '/';
		memcpy(out + n, name, len);
		n += len;
	}
	out[n] = '\0';
	return n > 0;
}

/* --- archives ----------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
add_member(struct cic_bundle *bundle, const struct cic_item *item,
    const struct cic_tar *tar, struct cic_err *err)
{
	char name[NAME_MAX_BYTES], link[NAME_MAX_BYTES];
	const char *to = item->hardlink != NULL ? item->hardlink : item->symlink;
	size_t room = bundle->room == 0 ? 64 : bundle->room * 2;
	struct member *m;

	if (to == NULL && !S_ISREG(item->attr.mode))
		return 0;
	/* What nobody can ask for is of no use, and no harm either. */
	if (!normal_name(NULL, item->path, name) || (to != NULL && !normal_name(
	    item->hardlink != NULL ? NULL : name, to, link)))
		return 0;
	if (to == NULL && cic_tar_has_holes(tar))
		return cic_err_set(err, CIC_EINVAL,
		    "member \"%.200s\" is stored with holes", name);
	if (bundle->count == CIC_BUNDLE_MEMBERS)
		return cic_err_set(err, CIC_EINVAL, "over %u members",
		    CIC_BUNDLE_MEMBERS);
	if (bundle->count == bundle->room) {
		m = realloc(bundle->member, room * sizeof(*m));
		if (m == NULL)
			return cic_err_set(err, CIC_EIO, "out of memory");
		bundle->member = m;
		bundle->room = room;
	}
	m = &bundle->member[bundle->count];
	*m = (struct member){ .name = strdup(name), .offset = cic_tar_offset(tar),
	    .size = item->size };
	if (to != NULL)
		m->link = strdup(link);
	bundle->count++;
	if (m->name == NULL || (to != NULL && m->link == NULL))
		return cic_err_set(err, CIC_EIO, "out of memory");
	return 0;
}

static int
read_members(struct cic_bundle *bundle, struct cic_tar *tar, struct cic_err *err)
{
	struct cic_source *source = cic_tar_source(tar);
	struct cic_item *item = malloc(sizeof(*item));
	size_t i;
	int r = 0;

	if (item == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	while (r == 0 && (r = source->next(source, item, err)) == 0 &&
	    item->path != NULL)
		r = add_member(bundle, item, tar, err);
	free(item);
	if (r == -1)
		return -1;
	qsort(bundle->member, bundle->count, sizeof(*bundle->member), by_name);
	for (i = 1; i < bundle->count; i++) {
		if (by_name(&bundle->member[i - 1], &bundle->member[i]) == 0)
			return cic_err_set(err, CIC_EINVAL,
			    "member \"%.200s\" comes twice", bundle->member[i].name);
	}
	return 0;
}

static int
check_plain(int fd, struct cic_err *err)
{
	static const struct { const char *magic; size_t len; const char *how; }
	    known[] = {
		{ "\x1f\x8b", 2, "gunzip" }, { "\x28\xb5\x2f\xfd", 4, "unzstd" },
		{ "\xfd" "7zXZ", 5, "unxz" }, { "BZh", 3, "bunzip2" },
	};
	char start[8] = { 0 };
	size_t i;

	if (pread(fd, start, sizeof(start), 0) == -1)
		return cic_err_errno(err, "read");
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (memcmp(start, known[i].magic, known[i].len) == 0)
			return cic_err_set(err, CIC_EINVAL, "the archive as a "
			    "whole is compressed; %s it first", known[i].how);
	}
	return 0;
}

static int
read_archive(struct cic_bundle *bundle, uint64_t size, struct cic_err *err)
{
	struct cic_input *input;
	struct cic_tar *tar;
	int r = -1;

	if (check_plain(bundle->fd, err) == -1)
		return -1;
	input = cic_input_part(bundle->fd, 0, size, "archive", NULL, err);
	if (input == NULL)
		return -1;
	tar = cic_tar_open(input, CIC_TAR_EXPORT, err);
	if (tar != NULL)
		r = read_members(bundle, tar, err);
	cic_tar_free(tar);
	cic_input_free(input);
	return r;
}

static int
find_member(const struct cic_bundle *bundle, const char *name,
    struct cic_part *part, struct cic_err *err)
{
	struct member key = { .name = (char *)(uintptr_t)name };
	const struct member *m = NULL;
	int hops;

	for (hops = 0; hops < HOPS; hops++) {
		m = bundle->count == 0 ? NULL : bsearch(&key, bundle->member,
		    bundle->count, sizeof(*m), by_name);
		if (m == NULL)
			return cic_err_set(err, CIC_ENOENT,
			    "no member \"%.200s\"", key.name);
		if (m->link == NULL)
			break;
		key.name = m->link;
	}
	if (hops == HOPS)
		return cic_err_set(err, CIC_EINVAL,
		    "member \"%.200s\" is a link in a circle", name);
	*part = (struct cic_part){ bundle->fd, m->offset, m->size };
	return 0;
}

/* --- folders ------------------------------------------------------------ */

static int
find_file(struct cic_bundle *bundle, const char *name, struct cic_part *part,
    struct cic_err *err)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	struct stat st;
	int fd;

	if (bundle->opened == FDS)
		return cic_err_set(err, CIC_EINVAL, "over %d files", FDS);
	fd = (int)syscall(SYS_openat2, bundle->fd, name, &how, sizeof(how));
	if (fd == -1)
		return cic_err_errno(err, "file %.200s", name);
	bundle->open[bundle->opened++] = fd;
	if (fstat(fd, &st) == -1)
		return cic_err_errno(err, "file %.200s", name);
	if (!S_ISREG(st.st_mode))
		return cic_err_set(err, CIC_EINVAL, "%.200s is no regular file",
		    name);
	*part = (struct cic_part){ fd, 0, (uint64_t)st.st_size };
	return 0;
}

/* --- the whole ---------------------------------------------------------- */

static int
open_it(struct cic_bundle *bundle, const char *path, struct cic_err *err)
{
	struct stat st;

	bundle->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (bundle->fd == -1 || fstat(bundle->fd, &st) == -1)
		return cic_err_errno(err, "open");
	bundle->is_folder = S_ISDIR(st.st_mode);
	if (bundle->is_folder) {
		bundle->open = calloc(FDS, sizeof(*bundle->open));
		return bundle->open != NULL ? 0 :
		    cic_err_set(err, CIC_EIO, "out of memory");
	}
	if (!S_ISREG(st.st_mode))
		return cic_err_set(err, CIC_EINVAL,
		    "neither a file nor a folder");
	return read_archive(bundle, (uint64_t)st.st_size, err);
}

struct cic_bundle *
cic_bundle_open(const char *path, struct cic_err *err)
{
	struct cic_bundle *bundle = calloc(1, sizeof(*bundle));

	if (bundle == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	if (open_it(bundle, path, err) == -1) {
		cic_err_wrap(err, "%s", path);
		cic_bundle_free(bundle);
		return NULL;
	}
	return bundle;
}

void
cic_bundle_free(struct cic_bundle *bundle)
{
	size_t i;

	if (bundle == NULL)
		return;
	for (i = 0; i < bundle->count; i++) {
		free(bundle->member[i].name);
		free(bundle->member[i].link);
	}
	free(bundle->member);
	for (i = 0; i < bundle->opened; i++)
		close(bundle->open[i]);
	free(bundle->open);
	if (bundle->fd != -1)
		close(bundle->fd);
	free(bundle);
}

int
cic_bundle_find(struct cic_bundle *bundle, const char *name,
    struct cic_part *part, struct cic_err *err)
{
	char normal[NAME_MAX_BYTES];

	if (!normal_name(NULL, name, normal))
		return cic_err_set(err, CIC_EINVAL,
		    "\"%.200s\" is no name of a file in it", name);
	return bundle->is_folder ? find_file(bundle, normal, part, err) :
	    find_member(bundle, normal, part, err);
}

int
cic_bundle_read(struct cic_bundle *bundle, const char *name,
    struct cic_buf *buf, struct cic_err *err)
{
	struct cic_input *input;
	struct cic_part part;
	const void *data;
	ssize_t n;

	if (cic_bundle_find(bundle, name, &part, err) == -1)
		return -1;
	if (part.size > buf->max - buf->len)
		return cic_err_set(err, CIC_EINVAL, "%.200s is larger than %zu "
		    "bytes", name, buf->max);
	input = cic_input_part(part.fd, part.offset, part.size, name, NULL, err);
	if (input == NULL)
		return -1;
	while ((n = input->read(input, &data, err)) > 0)
		cic_buf_add(buf, data, (size_t)n);
	cic_input_free(input);
	if (n == 0 && buf->failed)
		return cic_err_set(err, CIC_EIO, "out of memory");
	return (int)n;
}

