/* A file named when it is complete; see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

/* The folder a path is in, and its last component. */
static const char *
split(const char *path, char folder[CIC_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL) {
		strcpy(folder, ".");
		return path;
	}
	snprintf(folder, CIC_PATH_MAX, "%.*s", (int)(slash == path ? 1 :
	    slash - path), path);
	return slash + 1;
}

/* Six characters that nobody else has, over and over until a name is free. */
static int
temporary_name(const char *path, char part[CIC_PATH_MAX], struct cic_err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	char folder[CIC_PATH_MAX], end[7] = { 0 };
	const char *name = split(path, folder);
	unsigned char r[6];
	size_t i;

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return cic_err_errno(err, "getrandom");
	for (i = 0; i < 6; i++)
		end[i] = letters[r[i] & 31];
	return cic_path_format(part, err, "%s/.%s.%s.part", folder, name, end);
}

int
cic_output_open(struct cic_output *output, const char *path, struct cic_err *err)
{
	char folder[CIC_PATH_MAX];
	int tries = 100;
	const char *name;

	output->fd = -1;
	output->part[0] = '\0';
	if (cic_path_format(output->path, err, "%s", path) == -1)
		return -1;
	name = split(path, folder);
	if (*name == '\0')
		return cic_err_set(err, CIC_EINVAL, "%s is no file name", path);
	output->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	while (output->fd == -1 && tries-- > 0 && (errno == EOPNOTSUPP || errno == EISDIR ||
	    errno == EEXIST)) {
		if (temporary_name(path, output->part, err) == -1)
			return -1;
		output->fd = open(output->part, O_RDWR | O_CREAT | O_EXCL |
		    O_CLOEXEC, 0644);
	}
	if (output->fd == -1) {
		output->part[0] = '\0';
		return cic_err_errno(err, "%s", path);
	}
	/* whatever the umask: others are to read it */
	if (fchmod(output->fd, 0644) == -1) {
		cic_err_errno(err, "%s", path);
		cic_output_abandon(output);
		return -1;
	}
	return 0;
}

/* Give the file a temporary name, which can be renamed over an old one. */
static int
link_part(struct cic_output *output, struct cic_err *err)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	do {
		if (temporary_name(output->path, output->part, err) == -1)
			return -1;
		if (linkat(AT_FDCWD, self, AT_FDCWD, output->part,
		    AT_SYMLINK_FOLLOW) == 0)
			return 0;
	} while (errno == EEXIST);
	output->part[0] = '\0';
	return cic_err_errno(err, "%s", output->path);
}

static int
give_name(struct cic_output *output, bool replace, struct cic_err *err)
{
	char self[64];

	if (replace) {
		if (output->part[0] == '\0' && link_part(output, err) == -1)
			return -1;
		if (rename(output->part, output->path) == -1)
			return cic_err_errno(err, "%s", output->path);
		output->part[0] = '\0';
		return 0;
	}
	if (output->part[0] != '\0') {
		if (link(output->part, output->path) == -1)
			return cic_err_errno(err, "%s", output->path);
		unlink(output->part);
		output->part[0] = '\0';
		return 0;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, output->path,
	    AT_SYMLINK_FOLLOW) == -1)
		return cic_err_errno(err, "%s", output->path);
	return 0;
}

int
cic_output_publish(struct cic_output *output, bool replace, struct cic_err *err)
{
	char folder[CIC_PATH_MAX];
	int dir, r = 0;

	/* One that we may write into but not read cannot be synced. */
	split(output->path, folder);
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if ((dir == -1 && errno != EACCES) || fsync(output->fd) == -1)
		r = cic_err_errno(err, "%s", output->path);
	else
		r = give_name(output, replace, err);
	if (r == 0 && dir != -1 && fsync(dir) == -1)
		r = cic_err_errno(err, "%s", folder);
	if (dir != -1)
		close(dir);
	cic_output_abandon(output);	/* with a name, only closed by that */
	return r;
}

void
cic_output_abandon(struct cic_output *output)
{
	if (output->part[0] != '\0')
		unlink(output->part);
	output->part[0] = '\0';
	if (output->fd != -1)
		close(output->fd);
	output->fd = -1;
}
