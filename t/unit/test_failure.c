/* failure.h: the end of a log, as docker and podman write it, to one cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "folder.h"

#include "failure.h"

static struct failure f;

static enum cic_cause
look(const char *text, size_t len, off_t start, char *sentence)
{
	int fd = open(put_bytes("log", text, len), O_RDONLY);

	assert_true(fd >= 0);
	failure_of_log(fd, start, "exit status 1", &f);
	close(fd);
	strcpy(sentence, f.sentence);
	return f.cause;
}

/* Whole logs, in t/data/logs. */
static const struct {
	const char *name;
	enum cic_cause cause;
	const char *package;
	const char *sentence;	/* all of it */
	const char *excerpt;	/* is in it, or NULL */
	const char *not;	/* is not, or NULL */
} files[] = {
	{ "docker_apt_network", CIC_CAUSE_APT, "",
	    "installing the apt packages failed: E: Unable to locate package "
	    "libhdf5-dev (a server could not be reached: Failed to fetch "
	    "http://archive.example.org/debian/dists/bookworm/InRelease  "
	    "Temporary failure resolving 'archive.example.org')",
	    "E: Unable to locate package graphviz\n", "Reading" },
	{ "podman_apt_404", CIC_CAUSE_APT, "",
	    "installing the apt packages failed: E: Failed to fetch http://"
	    "archive.example.org/debian/pool/main/g/glib2.0/"
	    "libglib2.0-0_2.74.6-2_amd64.deb  404  Not Found [IP: 192.0.2.7 80]",
	    "E: Unable to fetch some archives", NULL },
	{ "docker_pip_version", CIC_CAUSE_PIP, "",
	    "installing the Python packages failed: Could not find a version "
	    "that satisfies the requirement no-such-thing==9 (from versions: "
	    "none)", "No matching distribution found for no-such-thing==9\n",
	    "resolver" },
	{ "podman_pip_network", CIC_CAUSE_PIP, "",
	    "installing the Python packages failed: Could not find a version "
	    "that satisfies the requirement dislib (from versions: none) (a "
	    "server could not be reached: Failed to establish a new connection: "
	    "[Errno -3] Temporary failure in name resolution')': /simple/dislib/)", NULL, NULL },
	{ "docker_pip_wheel", CIC_CAUSE_PIP, "",
	    "installing the Python packages failed: Cannot compile MPI "
	    "programs. Check your configuration!!!",
	    "Could not build wheels for mpi4py", "subprocess-exited" },
	{ "docker_spack_concretize", CIC_CAUSE_SPACK_CONCRETIZE, "",
	    "Spack cannot concretize the environment: cannot satisfy a "
	    "requirement for package 'netcdf-c'.",
	    "required because netcdf-c@9 requested explicitly", NULL },
	{ "podman_spack_unknown", CIC_CAUSE_SPACK_CONCRETIZE, "",
	    "Spack cannot concretize the environment: Package "
	    "'no-such-package' not found.", "spack clean -m", NULL },
	{ "docker_spack_package", CIC_CAUSE_SPACK_PACKAGE, "zlib@1.3.1",
	    "Spack package zlib@1.3.1 does not build: error: unknown type name "
	    "'foo' (zlib.c:12)", "zlib.c: In function 'main':\n/tmp/root/",
	    "another one" },
	{ "podman_spack_memory", CIC_CAUSE_MEMORY, "llvm@17.0.6",
	    "out of memory: Spack package llvm@17.0.6 does not build: c++: "
	    "fatal error: Killed signal terminated program cc1plus",
	    "c++: fatal error: Killed signal", NULL },
	{ "docker_spack_cmake", CIC_CAUSE_SPACK_PACKAGE, "cp2k@2023.1",
	    "Spack package cp2k@2023.1 does not build: Could not find a "
	    "package configuration file provided by \"DBCSR\" with any of",
	    "CMake Error at CMakeLists.txt:31", NULL },
	{ "docker_spack_plain", CIC_CAUSE_SPACK_PACKAGE, "cp2k@2023.1",
	    "Spack package cp2k@2023.1 does not build: error: Cannot open "
	    "module file 'mpi.mod' for reading (mp_world.F:7)",
	    "make: *** [Makefile:123: all] Error 2", NULL },
	{ "podman_spack_fetch", CIC_CAUSE_SPACK_PACKAGE, "hwloc@2.9.1",
	    "Spack package hwloc@2.9.1 does not build: FetchError: All fetchers "
	    "failed for spack-stage-hwloc-2.9.1-"
	    "abcdefghijklmnopqrstuvwxyz234567 (a server could not be reached)",
	    "All fetchers failed", NULL },
	{ "podman_post_inst", CIC_CAUSE_POST_INST, "",
	    "post_inst.sh failed: licence server does not answer",
	    "3 files are missing\n100%\nlicence", "50%" },
	{ "docker_post_memory", CIC_CAUSE_MEMORY, "",
	    "out of memory: post_inst.sh failed: Killed", "training\nKilled",
	    "last lines" },
	{ "docker_post_disk", CIC_CAUSE_DISK, "",
	    "the disk is full: post_inst.sh failed: tar: data: Cannot write: No "
	    "space left on device", "tar: Exiting", "df" },
	{ "docker_disk_earlier", CIC_CAUSE_POST_INST, "",
	    "post_inst.sh failed: make: *** No rule to make target 'install'.  "
	    "Stop.", NULL, "df" },
	{ "docker_base", CIC_CAUSE_BASE_IMAGE, "",
	    "the base image localhost/no/such:latest cannot be had: failed to "
	    "do request: Head \"http://localhost/v2/no/such/manifests/latest\": "
	    "dial tcp 127.0.0.1:80: connect: connection refused (a server could "
	    "not be reached)", NULL, NULL },
	{ "podman_base", CIC_CAUSE_BASE_IMAGE, "",
	    "the base image localhost/no/such:latest cannot be had: creating "
	    "build container: initializing source docker://localhost/no/such:"
	    "latest: pinging container registry localhost: Get \"https://"
	    "localhost/v2/\": dial tcp 127.0.0.1:443: connect: connection "
	    "refused (a server could not be reached)", "Trying to pull", "STEP" },
	{ "docker_platform_base", CIC_CAUSE_PLATFORM, "",
	    "the base image registry.example.org/hpc/base:1 is not there for "
	    "this platform: no match for platform in manifest: not found",
	    NULL, NULL },
	{ "docker_platform_exec", CIC_CAUSE_PLATFORM, "",
	    "this host cannot run programs of that platform: exec /bin/sh: "
	    "exec format error", NULL, NULL },
	{ "docker_down", CIC_CAUSE_ENGINE, "",
	    "the container engine does not answer: ERROR: Cannot connect to "
	    "the Docker daemon at unix:///run/docker.sock. Is the docker daemon "
	    "running?", NULL, NULL },
	{ "docker_mixed", CIC_CAUSE_IMAGE_BUILD, "",
	    "exit status 1: one: no such file", "one: about to fail\n", "two" },
};

