/* Logging to standard error; see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_strict.h"

#define LINE_MAX_BYTES 4096

static const char *program_name = "cic";

void
cic_log_open(const char *program)
{
	program_name = program;
}

/* Bytes of the character at `p` that may stand in a line as they are: 0 for a
 * control character, U+0080 to U+009F among them, and for invalid UTF-8. */
static size_t
harmless(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0))
		return 0;
	return cic_utf8_length(p, strlen((const char *)p));
}

void
cic_log_escape(char *out, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;
		size_t n = harmless((const unsigned char *)text);

		if (n == 0) {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
			text++;
		}
		for (; n > 0; n--)
			*out++ = *text++;
	}
	*out = '\0';
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
	cic_log_escape(safe + n, raw);
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
