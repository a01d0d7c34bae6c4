/* loglines.h, buildlog.h, progress.h: a log as it grows, and what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <time.h>

#include "folder.h"

#include "journal.h"
#include "progress.h"

static struct buildlog b;

/* Feed in pieces of `piece` bytes. */
static const struct cic_progress *
feed(const char *text, size_t len, size_t piece)
{
	buildlog_init(&b, 0);
	for (size_t at = 0; at < len; at += piece)
		loglines_feed(&b.lines, text + at, len - at < piece ?
		    len - at : piece);
	return &b.progress;
}

/* --- lines ---------------------------------------------------------------- */

static struct cic_buf got;

static void
note(const struct logline *line, void *arg)
{
	(void)arg;
	cic_buf_printf(&got, "%d%s[%s]%lld-%lld ", line->vertex,
	    line->event ? "!" : "", line->text, (long long)line->start,
	    (long long)line->end);
}

#define L(s) s, sizeof(s) - 1

static void
lines(void **state)
{
	static const struct { const char *text; size_t len; const char *want; } t[] = {
		{ L("a\n\nb"), "-1[a]0-2 -1[]2-3 -1[b]3-4 " },
		{ L("a\r\nb\r\n"), "-1[a]0-3 -1[b]3-6 " },
		{ L("#12 3.456 x\n"), "12[x]0-12 " },
		{ L("#12 3.456 \n#12 3.4\n"), "12[]0-11 12[]11-19 " },
		{ L("#12 DONE 3.1s\n"), "12![DONE 3.1s]0-14 " },
		{ L("#12 3 x\n#1 2.x\n"), "12![3 x]0-8 1![2.x]8-15 " },
		{ L("#9999999 x\n#x\n# 1\n#"), "-1[#9999999 x]0-11 -1[#x]11-14 "
		    "-1[# 1]14-18 -1[#]18-19 " },
		{ L(" 0%\r 50%\r100%\nx\n"), "-1[100%]0-14 -1[x]14-16 " },
		{ L("#7 1.0  0%\r 50%\r100%\r\n"), "7[100%]0-22 " },
		{ L("a\0b\x01\x7f\tc\n"), "-1[a b c]0-8 " },
		{ L("\x1b[31;1merror\x1b[0m: \x1b(B\x1b[\n"),
		    "-1[error: (B]0-24 " },
		{ L("\xc3\xa4\xc3\xff\xe2\x82\xac\xed\xa0\x80\xf5\xe2\x82\n"),
		    "-1[\xc3\xa4??\xe2\x82\xac??????]0-14 " },
	};
	struct loglines l;

	(void)state;
	for (size_t piece = 1; piece < 4; piece++)
		for (size_t i = 0; i < COUNT(t); i++) {
			cic_buf_init(&got, 4096);
			loglines_init(&l, 0, note, NULL);
			for (size_t at = 0; at < t[i].len; at += piece)
				loglines_feed(&l, t[i].text + at,
				    t[i].len - at < piece ? t[i].len - at :
				    piece);
			loglines_end(&l);
			assert_string_equal(got.data, t[i].want);
			cic_buf_release(&got);
		}
}

static void
longest(void **state)
{
	static char text[3 << 20];

	(void)state;
	cic_buf_init(&got, 1 << 16);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	struct loglines l;
	loglines_init(&l, 0, note, NULL);
	loglines_feed(&l, text, sizeof(text));
	loglines_feed(&l, L("next\n"));
	assert_int_equal(strspn(got.data + 3, "x"), LOGLINE_MAX - 1);
	has(got.data, "-1[next]3145728-3145733 ");
	cic_buf_release(&got);
}

static void
copies(void **state)
{
	char to[8];

	(void)state;
	logline_copy(to, sizeof(to), "1234567");
	assert_string_equal(to, "1234567");
	logline_copy(to, sizeof(to), "123456\xe2\x82\xac");
	assert_string_equal(to, "123456");
	logline_copy(to, 3, "\xe2\x82\xac");
	assert_string_equal(to, "");
}

/* --- what the lines mean --------------------------------------------------- */

