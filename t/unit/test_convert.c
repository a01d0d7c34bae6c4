/*
 * convert.h: from a tar to a .sif, judged by siftool and unsquashfs; what engines
 * change in an export; what the file says of itself; what must not make a
 * difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "convert_rig.h"
#include "json.h"
#include "oci.h"
#include "version.h"
#include "walk.h"

static void
plain(void **state)
{
	(void)state;
	mktar_dir(&b, "usr/");
	mktar_file(&b, "usr/f", "text");
	mktar_link(&b, '1', "usr/l", "usr/f");
	mktar_link(&b, '2', "bin", "usr/bin");
	mktar_end(&b);
	good();
	text_is("usr/l", "text");
	assert_int_equal(look("usr/f").st_nlink, 2);
	assert_int_equal(look("usr/f").st_mtime, 1000);
	links_to("bin", "usr/bin");
	assert_int_equal(look("var/tmp").st_mode, S_IFDIR | 0755);
	assert_int_equal(look(".singularity.d/runscript").st_mode, S_IFREG | 0755);
	assert_int_equal(look(".singularity.d/runscript").st_mtime, CREATED);
	links_to("singularity", ".singularity.d/runscript");
	assert_int_equal(out.bytes, 4);
}

/* --- what engines change ------------------------------------------------ */

/* What docker puts over an image is the same in every .sif, whatever the image
 * or the export has there. */
static void
normal_places(void)
{
	gone(".dockerenv");
	gone("dev/console");
	links_to("etc/mtab", "/proc/mounts");
	text_is("etc/hostname", "");
	text_is("etc/hosts", "");
	text_is("etc/resolv.conf", "");
	assert_int_equal(look("etc/hostname").st_mode, S_IFREG | 0644);
	assert_int_equal(look("etc/hostname").st_mtime, CREATED);
	assert_int_equal(look("etc").st_mtime, CREATED);
	assert_int_equal(look("dev/pts").st_mode, S_IFDIR | 0755);
	assert_int_equal(look("dev/shm").st_mode, S_IFDIR | 0755);
	assert_int_equal(look("").st_mode, S_IFDIR | 0755);
	assert_int_equal(look("").st_uid, 0);
	assert_int_equal(look("").st_mtime, CREATED);
}

static void
exports_additions(void **state)
{
	char *first;

	(void)state;
	mktar_file(&b, "other", "");
	mktar_end(&b);
	good();
	normal_places();
	first = strdup(out.sha256);
	/* as docker export has it */
	mktar_file(&b, ".dockerenv", "");
	mktar_dir(&b, "dev/");
	mktar_file(&b, "dev/console", "");
	mktar_dir(&b, "dev/pts/");
	mktar_dir(&b, "dev/shm/");
	mktar_dir(&b, "etc/");
	mktar_file(&b, "etc/hostname", "");
	mktar_file(&b, "etc/hosts", "");
	mktar_link(&b, '2', "etc/mtab", "/proc/mounts");
	mktar_file(&b, "etc/resolv.conf", "");
	mktar_file(&b, "other", "");
	mktar_dir(&b, "proc/");
	mktar_dir(&b, "sys/");
	mktar_end(&b);
	good();
	normal_places();
	assert_string_equal(out.sha256, first);
	assert_int_equal(look("other").st_mtime, 1000);
	free(first);
}

/* An image's own things at those places: its content is not known to docker's
 * export, so it is nowhere. */
static void
images_own_are_dropped(void **state)
{
	char first[65];

	(void)state;
	mktar_file(&b, "etc/hostname2", "mine");
	mktar_file(&b, "usr/etc/hostname", "mine");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	strcpy(first, out.sha256);
	mktar_header(&b, &(struct mktar){ .name = "./", .type = '5', .mode = 0700,
	    .uid = 5, .gid = 6, .mtime = 99 });
	mktar_header(&b, &(struct mktar){ .name = "./dev/console", .type = '3',
	    .mode = 0600, .major = 5, .minor = 1 });
	mktar_file(&b, "./.dockerenv", "mine");
	mktar_file(&b, "./etc/mtab", "the image's");
	mktar_file(&b, "./etc/hostname", "its own");
	mktar_link(&b, '1', "./etc/hosts", "./etc/mtab");
	mktar_link(&b, '2', "./etc/resolv.conf", "../run/resolv.conf");
	mktar_file(&b, "./etc/hostname2", "mine");
	mktar_file(&b, "./usr/etc/hostname", "mine");
	mktar_end(&b);
	good();
	normal_places();
	text_is("etc/hostname2", "mine");
	text_is("usr/etc/hostname", "mine");
	/* not even their data is stored */
	assert_string_equal(out.sha256, first);
}

