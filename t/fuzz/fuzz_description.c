/* description.h: no bytes make an apt list with anything in it but packages. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "description.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/cic-fuzz-XXXXXX";

static void
remove_folder(void)
{
	char path[64];

	strcpy(path, folder);
	unlink(strcat(path, "/eflows4hpc.yaml"));
	rmdir(folder);
}

static void
check_list(const struct cic_buf *apt)
{
	char *line, *save = NULL;

	if (apt->failed || strlen(apt->data) != apt->len)
		abort();
	for (line = strtok_r(apt->data, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if (strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
		    "QRSTUVWXYZ0123456789+.~:_*=/-") != strlen(line) ||
		    line[0] == '-' || line[strlen(line) - 1] == '-')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	struct cic_buf apt;
	struct cic_err err;
	int fd;

	if (dir < 0) {
		if (mkdtemp(folder) == NULL)
			abort();
		atexit(remove_folder);
		dir = open(folder, O_RDONLY | O_DIRECTORY);
	}
	fd = openat(dir, "eflows4hpc.yaml", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	cic_buf_init(&apt, 1 << 16);
	if (description_read(dir, &apt, &err) == 0)
		check_list(&apt);
	else if (err.code != CIC_EINVAL)
		abort();
	cic_buf_release(&apt);
	return 0;
}
