/*
 * convert.h: from a tar to a .sif, judged by siftool and unsquashfs; what a
 * failure leaves; what must not make a difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert.h"
#include "err.h"
#include "mktar.h"
#include "sif.h"

#define CONFIG "{\"Created\":\"2023-11-14T22:13:20Z\",\"Architecture\":\"amd64\"," \
    "\"Config\":{\"Cmd\":[\"sh\"]}}"
#define CREATED	1700000000

static struct cic_err err;
static char dir[] = "/tmp/cic-convert-XXXXXX", sif[64];
static struct cic_buf b;

static int
run(const char *fmt, ...)
{
	char cmd[1024], whole[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "cd %s && %s", dir, cmd);
	return system(whole);
}

static int
setup(void **state)
{
	(void)state;
	run("rm -rf *");
	mktar_init(&b);
	return 0;
}

static int
convert(unsigned threads, struct cic_converted *out)
{
	struct cic_convert what = {
		.tar_fd = mktar_fd(&b), .config_json = CONFIG, .threads = threads,
		.scheme = "docker-daemon", .reference = "a/b:c",
		.extra_name = "cic-build.json", .extra_json = "{\"x\":1}",
	};
	int r = cic_convert_tar(&what, sif, out, &err);

	close(what.tar_fd);
	return r;
}

static void
good(void)
{
	struct cic_converted out;

	if (convert(2, &out) == -1)
		fail_msg("%s", err.msg);
	if (cic_sif_check(sif, &err) == -1)
		fail_msg("%s", err.msg);
	/* the partition is the fifth object */
	assert_int_equal(run("siftool dump 5 x.sif > fs && "
	    "unsquashfs -q -n -d x fs > log 2>&1 || { cat log; false; }"), 0);
}

static void
refused(const char *why)
{
	struct cic_converted out = { .size = 42 };

	assert_int_equal(convert(1, &out), -1);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
	assert_int_equal(out.size, 42);
	assert_int_equal(access(sif, F_OK), -1);
}

static struct stat
look(const char *path)
{
	struct stat st;
	char full[600];

	snprintf(full, sizeof(full), "%s/x/%s", dir, path);
	if (lstat(full, &st) == -1)
		fail_msg("%s is missing", path);
	return st;
}

static void
plain(void **state)
{
	struct stat st;

	(void)state;
	mktar_dir(&b, "usr/");
	mktar_file(&b, "usr/f", "text");
	mktar_link(&b, '1', "usr/l", "usr/f");
	mktar_link(&b, '2', "bin", "usr/bin");
	mktar_end(&b);
	good();
	assert_int_equal(run("test \"$(cat x/usr/l)\" = text"), 0);
	assert_int_equal(look("usr/f").st_nlink, 2);
	assert_int_equal(look("usr/f").st_mtime, 1000);
	assert_int_equal(look("var/tmp").st_mode, S_IFDIR | 0755);
	assert_int_equal(look(".singularity.d/runscript").st_mode, S_IFREG | 0755);
	assert_int_equal(look(".singularity.d/runscript").st_mtime, CREATED);
	assert_int_equal(look("etc/resolv.conf").st_size, 0);
	assert_int_equal(run("test \"$(readlink x/singularity)\" = "
	    ".singularity.d/runscript"), 0);
	assert_int_equal(run("siftool list x.sif | grep -c JSON.Generic | grep -qx 3"
	    " && test \"$(siftool dump 2 x.sif)\" = '{\"x\":1}'"), 0);
	assert_int_equal(stat(sif, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
}

/* What docker export adds goes; what it touches gets the image's time. */
static void
exports_additions(void **state)
{
	(void)state;
	mktar_file(&b, ".dockerenv", "");
	mktar_dir(&b, "etc/");
	mktar_link(&b, '2', "etc/mtab", "/proc/mounts");
	mktar_file(&b, "etc/hostname", "");
	mktar_dir(&b, "dev/");
	mktar_file(&b, "dev/console", "");
	mktar_file(&b, "etc/other", "");
	mktar_end(&b);
	good();
	assert_int_equal(run("test ! -e x/.dockerenv && test ! -h x/etc/mtab"), 0);
	assert_int_equal(look("etc").st_mtime, CREATED);
	assert_int_equal(look("etc/hostname").st_mtime, CREATED);
	assert_int_equal(look("dev/console").st_mtime, CREATED);
	assert_int_equal(look("").st_mtime, CREATED);
	assert_int_equal(look("etc/other").st_mtime, 1000);
}

/* An image's own things at the places we write to. */
static void
images_own(void **state)
{
	(void)state;
	mktar_link(&b, '2', "etc/resolv.conf", "../run/resolv.conf");
	mktar_link(&b, '2', "etc/mtab", "../proc/self/mounts");
	mktar_link(&b, '2', "var", "/somewhere");
	mktar_file(&b, "environment", "mine");
	mktar_link(&b, '2', "singularity", "old");
	mktar_dir(&b, "tmp");
	mktar_dir(&b, "etc/hosts");
	mktar_file(&b, ".singularity.d/runscript", "old");
	mktar_file(&b, ".singularity.d/mine", "mine");
	mktar_end(&b);
	good();
	assert_true(S_ISREG(look("etc/resolv.conf").st_mode));
	assert_true(S_ISLNK(look("etc/mtab").st_mode));
	assert_true(S_ISLNK(look("var").st_mode));
	assert_true(S_ISDIR(look("etc/hosts").st_mode));
	assert_int_equal(look("tmp").st_mtime, 1000);
	assert_int_equal(look(".singularity.d/mine").st_size, 4);
	assert_int_equal(run("test \"$(cat x/environment)\" = mine"), 0);
	assert_int_equal(run("test \"$(readlink x/singularity)\" = "
	    ".singularity.d/runscript && grep -q OCI_CMD x/.singularity.d/runscript"), 0);
}

static void
metadata_through_a_link(void **state)
{
	(void)state;
	mktar_link(&b, '2', ".singularity.d", "/etc");
	mktar_end(&b);
	refused("leads through \".singularity.d\"");
}

static void
host_labels_are_dropped(void **state)
{
	struct cic_converted a, c;

	(void)state;
	mktar_pax("SCHILY.xattr.security.selinux", "s0:c1,c2", 8);
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert(1, &a), 0);
	unlink(sif);
	mktar_init(&b);
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert(1, &c), 0);
	assert_string_equal(a.sha256, c.sha256);
}

