/* spawn.h: a child gets what it was given, nothing else, and an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "spawn.h"

static struct cic_err err;
static struct cic_buf out;
static FILE *logfile;

static int
setup(void **state)
{
	(void)state;
	cic_buf_init(&out, 65536);
	logfile = tmpfile();
	return logfile == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	cic_buf_release(&out);
	return fclose(logfile);
}

static int
run_limited(const char *const *args, struct cic_spawn spawn, int *status)
{
	struct cic_argv argv = { .count = 0 };

	for (; *args != NULL; args++)
		cic_argv_add(&argv, *args);
	spawn.argv = &argv;
	spawn.log_fd = fileno(logfile);
	return cic_spawn(&spawn, status, &err);
}

/* Output of a shell line. */
static const char *
sh(const char *line, const char *cwd, const char *const *env)
{
	const char *const args[] = { "sh", "-c", line, NULL };
	int status;

	if (run_limited(args, (struct cic_spawn){ .cwd = cwd, .env = env,
	    .output = &out }, &status) != 0)
		fail_msg("%s: %s", line, err.msg);
	assert_int_equal(status, 0);
	return out.data;
}

static void
arguments(void **state)
{
	static const char *const args[] = { "printf", "%s\\0", "a b", "\"'`$(x)",
	    "line\nline", "", "\xc3\xa9\xff", "*", "-n", NULL };
	static const char want[] = "a b\0\"'`$(x)\0line\nline\0\0\xc3\xa9\xff\0*\0-n";
	int status;

	(void)state;
	assert_int_equal(run_limited(args, (struct cic_spawn){ .output = &out },
	    &status), 0);
	assert_int_equal(out.len, sizeof(want));
	assert_memory_equal(out.data, want, sizeof(want));
}

static void
environment(void **state)
{
	static const char *const extra[] = { "EXTRA=a b", "LD_X=1", NULL };
	static const char *const args[] = { "env", NULL };
	static const char *const no[] = { "SECRET", "LD_PRELOAD_X", "LANG",
	    "BASH_ENV", "GIT_DIR", "PATHS", "XDOCKER_A" };
	static const char *const yes[] = { "HOME", "https_proxy", "DOCKER_HOST",
	    "CIC_T", "CONTAINERS_CONF", "APPTAINER_TMPDIR" };
	int status;

	(void)state;
	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		setenv(no[i], "v", 1);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		setenv(yes[i], "v", 1);
	assert_int_equal(run_limited(args, (struct cic_spawn){ .env = extra,
	    .output = &out }, &status), 0);
	assert_string_equal(out.data, "EXTRA=a b\nLD_X=1\nLC_ALL=C.UTF-8\n"
	    "PATH=/usr/bin:/bin\nHOME=v\nhttps_proxy=v\nDOCKER_HOST=v\nCIC_T=v\n"
	    "CONTAINERS_CONF=v\nAPPTAINER_TMPDIR=v\n");
}

static void
descriptors(void **state)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	(void)state;
	/* the shell's glob holds the folder open itself, so look one by one */
	sh("readlink /proc/self/fd/0; for f in 3 4 5 6 7 8 9 10 11 12; do "
	    "[ ! -e /proc/$$/fd/$f ] || readlink /proc/$$/fd/$f; done; pwd",
	    "/usr", NULL);
	assert_string_equal(out.data, "/dev/null\n/usr\n");
	close(fd);
}

static void
statuses(void **state)
{
	static const struct { const char *line; int status; } t[] = {
		{ "exit 0", 0 }, { "exit 7", 7 }, { "exit 255", 255 },
		{ "kill -9 $$", 137 }, { "kill -15 $$", 143 },
		{ "kill -13 $$", 141 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *const args[] = { "sh", "-c", t[i].line, NULL };
		int status = -1;

		assert_int_equal(run_limited(args, (struct cic_spawn){ 0 },
		    &status), 0);
		assert_int_equal(status, t[i].status);
	}
}

static void
not_there(void **state)
{
	static const char *const t[] = { "no-such-program-x", "/no/such/x" };
	int status;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *const args[] = { t[i], NULL };

		assert_int_equal(run_limited(args, (struct cic_spawn){ 0 },
		    &status), -1);
		assert_int_equal(err.code, CIC_ENOENT);
		assert_non_null(strstr(err.msg, t[i]));
		assert_false(cic_program_exists(t[i]));
	}
	assert_true(cic_program_exists("sh"));
	assert_true(cic_program_exists("/bin/sh"));
}

/* A child and a grandchild that ignores SIGTERM: a pipe tells of their end. */
static void
limits(void **state)
{
	static const struct { struct cic_spawn s; const char *why; } t[] = {
		{ { .timeout = 1 }, "took longer than 1 s" },
		{ { .stall = 1 }, "printed nothing for 1 s" },
		{ { .timeout = 1, .output = &out }, "took longer than 1 s" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *const args[] = { "sh", "-c",
		    "(trap '' TERM; exec sleep 1000) & sleep 1000", NULL };
		struct pollfd pfd = { .events = POLLIN };
		int alive[2], status;

		/* every process of the group inherits the write end */
		assert_int_equal(pipe2(alive, 0), 0);
		fcntl(alive[0], F_SETFD, FD_CLOEXEC);
		assert_int_equal(run_limited(args, t[i].s, &status), -1);
		close(alive[1]);
		assert_int_equal(err.code, CIC_EAGAIN);
		if (strstr(err.msg, t[i].why) == NULL)
			fail_msg("%s", err.msg);
		pfd.fd = alive[0];
		assert_int_equal(poll(&pfd, 1, 5000), 1);
		assert_int_equal(pfd.revents & POLLHUP, POLLHUP);
		close(alive[0]);
	}
}

static void
too_much(void **state)
{
	static const char *const args[] = { "yes", NULL };
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv, .log_fd = 2 };
	int status;

	(void)state;
	assert_int_equal(run_limited(args, (struct cic_spawn){ .output = &out },
	    &status), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_non_null(strstr(err.msg, "65536"));
	for (int i = 0; i < CIC_SPAWN_ARGS; i++)
		cic_argv_add(&argv, "true");
	assert_int_equal(cic_spawn(&spawn, &status, &err), 0);
	cic_argv_add(&argv, "one");
	assert_int_equal(cic_spawn(&spawn, &status, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
}

static int ticks;
static const char *tick_file;

static void
on_tick(void *arg)
{
	assert_ptr_equal(arg, &ticks);
	if (++ticks == 2)
		close(open(tick_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* The child waits for what the second call does, and so do we for its end. */
static void
ticking(void **state)
{
	static const struct cic_spawn t[] = {
		{ .timeout = 0 }, { .timeout = 60 }, { .output = &out },
	};
	char path[] = "/tmp/cic-unit-XXXXXX", line[200];
	const char *const args[] = { "sh", "-c", line, NULL };
	struct cic_spawn spawn;
	int status, fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	tick_file = path;
	snprintf(line, sizeof(line), "i=0; until [ -e %s ]; do sleep 0.1; "
	    "i=$((i+1)); [ $i -lt 100 ] || exit 1; done", path);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		unlink(path);
		ticks = 0;
		spawn = t[i];
		spawn.tick = on_tick;
		spawn.tick_arg = &ticks;
		assert_int_equal(run_limited(args, spawn, &status), 0);
		assert_int_equal(status, 0);
		assert_in_range(ticks, 2, 100);
	}
	unlink(path);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(arguments), T(descriptors), T(statuses), T(not_there),
		T(limits), T(too_much), T(environment),
		T(ticking),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
