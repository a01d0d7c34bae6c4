/* terminal.h: what reaches a terminal, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "folder.h"
#include "log.h"
#include "terminal.h"

static void
test_escape(void **state)
{
	static const struct { const char *text, *safe; } cases[] = {
		{ "", "" },
		{ "plain text, 100 %", "plain text, 100 %" },
		{ "gr\303\274n \342\202\254 \360\237\230\200",
		    "gr\303\274n \342\202\254 \360\237\230\200" },
		{ "\033[31mred\a", "\\x1b[31mred\\x07" },
		{ "a\tb\rc\177", "a\\x09b\\x0dc\\x7f" },
		/* CSI in one byte, and as UTF-8 has it */
		{ "\233" "31m", "\\x9b" "31m" },
		{ "\302\233" "31m", "\\xc2\\x9b" "31m" },
		{ "\302\240", "\302\240" },
		/* cut, overlong, a surrogate */
		{ "\342\202", "\\xe2\\x82" },
		{ "\300\233", "\\xc0\\x9b" },
		{ "\355\240\200", "\\xed\\xa0\\x80" },
	};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		cic_log_escape(out, cases[i].text);
		assert_string_equal(out, cases[i].safe);
	}
}

static void
test_clock(void **state)
{
	static const struct { int64_t seconds; const char *text; } cases[] = {
		{ -5, "0:00" }, { 7, "0:07" }, { 754, "12:34" },
		{ 3599, "59:59" }, { 3723, "1:02:03" }, { 360000, "100:00:00" },
	};
	char out[24];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		terminal_clock(cases[i].seconds, out);
		assert_string_equal(out, cases[i].text);
	}
}

static void
test_compose(void **state)
{
	struct cic_progress p = { .step = 0 };
	char out[TERMINAL_STATUS_MAX];

	(void)state;
	assert_int_equal(terminal_compose(&p, 3, 80, out), 15);
	assert_string_equal(out, "[0:03] starting");
	strcpy(p.stage, "build");
	p.step = 4;
	p.steps = 11;
	strcpy(p.step_name, "spack install");
	terminal_compose(&p, 3, 80, out);
	assert_string_equal(out, "[0:03] build 4/11: spack install");
	p.packages_done = 37;
	p.packages = 112;
	strcpy(p.package, "zlib@1.3.1");
	terminal_compose(&p, 3, 80, out);
	assert_string_equal(out,
	    "[0:03] build 4/11, package 37/112: zlib@1.3.1");
	/* the last column stays free, or the terminal would wrap */
	assert_int_equal(terminal_compose(&p, 3, 20, out), 19);
	assert_string_equal(out, "[0:03] build 4/11, ");
	assert_int_equal(terminal_compose(&p, 3, 0, out), 1);
	strcpy(p.package, "\303\274\303\274\303\274");
	assert_int_equal(terminal_compose(&p, 3, 41, out), 38);
	assert_int_equal(terminal_compose(&p, 3, 37, out), 36);
	assert_string_equal(out,
	    "[0:03] build 4/11, package 37/112: \303\274");
}

/* Everything as long as it can be. */
static void
test_compose_longest(void **state)
{
	char out[TERMINAL_STATUS_MAX];
	struct cic_progress p;

	(void)state;
	memset(&p, 0x01, sizeof(p));
	p.stage[sizeof(p.stage) - 1] = '\0';
	p.step_name[sizeof(p.step_name) - 1] = '\0';
	p.package[sizeof(p.package) - 1] = '\0';
	p.step = p.steps = p.packages = p.packages_done = INT32_MAX;
	assert_in_range(terminal_compose(&p, INT64_MAX, SIZE_MAX, out), 500,
	    sizeof(out) - 1);
	assert_null(strchr(out, 1));
}

/* What a terminal's file got. */
static char *
written(struct terminal *t)
{
	terminal_close(t);
	close(t->fd);
	return get_file(in_folder("out"));
}

