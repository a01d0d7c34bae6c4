/* journal.h, build.h: what one program wrote the other reads; hostile records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "folder.h"

#include "job.h"
#include "json.h"
#include "journal.h"

static struct journal_line seen[16];
static int count;

static void
visit(const struct journal_line *line, void *arg)
{
	assert_ptr_equal(arg, &count);
	assert_true(count < 16);
	seen[count++] = *line;
}

static void
read_from(int fd, off_t *at)
{
	count = 0;
	assert_int_equal(journal_read(fd, at, visit, &count, &err), 0);
}

static int
open_journal(void)
{
	int fd = open(in_folder("j"), O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
add(int fd, const void *text, size_t len)
{
	assert_int_equal(write(fd, text, len), len);
}

#define GOOD "{\"event\":\"state\",\"state\":\"BUILDING\"}\n"

static int
fail_with(int fd, const char *message)
{
	struct failure failure = { .cause = CIC_CAUSE_APT };

	snprintf(failure.sentence, sizeof(failure.sentence), "%s", message);
	return journal_write_failed(fd, &failure, &err);
}

static void
written_and_read(void **state)
{
	static struct job job;
	int fd = open_journal();
	off_t at = 0;

	(void)state;
	memset(job.image_id, 'i', sizeof(job.image_id) - 1);
	memset(job.content_key, 'k', 64);
	memset(job.workflow.commit, 'a', 64);
	memset(job.catalog.commit, 'b', 40);
	memset(job.made.sha256, 's', 64);
	snprintf(job.message, sizeof(job.message), "a \"b\"\n\\ \xe2\x82\xac");
	job.made.size = 1ULL << 52;
	job.keep_file = true;
	assert_int_equal(journal_write_state(fd, CIC_STARTED, &err), 0);
	assert_int_equal(journal_write_finished(fd, &job, &err), 0);
	assert_int_equal(fail_with(fd, "why"), 0);
	read_from(fd, &at);
	assert_int_equal(count, 3);
	assert_int_equal(seen[0].event, JOURNAL_STATE);
	assert_int_equal(seen[0].state, CIC_STARTED);
	assert_int_equal(seen[0].cause, CIC_CAUSE_NONE);
	assert_string_equal(seen[0].message, "");
	assert_int_equal(seen[1].event, JOURNAL_FINISHED);
	assert_int_equal(seen[1].cause, CIC_CAUSE_NONE);
	assert_string_equal(seen[1].image_id, job.image_id);
	assert_string_equal(seen[1].content_key, job.content_key);
	assert_string_equal(seen[1].workflow_commit, job.workflow.commit);
	assert_string_equal(seen[1].catalog_commit, job.catalog.commit);
	assert_string_equal(seen[1].sha256, job.made.sha256);
	assert_string_equal(seen[1].message, job.message);
	assert_true(seen[1].size == 1ULL << 52);
	assert_true(seen[1].keep);
	assert_int_equal(seen[2].event, JOURNAL_FAILED);
	assert_int_equal(seen[2].cause, CIC_CAUSE_APT);
	assert_string_equal(seen[2].message, "why");
	assert_false(seen[2].keep);
	read_from(fd, &at);
	assert_int_equal(count, 0);
	close(fd);
}

/* A log's last line is of any bytes; the end of a build must not be lost. */
static void
messages_of_any_bytes(void **state)
{
	char message[CIC_MESSAGE_MAX];
	static struct job job;
	int fd = open_journal();
	off_t at = 0;

	(void)state;
	memset(message, 0xe4, sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	assert_int_equal(fail_with(fd, message), 0);
	memset(message, 1, sizeof(message) - 1);
	assert_int_equal(fail_with(fd, message), 0);
	memcpy(job.message, message, sizeof(job.message));
	assert_int_equal(journal_write_finished(fd, &job, &err), 0);
	read_from(fd, &at);
	assert_int_equal(count, 3);
	assert_int_equal(strncmp(seen[0].message, "\xef\xbf\xbd\xef", 4), 0);
	/* whole characters only */
	assert_int_equal(strlen(seen[0].message) % 3, 0);
	assert_string_equal(seen[1].message, message);
	close(fd);
}

static void
torn(void **state)
{
	int fd = open_journal();
	off_t at = 0;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(GOOD); i++) {
		read_from(fd, &at);
		assert_int_equal(count, 0);
		assert_int_equal(at, 0);
		add(fd, &GOOD[i], 1);
	}
	read_from(fd, &at);
	assert_int_equal(count, 1);
	assert_int_equal(at, sizeof(GOOD) - 1);
	close(fd);
}

