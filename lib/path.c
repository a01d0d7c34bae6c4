/* Files and folders; see path.h. */
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buf.h"

#define MAX_DEPTH 64	/* of a tree that is removed: one descriptor a level */

int
cic_path_format(char out[CIC_PATH_MAX], struct cic_err *err,
    const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, CIC_PATH_MAX, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= CIC_PATH_MAX)
		return cic_err_set(err, CIC_EINVAL,
		    "path longer than %d bytes: %.80s…", CIC_PATH_MAX - 1, out);
	return 0;
}

int
cic_mkdir_p(const char *path, mode_t mode, struct cic_err *err)
{
	char part[CIC_PATH_MAX];
	struct stat st;
	char *slash;

	if (cic_path_format(part, err, "%s", path) != 0)
		return -1;
	for (slash = part + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return cic_err_errno(err, "make folder %s", part);
		*slash = '/';
	}
	if (mkdir(part, mode) == 0)
		return 0;
	if (errno != EEXIST || stat(part, &st) != 0)
		return cic_err_errno(err, "make folder %s", part);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return cic_err_errno(err, "make folder %s", part);
	}
	return 0;
}

/* A tree being removed. */
struct removal {
	int		top;	/* its uppermost folder */
	unsigned	moved;	/* folders moved up to there */
};

static int remove_at(struct removal *r, int dirfd, const char *name, int depth);

/* Remove everything inside an open folder; takes `fd`. */
static int
remove_children(struct removal *r, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		rc = remove_at(r, dirfd(dir), entry->d_name, depth + 1);
	}
	if (rc == 0 && errno != 0)
		rc = -1;
	closedir(dir);
	return rc;
}

static int
open_folder(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, flags);
	return fd;
}

/* A folder too deep to go into: to the top with it, where its turn comes. */
static int
move_up(struct removal *r, int dirfd, const char *name)
{
	char to[32];

	/* its ".." is about to change */
	(void)!fchmodat(dirfd, name, 0700, 0);
	do
		snprintf(to, sizeof(to), ".cic-deep-%u", r->moved++);
	while (renameat2(dirfd, name, r->top, to, RENAME_NOREPLACE) != 0 &&
	    errno == EEXIST && r->moved != 0);
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -1 : 0;
}

static int
remove_at(struct removal *r, int dirfd, const char *name, int depth)
{
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* its folder is closed to its owner, that is to us */
	if (errno == EACCES && fchmod(dirfd, 0700) == 0 &&
	    unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (depth > MAX_DEPTH)
		return move_up(r, dirfd, name);
	fd = open_folder(dirfd, name);
	if (fd < 0 || remove_children(r, fd, depth) != 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Empty and remove a folder, again as long as something was moved up. */
static int
remove_folder(const char *path)
{
	struct removal r = { .top = -1 };
	unsigned before;
	int rc, e;

	do {
		before = r.moved;
		r.top = open_folder(AT_FDCWD, path);
		if (r.top < 0)
			return -1;
		rc = remove_children(&r, dup(r.top), 0);
		e = errno;
		close(r.top);
		errno = e;
		if (rc == 0)
			rc = rmdir(path);
	} while (rc != 0 && errno == ENOTEMPTY && r.moved != before);
	return rc;
}

int
cic_remove_tree(const char *path, struct cic_err *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EISDIR && errno != EPERM) || remove_folder(path) != 0)
		return cic_err_errno(err, "remove %s", path);
	return 0;
}

/* Read `fd` to its end into `buf`; closes it. */
static int
slurp(int fd, const char *path, struct cic_buf *buf, struct cic_err *err)
{
	char chunk[16384];
	struct stat st;
	ssize_t n;
	int rc = -1;

	if (fstat(fd, &st) != 0) {
		cic_err_errno(err, "stat %s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		cic_err_set(err, CIC_EINVAL, "%s is not a regular file", path);
		goto out;
	}
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cic_err_errno(err, "read %s", path);
			goto out;
		}
		cic_buf_add(buf, chunk, (size_t)n);
		if (buf->failed) {
			cic_err_set(err, CIC_EINVAL,
			    "%s is larger than %zu bytes", path, buf->max);
			goto out;
		}
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

int
cic_read_file(const char *path, struct cic_buf *buf, struct cic_err *err)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not hold us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return cic_err_errno(err, "open %s", path);
	return slurp(fd, path, buf, err);
}

int
cic_read_file_beneath(int dirfd, const char *path, struct cic_buf *buf,
    struct cic_err *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return cic_err_set(err, CIC_EINVAL,
		    "%s is or passes a symbolic link, which is not followed",
		    path);
	if (fd < 0)
		return cic_err_errno(err, "open %s", path);
	return slurp(fd, path, buf, err);
}

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Create with O_EXCL, write, sync; nothing is left behind on failure. */
static int
write_synced(const char *path, const void *data, size_t len, mode_t mode,
    struct cic_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return cic_err_errno(err, "create %s", path);
	if (fchmod(fd, mode) != 0 || write_all(fd, data, len) != 0 ||
	    fsync(fd) != 0) {
		cic_err_errno(err, "write %s", path);
		close(fd);
		unlink(path);
		return -1;
	}
	if (close(fd) != 0) {
		cic_err_errno(err, "close %s", path);
		unlink(path);
		return -1;
	}
	return 0;
}

int
cic_write_new_file(const char *path, const void *data, size_t len, mode_t mode,
    struct cic_err *err)
{
	return write_synced(path, data, len, mode, err);
}

int
cic_write_file(const char *path, const void *data, size_t len, mode_t mode,
    struct cic_err *err)
{
	char tmp[CIC_PATH_MAX], dir[CIC_PATH_MAX];
	char *slash;

	if (cic_path_format(tmp, err, "%s.tmp-%d", path, (int)getpid()) != 0 ||
	    cic_path_format(dir, err, "%s", path) != 0)
		return -1;
	unlink(tmp);	/* a dead process of the same number left it */
	if (write_synced(tmp, data, len, mode, err) != 0)
		return -1;
	if (rename(tmp, path) != 0) {
		cic_err_errno(err, "rename %s to %s", tmp, path);
		unlink(tmp);
		return -1;
	}
	slash = strrchr(dir, '/');
	if (slash == NULL)
		return cic_sync_dir(".", err);
	slash[slash == dir ? 1 : 0] = '\0';
	return cic_sync_dir(dir, err);
}

int
cic_sync_dir(const char *path, struct cic_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cic_err_errno(err, "open folder %s", path);
	if (fsync(fd) != 0) {
		cic_err_errno(err, "sync folder %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

int
cic_free_bytes(const char *path, uint64_t *bytes, struct cic_err *err)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) != 0)
		return cic_err_errno(err, "free space of %s", path);
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

int
cic_lock_file(const char *path, mode_t mode, struct cic_err *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0)
		return cic_err_errno(err, "open lock %s", path);
	if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			cic_err_set(err, CIC_EEXIST, "%s is locked", path);
		else
			cic_err_errno(err, "lock %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

bool
cic_lock_is_held(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool held;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;	/* cannot know: say what harms less */
	held = fcntl(fd, F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
	close(fd);
	return held;
}
