/* run.h, end.h: what a cic-build writes into its journal comes into the record. */
#include "store_rig.h"

#include <fcntl.h>

#include "run.h"

static struct cic_conf conf;
static struct worker worker;
static char program[CIC_PATH_MAX];

/* A cic-build of ours: goes on whenever the file `go` is taken away from it. */
static const char fake[] =
    "#!/bin/sh\n"
    "cd \"$4\" || exit 1\n"
    "step() { printf '{\"event\":\"progress\",\"progress\":{\"stage\":\"build\","
    "\"step\":%d,\"steps\":9,\"package\":\"zlib@1.3.1\"}}\\n' \"$1\"; }\n"
    "next() { i=0; until rm go 2>/dev/null; do sleep 0.05; i=$((i+1));\n"
    "    [ $i -lt 400 ] || exit 1; done; }\n"
    "step 1; next\n"
    "step 2; step 3; step 4; echo ready > ready; next\n"
    "echo '{\"event\":\"state\",\"state\":\"BUILDING\"}'; step 5; next\n"
    "step 6\n"
    "cat end\n";

static int
setup_run(void **state)
{
	if (setup(state) != 0)
		return -1;
	snprintf(program, sizeof(program), "%s/fake", dir);
	conf = (struct cic_conf){ .data = dir, .images_location = dir,
	    .web_group = "",
	    .text = dir, .max_attempts = 1, .build_timeout = 3600 };
	worker = (struct worker){ .conf = &conf, .store = store,
	    .build_program = program, .null_fd = open("/dev/null", O_RDWR) };
	return cic_write_new_file(program, fake, sizeof(fake) - 1, 0755, &err);
}

static int
teardown_run(void **state)
{
	close(worker.null_fd);
	return teardown(state);
}

static struct run *
begin(char id[CIC_ID_TEXT])
{
	struct cic_build build;
	struct run *run;

	ask_new("w", id);
	assert_int_equal(cic_store_claim(store, NULL, 0, &build, &err), 0);
	run = run_start(&worker, &build, &err);
	if (run == NULL)
		fail_msg("%s", err.msg);
	cic_build_release(&build);
	return run;
}

static void
put(const struct run *run, const char *name, const char *text)
{
	char path[CIC_PATH_MAX];

	assert_int_equal(cic_path_format(path, &err, "%s/%s", run->folder,
	    name), 0);
	assert_int_equal(cic_write_file(path, text, strlen(text), 0600, &err), 0);
}

/* Follow until the journal says so much. */
static void
follow_to(struct run *run, int step)
{
	for (int i = 0; i < 1000 && run->progress.step != step; i++) {
		assert_false(run_follow(&worker, run));
		usleep(10000);
	}
	assert_int_equal(run->progress.step, step);
}

static void
follow_to_end(struct run *run)
{
	bool over = false;

	for (int i = 0; i < 1000 && !over; i++) {
		over = run_follow(&worker, run);
		usleep(10000);
	}
	assert_true(over);
	run_free(run);
}

static int
step_in_record(const char *id, uint64_t *rev)
{
	struct cic_build b = get(id);
	int step = b.progress.step;

	*rev = b.rev;
	cic_build_release(&b);
	return step;
}

static void
progress(void **state)
{
	char id[CIC_ID_TEXT], ready[CIC_PATH_MAX + 8];
	struct run *run = begin(id);
	struct cic_build b;
	uint64_t rev, later;
	int64_t now;

	(void)state;
	follow_to(run, 1);
	assert_int_equal(step_in_record(id, &rev), 1);
	put(run, "go", "");
	snprintf(ready, sizeof(ready), "%s/ready", run->folder);
	for (int i = 0; i < 1000 && access(ready, F_OK) != 0; i++)
		usleep(10000);
	/* within a second nothing is written, however much comes */
	now = run->told_at = cic_now_ms();
	assert_false(run_follow(&worker, run));
	assert_int_equal(run->progress.step, 4);
	if (cic_now_ms() - now < 1000) {
		assert_int_equal(step_in_record(id, &later), 1);
		assert_true(later == rev);
	}
	run->told_at -= 1000;
	assert_false(run_follow(&worker, run));
	assert_int_equal(step_in_record(id, &later), 4);
	assert_true(later == rev + 1);
	/* and nothing when nothing has changed */
	run->told_at -= 1000;
	assert_false(run_follow(&worker, run));
	assert_int_equal(step_in_record(id, &later), 4);
	assert_true(later == rev + 1);
	/* a new state is written at once */
	put(run, "go", "");
	follow_to(run, 5);
	status_has(id, "\"status\":\"BUILDING\"");
	put(run, "end", "{\"event\":\"finished\",\"message\":\"made\"}\n");
	put(run, "go", "");
	follow_to_end(run);
	status_has(id, "\"message\":\"made\",\"status\":\"FINISHED\"}\n");
	b = get(id);
	assert_int_equal(b.stages.count, 1);
	assert_string_equal(b.stages.at[0].name, "build");
	assert_true(b.stages.at[0].began >= b.started);
	cic_build_release(&b);
	assert_int_equal(step_in_record(id, &rev), 6);
}

static void
failure(void **state)
{
	char id[CIC_ID_TEXT];
	struct run *run = begin(id);
	struct cic_build b;

	(void)state;
	for (int step = 1; step < 6; step += step == 1 ? 3 : 1) {
		follow_to(run, step);
		if (step == 5)
			put(run, "end", "{\"event\":\"failed\",\"cause\":"
			    "\"spack package\",\"message\":\"zlib does not "
			    "build\",\"excerpt\":\"a\\nb\\n\",\"package\":"
			    "\"zlib@1.3.1\"}\n");
		put(run, "go", "");
	}
	follow_to_end(run);
	b = get(id);
	assert_int_equal(b.state, CIC_FAILED);
	assert_int_equal(b.cause, CIC_CAUSE_SPACK_PACKAGE);
	assert_string_equal(b.message, "zlib does not build");
	assert_string_equal(b.excerpt, "a\nb\n");
	assert_string_equal(b.package, "zlib@1.3.1");
	assert_int_equal(b.progress.step, 6);
	assert_string_equal(b.progress.package, "zlib@1.3.1");
	cic_build_release(&b);
	/* old clients print these four and know no other */
	status_has(id, "{\"filename\":null,\"image_id\":\"w_s_x86_64_nompi_nogpu"
	    ":latest\",\"message\":\"zlib does not build\",\"status\":\"FAILED\"}\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		T(progress), T(failure),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
