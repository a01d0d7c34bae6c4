/* Errors as values; see err.h. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
cic_err_set(struct cic_err *err, enum cic_code code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -1;
}

static enum cic_code
code_of_errno(int e)
{
	switch (e) {
	case ENOENT:
	case ENOTDIR:
		return CIC_ENOENT;
	case EEXIST:
		return CIC_EEXIST;
	case ENOSPC:
	case EDQUOT:
		return CIC_ENOSPC;
	case EACCES:
	case EPERM:
		return CIC_EDENIED;
	case EAGAIN:
	case EINTR:
		return CIC_EAGAIN;
	default:
		return CIC_EIO;
	}
}

int
cic_err_errno(struct cic_err *err, const char *fmt, ...)
{
	int e = errno;
	va_list ap;
	size_t n;

	err->code = code_of_errno(e);
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(e));
	errno = e;
	return -1;
}

int
cic_err_wrap(struct cic_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	return -1;
}
