/* sif.h: files read by siftool, and a check that lets no broken one through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "sif.h"

#define FS	32768
#define SLOT(n)	(4096 + (n) * 585)

static struct cic_err err;
static char path[] = "/tmp/cic-sif-XXXXXX";
static int fd;
static uint64_t fs_off;

static const struct cic_sif spec = {
	.arch = "amd64", .definition = "bootstrap: x\nfrom: y\n\n", .njson = 2,
	.json = { { "inspect-metadata.json", "{\"a\":1}", 7 },
	    { "oci-config.json", "{}", 2 } },
};

/* A whole file around something that begins like a squashfs of 5000 bytes. */
static int
setup(void **state)
{
	static unsigned char fs[8192] = "hsqs";
	const uint64_t used = 5000;

	(void)state;
	memcpy(fs + 40, &used, 8);
	fd = open(path, O_RDWR | O_TRUNC);
	if (fd == -1 ||
	    cic_sif_write_objects(fd, &spec, &fs_off, &err) == -1 ||
	    pwrite(fd, fs, sizeof(fs), (off_t)fs_off) != sizeof(fs))
		return -1;
	return cic_sif_write_header(fd, &spec, sizeof(fs), &err);
}

static int
teardown(void **state)
{
	(void)state;
	return close(fd);
}

static void
patch(off_t off, const void *data, size_t len)
{
	assert_int_equal(pwrite(fd, data, len, off), len);
}

