/*
 * The wake-up datagram; see wake.h.
 *
 * A socket address holds 108 bytes: the folder is named by a descriptor, as
 * /proc/self/fd/<n>/wake.
 */
#include "wake.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
address(const char *folder, struct sockaddr_un *un)
{
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/wake",
	    dir);
	return dir;
}

int
cic_wake_open(const char *folder, struct cic_err *err)
{
	struct sockaddr_un un;
	int dir = address(folder, &un), fd;

	if (dir < 0)
		return cic_err_errno(err, "open folder %s", folder);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unlinkat(dir, "wake", 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    fchmodat(dir, "wake", 0660, 0) != 0) {
		cic_err_errno(err, "socket %s/wake", folder);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	close(dir);
	return fd;
}

void
cic_wake_drain(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) >= 0)
		;
}

void
cic_wake_poke(const char *folder)
{
	struct sockaddr_un un;
	int dir = address(folder, &un), fd;

	if (dir < 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		(void)!sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&un,
		    sizeof(un));
		close(fd);
	}
	close(dir);
}