static void
garbage(void **state)
{
	static const char *const t[] = { "\n", "{}\n", "[]\n", "null\n",
	    "garbage\n", "\xff\xfe\n", "{\"event\":\"state\"}\n",
	    "{\"event\":\"state\",\"state\":\"PENDING\"}\n",
	    "{\"event\":\"state\",\"state\":\"FINISHED\"}\n",
	    "{\"event\":\"state\",\"state\":7}\n", "{\"event\":7}\n",
	    "{\"event\":\"failed\"}\n", "{\"event\":\"other\"}\n",
	    "{\"event\":\"failed\",\"cause\":\"unheard of\"}\n",
	    "{\"event\":\"finished\",\"sha256\":\"00000000000000000000000000000"
		"000000000000000000000000000000000000\"}\n",
	    "{\"event\":\"state\",\"state\":\"BUILDING\"} x\n",
	    "x" GOOD, "\n\n" };
	int fd = open_journal();
	off_t at = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		add(fd, t[i], strlen(t[i]));
	add(fd, "a\0b\n", 4);
	add(fd, GOOD, sizeof(GOOD) - 1);
	read_from(fd, &at);
	assert_int_equal(count, 1);
	assert_int_equal(at, lseek(fd, 0, SEEK_END));
	close(fd);
}

/* The end of a line too long for us is not a line. */
static void
long_lines(void **state)
{
	static const size_t sizes[] = { 16383, 65000, 65535, 65536, 65537,
	    131072, 200000 };
	static char line[200000];

	(void)state;
	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		int fd = open_journal();
		off_t at = 0;

		add(fd, GOOD, sizeof(GOOD) - 1);
		add(fd, line, sizes[i]);
		read_from(fd, &at);
		assert_int_equal(count, 1);
		add(fd, GOOD, sizeof(GOOD) - 1);	/* the same line's end */
		read_from(fd, &at);
		assert_int_equal(count, 0);
		add(fd, GOOD GOOD, 2 * (sizeof(GOOD) - 1));
		read_from(fd, &at);
		assert_int_equal(count, 2);
		assert_int_equal(at, lseek(fd, 0, SEEK_END));
		close(fd);
	}
}

static const struct cic_request_site site = { .default_platform = "linux/amd64",
	.images_prefix = "" };

static struct cic_build
sample(void)
{
	static const char request[] = "{\"machine\":{\"architecture\":\"rome\"},"
	    "\"workflow\":\"w\",\"step_id\":\"s\"}";
	struct cic_build b = { .seq = 7, .rev = 9, .state = CIC_FAILED,
	    .attempt = 2, .lost = 1, .recheck = true, .reruns = 1,
	    .created = 1700000000000, .started = 2, .ended = 3,
	    .cause = CIC_CAUSE_DISK, .size = 1ULL << 53 };

	cic_id_new(b.id);
	assert_int_equal(cic_request_parse(request, strlen(request), &site,
	    &b.request, &err), 0);
	cic_request_names(&b.request, &site, true, &b.names);
	snprintf(b.message, sizeof(b.message), "full \"%s\"", "\x1b[1m\n\xc3\xa4");
	strcpy(b.excerpt, "zlib.c:1:1: error: \"x\"\nmake: *** Error 1\n");
	strcpy(b.package, "zlib@1.3.1");
	b.progress = (struct cic_progress){ .stage = "build", .step = 4,
	    .steps = 11, .step_name = "spack install", .package = "zlib@1.3.1",
	    .packages_done = 3, .packages = 112, .output = 1700000000000 };
	cic_stages_begin(&b.stages, "resolve", 1700000000001);
	cic_stages_begin(&b.stages, "build", 1700000000002);
	strcpy(b.cancel, "ann");
	b.publishing = true;
	assert_true(cic_build_add_owner(&b, "ann"));
	assert_true(cic_build_add_owner(&b, ""));
	assert_false(cic_build_add_owner(&b, "ann"));
	return b;
}

