/* What sources of files share; see source.h. */
#include "source.h"

#include <string.h>
#include <sys/stat.h>

int
cic_source_zeros(uint64_t len, cic_sink *sink, void *arg, struct cic_err *err)
{
	static const unsigned char zero[CIC_ITEM_VALUE];
	size_t n;

	for (; len > 0; len -= n) {
		n = len < sizeof(zero) ? (size_t)len : sizeof(zero);
		if (sink(arg, zero, n, err) == -1)
			return -1;
	}
	return 0;
}

const char *
cic_source_plain(const char *path, size_t *len)
{
	while (*path == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	*len = strlen(path);
	while (*len > 0 && path[*len - 1] == '/')
		--*len;
	if (*len == 1 && *path == '.')
		*len = 0;
	return path;
}

const char *
cic_source_left_out(size_t i)
{
	static const char *const names[] = { ".dockerenv", "dev/console",
	    "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", NULL };

	return names[i];
}

bool
cic_source_leaves_out(const char *path, uint32_t mode)
{
	const char *name;
	size_t len, i;

	if (S_ISDIR(mode))
		return false;
	path = cic_source_plain(path, &len);
	for (i = 0; (name = cic_source_left_out(i)) != NULL; i++) {
		if (strlen(name) == len && memcmp(path, name, len) == 0)
			return true;
	}
	return false;
}
