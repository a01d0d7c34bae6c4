/*
 * Images converted and taken apart again by other people's programs, siftool and
 * unsquashfs.  Include after cmocka.h; use UNIT(f) of folder.h in the table of
 * tests and RIG_MAIN(tests) as the body of main.
 */
#ifndef CONVERT_RIG_H
#define CONVERT_RIG_H

#include <fcntl.h>
#include <stdarg.h>

#include "convert.h"
#include "err.h"
#include "folder.h"
#include "input.h"
#include "mktar.h"
#include "sif.h"
#include "tar.h"

#define CREATED	1700000000
#define CONFIG "{\"Created\":\"2023-11-14T22:13:20Z\",\"Architecture\":\"amd64\"," \
    "\"Config\":{\"Cmd\":[\"sh\"]}}"

#define RIG_MAIN(tests) do { \
	cmocka_set_message_output(CM_OUTPUT_TAP); \
	if (geteuid() != 0 || system("command -v unsquashfs siftool >/dev/null") != 0) { \
		puts("1..0 # SKIP needs root, unsquashfs and siftool"); \
		return 0; \
	} \
	return cmocka_run_group_tests(tests, NULL, NULL); \
} while (0)

/* What is converted, but for the files; a test may change it. */
static struct cic_convert what;
static struct cic_converted out;
static struct cic_buf b;	/* the tar being made */

static inline int
rig_setup(void **state)
{
	what = (struct cic_convert){ .config = CONFIG, .scheme = "docker-daemon",
	    .reference = "a/b:c", .threads = 1, .level = 1 };
	mktar_init(&b);
	return folder_make(state);
}

static inline int
rig_teardown(void **state)
{
	cic_buf_release(&b);
	return folder_remove(state);
}

#undef UNIT
#define UNIT(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* A shell command line in the folder; its status. */
static inline int __attribute__((format(printf, 1, 2)))
run(const char *fmt, ...)
{
	char cmd[1500], whole[1600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "cd %s && %s", folder, cmd);
	return system(whole);
}

/* Convert `what` into x.sif. */
static inline int
convert(void)
{
	int fd = open(in_folder("x.sif"), O_RDWR | O_CREAT | O_TRUNC, 0600), r;

	assert_true(fd != -1);
	r = cic_convert(&what, fd, &out, &err);
	close(fd);
	return r;
}

/* The same with the files of a tar. */
static inline int
convert_fd(int fd)
{
	struct cic_input *input = cic_input_fd(fd, &err);
	struct cic_tar *tar = cic_tar_open(input, CIC_TAR_EXPORT, &err);
	int r = -1;

	if (tar != NULL) {
		what.files = cic_tar_source(tar);
		r = convert();
	}
	what.files = NULL;
	cic_tar_free(tar);
	cic_input_free(input);
	return r;
}

/* The same with the tar in b, which is used up. */
static inline int
convert_tar(void)
{
	int fd = mktar_fd(&b), r = convert_fd(fd);

	close(fd);
	mktar_init(&b);
	return r;
}

/* x.sif is good; its files are put into x. */
static inline void
unpack(void)
{
	if (cic_sif_check(in_folder("x.sif"), &err) == -1)
		fail_msg("%s", err.msg);
	/* the partition is the fourth object */
	assert_int_equal(run("rm -rf x && siftool dump 4 x.sif > fs && "
	    "unsquashfs -q -n -d x fs > log 2>&1 || { cat log; false; }"), 0);
}

static inline void
good(void)
{
	if (convert_tar() == -1)
		fail_msg("%s", err.msg);
	unpack();
}

/* Refused for this reason; no result, and what was written is no .sif. */
static inline void
refused(const char *why)
{
	struct cic_err ignored;

	out = (struct cic_converted){ .size = 42 };
	assert_int_equal(convert_tar(), -1);
	has(err.msg, why);
	assert_int_equal(out.size, 42);
	if (access(in_folder("x.sif"), F_OK) == 0)
		assert_int_equal(cic_sif_check(in_folder("x.sif"), &ignored), -1);
}

/* --- what is in x ------------------------------------------------------- */

static inline struct stat
look(const char *path)
{
	struct stat st;
	char full[600];

	snprintf(full, sizeof(full), "%s/x/%s", folder, path);
	if (lstat(full, &st) == -1)
		fail_msg("%s is missing", path);
	return st;
}

static inline void
gone(const char *path)
{
	struct stat st;
	char full[600];

	snprintf(full, sizeof(full), "%s/x/%s", folder, path);
	if (lstat(full, &st) == 0)
		fail_msg("%s is there", path);
}

static inline void
text_is(const char *path, const char *want)
{
	char full[600], *text;

	snprintf(full, sizeof(full), "x/%s", path);
	assert_true(S_ISREG(look(path).st_mode));
	text = get_file(in_folder(full));
	assert_string_equal(text, want);
	free(text);
}

static inline void
links_to(const char *path, const char *want)
{
	char full[600], target[600];
	ssize_t n;

	snprintf(full, sizeof(full), "%s/x/%s", folder, path);
	n = readlink(full, target, sizeof(target) - 1);
	if (n == -1)
		fail_msg("%s is no link", path);
	target[n] = '\0';
	assert_string_equal(target, want);
}

#endif