static struct terminal
open_file(bool quiet)
{
	struct terminal t;
	int fd = open(in_folder("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	terminal_open(&t, fd, quiet, false);
	return t;
}

static void
test_no_terminal(void **state)
{
	struct cic_progress p = { .stage = "build" };
	struct terminal t = open_file(false);
	char *text;

	(void)state;
	assert_false(t.live || t.color);
	terminal_status(&t, &p, 1);
	terminal_log(&t, "cic: stage build");
	terminal_log(&t, "evil \033]0;title\007");
	terminal_status(&t, &p, 2);
	terminal_say(&t, TERMINAL_BAD, "", "failed");
	terminal_say(&t, TERMINAL_PLAIN, "size", "1 MiB");
	text = written(&t);
	assert_string_equal(text, "cic: stage build\n"
	    "evil \\x1b]0;title\\x07\nfailed\n  size     1 MiB\n");
	free(text);
}

static void
test_quiet(void **state)
{
	struct terminal t = open_file(true);
	char *text;

	(void)state;
	terminal_log(&t, "cic: stage build");
	terminal_say(&t, TERMINAL_BAD, "", "failed");
	text = written(&t);
	assert_string_equal(text, "failed\n");
	free(text);
}

/* The bottom line goes before a line is printed, and comes back below it. */
static void
test_live(void **state)
{
	struct cic_progress p = { .stage = "build" };
	struct terminal t = open_file(false);
	char *text;

	(void)state;
	t.live = true;
	terminal_status(&t, &p, 1);
	terminal_status(&t, &p, 1);	/* as it is: not written again */
	terminal_log(&t, "line");
	terminal_status(&t, &p, 1);
	text = written(&t);
	assert_string_equal(text, "[0:01] build\r            \rline\n"
	    "[0:01] build\r            \r");
	free(text);
}

static void
test_colors(void **state)
{
	struct terminal t = open_file(false);
	char *text;

	(void)state;
	t.color = true;
	terminal_log(&t, "cic: ours");
	terminal_log(&t, "not cic: ours");
	text = written(&t);
	assert_string_equal(text, "\033[1;36mcic: ours\033[0m\n"
	    "not cic: ours\n");
	free(text);
}

/* A line longer than a terminal line may be is cut between characters. */
static void
test_long_line(void **state)
{
	struct terminal t = open_file(false);
	char line[8192], *text;
	size_t i;

	(void)state;
	for (i = 0; i + 3 < sizeof(line); i += 2)
		memcpy(line + i, "\303\274", 2);
	line[i] = '\0';
	terminal_log(&t, line);
	text = written(&t);
	assert_null(strchr(text, '\\'));
	assert_in_range(strlen(text), 2000, 2100);
	free(text);
}

/* When there is a terminal, what do the settings of people do? */
static void
test_settings(void **state)
{
	static const struct {
		const char *term, *no_color;
		bool quiet, declined, live, color;
	} cases[] = {
		{ "xterm", NULL, false, false, true, true },
		{ "xterm", "", false, false, true, true },
		{ "xterm", "1", false, false, true, false },
		{ "xterm", NULL, false, true, true, false },
		{ "xterm", NULL, true, false, false, true },
		{ "dumb", NULL, false, false, false, false },
		{ "", NULL, false, false, false, false },
	};
	struct terminal t;
	int master, fd;
	size_t i;

	(void)state;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(master >= 0 && grantpt(master) == 0 &&
	    unlockpt(master) == 0);
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	for (i = 0; i < COUNT(cases); i++) {
		setenv("TERM", cases[i].term, 1);
		unsetenv("NO_COLOR");
		if (cases[i].no_color != NULL)
			setenv("NO_COLOR", cases[i].no_color, 1);
		terminal_open(&t, fd, cases[i].quiet, cases[i].declined);
		assert_int_equal(t.live, cases[i].live);
		assert_int_equal(t.color, cases[i].color);
		terminal_close(&t);
	}
	unsetenv("NO_COLOR");
	close(fd);
	close(master);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_escape), UNIT(test_clock), UNIT(test_compose),
		UNIT(test_compose_longest), UNIT(test_no_terminal),
		UNIT(test_quiet), UNIT(test_live), UNIT(test_colors),
		UNIT(test_long_line), UNIT(test_settings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
