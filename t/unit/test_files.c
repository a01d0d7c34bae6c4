/* path.h, wake.h once more, by hostile trees: see also test_path.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "folder.h"

#include "wake.h"

static void
formatting(void **state)
{
	char out[CIC_PATH_MAX], longest[CIC_PATH_MAX + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[CIC_PATH_MAX] = '\0';
	assert_int_equal(cic_path_format(out, &err, "%s", longest), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(cic_path_format(out, &err, "%s", longest + 1), 0);
	assert_int_equal(strlen(out), CIC_PATH_MAX - 1);
}

static void
folders(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(cic_mkdir_p(in_folder("a/b//c/"), 0700, &err), 0);
	assert_int_equal(cic_mkdir_p(in_folder("a/b/c"), 0700, &err), 0);
	assert_int_equal(stat(in_folder("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(cic_mkdir_p("/", 0700, &err), 0);
	put_file("file", "");
	assert_int_equal(cic_mkdir_p(in_folder("file/x"), 0700, &err), -1);
	assert_int_equal(cic_mkdir_p(in_folder("file"), 0700, &err), -1);
	has(err.msg, "file: Not a directory");
	assert_int_equal(symlink("gone", in_folder("link")), 0);
	assert_int_equal(cic_mkdir_p(in_folder("link"), 0700, &err), -1);
	assert_int_equal(symlink("a", in_folder("good")), 0);
	assert_int_equal(cic_mkdir_p(in_folder("good"), 0700, &err), 0);
}

static void
removing(void **state)
{
	(void)state;
	assert_int_equal(cic_mkdir_p(in_folder("keep/sub"), 0700, &err), 0);
	put_file("keep/sub/f", "x");
	assert_int_equal(cic_mkdir_p(in_folder("t/d"), 0700, &err), 0);
	assert_int_equal(symlink("../keep", in_folder("t/link")), 0);
	assert_int_equal(symlink("/", in_folder("t/d/root")), 0);
	assert_int_equal(symlink("gone", in_folder("t/gone")), 0);
	assert_int_equal(link(in_folder("keep/sub/f"), in_folder("t/hard")), 0);
	assert_int_equal(mkfifo(in_folder("t/fifo"), 0), 0);
	put_file("t/d/line\nbreak", "");
	assert_int_equal(mkdir(in_folder("t/closed"), 0), 0);
	assert_int_equal(cic_remove_tree(in_folder("t"), &err), 0);
	assert_int_equal(access(in_folder("t"), F_OK), -1);
	assert_int_equal(access(in_folder("keep/sub/f"), F_OK), 0);
	/* a link itself, a file, nothing */
	assert_int_equal(symlink("keep", in_folder("link")), 0);
	assert_int_equal(cic_remove_tree(in_folder("link"), &err), 0);
	assert_int_equal(cic_remove_tree(in_folder("keep/sub/f"), &err), 0);
	assert_int_equal(access(in_folder("keep/sub"), F_OK), 0);
	assert_int_equal(cic_remove_tree(in_folder("gone"), &err), 0);
	assert_int_equal(cic_remove_tree(in_folder("keep/sub/f/g"), &err), 0);
}