static void
refused(const char *why)
{
	assert_int_equal(cic_sif_check(path, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
}

static void
whole(void **state)
{
	unsigned char h[128], zero[16] = { 0 };

	(void)state;
	assert_int_equal(fs_off, FS);
	assert_int_equal(cic_sif_check(path, &err), 0);
	assert_int_equal(pread(fd, h, 128, 0), 128);
	assert_memory_equal(h, "#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0" "01\0" "02\0", 48);
	assert_memory_equal(h + 48, zero, 16);
	assert_memory_equal(h + 64, "\x00\x09\x6e\x88\xf1\xff\xff\xff", 8);
	assert_int_equal(h[80], 44);
	assert_int_equal(h[88], 48);
}

/* The independent reader. */
static void
siftool_agrees(void **state)
{
	char cmd[2000];

	(void)state;
	if (system("siftool version >/dev/null 2>&1") != 0)
		skip();
	snprintf(cmd, sizeof(cmd), "siftool list %s | grep -qx "
	    "'4    |1       |NONE    |32768-40960 *|FS (Squashfs/\\*System/amd64)'"
	    " && siftool header %s | grep -q 'Descriptors Free: *44$'"
	    " && siftool dump 1 %s | head -1 | grep -qx 'bootstrap: x'"
	    " && siftool info 2 %s | grep -q 'Name: *inspect-metadata.json'"
	    " && test \"$(siftool dump 2 %s)\" = '{\"a\":1}'"
	    " && siftool dump 4 %s | head -c 4 | grep -q hsqs",
	    path, path, path, path, path, path);
	assert_int_equal(system(cmd), 0);
}

static void
no_header_yet(void **state)
{
	static const char zero[128];

	(void)state;
	patch(0, zero, sizeof(zero));
	refused("no magic");
}

static void
cut_anywhere(void **state)
{
	static const off_t at[] = { 40959, 40000, FS + 2047, FS, 32180,
	    32176, 32175, 5000, 4096, 128, 127, 1, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		assert_int_equal(ftruncate(fd, at[i]), 0);
		refused("");
	}
}

static void
partition_faults(void **state)
{
	(void)state;
	patch(SLOT(3) + 201, "\2", 1);		/* ext3 */
	refused("no squashfs");
	setup(NULL);
	patch(SLOT(3) + 205, "\1", 1);		/* system, not primary */
	refused("without a primary");
	setup(NULL);
	patch(SLOT(3) + 4, "\0", 1);		/* unused */
	refused("without a primary");
	setup(NULL);
	patch(FS, "xxxx", 4);
	refused("holds no squashfs");
	setup(NULL);
	patch(FS + 40, "\1\x20\0", 3);		/* 8193 bytes used */
	refused("8193");
	setup(NULL);
	patch(SLOT(3) + 25, "\0\4\0", 3);	/* 1024 bytes */
	refused("empty partition");
	setup(NULL);
	patch(SLOT(3) + 17, "\377\377\377\377\377\377\377\177", 8);
	refused("object 4");
	setup(NULL);
	patch(SLOT(3) + 25, "\377\377\377\377\377\377\377\377", 8);
	refused("object 4");
}

static void
two_primaries(void **state)
{
	unsigned char d[585];

	(void)state;
	assert_int_equal(pread(fd, d, 585, SLOT(3)), 585);
	patch(SLOT(7), d, 585);
	refused("two primary");
}

static void
header_faults(void **state)
{
	(void)state;
	patch(42, "02", 2);
	refused("version");
	setup(NULL);
	patch(88, "\0\0\0\0\0\0\0\1", 8);	/* 2^56 descriptors */
	refused("table");
	setup(NULL);
	patch(88, "\0", 1);
	refused("table");
	setup(NULL);
	patch(96, "\377\377\377\377\377\377\377\377", 8);
	refused("table");
	setup(NULL);
	patch(104, "\1\0", 2);			/* too small for 48 */
	refused("table");
}

static void
not_files(void **state)
{
	(void)state;
	assert_int_equal(cic_sif_check("/tmp/cic-sif-none", &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(cic_sif_check("/tmp", &err), -1);
	assert_int_equal(cic_sif_check("/dev/zero", &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
}

static void
bad_specs(void **state)
{
	struct cic_sif s = spec;
	char name[200];
	uint64_t off;

	(void)state;
	s.definition = "";
	assert_int_equal(cic_sif_write_objects(fd, &s, &off, &err), -1);
	s = spec;
	s.json[0].len = 0;
	assert_int_equal(cic_sif_write_objects(fd, &s, &off, &err), -1);
	s = spec;
	memset(name, 'n', 128);
	name[128] = '\0';
	s.json[0].name = name;
	assert_int_equal(cic_sif_write_objects(fd, &s, &off, &err), -1);
	name[127] = '\0';
	assert_int_equal(cic_sif_write_objects(fd, &s, &off, &err), 0);
	assert_int_equal(cic_sif_write_header(fd, &s, 4095, &err), -1);
	assert_int_equal(cic_sif_write_header(fd, &s, 0, &err), -1);
}

static void
architectures(void **state)
{
	static const struct { const char *arch, *code; } t[] = {
		{ "arm64", "04" }, { "loong64", "13" }, { "pdp11", "00" }, { "", "00" },
	};
	char h[3], d[3];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct cic_sif s = spec;

		s.arch = t[i].arch;
		assert_int_equal(cic_sif_write_header(fd, &s, 8192, &err), 0);
		assert_int_equal(pread(fd, h, 3, 45), 3);
		assert_int_equal(pread(fd, d, 3, SLOT(3) + 209), 3);
		assert_string_equal(h, t[i].code);
		assert_string_equal(d, t[i].code);
	}
}

/* --- the last object ---------------------------------------------------- */

#define LAST "{\"tools\":[]}\n"

/* The header once more, with an object that was not known before. */
static int
add_last(const char *name, const char *text)
{
	struct cic_sif s = spec;

	s.last = (struct cic_sif_json){ name, text, strlen(text) };
	return cic_sif_write_header(fd, &s, 8192, &err);
}

static void
last_object(void **state)
{
	unsigned char h[128], d[585];
	char text[sizeof(LAST)] = "";
	uint64_t n;

	(void)state;
	assert_int_equal(add_last("cic-build.json", LAST), 0);
	assert_int_equal(cic_sif_check(path, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), FS + 8192 + strlen(LAST));
	assert_int_equal(pread(fd, text, strlen(LAST), FS + 8192), strlen(LAST));
	assert_string_equal(text, LAST);
	assert_int_equal(pread(fd, h, 128, 0), 128);
	assert_int_equal(h[80], 43);			/* free */
	memcpy(&n, h + 120, 8);				/* bytes of data */
	assert_int_equal(n, FS + 8192 + strlen(LAST) - 32176);
	assert_int_equal(pread(fd, d, 585, SLOT(4)), 585);
	assert_memory_equal(d, "\x06\x40\0\0\1\5\0\0\0", 9);	/* JSON, used, 5 */
	memcpy(&n, d + 17, 8);
	assert_int_equal(n, FS + 8192);
	memcpy(&n, d + 25, 8);
	assert_int_equal(n, strlen(LAST));
	assert_string_equal((char *)d + 73, "cic-build.json");
	/* the others are where they were */
	assert_int_equal(pread(fd, d, 585, SLOT(3)), 585);
	memcpy(&n, d + 17, 8);
	assert_int_equal(n, FS);
}

static void
last_object_by_siftool(void **state)
{
	char cmd[2000];

	(void)state;
	if (system("siftool version >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(add_last("cic-build.json", LAST), 0);
	snprintf(cmd, sizeof(cmd), "siftool list %s | grep -qx "
	    "'5    |1       |NONE    |40960-40973 *|JSON.Generic *'"
	    " && siftool header %s | grep -q 'Descriptors Free: *43$'"
	    " && siftool info 5 %s | grep -q 'Name: *cic-build.json'"
	    " && test \"$(siftool dump 5 %s)\" = '{\"tools\":[]}'"
	    " && test \"$(siftool dump 3 %s)\" = '{}'",
	    path, path, path, path, path);
	assert_int_equal(system(cmd), 0);
}

/* It is part of what must be there. */
static void
last_object_cut(void **state)
{
	(void)state;
	assert_int_equal(add_last("cic-build.json", LAST), 0);
	assert_int_equal(ftruncate(fd, FS + 8192 + (off_t)strlen(LAST) - 1), 0);
	refused("object 5");
	assert_int_equal(ftruncate(fd, FS + 8192), 0);
	refused("object 5");
}

/* One that is refused leaves the file as it was. */
static void
bad_last_object(void **state)
{
	char name[129];

	(void)state;
	memset(name, 'n', 128);
	name[128] = '\0';
	assert_int_equal(add_last("", LAST), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(add_last("x", ""), -1);
	assert_int_equal(add_last(name, LAST), -1);
	assert_int_equal(lseek(fd, 0, SEEK_END), FS + 8192);
	assert_int_equal(cic_sif_check(path, &err), 0);
	name[127] = '\0';
	assert_int_equal(add_last(name, LAST), 0);
	assert_int_equal(cic_sif_check(path, &err), 0);
}

/* With as many before it as there may be. */
static void
last_of_many(void **state)
{
	struct cic_sif s = spec;
	static unsigned char fs[8192] = "hsqs";
	unsigned char h[128];

	(void)state;
	for (s.njson = 0; s.njson < CIC_SIF_JSON_MAX; s.njson++)
		s.json[s.njson] = (struct cic_sif_json){ "x", "{}", 2 };
	s.last = (struct cic_sif_json){ "last", LAST, strlen(LAST) };
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(cic_sif_write_objects(fd, &s, &fs_off, &err), 0);
	assert_int_equal(pwrite(fd, fs, sizeof(fs), (off_t)fs_off), sizeof(fs));
	assert_int_equal(cic_sif_write_header(fd, &s, sizeof(fs), &err), 0);
	assert_int_equal(cic_sif_check(path, &err), 0);
	assert_int_equal(pread(fd, h, 128, 0), 128);
	assert_int_equal(h[80], 48 - 2 - CIC_SIF_JSON_MAX - 1);
	s.njson++;
	assert_int_equal(cic_sif_write_header(fd, &s, sizeof(fs), &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(whole), T(siftool_agrees), T(no_header_yet), T(cut_anywhere),
		T(partition_faults), T(two_primaries), T(header_faults),
		T(not_files), T(bad_specs), T(architectures), T(last_object),
		T(last_object_by_siftool), T(last_object_cut), T(bad_last_object),
		T(last_of_many),
	};
	int r;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = mkstemp(path);
	if (r == -1)
		return 1;
	close(r);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
