/* journal.h: events come back as written; anything else is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "job.h"
#include "journal.h"

static struct cic_err err;
static struct journal_line seen[64];
static int count, fd;
static off_t offset;
static FILE *file;

static int
setup(void **state)
{
	(void)state;
	count = 0;
	offset = 0;
	file = tmpfile();
	fd = file == NULL ? -1 : fileno(file);
	return fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fclose(file);
}

static void
visit(const struct journal_line *line, void *arg)
{
	(void)arg;
	assert_in_range(count, 0, 63);
	seen[count++] = *line;
}

static void
add(const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void
read_all(int want)
{
	count = 0;
	assert_int_equal(journal_read(fd, &offset, visit, NULL, &err), 0);
	assert_int_equal(count, want);
}

static int
fail_with(const char *message)
{
	struct failure failure = { .cause = CIC_CAUSE_APT };

	snprintf(failure.sentence, sizeof(failure.sentence), "%s", message);
	snprintf(failure.excerpt, sizeof(failure.excerpt), "%s", "E: a\n\"b\"\n");
	snprintf(failure.package, sizeof(failure.package), "%s", "zlib@1.3.1");
	return journal_write_failed(fd, &failure, &err);
}

static void
round_trip(void **state)
{
	static struct job job = { .image_id = "sha256:1", .message = "\"m\"\n\xc3\xa9",
	    .content_key = "k", .workflow.commit = "w", .catalog.commit = "c",
	    .made = { .sha256 = "s", .size = 1ULL << 40 }, .keep_file = true };

	(void)state;
	journal_write_state(fd, CIC_STARTED, &err);
	journal_write_state(fd, CIC_CONVERTING, &err);
	for (int c = 1; c < CIC_CAUSE__MAX; c++)
		assert_int_equal(journal_write_failed(fd, &(struct failure){
		    .cause = (enum cic_cause)c, .sentence = "why" }, &err), 0);
	assert_int_equal(journal_write_finished(fd, &job, &err), 0);
	read_all(2 + CIC_CAUSE__MAX);
	assert_int_equal(seen[1].state, CIC_CONVERTING);
	for (int c = 1; c < CIC_CAUSE__MAX; c++)
		assert_int_equal(seen[1 + c].cause, c);
	assert_string_equal(seen[2].message, "why");
	count--;
	assert_int_equal(seen[count].event, JOURNAL_FINISHED);
	assert_string_equal(seen[count].image_id, job.image_id);
	assert_string_equal(seen[count].message, job.message);
	assert_string_equal(seen[count].content_key, "k");
	assert_string_equal(seen[count].workflow_commit, "w");
	assert_string_equal(seen[count].catalog_commit, "c");
	assert_string_equal(seen[count].sha256, "s");
	assert_int_equal(seen[count].size, job.made.size);
	assert_true(seen[count].keep);
	read_all(0);
}

/* A message cut within a character grows when it is made valid UTF-8. */
static void
cut_message(void **state)
{
	char message[CIC_MESSAGE_MAX];

	(void)state;
	memset(message, 'm', sizeof(message));
	strcpy(message + CIC_MESSAGE_MAX - 3, "\xe2\x82");
	assert_int_equal(fail_with(message), 0);
	read_all(1);
	assert_int_equal(seen[0].cause, CIC_CAUSE_APT);
	assert_string_equal(seen[0].excerpt, "E: a\n\"b\"\n");
	assert_string_equal(seen[0].package, "zlib@1.3.1");
}

static void
progress(void **state)
{
	struct cic_progress p = { .stage = "build", .step = 4, .steps = 11,
	    .step_name = "spack \"x\"", .package = "zlib@1.3.1",
	    .packages_done = 3, .packages = 112, .output = 1700000000000 };
	struct cic_progress none = { .step = 0 };

	(void)state;
	assert_int_equal(journal_write_progress(fd, &p, &err), 0);
	assert_int_equal(journal_write_progress(fd, &none, &err), 0);
	add("{\"event\":\"progress\"}\n{\"event\":\"progress\",\"progress\":{"
	    "\"step\":-1,\"steps\":1e9,\"packages\":\"7\",\"stage\":"
	    "\"0123456789abcdef\",\"output\":-5,\"package\":7}}\n");
	read_all(4);
	assert_int_equal(seen[0].event, JOURNAL_PROGRESS);
	assert_memory_equal(&seen[0].progress, &p, sizeof(p));
	for (int i = 1; i < 4; i++)
		assert_memory_equal(&seen[i].progress, &none, sizeof(none));
}

/* Every byte of it becomes six, and still it is one line that is read. */
static void
largest_failure(void **state)
{
	static struct failure failure = { .cause = CIC_CAUSE_SPACK };

	(void)state;
	memset(failure.sentence, 1, sizeof(failure.sentence) - 1);
	memset(failure.excerpt, 2, sizeof(failure.excerpt) - 1);
	memset(failure.package, 3, sizeof(failure.package) - 1);
	assert_int_equal(journal_write_failed(fd, &failure, &err), 0);
	read_all(1);
	assert_string_equal(seen[0].excerpt, failure.excerpt);
	assert_string_equal(seen[0].package, failure.package);
}

static void
torn(void **state)
{
	(void)state;
	add("{\"event\":\"state\",\"state\":\"BUILDING\"}\n{\"event\":\"sta");
	read_all(1);
	read_all(0);
	add("te\",\"state\":\"CONVERTING\"}\n");
	read_all(1);
	assert_int_equal(seen[0].state, CIC_CONVERTING);
}

static void
garbage(void **state)
{
	static char longest[70000];

	(void)state;
	add("\n\nx\n[]\n{}\n{\"event\":\"none\"}\n{\"event\":\"state\"}\n"
	    "{\"event\":\"state\",\"state\":\"FINISHED\"}\n"
	    "{\"event\":\"state\",\"state\":\"PENDING\"}\n"
	    "{\"event\":\"failed\",\"cause\":\"none such\"}\n\x01\xff\n");
	memset(longest, 'x', sizeof(longest) - 1);
	add(longest);
	add("\n");
	journal_write_state(fd, CIC_BUILDING, &err);
	read_all(1);
	assert_int_equal(seen[0].state, CIC_BUILDING);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(round_trip), T(cut_message), T(torn), T(garbage),
		T(progress), T(largest_failure),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