static int
open_file(const char *name)
{
	char path[CIC_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "t/data/logs/%s.log", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fail_msg("%s is not there", path);
	return fd;
}

static void
whole_logs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		int fd = open_file(files[i].name);

		failure_of_log(fd, 0, "exit status 1", &f);
		close(fd);
		if (f.cause != files[i].cause ||
		    strcmp(f.package, files[i].package) != 0 ||
		    strcmp(f.sentence, files[i].sentence) != 0)
			fail_msg("%s: %s: %s: %s", files[i].name,
			    cic_cause_name(f.cause), f.package, f.sentence);
		if (f.excerpt[0] == '\0')
			fail_msg("%s: no excerpt", files[i].name);
		if (files[i].excerpt != NULL)
			has(f.excerpt, files[i].excerpt);
		if (files[i].not != NULL &&
		    strstr(f.excerpt, files[i].not) != NULL)
			fail_msg("%s: %s", files[i].name, f.excerpt);
	}
}

static void
pushes(void **state)
{
	int fd = open_file("docker_push");

	(void)state;
	failure_of_push(fd, 0, "docker push ended with status 1", &f);
	close(fd);
	assert_int_equal(f.cause, CIC_CAUSE_PUSH);
	assert_string_equal(f.sentence, "docker push ended with status 1: "
	    "denied: requested access to the resource is denied");
	fd = open_file("podman_push");
	failure_of_push(fd, 0, "podman push ended with status 125", &f);
	close(fd);
	assert_int_equal(f.cause, CIC_CAUSE_PUSH);
	has(f.sentence, "unauthorized: authentication required");
}

