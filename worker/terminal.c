/* What people see of a build; see terminal.h. */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "loglines.h"

#define OUT_MAX		(8u << 20)
#define OUT_ENOUGH	(64u << 10)	/* then it is written */
#define COLUMNS		80		/* of a terminal that does not say */
#define PATIENCE	1000		/* ms for a terminal that is stopped */

static const char *const codes[TERMINAL_STYLE__MAX] = {
	[TERMINAL_PLAIN] = "",
	[TERMINAL_STRONG] = "\033[1;36m",	/* cyan */
	[TERMINAL_FAINT] = "\033[2m",
	[TERMINAL_GOOD] = "\033[1;32m",		/* green */
	[TERMINAL_BAD] = "\033[1;31m",		/* red */
};

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

void
terminal_open(struct terminal *t, int fd, bool quiet, bool no_color)
{
	const char *term = getenv("TERM");
	bool able = isatty(fd) && term != NULL && term[0] != '\0' &&
	    strcmp(term, "dumb") != 0;

	*t = (struct terminal){ .fd = fd, .live = able && !quiet,
	    .color = able && !no_color && !is_set("NO_COLOR"),
	    .quiet = quiet };
	cic_buf_init(&t->out, OUT_MAX);
}

/* --- bytes ---------------------------------------------------------------- */

/* All of it, or what can be had rid of. */
static void
write_out(struct terminal *t)
{
	struct pollfd pfd = { .fd = t->fd, .events = POLLOUT };
	size_t done = 0;
	ssize_t n;

	while (done < t->out.len) {
		n = write(t->fd, t->out.data + done, t->out.len - done);
		if (n > 0)
			done += (size_t)n;
		else if (errno == EAGAIN && poll(&pfd, 1, PATIENCE) > 0)
			continue;
		else if (errno != EINTR)
			break;
	}
	cic_buf_reset(&t->out);
}

static void
put(struct terminal *t, enum terminal_style style, const char *text)
{
	char safe[4 * LOGLINE_MAX + 1], part[LOGLINE_MAX];

	logline_copy(part, sizeof(part), text);
	cic_log_escape(safe, part);
	if (t->color)
		cic_buf_puts(&t->out, codes[style]);
	cic_buf_puts(&t->out, safe);
	if (t->color && codes[style][0] != '\0')
		cic_buf_puts(&t->out, "\033[0m");
}

static void
wipe(struct terminal *t)
{
	if (t->drawn > 0)
		cic_buf_printf(&t->out, "\r%*s\r", (int)t->drawn, "");
	t->drawn = 0;
}

/* --- lines ---------------------------------------------------------------- */

void
terminal_log(struct terminal *t, const char *line)
{
	bool ours = strncmp(line, "cic: ", 5) == 0;

	if (t->quiet)
		return;
	wipe(t);
	put(t, ours ? TERMINAL_STRONG : TERMINAL_PLAIN, line);
	cic_buf_putc(&t->out, '\n');
	if (t->out.len > OUT_ENOUGH)
		write_out(t);
}

void
terminal_say(struct terminal *t, enum terminal_style style, const char *name,
    const char *text)
{
	wipe(t);
	if (name[0] != '\0') {
		cic_buf_printf(&t->out, "  %-8s ", name);
		put(t, style, text);
	} else
		put(t, style, text);
	cic_buf_putc(&t->out, '\n');
}

/* --- the bottom line ------------------------------------------------------ */

void
terminal_clock(int64_t seconds, char out[24])
{
	long long s = seconds > 0 ? seconds : 0;

	if (s < 3600)
		snprintf(out, 24, "%lld:%02lld", s / 60, s % 60);
	else
		snprintf(out, 24, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60,
		    s % 60);
}

/* Cut after `columns` characters; returns how many there are. */
static size_t
cut(char *text, size_t columns)
{
	size_t count = 0;
	char *p;

	for (p = text; *p != '\0'; p++) {
		if (((unsigned char)*p & 0xc0) == 0x80)
			continue;
		if (count == columns) {
			*p = '\0';
			break;
		}
		count++;
	}
	return count;
}

size_t
terminal_compose(const struct cic_progress *p, int64_t seconds,
    size_t columns, char out[TERMINAL_STATUS_MAX])
{
	char line[TERMINAL_STATUS_MAX / 4], clock[24];
	size_t n;

	terminal_clock(seconds, clock);
	n = (size_t)snprintf(line, sizeof(line), "[%s] %s", clock,
	    p->stage[0] != '\0' ? p->stage : "starting");
	if (p->steps > 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " %d/%d",
		    p->step, p->steps);
	if (p->packages > 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    ", package %d/%d", p->packages_done, p->packages);
	/* the longest last: the right end is cut */
	if (p->step_name[0] != '\0' || p->package[0] != '\0')
		snprintf(line + n, sizeof(line) - n, ": %s",
		    p->package[0] != '\0' ? p->package : p->step_name);
	cic_log_escape(out, line);
	return cut(out, columns > 1 ? columns - 1 : 1);
}

static size_t
columns_of(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ?
	    size.ws_col : COLUMNS;
}

void
terminal_status(struct terminal *t, const struct cic_progress *progress,
    int64_t seconds)
{
	char line[TERMINAL_STATUS_MAX];
	size_t columns;

	if (!t->live)
		return;
	columns = terminal_compose(progress, seconds, columns_of(t->fd), line);
	if (t->drawn > 0 && strcmp(line, t->status) == 0)
		return;
	wipe(t);
	strcpy(t->status, line);
	put(t, TERMINAL_GOOD, line);
	t->drawn = columns;
}

void
terminal_flush(struct terminal *t)
{
	write_out(t);
}

void
terminal_close(struct terminal *t)
{
	wipe(t);
	write_out(t);
	cic_buf_release(&t->out);
}
