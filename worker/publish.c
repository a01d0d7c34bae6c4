/* A .sif gets its name; see publish.h. */
#include "publish.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "path.h"
#include "request.h"

/* Is it there, whole and the one we made?  The digest is read only when the
 * size fits, and only on the way back from a crash. */
static bool
is_published(const struct publish *p, const char *path)
{
	char sha256[CIC_SHA256_HEX];
	struct cic_err ignored;
	struct stat st;

	return stat(path, &st) == 0 && (uint64_t)st.st_size == p->size &&
	    cic_digest_file(path, sha256, NULL, &ignored) == 0 &&
	    strcmp(sha256, p->sha256) == 0;
}

/* The checksum in the format of `sha256sum -c`, complete and synced. */
static int
write_checksum(const struct publish *p, const char *path, struct cic_err *err)
{
	char text[CIC_SHA256_HEX + CIC_FILE_MAX + 4];
	int len;

	len = snprintf(text, sizeof(text), "%.64s  %.240s\n", p->sha256,
	    p->file);
	unlink(path);
	return cic_write_new_file(path, text, (size_t)len, 0644, err);
}

enum published
publish(const struct publish *p, struct cic_err *err)
{
	char path[CIC_PATH_MAX], sum[CIC_PATH_MAX], sum_tmp[CIC_PATH_MAX];
	struct stat st;

	if (cic_path_format(path, err, "%s/%s", p->folder, p->file) != 0 ||
	    cic_path_format(sum, err, "%s.sha256", path) != 0 ||
	    cic_path_format(sum_tmp, err, "%s.sha256", p->tmp) != 0)
		return NOT_PUBLISHED;
	if (stat(p->tmp, &st) == 0) {
		if ((uint64_t)st.st_size != p->size) {
			cic_err_set(err, CIC_EIO,
			    "%s is not as long as it was made", p->tmp);
			return NOT_PUBLISHED;
		}
		if (write_checksum(p, sum_tmp, err) != 0)
			return NOT_PUBLISHED;
		if (rename(p->tmp, path) != 0) {
			cic_err_errno(err, "rename %s to %s", p->tmp, path);
			unlink(sum_tmp);
			return NOT_PUBLISHED;
		}
	} else if (!is_published(p, path)) {
		cic_err_set(err, CIC_EIO, "%s has disappeared", p->tmp);
		return NOT_PUBLISHED;
	} else if (write_checksum(p, sum_tmp, err) != 0)
		return TRY_AGAIN;
	if (rename(sum_tmp, sum) != 0) {
		cic_err_errno(err, "rename %s to %s", sum_tmp, sum);
		return TRY_AGAIN;
	}
	return cic_sync_dir(p->folder, err) == 0 ? PUBLISHED : TRY_AGAIN;
}
