/* Logging to standard error; see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static const char *program_name = "cic";

void
cic_log_open(const char *program)
{
	program_name = program;
}

/* Copy src to dst with control bytes escaped; dst has room for 4 x strlen + 1. */
static void
escape(char *dst, const char *src)
{
	static const char hex[] = "0123456789abcdef";

	for (; *src != '\0'; src++) {
		unsigned char c = (unsigned char)*src;

		if (c < 0x20 || c == 0x7f) {
			*dst++ = '\\';
			*dst++ = 'x';
			*dst++ = hex[c >> 4];
			*dst++ = hex[c & 15];
		} else
			*dst++ = (char)c;
	}
	*dst = '\0';
}

static void
emit(const char *suffix, const char *fmt, va_list ap)
{
	char raw[LINE_MAX_BYTES], safe[4 * LINE_MAX_BYTES + 256];
	int e = errno, n;
	size_t len;
	ssize_t w;

	n = snprintf(safe, 128, "%s: ", program_name);
	vsnprintf(raw, sizeof(raw) - 256, fmt, ap);
	if (suffix != NULL) {
		len = strlen(raw);
		snprintf(raw + len, sizeof(raw) - len, ": %s", suffix);
	}
	escape(safe + n, raw);
	len = strlen(safe);
	safe[len++] = '\n';
	w = write(STDERR_FILENO, safe, len);
	(void)w;	/* nowhere left to complain to */
	errno = e;
}

void
cic_log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(NULL, fmt, ap);
	va_end(ap);
}

void
cic_log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(strerror(errno), fmt, ap);
	va_end(ap);
}

void
cic_log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(NULL, fmt, ap);
	va_end(ap);
}

void
cic_log_fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(NULL, fmt, ap);
	va_end(ap);
	exit(1);
}
