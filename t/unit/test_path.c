/* path.h, buf.h, id.h, digest.h and log.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "digest.h"
#include "id.h"
#include "log.h"
#include "path.h"

static struct cic_err err;
static struct cic_buf buf;
static char dir[64];

static int
setup(void **state)
{
	(void)state;
	cic_buf_init(&buf, 16);
	strcpy(dir, "/tmp/cic-path-XXXXXX");
	return mkdtemp(dir) == NULL || chdir(dir) != 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	cic_buf_release(&buf);
	return chdir("/") != 0 ? -1 : cic_remove_tree(dir, &err);
}

static void
put(const char *path)
{
	assert_int_equal(cic_write_new_file(path, "x", 1, 0600, &err), 0);
}

static void
removing(void **state)
{
	(void)state;
	assert_int_equal(cic_mkdir_p("keep/in", 0755, &err), 0);
	put("keep/in/file");
	assert_int_equal(cic_mkdir_p("tree/a/b/c", 0755, &err), 0);
	put("tree/a/b/file");
	assert_int_equal(symlink("../../keep", "tree/a/link"), 0);
	assert_int_equal(symlink("nowhere", "tree/dangling"), 0);
	assert_int_equal(mkfifo("tree/fifo", 0600), 0);
	assert_int_equal(symlink("keep", "top"), 0);
	assert_int_equal(cic_remove_tree("tree", &err), 0);
	assert_int_equal(cic_remove_tree("top", &err), 0);
	assert_int_equal(cic_remove_tree("never", &err), 0);
	assert_int_not_equal(access("tree", F_OK), 0);
	assert_int_equal(access("keep/in/file", F_OK), 0);
}

static void
beneath(void **state)
{
	static const char *const t[] = { "../out", "link", "d/link", "l/file",
	    "fifo", "/etc/passwd", "d", "none", "large" };
	int fd;

	(void)state;
	assert_int_equal(cic_mkdir_p("in/d", 0755, &err), 0);
	put("out");
	put("in/file");
	put("in/d/file");
	assert_int_equal(cic_write_new_file("in/large", dir, 17, 0600, &err), 0);
	assert_int_equal(symlink("file", "in/link"), 0);
	assert_int_equal(symlink("../../out", "in/d/link"), 0);
	assert_int_equal(symlink("d", "in/l"), 0);
	assert_int_equal(mkfifo("in/fifo", 0600), 0);
	fd = open("in", O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (cic_read_file_beneath(fd, t[i], &buf, &err) != -1)
			fail_msg("%s was read", t[i]);
		assert_non_null(strstr(err.msg, t[i]));
	}
	cic_buf_reset(&buf);
	assert_int_equal(cic_read_file_beneath(fd, "d/file", &buf, &err), 0);
	assert_string_equal(buf.data, "x");
	assert_int_equal(cic_read_file("in/link", &buf, &err), 0);
	assert_string_equal(buf.data, "xx");
	close(fd);
}

static void
writing(void **state)
{
	struct stat st;

	(void)state;
	put("f");
	assert_int_equal(cic_write_new_file("f", "y", 1, 0600, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_int_equal(link("f", "old"), 0);
	assert_int_equal(cic_write_file("f", "new", 3, 0644, &err), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(cic_read_file("f", &buf, &err), 0);
	assert_string_equal(buf.data, "new");
	cic_buf_reset(&buf);
	assert_int_equal(cic_read_file("old", &buf, &err), 0);
	assert_string_equal(buf.data, "x");	/* never written in place */
	assert_int_equal(mkdir("d", 0700), 0);
	put("d/x");
	assert_int_equal(cic_write_file("d", "n", 1, 0644, &err), -1);
	assert_int_equal(system("test \"$(ls | tr '\\n' ' ')\" = 'd f old '"), 0);
}

static void
locks(void **state)
{
	int p[2], fd;
	char c;
	pid_t pid;

	(void)state;
	assert_false(cic_lock_is_held("lock"));
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		c = cic_lock_file("lock", 0600, &err) >= 0 ? 'y' : 'n';
		(void)!write(p[1], &c, 1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_true(cic_lock_is_held("lock"));
	assert_int_equal(cic_lock_file("lock", 0600, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(cic_lock_is_held("lock"));
	fd = cic_lock_file("lock", 0600, &err);
	assert_true(fd >= 0 && cic_lock_is_held("lock"));
	close(fd);
	close(p[0]);
	close(p[1]);
	assert_false(cic_lock_is_held("lock"));
}

static void
digests(void **state)
{
	static const struct { const char *text, *hex; } t[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[CIC_SHA256_HEX];
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(t[i].text);

		cic_digest_mem(t[i].text, len, hex);
		assert_string_equal(hex, t[i].hex);
		assert_int_equal(cic_write_file("f", t[i].text, len, 0600, &err), 0);
		assert_int_equal(cic_digest_file("f", hex, &size, &err), 0);
		assert_string_equal(hex, t[i].hex);
		assert_int_equal(size, len);
	}
	assert_int_equal(cic_digest_file("none", hex, NULL, &err), -1);
}

static void
buffers(void **state)
{
	(void)state;
	cic_buf_puts(&buf, "0123456789");
	cic_buf_printf(&buf, "%s", "abcdef");
	assert_int_equal(buf.len, 16);
	assert_false(buf.failed);
	cic_buf_putc(&buf, 'x');
	assert_true(buf.failed);
	assert_string_equal(buf.data, "0123456789abcdef");
	assert_null(cic_buf_detach(&buf));
	cic_buf_reset(&buf);
	cic_buf_add(&buf, "a\0b", 3);
	assert_memory_equal(buf.data, "a\0b", 4);
}

static void
ids(void **state)
{
	static const char *const bad[] = { "", "x", "{0}",
	    "00000000-0000-4000-8000-00000000000", "../../../../../../../../../../etc/passwd",
	    "00000000-0000-4000-8000-0000000000000", "00000000-0000-4000-8000-00000000000g",
	    "0000000000004000-8000-000000000000000" };
	char a[CIC_ID_TEXT], b[CIC_ID_TEXT];
	unsigned char raw[16];

	(void)state;
	cic_id_new(a);
	assert_true(cic_id_parse(a, raw));
	cic_id_format(raw, b);
	assert_string_equal(a, b);
	cic_id_new(b);
	assert_string_not_equal(a, b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cic_id_parse(bad[i], raw))
			fail_msg("%s was taken", bad[i]);
}

static void
logging(void **state)
{
	int keep = dup(2), fd = open("log", O_RDWR | O_CREAT, 0600);

	(void)state;
	cic_buf_release(&buf);
	cic_buf_init(&buf, 4096);
	cic_log_open("t");
	assert_true(dup2(fd, 2) == 2);
	cic_log_warnx("%s", "a\nb\033[\x7f \xc3\xa9 \xff \xc2\x9b \x9b \xe2\x82");
	dup2(keep, 2);
	close(keep);
	close(fd);
	assert_int_equal(cic_read_file("log", &buf, &err), 0);
	assert_string_equal(buf.data, "t: a\\x0ab\\x1b[\\x7f \xc3\xa9 \\xff "
	    "\\xc2\\x9b \\x9b \\xe2\\x82\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(removing), T(beneath), T(writing), T(locks), T(digests),
		T(buffers), T(ids), T(logging),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
