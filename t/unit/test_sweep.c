/* sweep.h: what a build left is killed, and nothing is called left that goes by itself. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "sweep.h"

#define BIG	((size_t)1 << 30)

static char program[4096];

/* What sweeping for the build `id` logs. */
static const char *
sweep(const char *id)
{
	static char text[4096];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	sweep_processes(id);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

/* Has it left its memory, but not yet the table of processes? */
static bool
is_leaving(pid_t pid)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, link, sizeof(link)) < 0;
}

static int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Giving back much memory takes a while: what a build does in its last moments,
 * and its files (the lock) are closed before it is a zombie. */
static void
test_leaving(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		char *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		madvise(p, BIG, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < BIG; i += 4096)
			p[i] = 1;
		_exit(0);
	}
	while (!is_leaving(pid))
		;
	assert_string_equal(sweep("nobody"), "");
	assert_int_equal(status_of(pid), 0);
}

/* Start a program of ours that waits; `marker` goes into its environment. */
static pid_t
start(const char *path, const char *marker)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (marker != NULL)
			putenv((char *)(uintptr_t)marker);
		execl(path, path, "60", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

static void
test_marked(void **state)
{
	pid_t pid = start("/bin/sleep", "CIC_BUILD=mine");

	(void)state;
	assert_non_null(strstr(sweep("mine"),
	    "build mine: killed 1 processes it left"));
	assert_int_equal(WTERMSIG(status_of(pid)), SIGKILL);
}

/* Also when the program's file was replaced meanwhile, by an upgrade. */
static void
test_others(void **state)
{
	char command[8300];
	pid_t before, after;

	(void)state;
	snprintf(command, sizeof(command), "cp /bin/sleep '%s'", program);
	assert_int_equal(system(command), 0);
	before = start(program, "CIC_BUILD=other");
	assert_int_equal(unlink(program), 0);
	assert_int_equal(system(command), 0);
	after = start(program, "CIC_BUILD=another");
	assert_string_equal(sweep("mine"), "");
	assert_int_equal(kill(before, SIGTERM), 0);
	assert_int_equal(WTERMSIG(status_of(before)), SIGTERM);
	assert_int_equal(kill(after, SIGTERM), 0);
	assert_int_equal(WTERMSIG(status_of(after)), SIGTERM);
	unlink(program);
}

/* Start a shell with the marker. */
static pid_t
start_shell(const char *script)
{
	pid_t pid = fork();

	if (pid == 0) {
		putenv((char *)(uintptr_t)"CIC_BUILD=mine");
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void
wait_for_file(const char *path)
{
	for (int i = 0; i < 1000 && access(path, F_OK) != 0; i++)
		usleep(10000);
	assert_int_equal(unlink(path), 0);
}

/* A build, its tool, and what the tool runs: only that is killed, and the tool
 * has the time to clean up. */
static void
test_tools(void **state)
{
	char script[8400];
	pid_t pid;

	(void)state;
	snprintf(script, sizeof(script), "sh -c \"sh -c 'touch %s; sleep 60; :'; "
	    "echo \\$? > %s; exit 7\"; exit $?", program, program);
	pid = start_shell(script);
	wait_for_file(program);
	sweep_tools("nobody");
	sweep_tools("mine");
	assert_int_equal(WEXITSTATUS(status_of(pid)), 7);
	wait_for_file(program);
}

/* Our own program is told, wherever it stands, and what it runs is its own
 * business. */
static void
test_converter(void **state)
{
	char script[20800];
	pid_t pid;

	(void)state;
	snprintf(script, sizeof(script), "cp /bin/sh '%s' && '%s' -c \""
	    "trap 'told=6' TERM; touch '%s.ready'; "
	    "sh -c 'until [ -e %s.go ]; do sleep 0.02; done; exit 3'; "
	    "exit \\$((\\$? + told))\"; exit $?", program, program, program,
	    program);
	pid = start_shell(script);
	snprintf(script, sizeof(script), "%s.ready", program);
	wait_for_file(script);
	sweep_tools("mine");
	snprintf(script, sizeof(script), "%s.go", program);
	close(open(script, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(WEXITSTATUS(status_of(pid)), 9);
	unlink(script);
	unlink(program);
}

/* All of it goes, however fast it starts more. */
static void
test_build(void **state)
{
	char script[4300];
	pid_t pid;

	(void)state;
	snprintf(script, sizeof(script), "trap '' TERM; i=0; while [ $i -lt 3000 "
	    "]; do (setsid sleep 60 &); i=$((i+1)); [ $i != 5 ] || touch %s; "
	    "done; sleep 60; :", program);
	pid = start_shell(script);
	wait_for_file(program);
	sweep_build("mine");
	assert_int_equal(WTERMSIG(status_of(pid)), SIGKILL);
	assert_string_equal(sweep("mine"), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_marked),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_converter),
		cmocka_unit_test(test_build),
	};
	const char *tmp = getenv("TMPDIR");

	cic_log_open("sweep");
	snprintf(program, sizeof(program), "%s/cic-sweep-%d",
	    tmp != NULL ? tmp : "/tmp", (int)getpid());
	sweep_spare(program);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