#define ZLIB "zlib-1.3.1-abcdefghijklmnopqrstuvwxyz234567"
#define GCC "gcc-13.2.0-abcdefghijklmnopqrstuvwxyz234567"

static const struct {
	const char *text;
	struct cic_progress want;
} cases[] = {
	{ "#9 [ 4/11] RUN --mount=type=bind,source=a --network=none sh x\n",
	    { .step = 4, .steps = 11, .step_name = "RUN sh x" } },
	{ "#9 [stage-0  4/11] COPY a b\n#9 DONE 1s\n",
	    { .step = 4, .steps = 11, .step_name = "COPY a b" } },
	{ "#3 [internal] load metadata for x\n", { .step = 0 } },
	{ "#9 [ 4/11] RUN x\n#12 exporting to image\n",
	    { .step = 4, .steps = 11, .step_name = "storing the image" } },
	{ "STEP 4/11: RUN --mount=x sh y\ncic: step apt\n",
	    { .step = 4, .steps = 11, .step_name = "apt" } },
	/* cut between characters */
	{ "STEP 1/2: ABCDEFGHIJKLMN\xc3\xa4O --x y\n",
	    { .step = 1, .steps = 2, .step_name = "ABCDEFGHIJKLMN y" } },
	{ "[2/3] STEP 4/11: FROM a\n",
	    { .step = 4, .steps = 11, .step_name = "FROM a" } },
	/* numbers nobody can mean */
	{ "STEP 0/11: RUN x\nSTEP 12/11: RUN x\nSTEP 1/1000: RUN x\n"
	    "STEP 99999999999999999999/99999999999999999999: RUN x\nSTEP 1/: x\n"
	    "STEP 1: x\nSTEP -1/4: x\n#9 [1/2x] RUN x\n#9 [/] x\n#9 [\n#9 []\n"
	    "STEP /: \n[ STEP 1/2: x\n[1/ STEP 1/2: x\n", { .step = 0 } },
	/* printed in a step, not by the engine */
	{ "#9 1.0 STEP 4/11: RUN x\n#9 1.0 [4/11] RUN x\n", { .step = 0 } },
	{ "#9 1.0 cic: step spack\n#9 1.0 cic: part concretize\n",
	    { .step_name = "spack concretize" } },
	{ "cic: part install 112\ncic: package " ZLIB " building\n",
	    { .step_name = "spack install", .packages = 112,
	    .package = "zlib@1.3.1" } },
	{ "cic: part install 112\ncic: package " ZLIB " building\n"
	    "cic: package " GCC " building\ncic: package " ZLIB " done\n",
	    { .step_name = "spack install", .packages = 112,
	    .packages_done = 1, .package = "gcc@13.2.0" } },
	{ "cic: part install 1\ncic: package " ZLIB " building\n"
	    "cic: package " ZLIB " done\ncic: package " ZLIB " done\n",
	    { .step_name = "spack install", .packages = 1,
	    .packages_done = 1 } },
	{ "cic: part install -3\ncic: package x building\n"
	    "cic: package ../" ZLIB " building\ncic: package building\n"
	    "cic: package " ZLIB "\ncic: step a/b\ncic: step \ncic: stage x\n",
	    { .step_name = "spack install" } },
	{ "cic: part install 999999999999\n", { .step_name = "spack install" } },
	/* what a package's log quotes */
	{ "cic: log " ZLIB " begin\nSTEP 1/2: RUN\ncic: step apt\n"
	    "cic: log " ZLIB " end\n", { .step = 0 } },
	{ "cic-build: converting: 120 MiB, 3000 files, 80 MiB/s\n",
	    { .step_name = "120 MiB, 3000 files, 80 MiB/s" } },
	{ "#12 [2/2] RUN a\n#12 2.0 cic: step pip\n#13 [1/1] RUN b\n",
	    { .step = 1, .steps = 1, .step_name = "RUN b" } },
};

static void
meanings(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 100; piece += 33)
		for (size_t i = 0; i < COUNT(cases); i++) {
			const struct cic_progress *p = feed(cases[i].text,
			    strlen(cases[i].text), piece);

			if (cic_progress_differs(p, &cases[i].want))
				fail_msg("%s: %d/%d %s %s %d/%d", cases[i].text,
				    p->step, p->steps, p->step_name,
				    p->package, p->packages_done, p->packages);
		}
}