/* A registry that fails refuses nobody. */
static void
broken_pushes(void **state)
{
	static const char *const ends[] = { "received unexpected HTTP status: "
	    "500 Internal Server Error", "Error: writing manifest: uploading "
	    "manifest latest to 127.0.0.1:5000/a: received unexpected HTTP "
	    "status: 502 Bad Gateway", "Error: pinging container registry r: "
	    "dial tcp 127.0.0.1:5000: connect: connection refused", "EOF" };
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < COUNT(ends); i++) {
		fd = open(put_bytes("log", ends[i], strlen(ends[i])), O_RDONLY);
		failure_of_push(fd, 0, "push ended with status 1", &f);
		close(fd);
		assert_int_equal(f.cause, CIC_CAUSE_REGISTRY);
		has(f.sentence, ends[i]);
	}
}

/* The package's own log, without what docker puts before each line. */
static void
package_logs(void **state)
{
	const char *path = in_folder("package.log");
	int fd = open_file("docker_spack_package");
	char *text;

	(void)state;
	failure_of_log(fd, 0, "", &f);
	for (int again = 0; again < 2; again++)
		assert_int_equal(failure_save_log(&f, fd, path, &err), 0);
	close(fd);
	text = get_file(path);
	assert_memory_equal(text, "==> zlib: Executing phase: 'build'\n", 35);
	has(text, "\nmake: *** [Makefile:12: all] Error 2\n");
	assert_null(strstr(text, "#10"));
	assert_null(strstr(text, "another one"));
	assert_null(strstr(text, "cic: "));
	free(text);
	/* another start, and another failure */
	fd = open_file("docker_post_disk");
	failure_of_log(fd, 0, "", &f);
	assert_int_equal(failure_save_log(&f, fd, path, &err), 0);
	close(fd);
	assert_int_equal(access(path, F_OK), -1);
}

