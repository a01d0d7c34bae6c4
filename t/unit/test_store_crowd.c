/* store.h with many threads and processes, some of them killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "path.h"
#include "store_db.h"

#define EACH	300

static const struct cic_request_site site = { .default_platform = "linux/amd64",
	.images_prefix = "" };
static struct cic_err err;
static char dir[64];

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/cic-crowd-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return cic_remove_tree(dir, &err);
}

static struct cic_store *
opened(void)
{
	struct cic_store *s = cic_store_open(dir, &site, &err);

	if (s == NULL)
		fail_msg("open: %s", err.msg);
	return s;
}

/* No assertion in here: it runs in threads and children. */
static int
ask(struct cic_store *s, const char *who, int n, char id[CIC_ID_TEXT])
{
	struct cic_request r = { .container = CIC_DOCKER };
	struct cic_accept accept = { .request = &r, .owner = who };
	struct cic_err e;
	bool joined;

	snprintf(r.workflow, sizeof(r.workflow), "w%s", who);
	snprintf(r.step, sizeof(r.step), "s%d", n);
	strcpy(r.version, "latest");
	strcpy(r.platform, "linux/amd64");
	strcpy(r.architecture, "x86_64");
	strcpy(r.target, cic_arch_target(r.architecture));
	if (cic_store_accept(s, &accept, id, &joined, &e) != 0 || joined) {
		fprintf(stderr, "# accept: %s\n", joined ? "joined" : e.msg);
		return -1;
	}
	return 0;
}

/* Report ids through the pipe `fd` until killed or `n` are done. */
static int
report(struct cic_store *s, const char *who, int n, int fd)
{
	char id[CIC_ID_TEXT];

	for (int i = 0; i < n; i++)
		if (ask(s, who, i, id) != 0 ||
		    write(fd, id, sizeof(id)) != sizeof(id))
			return -1;
	return 0;
}

static pid_t
child(const char *who, int n, int fd)
{
	struct cic_store *s;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	s = cic_store_open(dir, &site, &err);
	_exit(s == NULL || report(s, who, n, fd) != 0);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, CIC_ID_TEXT);
}

/* Every id of the pipe: once, and with a record that can be read. */
static size_t
all_there(FILE *in)
{
	static char ids[8192][CIC_ID_TEXT];
	struct cic_store *s = opened();
	struct cic_build b;
	size_t n;

	n = fread(ids, CIC_ID_TEXT, 8192, in);
	fclose(in);
	qsort(ids, n, CIC_ID_TEXT, compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			assert_string_not_equal(ids[i - 1], ids[i]);
		if (cic_store_get(s, ids[i], &b, &err) != 0)
			fail_msg("%s: %s", ids[i], err.msg);
		cic_build_release(&b);
	}
	cic_store_close(s);
	return n;
}

/* Seven lives, each cut short at another place. */
static void
killed_while_accepting(void **state)
{
	struct cic_store *s;
	char id[CIC_ID_TEXT], who[8];
	size_t seen = 0, length, there;
	int p[2], all[2], status;
	FILE *in;

	(void)state;
	assert_int_equal(pipe(all), 0);
	for (int life = 0; life < 7; life++) {
		pid_t pid;

		assert_int_equal(pipe(p), 0);
		snprintf(who, sizeof(who), "k%d", life & 15);
		pid = child(who, 1000000, p[1]);
		close(p[1]);
		for (int i = 0; i < 3 + life; i++, seen++) {
			assert_int_equal(read(p[0], id, sizeof(id)), sizeof(id));
			assert_int_equal(write(all[1], id, sizeof(id)), sizeof(id));
		}
		assert_int_equal(kill(pid, SIGKILL), 0);
		for (; read(p[0], id, sizeof(id)) == sizeof(id); seen++)
			assert_int_equal(write(all[1], id, sizeof(id)), sizeof(id));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(p[0]);
	}
	close(all[1]);
	in = fdopen(all[0], "r");
	there = all_there(in);
	assert_int_equal(there, seen);
	/* at most one more a life: accepted, and killed before it could say */
	s = opened();
	assert_int_equal(cic_store_queue_length(s, &length, &err), 0);
	assert_in_range(length, seen, seen + 7);
	assert_int_equal(ask(s, "after", 0, id), 0);
	cic_store_close(s);
}

struct thread {
	struct cic_store	*store;
	char			 who[8];
	int			 fd, rc;
};

static void *
thread(void *arg)
{
	struct thread *t = arg;

	t->rc = report(t->store, t->who, EACH, t->fd);
	return NULL;
}

static void
threads_and_processes(void **state)
{
	pid_t pids[2];
	pthread_t ids[4];
	struct thread t[4];
	struct cic_build b;
	uint64_t last = 0;
	int fd, status;
	FILE *in = tmpfile();
	struct cic_store *s;

	(void)state;
	assert_non_null(in);
	fd = dup(fileno(in));	/* one offset, shared by all */
	pids[0] = child("p0", EACH, fd);
	pids[1] = child("p1", EACH, fd);
	s = opened();
	for (int i = 0; i < 4; i++) {
		t[i] = (struct thread){ .store = s, .fd = fd };
		snprintf(t[i].who, sizeof(t[i].who), "t%d", i & 15);
		assert_int_equal(pthread_create(&ids[i], NULL, thread, &t[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(ids[i], NULL);
		assert_int_equal(t[i].rc, 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	/* every one can be claimed once, in the order of acceptance */
	for (int i = 0; i < 6 * EACH; i++) {
		assert_int_equal(cic_store_claim(s, NULL, 0, &b, &err), 0);
		assert_int_equal(b.seq, last + 1);
		last = b.seq;
		cic_build_release(&b);
	}
	assert_int_equal(cic_store_claim(s, NULL, 0, &b, &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	cic_store_close(s);
	close(fd);
	rewind(in);
	assert_int_equal(all_there(in), 6 * EACH);
}

/* Children that die with read transactions open, more slots than there are. */
static void
killed_readers(void **state)
{
	struct cic_store *s = opened();
	size_t length;

	(void)state;
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct cic_store *mine = cic_store_open(dir, &site, &err);
			MDB_txn *txn;

			for (int n = 0; mine != NULL && n < 8; n++)
				if (cic_db_begin(mine, false, &txn, &err) != 0)
					_exit(1);
			raise(SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("reader %d was refused", i);
		if (cic_store_queue_length(s, &length, &err) != 0)
			fail_msg("after %d readers: %s", i + 1, err.msg);
	}
	cic_store_check_readers(s);
	cic_store_close(s);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(killed_while_accepting), T(threads_and_processes),
		T(killed_readers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
