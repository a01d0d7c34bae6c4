/* The site's own archives; see site_packages.h. */
#include "site_packages.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path.h"

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Call `visit` for each name in the folder, sorted, with its path below it. */
static int
each_name(const char *folder, int (*visit)(const FTSENT *entry,
    const char *below, void *arg, struct cic_err *err), void *arg,
    struct cic_err *err)
{
	char *paths[] = { (char *)(uintptr_t)folder, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	size_t skip = strlen(folder);
	FTSENT *entry;
	int rc = 0;

	if (fts == NULL)
		return cic_err_errno(err, "build.site_packages: %s", folder);
	while (rc == 0 && (errno = 0, entry = fts_read(fts)) != NULL) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS) {
			errno = entry->fts_errno;
			rc = cic_err_errno(err, "build.site_packages: %s",
			    entry->fts_path);
		} else if (entry->fts_info != FTS_DP && entry->fts_level > 0)
			rc = visit(entry, entry->fts_path + skip, arg, err);
	}
	if (rc == 0 && errno != 0)
		rc = cic_err_errno(err, "build.site_packages: %s", folder);
	fts_close(fts);
	return rc;
}

static int
add_name(const FTSENT *entry, const char *below, void *arg,
    struct cic_err *err)
{
	const struct stat *st = entry->fts_statp;
	char facts[128];

	(void)err;
	snprintf(facts, sizeof(facts), "%o %lld %lld.%09ld",
	    (unsigned)st->st_mode, S_ISDIR(st->st_mode) ? 0LL :
	    (long long)st->st_size, S_ISDIR(st->st_mode) ? 0LL :
	    (long long)st->st_mtim.tv_sec, S_ISDIR(st->st_mode) ? 0L :
	    st->st_mtim.tv_nsec);
	cic_digest_add_field(arg, below);
	cic_digest_add_field(arg, facts);
	return 0;
}

int
site_packages_digest(const char *folder, char hex[CIC_SHA256_HEX],
    struct cic_err *err)
{
	struct cic_digest *digest;
	int rc;

	hex[0] = '\0';
	if (folder[0] == '\0')
		return 0;
	digest = cic_digest_begin();
	if (digest == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	rc = each_name(folder, add_name, digest, err);
	cic_digest_end(digest, hex);
	return rc;
}

static int
copy_bytes(int in, int out)
{
	char block[65536];
	ssize_t n;

	while ((n = read(in, block, sizeof(block))) > 0)
		if (write(out, block, (size_t)n) != n)
			return -1;
	return n < 0 ? -1 : 0;
}

static int
copy_file(const char *from, const char *to, mode_t mode, struct cic_err *err)
{
	int in, out, rc = -1;

	if (link(from, to) == 0)
		return 0;
	in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return cic_err_errno(err, "build.site_packages: %s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
	if (out >= 0)
		rc = copy_bytes(in, out);
	if (rc != 0)
		cic_err_errno(err, "copy %s", from);
	if (out >= 0)
		close(out);
	close(in);
	return rc;
}

static int
copy_link(const char *from, const char *to, struct cic_err *err)
{
	char target[CIC_PATH_MAX];
	ssize_t n = readlink(from, target, sizeof(target) - 1);

	if (n < 0)
		return cic_err_errno(err, "build.site_packages: %s", from);
	target[n] = '\0';
	return symlink(target, to) == 0 ? 0 : cic_err_errno(err, "link %s", to);
}

static int
copy_name(const FTSENT *entry, const char *below, void *arg,
    struct cic_err *err)
{
	char to[CIC_PATH_MAX];

	if (cic_path_format(to, err, "%s%s", (const char *)arg, below) != 0)
		return -1;
	switch (entry->fts_info) {
	case FTS_D:
		return mkdir(to, 0755) == 0 ? 0 :
		    cic_err_errno(err, "make folder %s", to);
	case FTS_F:
		return copy_file(entry->fts_path, to, entry->fts_statp->st_mode,
		    err);
	case FTS_SL:
	case FTS_SLNONE:
		return copy_link(entry->fts_path, to, err);
	default:
		return 0;
	}
}

int
site_packages_copy(const char *folder, const char *to, struct cic_err *err)
{
	if (mkdir(to, 0755) != 0)
		return cic_err_errno(err, "make folder %s", to);
	return folder[0] == '\0' ? 0 :
	    each_name(folder, copy_name, (void *)(uintptr_t)to, err);
}