/* Folders at those places stay: nothing can be mounted there, and nobody's
 * content is lost. */
static void
folders_in_the_way(void **state)
{
	(void)state;
	mktar_dir(&b, "etc/hosts");
	mktar_file(&b, "etc/hosts/f", "mine");
	mktar_dir(&b, "etc/mtab");
	mktar_dir(&b, ".dockerenv");
	mktar_dir(&b, "dev/console");
	mktar_end(&b);
	good();
	text_is("etc/hosts/f", "mine");
	assert_true(S_ISDIR(look("etc/mtab").st_mode));
	assert_true(S_ISDIR(look(".dockerenv").st_mode));
	assert_true(S_ISDIR(look("dev/console").st_mode));
}

/* Links and files at what should be folders: left alone, nothing is put behind
 * them. */
static void
links_in_the_way(void **state)
{
	(void)state;
	mktar_link(&b, '2', "etc", "usr/etc");
	mktar_dir(&b, "usr/etc");
	mktar_file(&b, "dev", "mine");
	mktar_link(&b, '2', "var", "/somewhere");
	mktar_end(&b);
	good();
	links_to("etc", "usr/etc");
	gone("usr/etc/mtab");
	gone("usr/etc/hosts");
	text_is("dev", "mine");
	links_to("var", "/somewhere");
}

static void
images_own(void **state)
{
	(void)state;
	mktar_file(&b, "environment", "mine");
	mktar_link(&b, '2', "singularity", "old");
	mktar_dir(&b, "tmp");
	mktar_dir(&b, "dev");
	mktar_file(&b, ".singularity.d/runscript", "old");
	mktar_file(&b, ".singularity.d/mine", "mine");
	mktar_end(&b);
	good();
	assert_int_equal(look("tmp").st_mtime, 1000);
	assert_int_equal(look("dev").st_mtime, CREATED);
	text_is(".singularity.d/mine", "mine");
	text_is("environment", "mine");
	links_to("singularity", ".singularity.d/runscript");
	assert_int_equal(run("grep -q OCI_CMD x/.singularity.d/runscript"), 0);
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
	char first[65];

	(void)state;
	mktar_pax("SCHILY.xattr.security.selinux", "s0:c1,c2", 8);
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	strcpy(first, out.sha256);
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	assert_string_equal(out.sha256, first);
	mktar_pax("SCHILY.xattr.user.mine", "1", 1);
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	assert_string_not_equal(out.sha256, first);
}

/* --- what the file says of itself --------------------------------------- */

/* The text of an object, as siftool gives it. */
static char *
object(int n)
{
	assert_int_equal(run("siftool dump %d x.sif > object", n), 0);
	return get_file(in_folder("object"));
}

static struct cic_json *
about(void)
{
	char *text = object(5);
	struct cic_json *json = cic_json_parse(text, strlen(text), &err);

	if (json == NULL)
		fail_msg("%s in %s", err.msg, text);
	free(text);
	return json;
}

/* An image with this lock, and what looks like one. */
static void
put_lock(const char *lock)
{
	what.lock = "opt/lock";
	mktar_file(&b, "./opt/lock", lock);
	mktar_file(&b, "opt/lock2", "[]");
	mktar_file(&b, "zzz", "text");
	mktar_end(&b);
}