/* As somebody who is not root: folders that its owner closed for himself. */
static void
removing_closed_folders(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(chmod(folder, 0777), 0);
	pid = fork();
	if (pid == 0) {
		char path[128];
		int rc;

		if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(9);
		snprintf(path, sizeof(path), "%s/t/a/b", folder);
		rc = cic_mkdir_p(path, 0755, &err);
		strcat(path, "/f");
		close(open(path, O_WRONLY | O_CREAT, 0400));
		path[strlen(path) - 2] = '\0';
		rc |= chmod(path, 0555);
		path[strlen(path) - 2] = '\0';
		rc |= chmod(path, 0111);
		path[strlen(path) - 2] = '\0';
		rc |= chmod(path, 0);
		_exit(rc != 0 ? 8 : cic_remove_tree(path, &err) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(access(in_folder("t"), F_OK), -1);
}

/* Deeper than there are descriptors or bytes in a path: a registry may hold
 * such a tree. */
static void
removing_deep(void **state)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY), next, i;
	struct rlimit few = { 256, 1024 };

	(void)state;
	for (i = 0; i < 6000; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		assert_int_equal(mkdirat(fd, "e", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	setrlimit(RLIMIT_NOFILE, &few);
	if (cic_remove_tree(in_folder("d"), &err) != 0) {
		char command[128];

		snprintf(command, sizeof(command), "rm -rf %s/d", folder);
		sh(command);
		fail_msg("%s", err.msg);
	}
	assert_int_equal(access(in_folder("d"), F_OK), -1);
	assert_int_equal(access(in_folder("e"), F_OK), 0);
}

static void
reading_beneath(void **state)
{
	static const char *const refused[] = { "link", "up/f", "d/../../f",
	    "../f", "/etc/passwd", "abs", "d", "fifo", "gone", "proc", "" };
	struct cic_buf b;
	int fd;

	(void)state;
	assert_int_equal(cic_mkdir_p(in_folder("top/d"), 0700, &err), 0);
	put_file("f", "outside");
	put_file("top/f", "inside");
	put_file("top/d/g", "deep");
	assert_int_equal(symlink("f", in_folder("top/link")), 0);
	assert_int_equal(symlink("..", in_folder("top/up")), 0);
	assert_int_equal(symlink("/etc/passwd", in_folder("top/abs")), 0);
	assert_int_equal(symlink("/proc/self/fd", in_folder("top/proc")), 0);
	assert_int_equal(mkfifo(in_folder("top/fifo"), 0644), 0);
	fd = open(in_folder("top"), O_RDONLY | O_DIRECTORY);
	cic_buf_init(&b, 4096);
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (cic_read_file_beneath(fd, refused[i], &b, &err) == 0)
			fail_msg("read: %s", refused[i]);
		assert_int_equal(b.len, 0);
	}
	assert_int_equal(cic_read_file_beneath(fd, "gone", &b, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(cic_read_file_beneath(fd, "f", &b, &err), 0);
	assert_int_equal(cic_read_file_beneath(fd, "d/g", &b, &err), 0);
	assert_string_equal(b.data, "insidedeep");
	cic_buf_release(&b);
	close(fd);
}

static void
reading_limits(void **state)
{
	struct cic_buf b;

	(void)state;
	put_file("f", "12345");
	cic_buf_init(&b, 5);
	assert_int_equal(cic_read_file(in_folder("f"), &b, &err), 0);
	cic_buf_release(&b);
	cic_buf_init(&b, 4);
	assert_int_equal(cic_read_file(in_folder("f"), &b, &err), -1);
	has(err.msg, "larger than 4 bytes");
	assert_int_equal(cic_read_file(folder, &b, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	cic_buf_release(&b);
}

static void
writing(void **state)
{
	const char *path = in_folder("f");
	struct stat old, st;
	char *text;
	int fd;

	(void)state;
	assert_int_equal(cic_write_file(path, "one", 3, 0640, &err), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &old), 0);
	assert_int_equal(old.st_mode & 07777, 0640);
	assert_int_equal(cic_write_file(path, "two!", 4, 0600, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3);	/* who had it open keeps it */
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_ino != old.st_ino);
	close(fd);
	text = get_file(path);
	assert_string_equal(text, "two!");
	free(text);
	/* over a link: the link is replaced, not what it names */
	assert_int_equal(symlink("f", in_folder("l")), 0);
	assert_int_equal(cic_write_file(in_folder("l"), "x", 1, 0600, &err), 0);
	assert_int_equal(lstat(in_folder("l"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	/* nothing stays behind when it cannot be done */
	assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
	put_file("dir/full", "");
	assert_int_equal(cic_write_file(in_folder("dir"), "x", 1, 0600, &err), -1);
	assert_int_equal(cic_write_file(in_folder("gone/x"), "", 0, 0600, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	assert_int_equal(cic_write_new_file(in_folder("l"), "", 0, 0600, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_int_equal(cic_write_new_file(in_folder("n"), "", 0, 0600, &err), 0);
	fd = 0;
	for (size_t i = 0; i < 4; i++)
		fd += access(in_folder(((const char *[]){ "f", "l", "dir",
		    "n" })[i]), F_OK);
	assert_int_equal(fd, 0);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_nlink, 3);
}

static void
locks(void **state)
{
	const char *path = in_folder("lock");
	int fd, out[2], status;
	char c;
	pid_t pid;

	(void)state;
	assert_false(cic_lock_is_held(path));
	fd = cic_lock_file(path, 0600, &err);
	assert_true(fd >= 0);
	assert_true(cic_lock_is_held(path));
	assert_int_equal(cic_lock_file(path, 0600, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	/* a child that inherited it keeps it when we let go */
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		close(out[1]);
		_exit((int)read(out[0], &c, 1));
	}
	close(out[0]);
	close(fd);
	assert_true(cic_lock_is_held(path));
	close(out[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(cic_lock_is_held(path));
	fd = cic_lock_file(path, 0600, &err);
	assert_true(fd >= 0);
	close(fd);
}

static bool
woken(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
waking(void **state)
{
	char deep[300], path[CIC_PATH_MAX];
	int fd, i;

	(void)state;
	memset(deep, 'd', 250);
	deep[250] = '\0';
	snprintf(path, sizeof(path), "%s", in_folder(deep));
	assert_int_equal(mkdir(path, 0700), 0);
	cic_wake_poke(path);		/* nobody there */
	cic_wake_poke(in_folder("gone"));
	assert_int_equal(cic_wake_open(in_folder("gone"), &err), -1);
	fd = cic_wake_open(path, &err);
	assert_true(fd >= 0);
	cic_wake_drain(fd);
	assert_false(woken(fd));
	for (i = 0; i < 5000; i++)	/* more than its queue holds */
		cic_wake_poke(path);
	assert_true(woken(fd));
	cic_wake_drain(fd);
	assert_false(woken(fd));
	i = cic_wake_open(path, &err);	/* the next worker */
	assert_true(i >= 0);
	cic_wake_poke(path);
	assert_true(woken(i));
	assert_false(woken(fd));
	close(fd);
	close(i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(formatting), UNIT(folders), UNIT(removing),
		UNIT(removing_closed_folders), UNIT(removing_deep),
		UNIT(reading_beneath), UNIT(reading_limits), UNIT(writing),
		UNIT(locks), UNIT(waking),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
