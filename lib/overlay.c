/* Layers mounted for us alone; see overlay.h. */
#include "overlay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "path.h"

#define DATA_MAX	4000	/* the kernel takes a page, its own words counted */
#define FLAGS	(MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC)

/* What the layers have in common: "<folder>/" of "<folder>/<id>/diff". */
static int
common_folder(const char *const *layer, size_t count, char folder[CIC_PATH_MAX],
    struct cic_err *err)
{
	const char *end = strrchr(layer[0], '/');
	size_t len, i;

	while (end != NULL && end > layer[0] && *--end != '/')
		;
	if (end == NULL || end == layer[0])
		return cic_err_set(err, CIC_EINVAL, "layer %s", layer[0]);
	len = (size_t)(end - layer[0]) + 1;
	for (i = 0; i < count; i++) {
		if (strncmp(layer[i], layer[0], len) != 0 ||
		    strpbrk(layer[i] + len, ":,\\") != NULL)
			return cic_err_set(err, CIC_EINVAL, "layer %s", layer[i]);
	}
	return cic_path_format(folder, err, "%.*s", (int)len, layer[0]);
}

/* "lowerdir=<id>/diff:<id>/diff", relative, because the room is small. */
static int
mount_data(const char *const *layer, size_t count, size_t skip,
    struct cic_buf *data, struct cic_err *err)
{
	size_t i;

	cic_buf_puts(data, "lowerdir=");
	for (i = 0; i < count; i++)
		cic_buf_printf(data, "%s%s", i > 0 ? ":" : "", layer[i] + skip);
	return data->failed ? cic_err_set(err, CIC_EINVAL, "%zu layers are too "
	    "many to be mounted", count) : 0;
}

/* In the folder we are in.  An overlay wants two layers: below all of them is an
 * empty file system, which stays while the overlay does (a folder that is removed
 * could not be read any more, nor the overlay's top). */
static int
mount_here(const char *layers, struct cic_err *err)
{
	char place[] = "/tmp/cic-mount-XXXXXX", data[DATA_MAX + 64];
	int fd = -1;

	if (mkdtemp(place) == NULL)
		return cic_err_errno(err, "%s", place);
	snprintf(data, sizeof(data), "%s:%s", layers, place);
	if (mount("none", place, "tmpfs", FLAGS, "mode=755,size=4k") == -1) {
		cic_err_errno(err, "mount an empty file system");
		rmdir(place);
		return -1;
	}
	if (mount("overlay", place, "overlay", FLAGS, data) == -1)
		cic_err_errno(err, "mount the image's layers");
	else {
		fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1)
			cic_err_errno(err, "%s", place);
		umount2(place, MNT_DETACH);
	}
	umount2(place, MNT_DETACH);
	rmdir(place);
	return fd;
}

struct task {
	const char	*folder, *data;
	struct cic_err	*err;
	int		 fd;
};

/* A thread of its own, because a mount name space and a current folder of one's
 * own do not go away again: everybody else keeps theirs. */
static void *
mount_apart(void *arg)
{
	struct task *task = arg;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		cic_err_errno(task->err, "a mount name space");
	else if (chdir(task->folder) == -1)
		cic_err_errno(task->err, "folder %s", task->folder);
	else
		task->fd = mount_here(task->data, task->err);
	return NULL;
}

int
cic_overlay_mount(const char *const *layer, size_t count, struct cic_err *err)
{
	char folder[CIC_PATH_MAX];
	struct cic_buf data;
	struct task task = { .folder = folder, .err = err, .fd = -1 };
	pthread_t thread;

	if (common_folder(layer, count, folder, err) == -1)
		return -1;
	cic_buf_init(&data, DATA_MAX);
	if (mount_data(layer, count, strlen(folder), &data, err) == 0) {
		task.data = data.data;
		if (pthread_create(&thread, NULL, mount_apart, &task) == 0)
			pthread_join(thread, NULL);
		else
			cic_err_set(err, CIC_EIO, "no thread could be started");
	}
	cic_buf_release(&data);
	return task.fd;
}
