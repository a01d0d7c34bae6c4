/* A tar stream, by libarchive, the only file that names it; see tar.h. */
#include "tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "input.h"

struct cic_tar {
	struct cic_source source;	/* first: how others see it */
	struct archive	*ar;
	locale_t	 locale;	/* in which names stay bytes */
	struct cic_input *input;
	enum cic_tar_kind kind;
	struct cic_err	 failed;	/* of the input; code CIC_OK: none */
	bool		 inside;	/* an entry, which may have data left */
	bool		 holes;		/* in it */
	uint64_t	 total;		/* file data announced so far */
	uint64_t	 size;		/* of the current file */
	int64_t		 start, end;	/* stream offsets of its data */
	char		 last[CIC_TREE_SHOW];	/* its name, for messages */
};

static int next_item(struct cic_source *source, struct cic_item *item,
    struct cic_err *err);
static int item_data(struct cic_source *source, cic_sink *sink, void *arg,
    struct cic_err *err);

/* Zero and -1 as libarchive wants them. */
static la_ssize_t
read_some(struct archive *ar, void *arg, const void **data)
{
	struct cic_tar *tar = arg;
	ssize_t n = tar->input->read(tar->input, data, &tar->failed);

	if (n == -1)
		archive_set_error(ar, EIO, "%s", "read");
	return n;
}

static int64_t
skip_some(struct archive *ar, void *arg, int64_t n)
{
	struct cic_tar *tar = arg;

	(void)ar;
	if (tar->input->skip == NULL || n < 0)
		return 0;
	return (int64_t)tar->input->skip(tar->input, (uint64_t)n);
}

/* What libarchive found wrong, after the entry we know. */
static int
bad_stream(struct cic_tar *tar, struct cic_err *err)
{
	const char *why = archive_error_string(tar->ar);
	char show[CIC_TREE_SHOW];

	if (tar->failed.code != CIC_OK) {
		*err = tar->failed;
		return cic_err_wrap(err, "tar: after entry \"%s\"", tar->last);
	}
	return cic_err_set(err, CIC_EINVAL, "tar: at or after entry \"%s\": %s",
	    tar->last, why == NULL ? "damaged" : cic_tree_show(why, show));
}

/* Formats and, for layers, compressions that are understood. */
static bool
support(struct cic_tar *tar)
{
	if (archive_read_support_format_tar(tar->ar) != ARCHIVE_OK)
		return false;
	return tar->kind == CIC_TAR_EXPORT ||
	    (archive_read_support_filter_gzip(tar->ar) == ARCHIVE_OK &&
	    archive_read_support_filter_zstd(tar->ar) == ARCHIVE_OK);
}

struct cic_tar *
cic_tar_open(struct cic_input *input, enum cic_tar_kind kind,
    struct cic_err *err)
{
	struct cic_tar *tar = calloc(1, sizeof(*tar));

	if (tar == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	tar->source = (struct cic_source){ next_item, item_data };
	tar->input = input;
	tar->kind = kind;
	tar->ar = archive_read_new();
	/* libarchive converts pax names from UTF-8 to the locale's charset, and
	 * composes accents on the way when that is UTF-8: another name then.
	 * To plain ASCII the conversion fails, and it keeps the bytes. */
	tar->locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
	if (tar->ar == NULL || tar->locale == (locale_t)0) {
		cic_err_set(err, CIC_EIO, "tar: no memory, or no locale C");
		goto fail;
	}
	strcpy(tar->last, "(start)");
	if (support(tar) &&
	    archive_read_open2(tar->ar, tar, NULL, read_some, skip_some,
	    NULL) == ARCHIVE_OK)
		return tar;
	bad_stream(tar, err);
fail:
	cic_tar_free(tar);
	return NULL;
}

void
cic_tar_free(struct cic_tar *tar)
{
	if (tar == NULL)
		return;
	if (tar->ar != NULL)
		archive_read_free(tar->ar);
	if (tar->locale != (locale_t)0)
		freelocale(tar->locale);
	free(tar);
}

struct cic_source *
cic_tar_source(struct cic_tar *tar)
{
	return &tar->source;
}

const char *
cic_tar_version(void)
{
	return ARCHIVE_VERSION_ONLY_STRING;
}

bool
cic_tar_has_holes(const struct cic_tar *tar)
{
	return tar->holes;
}

uint64_t
cic_tar_offset(const struct cic_tar *tar)
{
	return (uint64_t)tar->start;
}

/* The warning for a name kept as it is; any other one means that libarchive
 * left something out. */
static bool
only_charset(struct cic_tar *tar)
{
	const char *why = archive_error_string(tar->ar);

	return why != NULL && strstr(why, "can't be converted") != NULL;
}

/* --- one header --------------------------------------------------------- */

static int
bad_entry(const struct cic_item *entry, const char *why, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	return cic_err_set(err, CIC_EINVAL, "tar: entry \"%s\": %s",
	    cic_tree_show(entry->path, show), why);
}

static int
fill_attr(struct cic_item *entry, struct archive_entry *ae,
    struct cic_err *err)
{
	int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);
	uint64_t major = archive_entry_rdevmajor(ae);
	uint64_t minor = archive_entry_rdevminor(ae);
	mode_t type = archive_entry_filetype(ae);

	if (uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
		return bad_entry(entry, "owner is out of range", err);
	entry->attr = (struct cic_attr){
		.mode = type | (archive_entry_perm(ae) & 07777),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.mtime = cic_source_time(archive_entry_mtime(ae)),
	};
	if (type != S_IFCHR && type != S_IFBLK)
		return 0;
	/* What Linux and squashfs have bits for. */
	if (major > 0xfff || minor > 0xfffff)
		return bad_entry(entry, "device number is out of range", err);
	entry->attr.major = (uint32_t)major & 0xfff;
	entry->attr.minor = (uint32_t)minor & 0xfffff;
	return 0;
}

static int
fill_size(struct cic_tar *tar, struct cic_item *entry,
    struct archive_entry *ae, struct cic_err *err)
{
	int64_t size = archive_entry_size(ae);