static void
make_mixture(void)
{
	char name[64], text[4000];

	mktar_init(&b);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d%d/f%d", i % 37, i);
		for (int k = 0; k < 3999; k++)
			text[k] = (char)(' ' + (i % 700 * k * 31 + (k >> 3) * i) % 90);
		text[i % 4000] = '\0';
		text[3999] = '\0';
		mktar_file(&b, name, text);
	}
	mktar_end(&b);
}

static void
same_for_any_number_of_threads(void **state)
{
	struct cic_converted first, out;

	(void)state;
	for (unsigned threads = 0; threads < 9; threads += 2) {
		make_mixture();
		unlink(sif);
		if (convert(threads, &out) == -1)
			fail_msg("%s", err.msg);
		if (threads == 0)
			first = out;
		assert_string_equal(out.sha256, first.sha256);
	}
	assert_int_equal(out.files, 3000 + 37 + 1 + 36);
	assert_int_equal(run("test \"$(sha256sum < x.sif)\" = '%s  -'", out.sha256), 0);
	assert_int_equal(run("test $(stat -c %%s x.sif) = %llu",
	    (unsigned long long)out.size), 0);
}

static uint64_t reported;

static void
progress(void *arg, uint64_t bytes, uint64_t files)
{
	assert_true(bytes >= reported);
	reported = bytes;
	*(uint64_t *)arg = files;
}

static void
progress_is_told(void **state)
{
	uint64_t files = 0;
	struct cic_converted out;
	struct cic_convert what = { .config_json = "{}", .scheme = "s",
	    .reference = "r", .progress = progress, .arg = &files };

	(void)state;
	make_mixture();
	what.tar_fd = mktar_fd(&b);
	assert_int_equal(cic_convert_tar(&what, sif, &out, &err), 0);
	close(what.tar_fd);
	assert_int_equal(files, 3000);
	assert_int_equal(reported, out.bytes);
}

static void
failures_leave_nothing(void **state)
{
	struct cic_converted out;
	struct cic_convert what = { .tar_fd = -1, .config_json = "{", .scheme = "s",
	    .reference = "r" };

	(void)state;
	mktar_end(&b);
	refused("empty");
	mktar_init(&b);
	refused("");
	mktar_init(&b);
	mktar_file(&b, "a", "1");
	refused("cut short");
	mktar_init(&b);
	mktar_file(&b, "../../etc/passwd", "1");
	mktar_end(&b);
	refused("\"..\"");
	mktar_init(&b);
	mktar_link(&b, '2', "d", "/");
	mktar_file(&b, "d/etc/passwd", "1");
	mktar_end(&b);
	refused("leads through \"d\"");
	mktar_init(&b);
	mktar_link(&b, '1', "d", "/etc/passwd");
	mktar_end(&b);
	refused("missing");
	assert_int_equal(cic_convert_tar(&what, sif, &out, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(access(sif, F_OK), -1);
}

static void
output_exists(void **state)
{
	struct cic_converted out;

	(void)state;
	assert_int_equal(run("echo precious > x.sif"), 0);
	mktar_file(&b, "a", "1");
	mktar_end(&b);
	assert_int_equal(convert(1, &out), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_int_equal(run("grep -q precious x.sif"), 0);
}

/* The file size limit stands for a full disk: early, in the middle, at the end. */
static void
no_room(void **state)
{
	static const rlim_t at[] = { 1, 33000, 37000, 40000, 60000, 100000 };
	struct cic_converted out;
	struct rlimit old, now;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		int r;
		struct cic_convert what = { .config_json = CONFIG, .scheme = "s",
		    .reference = "r", .threads = 2 };

		make_mixture();
		what.tar_fd = mktar_fd(&b);
		now = old;
		now.rlim_cur = at[i];
		setrlimit(RLIMIT_FSIZE, &now);
		r = cic_convert_tar(&what, sif, &out, &err);
		setrlimit(RLIMIT_FSIZE, &old);
		close(what.tar_fd);
		assert_int_equal(r, -1);
		if (strstr(err.msg, strerror(EFBIG)) == NULL)
			fail_msg("%s", err.msg);
		assert_int_equal(access(sif, F_OK), -1);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(plain), T(exports_additions), T(images_own),
		T(metadata_through_a_link), T(host_labels_are_dropped),
		T(same_for_any_number_of_threads), T(progress_is_told),
		T(failures_leave_nothing), T(output_exists), T(no_room),
	};
	int r;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (system("command -v unsquashfs siftool >/dev/null 2>&1") != 0) {
		puts("1..0 # SKIP needs unsquashfs and siftool");
		return 0;
	}
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(sif, sizeof(sif), "%s/x.sif", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	run("rm -rf %s", dir);
	return r;
}
