/*
 * output.h: a name only for what is complete, on file systems with O_TMPFILE and
 * without.  For the second half a filter makes the kernel refuse that flag.
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
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "folder.h"
#include "output.h"

static struct cic_output o;
static bool named;	/* without O_TMPFILE */

static int
setup(void **state)
{
	o = (struct cic_output){ .fd = -1 };
	return folder_make(state);
}

static int
teardown(void **state)
{
	cic_output_abandon(&o);
	return folder_remove(state);
}

/* Names in the folder, sorted, each after a blank. */
static const char *
names(void)
{
	static char out[1000];
	char cmd[200];
	size_t n;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ls -A %s | sed 's/^/ /' | tr -d '\\n'", folder);
	f = popen(cmd, "r");
	assert_non_null(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	pclose(f);
	return out;
}

static void
begin(const char *path, const char *text)
{
	if (cic_output_open(&o, path, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(write(o.fd, text, strlen(text)), strlen(text));
}

static void
publish(bool replace)
{
	if (cic_output_publish(&o, replace, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(o.fd, -1);
	assert_string_equal(o.part, "");
}

static void
holds(const char *name, const char *want)
{
	char *text = get_file(in_folder(name));

	assert_string_equal(text, want);
	free(text);
}

static void
named_when_complete(void **state)
{
	struct stat st;
	char got[5] = "";
	mode_t old = umask(077);

	(void)state;
	begin(in_folder("x"), "text");
	umask(old);
	if (!named)
		assert_string_equal(names(), "");
	else
		assert_true(strlen(names()) == strlen(" .x.123456.part") &&
		    strncmp(names(), " .x.", 4) == 0);
	assert_int_equal(pread(o.fd, got, 4, 0), 4);
	assert_string_equal(got, "text");
	publish(false);
	assert_string_equal(names(), " x");
	holds("x", "text");
	assert_int_equal(stat(in_folder("x"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_nlink, 1);
}

static void
taken(void **state)
{
	(void)state;
	put_file("x", "precious");
	begin(in_folder("x"), "new");
	assert_int_equal(cic_output_publish(&o, false, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	has(err.msg, in_folder("x"));
	assert_int_equal(o.fd, -1);
	assert_string_equal(names(), " x");
	holds("x", "precious");
}

/* Who reads the old file goes on reading it. */
static void
replaced(void **state)
{
	char got[9] = "";
	int fd;

	(void)state;
	put_file("x", "precious");
	fd = open(in_folder("x"), O_RDONLY);
	begin(in_folder("x"), "new");
	holds("x", "precious");
	publish(true);
	assert_string_equal(names(), " x");
	holds("x", "new");
	assert_int_equal(read(fd, got, 8), 8);
	assert_string_equal(got, "precious");
	close(fd);
}

static void
replaced_nothing(void **state)
{
	(void)state;
	begin(in_folder("x"), "new");
	publish(true);
	assert_string_equal(names(), " x");
	holds("x", "new");
}

/* A link is a name like another: not followed. */
static void
link_in_the_way(void **state)
{
	struct stat st;

	(void)state;
	put_file("target", "precious");
	assert_int_equal(symlink("target", in_folder("x")), 0);
	begin(in_folder("x"), "new");
	assert_int_equal(cic_output_publish(&o, false, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	begin(in_folder("x"), "new");
	publish(true);
	assert_int_equal(lstat(in_folder("x"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	holds("target", "precious");
	assert_string_equal(names(), " target x");
}

static void
folder_in_the_way(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_folder("x"), 0755), 0);
	begin(in_folder("x"), "new");
	assert_int_equal(cic_output_publish(&o, true, &err), -1);
	assert_int_equal(o.fd, -1);
	assert_string_equal(names(), " x");
}

static void
abandoned(void **state)
{
	(void)state;
	put_file("x", "precious");
	begin(in_folder("x"), "new");
	cic_output_abandon(&o);
	assert_int_equal(o.fd, -1);
	cic_output_abandon(&o);
	assert_string_equal(names(), " x");
	holds("x", "precious");
}

static void
several_at_once(void **state)
{
	struct cic_output other = { .fd = -1 };

	(void)state;
	begin(in_folder("x"), "one");
	assert_int_equal(cic_output_open(&other, in_folder("x"), &err), 0);
	publish(false);
	assert_int_equal(cic_output_publish(&other, false, &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
	assert_string_equal(names(), " x");
	holds("x", "one");
}

static void
in_the_present_folder(void **state)
{
	char old[CIC_PATH_MAX];

	(void)state;
	assert_non_null(getcwd(old, sizeof(old)));
	assert_int_equal(chdir(folder), 0);
	begin("x", "text");
	publish(false);
	begin("y", "text");
	publish(true);
	assert_int_equal(chdir(old), 0);
	assert_string_equal(names(), " x y");
}

static void
no_such_folder(void **state)
{
	(void)state;
	assert_int_equal(cic_output_open(&o, in_folder("no/x"), &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, in_folder("no/x"));
	assert_int_equal(o.fd, -1);
	put_file("f", "");
	assert_int_equal(cic_output_open(&o, in_folder("f/x"), &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	cic_output_abandon(&o);
}

static void
no_file_name(void **state)
{
	char path[2 * CIC_PATH_MAX];

	(void)state;
	assert_int_equal(cic_output_open(&o, in_folder(""), &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(cic_output_open(&o, path, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(o.fd, -1);
	assert_string_equal(names(), "");
}

/* Root may write anywhere, so somebody else asks. */
static void
folder_of_others(void **state)
{
	uid_t me = geteuid();
	int r;

	(void)state;
	assert_int_equal(chmod(folder, 0555), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	r = cic_output_open(&o, in_folder("x"), &err);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -1);
	assert_int_equal(err.code, CIC_EDENIED);
	assert_int_equal(o.fd, -1);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_string_equal(names(), "");
}

/* Whatever ends the program. */
static void
killed(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (cic_output_open(&o, in_folder("x"), &err) == 0 &&
		    write(o.fd, "text", 4) == 4)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_string_equal(names(), "");
}

/* From here on O_TMPFILE is "Operation not supported", as on NFS. */
static void
without_tmpfile(void **state)
{
	const uint32_t flag = O_TMPFILE & ~O_DIRECTORY;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[2])),	/* low half */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { COUNT(code), code };

	(void)state;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
		return;		/* then the rest is the first half once more */
	assert_int_equal(open(folder, O_TMPFILE | O_RDWR, 0600), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	named = true;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BOTH \
	T(named_when_complete), T(taken), T(replaced), T(replaced_nothing), \
	T(link_in_the_way), T(folder_in_the_way), T(abandoned), \
	T(several_at_once), T(in_the_present_folder), T(no_such_folder), \
	T(no_file_name), T(folder_of_others)
	const struct CMUnitTest tests[] = {
		BOTH, T(killed), T(without_tmpfile), BOTH,
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