/* In siftool's order; the last one lies last as well. */
static void
objects(void **state)
{
	char *text;

	(void)state;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	good();
	assert_int_equal(run("siftool list x.sif | awk -F'|' '/^[0-9]/ {print $5}' | "
	    "sed 's/ *$//' | paste -sd, | grep -Fqx 'Def.FILE,JSON.Generic,"
	    "JSON.Generic,FS (Squashfs/*System/amd64),JSON.Generic'"), 0);
	assert_int_equal(run("for i in 2:inspect-metadata 3:oci-config 5:cic-build; do "
	    "siftool info ${i%%%%:*} x.sif | grep -q \"Name: *${i#*:}.json$\" || "
	    "exit 1; done"), 0);
	/* behind the squashfs, up to the end */
	assert_int_equal(run("siftool list x.sif | sed -n 's/^[45] .*|\\([0-9]*\\)-"
	    "\\([0-9]*\\) .*/\\1 \\2/p' | paste -sd' ' | { read a b c d; test $b = $c"
	    " && test $d = $(stat -c %%s x.sif); }"), 0);
	text = object(5);
	assert_string_equal(text + strlen(text) - 2, "}\n");
	free(text);
	text = object(3);
	assert_string_equal(text, "{\"Cmd\":[\"sh\"]}");
	free(text);
}

static void
tools(void **state)
{
	const struct cic_json *t;
	struct cic_json *j;

	(void)state;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	j = about();
	t = cic_json_get(j, "tools");
	assert_string_equal(cic_json_get_string(t, "cic"), CIC_VERSION);
	assert_string_equal(cic_json_get_string(t, "libarchive"), cic_tar_version());
	assert_non_null(cic_json_get_string(t, "libdeflate"));
	/* nothing was said, so nothing else is there */
	assert_null(cic_json_next(cic_json_first(j)));
	cic_json_free(j);
}

static void
described(void **state)
{
	struct cic_json *j;
	char *text;

	(void)state;
	what.image_id = "sha256:\"0\"";
	what.describe = " {\"a\\\"b\": {\"c\": [1, null, \"\\u00fc\"]}, \"d\": 1.5}";
	put_lock("{\"k\": [1]}");
	assert_int_equal(convert_tar(), 0);
	j = about();
	assert_string_equal(cic_json_get_string(j, "image_id"), "sha256:\"0\"");
	cic_json_free(j);
	text = object(5);
	has(text, "},\"image_id\":\"sha256:\\\"0\\\"\",\"a\\\"b\":{\"c\":[1,null,"
	    "\"\xc3\xbc\"]},\"d\":1.5,\"spack_lock\":{\"k\": [1]}}\n");
	free(text);
}

static void
describe_is_an_object(void **state)
{
	static const char *const bad[] = { "[]", "1", "{", "", "{\"a\":1,\"a\":2}" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		what.describe = bad[i];
		mktar_file(&b, "f", "1");
		mktar_end(&b);
		refused("description");
		assert_int_equal(err.code, CIC_EINVAL);
	}
	what.describe = "{}";
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
}

static void
no_lock(void **state)
{
	struct cic_json *j;

	(void)state;
	what.lock = "opt/lock";
	mktar_dir(&b, "opt");
	mktar_file(&b, "opt/lockx", "{}");
	mktar_file(&b, "x/opt/lock", "{}");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	j = about();
	assert_null(cic_json_get(j, "spack_lock"));
	cic_json_free(j);
}

static void
lock_that_is_no_json(void **state)
{
	static const char *const bad[] = { "{", "x", "{} {}", "{\"a\":01}", "\xff" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		put_lock(bad[i]);
		refused("the image's /opt/lock");
		assert_int_equal(err.code, CIC_EINVAL);
	}
	what.lock = "opt/lock";
	mktar_header(&b, &(struct mktar){ .name = "opt/lock", .type = '0', .size = 3 });
	mktar_data(&b, "{}", 3);	/* and a NUL */
	mktar_end(&b);
	refused("the image's /opt/lock");
}