/* Another package's markers, a missing end, a marker where it means nothing. */
static void
odd_markers(void **state)
{
#define A "a-1-abcdefghijklmnopqrstuvwxyz234567"
#define B "b-2-abcdefghijklmnopqrstuvwxyz234567"
	static const struct { const char *text, *package, *sentence; } t[] = {
		{ "cic: step post_inst\ncic: package " A " failed\nx\n", "",
		    "post_inst.sh failed: x" },
		{ "cic: step spack\ncic: log " A " begin\nerror: no end\n",
		    "a@1", "Spack package a@1 does not build: error: no end" },
		{ "cic: step spack\ncic: package " A " failed\n"
		    "cic: log " B " begin\nerror: b\ncic: log " B " end\n"
		    "cic: log " A " begin\nlast words\ncic: log " A " end\n",
		    "a@1", "Spack package a@1 does not build: last words" },
		{ "cic: step spack\ncic: log " A " begin\ncic: step apt\n"
		    "error: a\ncic: log " B " end\n", "a@1",
		    "Spack package a@1 does not build: error: a" },
		{ "cic: step spack\ncic: package ../x failed\nhm\n", "",
		    "Spack failed: hm" },
		{ "cic: step spack\ncic: package failed\ncic: log\ncic: log x "
		    "begin\nhm\n", "", "Spack failed: hm" },
		{ "cic: step spack\n==> Error: Could not lock\n"
		    "==> Error: Installation request failed\n", "",
		    "Spack failed: Could not lock" },
		{ "cic: step spack\ncic: part concretize\n==> Concretized a\n"
		    "==> Error: Could not lock\n", "",
		    "Spack failed: Could not lock" },
		{ "cic: step spack\ncic: part concretize\n"
		    "==> Error: Could not lock\n", "",
		    "Spack cannot concretize the environment: Could not lock" },
		{ "cic: step spack\ncic: package " A " failed\n"
		    "cic: step post_inst\nx\n", "", "post_inst.sh failed: x" },
	};
	char sentence[CIC_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		look(t[i].text, strlen(t[i].text), 0, sentence);
		if (strcmp(sentence, t[i].sentence) != 0 ||
		    strcmp(f.package, t[i].package) != 0)
			fail_msg("%s: %s %s", t[i].text, f.package, sentence);
	}
	/* many errors, and long ones */
	struct cic_buf many;
	cic_buf_init(&many, 1 << 20);
	cic_buf_puts(&many, "cic: step spack\ncic: log " A " begin\n");
	for (int i = 0; i < 100; i++)
		cic_buf_printf(&many, "error: %d %0*d\n", i, i < 4 ? 2 : 600, i);
	look(many.data, many.len, 0, sentence);
	assert_memory_equal(f.excerpt, "error: 0 00\nerror: 1 01\n", 24);
	assert_in_range(strlen(f.excerpt), 4 * 12 + 7 * 510, CIC_EXCERPT_MAX - 1);
	cic_buf_reset(&many);
	cic_buf_puts(&many, "cic: step spack\ncic: log " A " begin\n");
	for (int i = 0; i < 100; i++)
		cic_buf_printf(&many, "error: %d\n", i);
	look(many.data, many.len, 0, sentence);
	assert_string_equal(strstr(f.excerpt, "error: 11\n"), "error: 11\n");
	cic_buf_release(&many);
	/* a second log is another try's */
#define TWICE "cic: step spack\ncic: log " A " begin\nerror: one\n" \
    "cic: log " A " end\ncic: log " A " begin\nerror: two\ncic: log " A " end\n"
	look(TWICE, sizeof(TWICE) - 1, 0, sentence);
	assert_string_equal(f.excerpt, "error: one\n");
	assert_int_equal(f.log_end - f.log_start, 11);
}