static void
records(void **state)
{
	struct cic_build b = sample(), again;
	struct cic_buf one, two;

	(void)state;
	cic_buf_init(&one, 65536);
	cic_buf_init(&two, 65536);
	cic_build_print(&one, &b);
	assert_int_equal(cic_build_parse(one.data, one.len, &site, &again,
	    &err), 0);
	cic_build_print(&two, &again);
	assert_string_equal(one.data, two.data);
	assert_int_equal(again.owner_count, 2);
	assert_memory_equal(&again.request, &b.request, sizeof(b.request));
	assert_memory_equal(&again.progress, &b.progress, sizeof(b.progress));
	assert_memory_equal(&again.stages, &b.stages, sizeof(b.stages));
	assert_string_equal(again.cancel, "ann");
	assert_true(again.publishing);
	assert_string_equal(again.excerpt, b.excerpt);
	assert_string_equal(again.package, b.package);
	cic_build_release(&again);
	/* every cut of it is refused, and frees what it had */
	for (size_t n = 0; n < one.len; n++)
		assert_int_equal(cic_build_parse(one.data, n, &site, &again,
		    &err), -1);
	/* a message that grew when it was made JSON */
	cic_buf_reset(&one);
	memset(b.message, 0xe4, sizeof(b.message) - 1);
	memset(b.cancel, 0xe4, sizeof(b.cancel) - 1);
	cic_build_print(&one, &b);
	if (cic_build_parse(one.data, one.len, &site, &again, &err) != 0)
		fail_msg("%s", err.msg);
	cic_build_release(&again);
	cic_build_release(&b);
	assert_int_equal(b.owner_count, 0);
	cic_buf_release(&one);
	cic_buf_release(&two);
}

/* What was written before there were excerpts, progress and stages. */
static void
old_records(void **state)
{
	static const char *const gone[] = { "\"excerpt\":", "\"package\":",
	    "\"progress\":{", "\"stages\":{", "\"cancel\":",
	    "\"publishing\":" };
	struct cic_build b = sample(), again;
	struct cic_buf text;

	(void)state;
	cic_buf_init(&text, 65536);
	cic_build_print(&text, &b);
	/* the progress has a package of its own: three keys, three times */
	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < COUNT(gone); i++) {
			char *at = strstr(text.data, gone[i]);

			if (at != NULL)
				at[1] = 'X';
		}
	assert_null(strstr(text.data, "\"progress\""));
	if (cic_build_parse(text.data, text.len, &site, &again, &err) != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(again.excerpt, "");
	assert_string_equal(again.package, "");
	assert_int_equal(again.progress.steps, 0);
	assert_int_equal(again.stages.count, 0);
	assert_string_equal(again.cancel, "");
	assert_false(again.publishing);
	assert_string_equal(again.message, b.message);
	cic_build_release(&again);
	cic_build_release(&b);
	cic_buf_release(&text);
}

/* Stages that cannot be, and owners who go. */
static void
stages_and_owners(void **state)
{
	static const char hostile[] = "{\"resolve\":5,\"\":1,\"check\":-1,"
	    "\"context\":1e99,\"a-name-of-16-byte\":1,\"push\":\"x\",\"build\":7}";
	struct cic_stages stages = { .count = 0 };
	struct cic_json *json = cic_json_parse(hostile, strlen(hostile), &err);
	struct cic_build b = sample();
	char name[16];

	(void)state;
	assert_non_null(json);
	cic_stages_parse(json, &stages);
	cic_json_free(json);
	assert_int_equal(stages.count, 2);
	assert_string_equal(stages.at[1].name, "build");
	assert_int_equal(stages.at[1].began, 7);
	cic_stages_begin(&stages, "resolve", 9);
	assert_int_equal(stages.at[0].began, 5);
	for (int i = 0; i < 99; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		cic_stages_begin(&stages, name, i);
	}
	assert_int_equal(stages.count, CIC_STAGES_MAX);
	cic_stages_parse(NULL, &stages);
	assert_int_equal(stages.count, 0);

	assert_false(cic_build_remove_owner(&b, "bob"));
	assert_true(cic_build_add_owner(&b, "bob"));
	assert_true(cic_build_remove_owner(&b, "ann"));
	assert_false(cic_build_has_owner(&b, "ann"));
	assert_int_equal(b.owner_count, 2);
	assert_string_equal(b.owners[0], "");
	assert_string_equal(b.owners[1], "bob");
	cic_build_release(&b);
}