/* Spack's has one member for each package. */
static void
lock_with_many_members(void **state)
{
	struct cic_buf lock;
	char *text;

	(void)state;
	cic_buf_init(&lock, 1 << 20);
	cic_buf_puts(&lock, "{\"concrete_specs\":{");
	for (int i = 0; i < 3000; i++)
		cic_buf_printf(&lock, "%s\"%032x\":{\"name\":\"p%d\"}",
		    i > 0 ? "," : "", (unsigned)i, i);
	cic_buf_puts(&lock, "}}");
	put_lock(lock.data);
	if (convert_tar() == -1)
		fail_msg("%s", err.msg);
	text = object(5);
	has(text, lock.data);
	free(text);
	cic_buf_release(&lock);
}

/* A link is no lock, and what it leads to is another file. */
static void
lock_that_is_a_link(void **state)
{
	struct cic_json *j;

	(void)state;
	what.lock = "opt/lock";
	mktar_link(&b, '2', "opt/lock", "other");
	mktar_file(&b, "opt/other", "no JSON");
	mktar_end(&b);
	assert_int_equal(convert_tar(), 0);
	j = about();
	assert_null(cic_json_get(j, "spack_lock"));
	cic_json_free(j);
}

/* --- what makes no difference ------------------------------------------- */

static void
make_mixture(void)
{
	char name[64], text[4000];

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
	struct cic_converted first;

	(void)state;
	for (what.threads = 0; what.threads < 9; what.threads += 2) {
		make_mixture();
		if (convert_tar() == -1)
			fail_msg("%s", err.msg);
		if (what.threads == 0)
			first = out;
		assert_string_equal(out.sha256, first.sha256);
	}
	unpack();
	assert_int_equal(run("find x | wc -l | grep -qx %llu",
	    (unsigned long long)out.files), 0);
	assert_int_equal(run("test \"$(sha256sum < x.sif)\" = '%s  -'", out.sha256), 0);
	assert_int_equal(run("test $(stat -c %%s x.sif) = %llu",
	    (unsigned long long)out.size), 0);
}

/* "From docker as from podman": an export, the mounted folder, a layer. */
static void
same_from_every_source(void **state)
{
	struct cic_oci_layer layer = { .name = "layer" };
	struct cic_walk *walk;
	char first[65];
	int fd;

	(void)state;
	mktar_dir(&b, "a/");
	mktar_file(&b, "a/f", "text");
	mktar_link(&b, '1', "a/hard", "a/f");
	mktar_link(&b, '2', "a/soft", "f");
	mktar_header(&b, &(struct mktar){ .name = "dev/", .type = '5', .mode = 0755,
	    .mtime = 5 });
	mktar_header(&b, &(struct mktar){ .name = "dev/null", .type = '3',
	    .mode = 0666, .major = 1, .minor = 3 });
	mktar_header(&b, &(struct mktar){ .name = "z", .type = '0', .mode = 04755,
	    .uid = 12, .gid = 34, .mtime = 99, .size = 2 });
	mktar_data(&b, "zz", 2);
	mktar_end(&b);
	put_bytes("tar", b.data, b.len);
	assert_int_equal(convert_tar(), 0);
	strcpy(first, out.sha256);
	assert_int_equal(run("mkdir r && tar -xpf tar -C r --numeric-owner"), 0);
	walk = cic_walk_open(in_folder("r"), &err);
	assert_non_null(walk);
	what.files = cic_walk_source(walk);
	assert_int_equal(convert(), 0);
	what.files = NULL;
	cic_walk_free(walk);
	assert_string_equal(out.sha256, first);
	fd = open(in_folder("tar"), O_RDONLY);
	layer.part = (struct cic_part){ fd, 0, (uint64_t)lseek(fd, 0, SEEK_END) };
	what.layer = &layer;
	what.layers = 1;
	if (convert() == -1)
		fail_msg("%s", err.msg);
	assert_string_equal(out.sha256, first);
	close(fd);
}

static uint64_t reported, told_files;

static void
progress(void *arg, uint64_t bytes, uint64_t files)
{
	assert_true(bytes >= reported && files >= told_files);
	reported = bytes;
	told_files = files;
	++*(unsigned *)arg;
}