static void
packages(void **state)
{
#define H "-abcdefghijklmnopqrstuvwxyz234567"
	static const struct { const char *id, *want; } t[] = {
		{ "zlib-1.3.1" H, "zlib@1.3.1" },
		{ "py-numpy-1.26.4" H, "py-numpy@1.26.4" },
		{ "cuda-quantum-main" H, "cuda-quantum@main" },
		{ "x-1.0-rc1" H " more", "x@1.0-rc1" },
		{ "x-1" H "/spack-build-out.txt", "x@1" },
		{ "x-1-abc", NULL }, { "", NULL }, { H, NULL }, { "-1" H, NULL },
		{ "unknown" H, "unknown" }, { "x-1;rm" H, NULL },
		{ "x-1-abcdefghijklmnopqrstuvwxyz23456\xc3", NULL },
	};
	char out[CIC_PACKAGE_MAX], id[300];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		bool good = buildlog_package(t[i].id, out);

		if (good != (t[i].want != NULL))
			fail_msg("%s", t[i].id);
		if (good)
			assert_string_equal(out, t[i].want);
	}
	memset(id, 'a', sizeof(id));
	strcpy(id + 200, "-1" H);
	assert_false(buildlog_package(id, out));
}

/* --- what is told ----------------------------------------------------------- */

static struct cic_progress told[32];
static int count;

static void
on_line(const struct journal_line *line, void *arg)
{
	(void)arg;
	assert_int_equal(line->event, JOURNAL_PROGRESS);
	assert_true(count < 32);
	told[count++] = line->progress;
}

static void
read_journal(int fd)
{
	off_t at = 0;

	count = 0;
	assert_int_equal(journal_read(fd, &at, on_line, NULL, &err), 0);
}

static void
telling(void **state)
{
	static struct progress p;
	int log = open(in_folder("log"), O_RDWR | O_CREAT | O_APPEND, 0600);
	int journal = open(in_folder("j"), O_RDWR | O_CREAT | O_APPEND, 0600);

	(void)state;
#define ADD(s) assert_int_equal(write(log, s, sizeof(s) - 1), sizeof(s) - 1)
	ADD("STEP 1/2: RUN of an earlier start\n");
	progress_begin(&p, log, journal);
	progress_stage(&p, "resolve");
	progress_stage(&p, "build");
	read_journal(journal);
	assert_int_equal(count, 2);
	assert_string_equal(told[0].stage, "resolve");
	assert_string_equal(told[1].stage, "build");
	assert_int_equal(told[1].step, 0);
	ADD("STEP 3/9: RUN x\ncic: st");
	progress_tick(&p);	/* too early for another line */
	read_journal(journal);
	assert_int_equal(count, 2);
	p.told_at -= 1000;
	progress_tick(&p);
	progress_tick(&p);
	ADD("ep apt\nfour\n");
	p.told_at -= 1000;
	progress_tick(&p);
	ADD("nothing that anybody needs to know\n");
	p.told_at -= 1000;
	progress_tick(&p);
	read_journal(journal);
	assert_int_equal(count, 4);
	assert_int_equal(told[2].step, 3);
	assert_in_range(cic_now_ms() - told[2].output, 0, 60000);
	assert_string_equal(told[3].step_name, "apt");
	p.told_at += 1000000;	/* the clock went back */
	progress_stage(&p, "convert");
	read_journal(journal);
	assert_int_equal(count, 5);
	assert_int_equal(told[4].steps, 0);
	assert_string_equal(told[4].step_name, "");
	ADD("cic-build: converting: 1 MiB");
	progress_end(&p);
	progress_end(&p);
	read_journal(journal);
	assert_int_equal(count, 6);
	assert_string_equal(told[5].step_name, "1 MiB");
	/* a log that cannot be read says nothing, and nothing breaks */
	progress_begin(&p, -1, journal);
	progress_tick(&p);
	close(log);
	close(journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(lines), UNIT(longest), UNIT(copies), UNIT(meanings),
		UNIT(packages), UNIT(telling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