static void
differences(void **state)
{
	struct cic_build build = sample();
	struct cic_progress a = build.progress, b = a;

	(void)state;
	cic_build_release(&build);
	assert_false(cic_progress_differs(&a, &b));
	a.output += 9999;
	assert_false(cic_progress_differs(&a, &b));
	a.output++;
	assert_true(cic_progress_differs(&a, &b));
#define DIFFERS(change) do { a = b; change; \
	assert_true(cic_progress_differs(&a, &b)); } while (0)
	DIFFERS(a.stage[0] = 'x');
	DIFFERS(a.step++);
	DIFFERS(a.steps++);
	DIFFERS(a.step_name[0] = 'x');
	DIFFERS(a.package[0] = 'x');
	DIFFERS(a.packages_done++);
	DIFFERS(a.packages++);
}

static void
spoiled_records(void **state)
{
	static const struct { const char *from, *to; } t[] = {
		{ "\"schema\":1", "\"schema\":2" }, { "\"FAILED\"", "\"ENDED\"" },
		{ "\"out of disk\"", "\"boredom\"" },
		{ "\"attempt\":2", "\"attempt\":2147483647" },
		{ "\"attempt\":2", "\"attempt\":-1" },
		{ "\"attempt\":2", "\"attempt\":4294967298" },
		{ "\"lost\":1", "\"lost\":2147483647" },
		{ "\"seq\":7", "\"seq\":-7" },
		{ "w_s_rome_", "../s_rome_" }, { "\"rome\"", "\"vax\"" },
		{ "\"step_id\":\"s\"", "\"step_id\":\"s;x\"" },
		{ "\"file\"", "\"fileX\"" }, { "\"request\"", "\"requestX\"" },
	};
	struct cic_build b = sample(), again;
	struct cic_buf text, bad;

	(void)state;
	cic_buf_init(&text, 65536);
	cic_build_print(&text, &b);
	for (size_t i = 0; i < COUNT(t); i++) {
		char *at = strstr(text.data, t[i].from);

		assert_non_null(at);
		if (i == 8)	/* the file, not the image */
			at = strstr(strstr(text.data, "\"file\""), t[i].from);
		cic_buf_init(&bad, 65536);
		cic_buf_add(&bad, text.data, (size_t)(at - text.data));
		cic_buf_puts(&bad, t[i].to);
		cic_buf_puts(&bad, at + strlen(t[i].from));
		if (cic_build_parse(bad.data, bad.len, &site, &again, &err) == 0)
			fail_msg("accepted: %s", t[i].to);
		assert_int_equal(err.code, CIC_EINVAL);
		cic_buf_release(&bad);
	}
	cic_build_release(&b);
	cic_buf_release(&text);
}

static void
status_bodies(void **state)
{
	struct cic_build b = sample();
	struct cic_buf body;

	(void)state;
	cic_buf_init(&body, 65536);
	cic_build_print_status(&body, &b);
	has(body.data, "{\"filename\":null,\"image_id\":\"w_s_rome_nompi_nogpu_");
	has(body.data, "\"message\":\"full \\\"\\u001b[1m\\n\xc3\xa4\\\"\","
	    "\"status\":\"FAILED\"}\n");
	b.state = CIC_FINISHED;
	b.message[0] = '\0';
	cic_buf_reset(&body);
	cic_build_print_status(&body, &b);
	has(body.data, "{\"filename\":\"w_s_rome_");
	has(body.data, "\"message\":null");
	b.request.container = CIC_DOCKER;
	cic_buf_reset(&body);
	cic_build_print_status(&body, &b);
	has(body.data, "{\"filename\":null,");
	cic_build_release(&b);
	cic_buf_release(&body);
}

static void
words(void **state)
{
	(void)state;
	for (int i = 0; i < CIC_STATE__MAX; i++)
		assert_int_equal(cic_state_parse(cic_state_name(i)), i);
	for (int i = 0; i < CIC_CAUSE__MAX; i++)
		assert_int_equal(cic_cause_parse(cic_cause_name(i)), i);
	assert_int_equal(cic_state_parse("pending"), CIC_STATE__MAX);
	assert_int_equal(cic_state_parse(NULL), CIC_STATE__MAX);
	assert_int_equal(cic_cause_parse(NULL), CIC_CAUSE__MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(written_and_read), UNIT(messages_of_any_bytes),
		UNIT(torn), UNIT(garbage), UNIT(long_lines), UNIT(records),
		UNIT(spoiled_records), UNIT(old_records), UNIT(differences),
		UNIT(stages_and_owners), UNIT(status_bodies), UNIT(words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
