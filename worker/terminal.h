/*
 * What people see of a build on their own machine: the log, line by line, and
 * on a terminal one line at the bottom that tells how far it is.
 *
 * On a terminal that can (TERM is not dumb) the bottom line changes in place,
 * by carriage return and blanks alone; colours are used there unless NO_COLOR
 * is set or they were declined.  Anywhere else there are plain lines only.
 * Control bytes of whatever is shown are escaped (cic_log_escape).
 *
 * Not for threads.  A terminal that cannot be written to any more is no error.
 */
#ifndef CIC_TERMINAL_H
#define CIC_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "build.h"

enum terminal_style {
	TERMINAL_PLAIN, TERMINAL_STRONG, TERMINAL_FAINT, TERMINAL_GOOD,
	TERMINAL_BAD, TERMINAL_STYLE__MAX
};

#define TERMINAL_STATUS_MAX 1284

struct terminal {
	int		fd;
	bool		live;		/* has a bottom line */
	bool		color;
	bool		quiet;		/* neither log nor bottom line */
	size_t		drawn;		/* columns of the bottom line now */
	char		status[TERMINAL_STATUS_MAX];	/* what it shall say */
	struct cic_buf	out;		/* not yet written */
};

/* `fd` may be a terminal or not. */
void terminal_open(struct terminal *t, int fd, bool quiet, bool no_color);
/* Writes what is left and wipes the bottom line. */
void terminal_close(struct terminal *t);

/* A line of the log; those of ours, "cic: …", stand out. */
void terminal_log(struct terminal *t, const char *line);

/* A line of the end, quiet or not: `name` in a column of its own ("" for none). */
void terminal_say(struct terminal *t, enum terminal_style style,
    const char *name, const char *text);

/* What the bottom line says from now on. */
void terminal_status(struct terminal *t, const struct cic_progress *progress,
    int64_t seconds);

/* Write all that was said since, and the bottom line below it. */
void terminal_flush(struct terminal *t);

/* "0:07", "12:34", "1:02:03" */
void terminal_clock(int64_t seconds, char out[24]);

/* The same line, for a terminal `columns` wide: at most columns - 1 characters,
 * escaped.  Returns how many. */
size_t terminal_compose(const struct cic_progress *progress, int64_t seconds,
    size_t columns, char out[TERMINAL_STATUS_MAX]);

#endif