static void
progress_is_told(void **state)
{
	unsigned times = 0;

	(void)state;
	reported = told_files = 0;
	what.config = "{}";
	what.progress = progress;
	what.arg = &times;
	make_mixture();
	assert_int_equal(convert_tar(), 0);
	assert_int_equal(told_files, 3000);
	assert_int_equal(reported, out.bytes);
	/* about once a MiB */
	assert_in_range(times, out.bytes >> 21, (out.bytes >> 20) + 1);
}

/* --- failures ----------------------------------------------------------- */

static void
bad_images(void **state)
{
	(void)state;
	mktar_end(&b);
	refused("the image has no files");
	refused("");
	mktar_file(&b, "a", "1");
	refused("cut short");
	mktar_file(&b, "../../etc/passwd", "1");
	mktar_end(&b);
	refused("\"..\"");
	mktar_link(&b, '2', "d", "/");
	mktar_file(&b, "d/etc/passwd", "1");
	mktar_end(&b);
	refused("leads through \"d\"");
	mktar_link(&b, '1', "d", "/etc/passwd");
	mktar_end(&b);
	refused("missing");
	mktar_file(&b, "d/f", "1");
	mktar_file(&b, "./d/f", "2");
	mktar_end(&b);
	refused("\"./d/f\" comes twice");
	assert_int_equal(err.code, CIC_EINVAL);
}

static void
bad_options(void **state)
{
	static const struct { const char *config, *scheme, *reference, *why; } t[] = {
		{ "{", "s", "r", "image configuration" },
		{ "{\"Config\":1}", "s", "r", "Config" },
		{ "{}", "s", "r\n", "reference" }, { "{}", "", "r", "scheme" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		what.config = t[i].config;
		what.scheme = t[i].scheme;
		what.reference = t[i].reference;
		mktar_file(&b, "f", "1");
		mktar_end(&b);
		refused(t[i].why);
		assert_int_equal(err.code, CIC_EINVAL);
	}
	what.config = "{}";
	what.scheme = "s";
	what.reference = "r";
	what.level = 13;
	mktar_file(&b, "f", "1");
	mktar_end(&b);
	refused("");
	assert_int_equal(err.code, CIC_EINVAL);
}

/* The file size limit stands for a full disk. */
static void
no_room_at(rlim_t at)
{
	struct rlimit old, now;
	struct cic_err ignored;
	int fd, r;

	make_mixture();
	fd = mktar_fd(&b);
	mktar_init(&b);
	getrlimit(RLIMIT_FSIZE, &old);
	now = old;
	now.rlim_cur = at;
	setrlimit(RLIMIT_FSIZE, &now);
	r = convert_fd(fd);
	setrlimit(RLIMIT_FSIZE, &old);
	close(fd);
	assert_int_equal(r, -1);
	has(err.msg, strerror(EFBIG));
	assert_int_equal(cic_sif_check(in_folder("x.sif"), &ignored), -1);
}

/* Early, in the middle, in the tables, in the last object. */
static void
no_room(void **state)
{
	static const rlim_t at[] = { 1, 33000, 37000, 40000, 60000, 100000 };
	rlim_t size;

	(void)state;
	what.threads = 2;
	make_mixture();
	assert_int_equal(convert_tar(), 0);
	size = out.size;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < COUNT(at); i++)
		no_room_at(at[i]);
	no_room_at(size - 8192);
	no_room_at(size - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(plain), UNIT(exports_additions), UNIT(images_own_are_dropped),
		UNIT(folders_in_the_way), UNIT(links_in_the_way), UNIT(images_own),
		UNIT(metadata_through_a_link), UNIT(host_labels_are_dropped),
		UNIT(objects), UNIT(tools), UNIT(described),
		UNIT(describe_is_an_object), UNIT(no_lock),
		UNIT(lock_that_is_no_json), UNIT(lock_with_many_members),
		UNIT(lock_that_is_a_link), UNIT(same_for_any_number_of_threads),
		UNIT(same_from_every_source), UNIT(progress_is_told),
		UNIT(bad_images), UNIT(bad_options), UNIT(no_room),
	};

	RIG_MAIN(tests);
}