	tar->size = 0;
	if (entry->hardlink != NULL || archive_entry_filetype(ae) != AE_IFREG)
		return 0;
	if (size < 0 || (uint64_t)size > CIC_SOURCE_BYTES - tar->total)
		return bad_entry(entry, "more than 1 TiB of file data", err);
	tar->total += (uint64_t)size;
	tar->size = entry->size = (uint64_t)size;
	return 0;
}

static int
fill_xattrs(struct cic_item *entry, struct archive_entry *ae,
    struct cic_err *err)
{
	struct cic_xattr *x;

	archive_entry_xattr_reset(ae);
	for (;;) {
		if (entry->nxattr == CIC_ITEM_XATTRS)
			return bad_entry(entry, "too many extended attributes", err);
		x = &entry->xattr[entry->nxattr];
		if (archive_entry_xattr_next(ae, &x->name, &x->value,
		    &x->size) != ARCHIVE_OK)
			return 0;
		if (x->size > CIC_ITEM_VALUE)
			return bad_entry(entry, "extended attribute over 64 KiB", err);
		entry->nxattr++;
	}
}

static int
fill(struct cic_tar *tar, struct cic_item *entry, struct archive_entry *ae,
    struct cic_err *err)
{
	entry->path = archive_entry_pathname(ae);
	if (entry->path == NULL || *entry->path == '\0') {
		entry->path = "";
		return cic_err_set(err, CIC_EINVAL,
		    "tar: an entry without a name after \"%s\"", tar->last);
	}
	cic_tree_show(entry->path, tar->last);
	entry->hardlink = archive_entry_hardlink(ae);
	entry->symlink = archive_entry_symlink(ae);
	/* docker gives hard links the type of what they link to */
	if (archive_entry_filetype(ae) == AE_IFLNK && entry->symlink == NULL &&
	    entry->hardlink == NULL)
		return bad_entry(entry, "symbolic link without a target", err);
	if (fill_attr(entry, ae, err) == -1 ||
	    fill_size(tar, entry, ae, err) == -1)
		return -1;
	return fill_xattrs(entry, ae, err);
}

/* --- the stream --------------------------------------------------------- */

/* After the last entry: was there an end mark?  Then read what follows it. */
static int
finish(struct cic_tar *tar, struct cic_err *err)
{
	const void *data;
	ssize_t n;

	/* libarchive takes a failure behind the end mark, or behind the last
	 * compressed byte, for the end */
	if (tar->failed.code != CIC_OK)
		return bad_stream(tar, err);
	if (tar->kind == CIC_TAR_EXPORT &&
	    archive_filter_bytes(tar->ar, 0) - tar->end < 512)
		return cic_err_set(err, CIC_EINVAL,
		    "tar: cut short after entry \"%s\"", tar->last);
	do {
		n = tar->input->read(tar->input, &data, err);
	} while (n > 0);
	return n == 0 ? 0 : cic_err_wrap(err, "tar: after the last entry");
}

static int
next(struct cic_tar *tar, struct cic_item *entry, struct cic_err *err)
{
	struct archive_entry *ae;
	int r;

	/* Skipped here and not by the next header, to know where it ends. */
	if (tar->inside && archive_read_data_skip(tar->ar) != ARCHIVE_OK)
		return bad_stream(tar, err);
	tar->inside = false;
	tar->end = archive_filter_bytes(tar->ar, 0);
	r = archive_read_next_header(tar->ar, &ae);
	if (r == ARCHIVE_EOF)
		return finish(tar, err);
	if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && only_charset(tar)))
		return bad_stream(tar, err);
	tar->inside = true;
	tar->holes = archive_entry_sparse_count(ae) > 0;
	tar->start = archive_filter_bytes(tar->ar, 0);
	return fill(tar, entry, ae, err);
}

static int
next_item(struct cic_source *source, struct cic_item *item, struct cic_err *err)
{
	struct cic_tar *tar = (struct cic_tar *)source;
	locale_t old = uselocale(tar->locale);
	int r;

	/* Not the whole struct: its xattrs alone are 3 KiB. */
	item->path = item->hardlink = item->symlink = NULL;
	item->attr = (struct cic_attr){ .mode = 0 };
	item->size = 0;
	item->nxattr = 0;
	r = next(tar, item, err);
	uselocale(old);
	return r;
}

static int
item_data(struct cic_source *source, cic_sink *sink, void *arg,
    struct cic_err *err)
{
	struct cic_tar *tar = (struct cic_tar *)source;
	uint64_t done = 0;
	const void *data;
	size_t len;
	int64_t off;
	int r;

	while ((r = archive_read_data_block(tar->ar, &data, &len, &off)) ==
	    ARCHIVE_OK) {
		if (off < 0 || (uint64_t)off < done ||
		    (uint64_t)off > tar->size || len > tar->size - (uint64_t)off)
			return cic_err_set(err, CIC_EINVAL,
			    "tar: entry \"%s\": data outside the file", tar->last);
		if (cic_source_zeros((uint64_t)off - done, sink, arg, err) == -1 ||
		    (len > 0 && sink(arg, data, len, err) == -1))
			return -1;
		done = (uint64_t)off + len;
	}
	if (r != ARCHIVE_EOF)
		return bad_stream(tar, err);
	return cic_source_zeros(tar->size - done, sink, arg, err);
}
