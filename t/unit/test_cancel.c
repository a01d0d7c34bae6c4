/* run.h, end.h, cancel.h: a cancelled build ends as one, whatever else happens, and
 * nothing of it is published. */
#include "store_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "end.h"
#include "run.h"

#define FILE_NAME	"w_s_x86_64_nompi_nogpu_v_latest.sif"
#define SHA256	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct cic_conf conf;
static struct worker worker;
static char program[CIC_PATH_MAX], no_engine[] = "true", none[] = "";

/* A cic-build of ours: works until the file `go` is there, then says what is in
 * `end`. */
static const char fake[] =
    "#!/bin/sh\n"
    "cd \"$4\" || exit 1\n"
    "echo $$ > lock\n"
    "echo '{\"event\":\"progress\",\"progress\":{\"stage\":\"resolve\"}}'\n"
    "sleep 60 &\n"
    "until [ -e go ]; do sleep 0.02; done\n"
    "kill $!\n"
    "cat end\n";

static int
setup_run(void **state)
{
	if (setup(state) != 0)
		return -1;
	snprintf(program, sizeof(program), "%s/fake", dir);
	conf = (struct cic_conf){ .data = dir, .images_location = dir,
	    .text = dir, .max_attempts = 3, .build_timeout = 3600, .web_group = none,
	    .engine_command = no_engine, .http_proxy = none,
	    .https_proxy = none, .no_proxy = none };
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
put(const char *folder, const char *name, const char *text)
{
	char path[CIC_PATH_MAX];

	assert_int_equal(cic_path_format(path, &err, "%s/%s", folder, name), 0);
	assert_int_equal(cic_write_file(path, text, strlen(text), 0600, &err), 0);
}

static bool
is_there(const char *name)
{
	char path[CIC_PATH_MAX];

	assert_int_equal(cic_path_format(path, &err, "%s/%s", dir, name), 0);
	return access(path, F_OK) == 0;
}

/* cic-build makes a .sif and ends; nobody looks meanwhile. */
static void
let_it_finish(const struct run *run, char tmp[CIC_ID_TEXT + 16])
{
	snprintf(tmp, CIC_ID_TEXT + 16, ".%s-1.tmp", run->id);
	put(dir, tmp, "abc");
	put(run->folder, "end", "{\"event\":\"finished\",\"message\":\"made\","
	    "\"sha256\":\"" SHA256 "\",\"size\":3}\n");
	put(run->folder, "go", "");
	for (int i = 0; i < 1000 && cic_lock_is_held(run->lock); i++)
		usleep(10000);
	assert_false(cic_lock_is_held(run->lock));
}

static enum cic_code
cancel(const char *id)
{
	enum cic_cancelled result;

	if (cic_store_cancel(store, id, OWNER, false, &result, &err) != 0)
		return err.code;
	assert_int_equal(result, CIC_CANCELLING);
	return CIC_OK;
}

static void
follow_to_end(struct run *run)
{
	bool over = false;

	for (int i = 0; i < 1000 && !over; i++) {
		over = run_follow(&worker, run);
		usleep(over ? 0 : 10000);
	}
	assert_true(over);
	run_free(run);
}

static void
cancelled_is(const char *id)
{
	struct cic_build b = get(id);

	assert_int_equal(b.state, CIC_FAILED);
	assert_int_equal(b.cause, CIC_CAUSE_CANCELLED);
	assert_string_equal(b.message, "cancelled by " OWNER);
	assert_int_equal(b.attempt, 1);
	assert_int_equal(b.stages.count, 1);
	assert_string_equal(b.stages.at[0].name, "resolve");
	assert_true(b.stages.at[0].began >= b.created);
	cic_build_release(&b);
	queue_is(0);
	assert_false(is_there(FILE_NAME));
}

/* Asked before the worker saw the end: nothing is published. */
static void
before_publishing(void **state)
{
	char id[CIC_ID_TEXT], tmp[CIC_ID_TEXT + 16];
	struct run *run = begin(id);

	(void)state;
	let_it_finish(run, tmp);
	assert_int_equal(cancel(id), CIC_OK);
	follow_to_end(run);
	cancelled_is(id);
	assert_false(is_there(tmp));
}

/* Asked while it is published: it is too late, also when the worker is another
 * one by then. */
static void
while_publishing(void **state)
{
	char id[CIC_ID_TEXT], tmp[CIC_ID_TEXT + 16], sum[CIC_PATH_MAX];
	struct run *run = begin(id);
	struct cic_build b;

	(void)state;
	let_it_finish(run, tmp);
	/* the checksum cannot get its name */
	snprintf(sum, sizeof(sum), "%s/" FILE_NAME ".sha256/x", dir);
	assert_int_equal(cic_mkdir_p(sum, 0700, &err), 0);
	assert_false(run_follow(&worker, run));
	assert_true(is_there(FILE_NAME));
	assert_int_equal(cancel(id), CIC_EEXIST);
	b = get(id);
	run_free(run);
	run = run_adopt(&worker, &b, &err);
	cic_build_release(&b);
	assert_non_null(run);
	assert_int_equal(rmdir(sum), 0);
	*strrchr(sum, '/') = '\0';
	assert_int_equal(rmdir(sum), 0);
	follow_to_end(run);
	b = get(id);
	assert_int_equal(b.state, CIC_FINISHED);
	assert_false(b.publishing);
	assert_int_equal(b.stages.count, 2);
	assert_string_equal(b.stages.at[1].name, "publish");
	cic_build_release(&b);
	assert_int_equal(cancel(id), CIC_EEXIST);
	status_has(id, "\"FINISHED\"");
}

static pid_t
pid_of(const struct run *run)
{
	struct cic_buf text;
	pid_t pid;

	cic_buf_init(&text, 64);
	assert_int_equal(cic_read_file(run->lock, &text, &err), 0);
	pid = (pid_t)atol(text.data);
	assert_true(pid > 1);
	cic_buf_release(&text);
	return pid;
}

static void
follow_to_stage(struct run *run)
{
	for (int i = 0; i < 1000 && run->stages.count == 0; i++) {
		assert_false(run_follow(&worker, run));
		usleep(10000);
	}
	assert_int_equal(run->stages.count, 1);
}

/* Its processes die by themselves: it is not tried again. */
static void
lost(void **state)
{
	char id[CIC_ID_TEXT];
	struct run *run = begin(id);

	(void)state;
	follow_to_stage(run);
	assert_int_equal(cancel(id), CIC_OK);
	assert_int_equal(kill(pid_of(run), SIGKILL), 0);
	follow_to_end(run);
	cancelled_is(id);
}

static void
never_started(void **state)
{
	struct cic_err why = { .code = CIC_EIO, .msg = "no process" };
	struct cic_build b;
	char id[CIC_ID_TEXT];

	(void)state;
	ask_new("w", id);
	claim_is(id, NULL, 0);
	assert_int_equal(cancel(id), CIC_OK);
	assert_true(end_unstarted(&worker, id, 1, &why));
	b = get(id);
	assert_string_equal(b.message, "cancelled by " OWNER);
	cic_build_release(&b);
}

/* It works on: it is ended with what it started, however it failed, and though
 * somebody asked again while it could be joined. */
static void
working(void **state)
{
	char id[CIC_ID_TEXT], same[CIC_ID_TEXT];
	struct run *run = begin(id);
	struct cic_request r = request("w", "s");
	struct cic_build b;
	int status;
	pid_t pid;

	(void)state;
	follow_to_stage(run);
	assert_true(ask(&r, OWNER, same));
	b = get(id);
	assert_true(b.recheck);
	cic_build_release(&b);
	pid = pid_of(run);
	assert_int_equal(cancel(id), CIC_OK);
	follow_to_end(run);
	cancelled_is(id);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_run, teardown_run)
	const struct CMUnitTest tests[] = {
		T(before_publishing), T(while_publishing), T(lost),
		T(never_started), T(working),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
