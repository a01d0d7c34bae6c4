/* A log cut into lines; see loglines.h. */
#include "loglines.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define DIGITS "0123456789"

void
loglines_init(struct loglines *l, off_t at,
    void (*visit)(const struct logline *line, void *arg), void *arg)
{
	*l = (struct loglines){ .visit = visit, .arg = arg, .at = at,
	    .start = at };
}

/* Length of "#12 " or "#12 3.456 " at the start; 0: neither. */
static size_t
prefix_length(const char *text, int *vertex, bool *event)
{
	size_t digits, n, fraction;

	*vertex = -1;
	*event = false;
	if (text[0] != '#')
		return 0;
	digits = strspn(text + 1, DIGITS);
	if (digits == 0 || digits > 6 || text[1 + digits] != ' ')
		return 0;
	*vertex = atoi(text + 1);
	n = digits + 2;
	digits = strspn(text + n, DIGITS);
	fraction = text[n + digits] == '.' ?
	    strspn(text + n + digits + 1, DIGITS) : 0;
	*event = digits == 0 || fraction == 0 ||
	    (text[n + digits + 1 + fraction] != ' ' &&
	    text[n + digits + 1 + fraction] != '\0');
	if (*event)
		return n;
	n += digits + 1 + fraction;
	return text[n] == ' ' ? n + 1 : n;
}

/* Bytes of the valid UTF-8 character of more than one byte at p, or 0. */
static size_t
character(const unsigned char *p)
{
	size_t n, i;

	n = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 :
	    p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogate, or beyond the last code point */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* Bytes of a terminal's control sequence at p, which is an escape. */
static size_t
sequence(const char *p)
{
	size_t n = 2;

	if (p[1] != '[')
		return 1;
	while (p[n] >= 0x20 && p[n] < 0x40)
		n++;
	return p[n] != '\0' ? n + 1 : n;
}

/* In place; the text only shrinks. */
static void
make_readable(char *text)
{
	const char *from = text;
	char *to = text;
	size_t n;

	while (*from != '\0') {
		unsigned char c = (unsigned char)*from;

		n = c < 0x80 ? 1 : character((const unsigned char *)from);
		if (c == 0x1b) {
			from += sequence(from);
		} else if (n == 0) {
			*to++ = '?';
			from++;
		} else if (n > 1) {
			memmove(to, from, n);
			to += n;
			from += n;
		} else {
			if (c == '\t')
				*to++ = ' ';
			else if (c >= 0x20 && c != 0x7f)
				*to++ = (char)c;
			from++;
		}
	}
	*to = '\0';
}

static void
end_line(struct loglines *l)
{
	struct logline line = { .start = l->start, .end = l->at };
	size_t skip;

	l->text[l->len] = '\0';
	skip = prefix_length(l->text, &line.vertex, &line.event);
	make_readable(l->text + skip);
	line.text = l->text + skip;
	l->visit(&line, l->arg);
	l->len = 0;
	l->back = false;
	l->start = l->at;
}

static void
add(struct loglines *l, char c)
{
	int vertex;
	bool event;

	l->at++;
	if (c == '\n') {
		end_line(l);
		return;
	}
	if (c == '\r') {
		l->back = true;
		return;
	}
	if (l->back) {
		l->text[l->len] = '\0';
		l->len = prefix_length(l->text, &vertex, &event);
		l->back = false;
	}
	if (l->len + 1 < LOGLINE_MAX)
		l->text[l->len++] = c != '\0' ? c : ' ';
}

void
loglines_feed(struct loglines *l, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		add(l, data[i]);
}

void
loglines_end(struct loglines *l)
{
	if (l->at > l->start)
		end_line(l);
}

bool
loglines_read(struct loglines *l, int fd, off_t max)
{
	char *chunk = malloc(READ_BYTES);
	off_t end = l->at + max;
	ssize_t n = chunk != NULL ? 0 : -1;

	while (chunk != NULL && l->at < end) {
		n = pread(fd, chunk, end - l->at < READ_BYTES ?
		    (size_t)(end - l->at) : READ_BYTES, l->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		loglines_feed(l, chunk, (size_t)n);
	}
	free(chunk);
	return n >= 0;
}

void
logline_copy(char *to, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memmove(to, text, len);
	to[len] = '\0';
}

const char *
logline_fraction(const char *text, int max, int *first, int *second)
{
	char *end;
	long a, b;

	if (!isdigit((unsigned char)*text))
		return NULL;
	a = strtol(text, &end, 10);	/* out of range is LONG_MAX */
	if (*end != '/' || !isdigit((unsigned char)end[1]))
		return NULL;
	b = strtol(end + 1, &end, 10);
	if (a < 1 || a > b || b > max)
		return NULL;
	*first = (int)a;
	*second = (int)b;
	return end;
}

const char *
logline_after(const char *text, const char *start)
{
	size_t len = strlen(start);

	return strncmp(text, start, len) == 0 ? text + len : NULL;
}
