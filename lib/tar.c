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
#include <unistd.h>

#include "err.h"

#define READ	((size_t)1 << 20)	/* bytes asked of read(2) at a time */

struct cic_tar {
	struct archive	*ar;
	locale_t	 locale;	/* in which names stay bytes */
	int		 fd;
	int		 error;		/* errno of a failed read, or 0 */
	bool		 inside;	/* an entry, which may have data left */
	uint64_t	 total;		/* file data announced so far */
	uint64_t	 size;		/* of the current file */
	int64_t		 end;		/* stream offset where its data ended */
	char		 last[CIC_TREE_SHOW];	/* its name, for messages */
	unsigned char	 zero[65536];
	unsigned char	 buf[];		/* READ bytes */
};

/* Zero and -1 as libarchive wants them. */
static la_ssize_t
read_some(struct archive *ar, void *arg, const void **data)
{
	struct cic_tar *tar = arg;
	ssize_t n;

	do {
		n = read(tar->fd, tar->buf, READ);
	} while (n == -1 && errno == EINTR);
	if (n == -1) {
		tar->error = errno;
		archive_set_error(ar, errno, "read: %s", strerror(errno));
		return -1;
	}
	*data = tar->buf;
	return n;
}

/* What libarchive found wrong, after the entry we know. */
static int
bad_stream(struct cic_tar *tar, struct cic_err *err)
{
	const char *why = archive_error_string(tar->ar);
	enum cic_code code = tar->error != 0 ? CIC_EIO : CIC_EINVAL;
	char show[CIC_TREE_SHOW];

	return cic_err_set(err, code, "tar: at or after entry \"%s\": %s",
	    tar->last, why == NULL ? "damaged" : cic_tree_show(why, show));
}

struct cic_tar *
cic_tar_open(int fd, struct cic_err *err)
{
	struct cic_tar *tar = calloc(1, sizeof(*tar) + READ);

	if (tar == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	tar->fd = fd;
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
	if (archive_read_support_format_tar(tar->ar) == ARCHIVE_OK &&
	    archive_read_open(tar->ar, tar, NULL, read_some, NULL) == ARCHIVE_OK)
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
bad_entry(const struct cic_tar_entry *entry, const char *why, struct cic_err *err)
{
	char show[CIC_TREE_SHOW];

	return cic_err_set(err, CIC_EINVAL, "tar: entry \"%s\": %s",
	    cic_tree_show(entry->path, show), why);
}

static uint32_t
clamp_time(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

static int
fill_attr(struct cic_tar_entry *entry, struct archive_entry *ae,
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
		.mtime = clamp_time(archive_entry_mtime(ae)),
	};
	if (type != S_IFCHR && type != S_IFBLK)
		return 0;
	/* What Linux and squashfs have bits for. */
	if (major > 0xfff || minor > 0xfffff)
		return bad_entry(entry, "device number is out of range", err);
	entry->attr.major = (uint32_t)major;
	entry->attr.minor = (uint32_t)minor;
	return 0;
}

static int
fill_size(struct cic_tar *tar, struct cic_tar_entry *entry,
    struct archive_entry *ae, struct cic_err *err)
{
	int64_t size = archive_entry_size(ae);

	tar->size = 0;
	if (entry->hardlink != NULL || archive_entry_filetype(ae) != AE_IFREG)
		return 0;
	if (size < 0 || (uint64_t)size > CIC_TAR_BYTES - tar->total)
		return bad_entry(entry, "more than 1 TiB of file data", err);
	tar->total += (uint64_t)size;
	tar->size = entry->size = (uint64_t)size;
	return 0;
}

static int
fill_xattrs(struct cic_tar_entry *entry, struct archive_entry *ae,
    struct cic_err *err)
{
	struct cic_xattr *x;

	archive_entry_xattr_reset(ae);
	for (;;) {
		if (entry->nxattr == CIC_TAR_XATTRS)
			return bad_entry(entry, "too many extended attributes", err);
		x = &entry->xattr[entry->nxattr];
		if (archive_entry_xattr_next(ae, &x->name, &x->value,
		    &x->size) != ARCHIVE_OK)
			return 0;
		if (x->size > CIC_TAR_VALUE)
			return bad_entry(entry, "extended attribute over 64 KiB", err);
		entry->nxattr++;
	}
}

static int
fill(struct cic_tar *tar, struct cic_tar_entry *entry, struct archive_entry *ae,
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
	if (archive_entry_filetype(ae) == AE_IFLNK && entry->symlink == NULL)
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
	ssize_t n;

	if (archive_filter_bytes(tar->ar, 0) - tar->end < 512)
		return cic_err_set(err, CIC_EINVAL,
		    "tar: cut short after entry \"%s\"", tar->last);
	do {
		n = read(tar->fd, tar->buf, READ);
	} while (n > 0 || (n == -1 && errno == EINTR));
	return n == 0 ? 0 : cic_err_errno(err, "tar: read");
}

static int
next(struct cic_tar *tar, struct cic_tar_entry *entry, struct cic_err *err)
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
	return fill(tar, entry, ae, err);
}

int
cic_tar_next(struct cic_tar *tar, struct cic_tar_entry *entry,
    struct cic_err *err)
{
	locale_t old = uselocale(tar->locale);
	int r;

	/* Not the whole struct: its xattrs alone are 3 KiB. */
	entry->path = entry->hardlink = entry->symlink = NULL;
	entry->attr = (struct cic_attr){ .mode = 0 };
	entry->size = 0;
	entry->nxattr = 0;
	r = next(tar, entry, err);
	uselocale(old);
	return r;
}

static int
zeros(struct cic_tar *tar, uint64_t len,
    int (*sink)(void *, const void *, size_t, struct cic_err *), void *arg,
    struct cic_err *err)
{
	size_t n;

	for (; len > 0; len -= n) {
		n = len < sizeof(tar->zero) ? (size_t)len : sizeof(tar->zero);
		if (sink(arg, tar->zero, n, err) == -1)
			return -1;
	}
	return 0;
}

int
cic_tar_data(struct cic_tar *tar,
    int (*sink)(void *arg, const void *data, size_t len, struct cic_err *err),
    void *arg, struct cic_err *err)
{
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
		if (zeros(tar, (uint64_t)off - done, sink, arg, err) == -1 ||
		    (len > 0 && sink(arg, data, len, err) == -1))
			return -1;
		done = (uint64_t)off + len;
	}
	if (r != ARCHIVE_EOF)
		return bad_stream(tar, err);
	return zeros(tar, tar->size - done, sink, arg, err);
}