#define L(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	enum cic_cause cause;
	const char *sentence;
} cases[] = {
	{ L(""), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("\n\n \r\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("no step\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1: no step" },
	{ L("#9 0.1 cic: step apt\n#9 2.5 E: Unable to locate package nix\n"
	    "#9 2.6 some more\n#9 ERROR: process \"/bin/sh\" did not complete\n"
	    "------\n > [2/3] RUN x:\n2.5 E: Unable\n------\n"
	    "Dockerfile:3\n--------------------\n   3 | >>> RUN x\n"
	    "ERROR: failed to solve: process\n"),
	    CIC_CAUSE_APT, "installing the apt packages failed: "
	    "E: Unable to locate package nix" },
	{ L("STEP 3/4: RUN x\ncic: step apt\nE: Unable to locate package nix\n"
	    "Error: building at STEP \"RUN x\": exit status 100\n"),
	    CIC_CAUSE_APT, "installing the apt packages failed: "
	    "E: Unable to locate package nix" },
	{ L("#9 0.1 cic: step apt\r\n#9 0.3 fine\r\n#9 0.4 cic: step post_inst\r\n"
	    "#9 1.0 make: *** [all] Error 2\r\n#9 ERROR: process\r\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: make: *** [all] Error 2" },
	{ L("cic: step apt\ncp: No space left on device\ncic: step post_inst\n"
	    "boom\n"), CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	{ L("STEP 2/3: RUN x\ncic: step post_inst\nboom\n"
	    "time=\"2026-01-01T00:00:00Z\" level=warning msg=\"x\"\n"
	    "subprocess exited with status 1\n"
	    "Error: building at STEP \"RUN x\": exit status 1\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	/* a program for another machine, once our script runs, is its author's */
	{ L("cic: step post_inst\ncannot execute: Exec format error\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: cannot execute" },
	/* an E: of an earlier step is not this one's */
	{ L("cic: step apt\nE: odd\ncic: step post_inst\nboom\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	{ L("cic: step apt\ncic: step profile\nhm\n"), CIC_CAUSE_IMAGE_BUILD,
	    "writing the login profile failed: hm" },
	{ L("cic: step unheard of\nx\n"), CIC_CAUSE_IMAGE_BUILD,
	    "exit status 1: x" },
	/* said by a program, in the middle of a line */
	{ L("echo cic: step apt\nx\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1: x" },
	{ L("#9 0.1 cic: step post_inst\n#9 1.0 cp: No space left on device\n"),
	    CIC_CAUSE_DISK, "the disk is full: post_inst.sh failed: "
	    "cp: No space left on device" },
	{ L("write /var/lib/x: no space left on device"), CIC_CAUSE_DISK,
	    "the disk is full: exit status 1: write /var/lib/x: no space" },
	/* bytes that are no text must not hide what follows them */
	{ L("cic: step post_inst\nbinary \0\0 bytes\nboom\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	{ L("cic: step post_inst\n\0boom\n"), CIC_CAUSE_POST_INST,
	    "boom" },
	/* the engine alone has something to say (a line of podman, shortened) */
	{ L("Error: tag localhost/A/b:latest: invalid reference format: "
	    "repository name must be lowercase\n"), CIC_CAUSE_IMAGE_BUILD,
	    "exit status 1: Error: tag localhost/A/b:latest: invalid" },
	{ L("#"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 "), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 1.2"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 1.2 "), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
};

static void
logs(void **state)
{
	char sentence[CIC_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum cic_cause cause = look(cases[i].text, cases[i].len, 0,
		    sentence);

		if (cause != cases[i].cause)
			fail_msg("%s: %s: %s", cases[i].text,
			    cic_cause_name(cause), sentence);
		has(sentence, cases[i].sentence);
	}
}

/* Only what this start wrote counts, and only the end of that. */
static void
parts(void **state)
{
	static const char old[] = "cic: step apt\nE: of the last attempt\n";
	static char big[600 * 1024];
	char sentence[CIC_MESSAGE_MAX], text[256];
	struct cic_buf b;
	size_t i;

	(void)state;
	snprintf(text, sizeof(text), "%sboom\n", old);
	assert_int_equal(look(text, strlen(text), sizeof(old) - 1, sentence),
	    CIC_CAUSE_IMAGE_BUILD);
	assert_string_equal(sentence, "exit status 1: boom");
	assert_int_equal(look(text, strlen(text), 9999, sentence),
	    CIC_CAUSE_IMAGE_BUILD);
	assert_string_equal(sentence, "exit status 1");
	cic_buf_init(&b, 1 << 20);
	cic_buf_puts(&b, "#9 1.0 cic: step apt\n");
	while (b.len < 300 * 1024)
		cic_buf_puts(&b, "#9 1.0 progress\n");
	cic_buf_puts(&b, "#9 1.0 cic: step post_inst\n#9 1.0 boom\n");
	assert_int_equal(look(b.data, b.len, 0, sentence), CIC_CAUSE_POST_INST);
	has(sentence, "boom");
	cic_buf_release(&b);
	/* one line without an end: cut, and still a sentence */
	memset(big, 'x', sizeof(big));
	look(big, sizeof(big), 0, sentence);
	assert_true(strlen(sentence) < 700);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 2654435761U >> 13);
	look(big, sizeof(big), 0, sentence);
	assert_true(strlen(sentence) < CIC_MESSAGE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(logs), UNIT(parts), UNIT(whole_logs), UNIT(pushes),
		UNIT(broken_pushes),
		UNIT(package_logs), UNIT(odd_markers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
