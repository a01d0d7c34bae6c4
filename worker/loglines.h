/*
 * A log cut into lines fit for reading, as it grows.
 *
 * What containers print is hostile: lines of any length, any bytes, progress
 * bars that write one line over and over.  What comes out is valid UTF-8
 * without control characters (a tab is a space, colours are gone, other bytes
 * are '?'), shorter than LOGLINE_MAX; the rest of a longer line is dropped.  A
 * carriage return goes back to the start of the line, as on a terminal.
 *
 * BuildKit puts "#12 3.456 " before every line that step 12 printed and "#12 "
 * before what it says of it itself; podman puts nothing.
 */
#ifndef CIC_LOGLINES_H
#define CIC_LOGLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOGLINE_MAX	2048

struct logline {
	const char	*text;		/* without BuildKit's prefix */
	int		 vertex;	/* BuildKit's number; -1: it has none */
	bool		 event;		/* by BuildKit, about that number */
	off_t		 start, end;	/* in what was fed; `end` is past \n */
};

struct loglines {
	void		(*visit)(const struct logline *line, void *arg);
	void		*arg;
	off_t		 at;		/* bytes fed */
	off_t		 start;		/* of the line in the making */
	size_t		 len;
	bool		 back;		/* after a carriage return */
	char		 text[LOGLINE_MAX];
};

/* `at` is where in the log the first byte comes from. */
void loglines_init(struct loglines *l, off_t at,
    void (*visit)(const struct logline *line, void *arg), void *arg);

/* Calls visit for every line that is complete, empty ones included. */
void loglines_feed(struct loglines *l, const char *data, size_t len);

/* The last line, if its end is missing. */
void loglines_end(struct loglines *l);

/* Feed the file from `at` to its end, or `max` bytes; false: it cannot be read.
 * Returns with l->at where to go on. */
bool loglines_read(struct loglines *l, int fd, off_t max);

/* Copy text that fits into `size`, cut between characters. */
void logline_copy(char *to, size_t size, const char *text);

/* "<number>/<number>" → both, when 1 ≤ first ≤ second ≤ `max`; returns
 * what follows, or NULL. */
const char *logline_fraction(const char *text, int max, int *first,
    int *second);

/* Does the text begin so?  Returns what follows, or NULL. */
const char *logline_after(const char *text, const char *start);

#endif
