/* git.h with the real git: what a version means, mirrors that break, and
 * repositories that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "folder.h"

#include "git.h"

static struct cic_git git;
static char url[CIC_PATH_MAX], mirrors[CIC_PATH_MAX];

/* In the repository; a failing command fails the test. */
static void
in_repository(const char *commands)
{
	char line[8192];

	snprintf(line, sizeof(line), "set -e; cd %s; exec >/dev/null 2>&1\n"
	    "export HOME=%s GIT_CONFIG_NOSYSTEM=1\n%s", url, folder, commands);
	sh(line);
}

static int
setup(void **state)
{
	char command[9000];

	if (folder_make(state) != 0)
		return -1;
	setenv("HOME", folder, 1);
	snprintf(url, sizeof(url), "%s/repo", folder);
	snprintf(mirrors, sizeof(mirrors), "%s/mirrors", folder);
	git = (struct cic_git){ .mirrors = mirrors, .timeout = 60,
	    .log_fd = open(in_folder("log"), O_RDWR | O_CREAT | O_APPEND |
	    O_CLOEXEC, 0600) };
	snprintf(command, sizeof(command), "printf '[user]\\nname = n\\n"
	    "email = e@x\\n' > %s/.gitconfig; git init -q -b main %s",
	    folder, url);
	sh(command);
	in_repository("mkdir -p w/s; echo 1 > w/s/f; echo r > w/README\n"
	    "git add .; git commit -qm one; git tag v1\n"
	    "git checkout -qb dev; echo 2 > w/s/f; git commit -qam two\n"
	    "git tag -a v2 -m annotated; git tag both\n"
	    "git checkout -qb both; echo 3 > w/s/f; git commit -qam three\n"
	    "git checkout -q main");
	return 0;
}

static int
teardown(void **state)
{
	close(git.log_fd);
	return folder_remove(state);
}

static int
resolve(const char *version, struct cic_git_commit *out, enum cic_cause *cause)
{
	return cic_git_resolve(&git, url, version, out, cause, &err);
}

static void
resolves(const char *version, struct cic_git_commit *out)
{
	enum cic_cause cause;

	if (resolve(version, out, &cause) != 0) {
		char *log = get_file(in_folder("log"));

		fail_msg("%s: %s\n%s", version, err.msg, log);
	}
}

/* The file w/s/f of a version, by way of tree and unpack. */
static void
content_is(const char *version, const char *want)
{
	static int n;
	struct cic_git_commit at;
	char tree[CIC_COMMIT_MAX], to[64], *text;

	resolves(version, &at);
	if (cic_git_tree(&git, &at, "w/s", tree, &err) != 0)
		fail_msg("%s", err.msg);
	snprintf(to, sizeof(to), "out%d", n++);
	if (cic_git_unpack(&git, &at, tree, in_folder(to), in_folder("index"),
	    &err) != 0)
		fail_msg("%s", err.msg);
	strcat(to, "/f");
	text = get_file(in_folder(to));
	assert_string_equal(text, want);
	free(text);
	assert_int_equal(access(in_folder("index"), F_OK), -1);
}

static void
versions(void **state)
{
	struct cic_git_commit at, tag;
	enum cic_cause cause;

	(void)state;
	content_is("latest", "1\n");
	content_is("main", "1\n");
	content_is("v1", "1\n");
	content_is("dev", "2\n");
	content_is("v2", "2\n");
	content_is("both", "3\n");	/* the branch, not the tag */
	resolves("dev", &at);
	resolves("v2", &tag);
	assert_string_equal(at.commit, tag.commit);
	content_is(at.commit, "2\n");
	in_repository("echo 4 > w/s/f; git commit -qam four");
	content_is("latest", "4\n");
	/* a branch that only calls itself so */
	in_repository("git branch latest v1");
	content_is("latest", "4\n");
	assert_int_equal(resolve("gone", &at, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	has(err.msg, "no branch or tag gone");
	has(err.msg, "there are both, dev, latest, main, both, v1, v2");
	assert_int_equal(resolve("HEAD", &at, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	assert_int_equal(resolve("v2^{}", &at, &cause), -1);
	tag.commit[12] = '\0';
	assert_int_equal(resolve(tag.commit, &at, &cause), -1);
}

static void
unreachable(void **state)
{
	struct cic_git_commit at;
	enum cic_cause cause;

	(void)state;
	assert_int_equal(cic_git_resolve(&git, in_folder("gone"), "latest", &at,
	    &cause, &err), -1);
	assert_int_equal(cause, CIC_CAUSE_GIT_UNREACHABLE);
	assert_int_equal(cic_git_resolve(&git, "ext::sh -c 'touch /tmp/x'",
	    "latest", &at, &cause, &err), -1);
	assert_int_equal(cic_git_resolve(&git, "--upload-pack=x", "latest", &at,
	    &cause, &err), -1);
	in_repository("git init -q --bare ../empty");
	assert_int_equal(cic_git_resolve(&git, in_folder("empty"), "latest",
	    &at, &cause, &err), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	has(err.msg, "there are none");
}

static void
trees(void **state)
{
	static const struct { const char *path, *said; } t[] = {
		{ "gone/s", "the registry has no workflow gone at commit" },
		{ "w/gone", "workflow w has no step gone at commit" },
		{ "w/gone", "it has s" }, { "gone/s", "it has w" },
		{ "w/README", "workflow w has no step README" },
		{ "w/s/f", "no step s/f" }, { "cfg", "no workflow cfg" },
		{ "w/sub", "no step sub" }, { "w/link", "no step link" },
	};
	struct cic_git_commit at;
	char tree[CIC_COMMIT_MAX], whole[CIC_COMMIT_MAX];

	(void)state;
	in_repository("ln -s s w/link; git add w/link\n"
	    "git update-index --add --cacheinfo 160000,$(git rev-parse v1),w/sub\n"
	    "git commit -qm x");
	resolves("latest", &at);
	for (size_t i = 0; i < COUNT(t); i++) {
		if (cic_git_tree(&git, &at, t[i].path, tree, &err) == 0)
			fail_msg("%s is no folder", t[i].path);
		assert_int_equal(err.code, CIC_ENOENT);
		has(err.msg, t[i].said);
	}
	assert_int_equal(cic_git_tree(&git, &at, "", whole, &err), 0);
	assert_int_equal(cic_git_tree(&git, &at, "w", tree, &err), 0);
	assert_int_equal(strlen(tree), 40);
	assert_string_not_equal(tree, whole);
}

static void
broken_mirrors(void **state)
{
	static const char *const harm[] = { "touch $M/shallow.lock",
	    "rm $M/HEAD", ": > $M/HEAD", "echo x > $M/HEAD",
	    "rm -rf $M; touch $M", "rm -rf $M; ln -s /nowhere $M",
	    "for p in $M/objects/pack/*.pack; do chmod u+w $p; echo x > $p; done",
	    "rm -rf $M/objects", "rm $M/objects/pack/*.idx",
	    "echo '[core' > $M/config", "rm -rf $M/refs",
	    "echo $(printf '%040d' 7) > $M/shallow" };
	struct cic_git_commit at;
	char command[CIC_PATH_MAX + 300];

	(void)state;
	for (size_t i = 0; i < COUNT(harm); i++) {
		resolves("dev", &at);
		snprintf(command, sizeof(command), "M=%s; %s", at.mirror,
		    harm[i]);
		sh(command);
		content_is("dev", "2\n");
		content_is("latest", "1\n");
	}
}

/* A killed fetch leaves it; the mirror need not be made again for that. */
static void
stale_lock(void **state)
{
	struct cic_git_commit at;
	struct stat before, after;
	char command[CIC_PATH_MAX + 32];

	(void)state;
	resolves("dev", &at);
	assert_int_equal(stat(at.mirror, &before), 0);
	snprintf(command, sizeof(command), "touch %s/shallow.lock", at.mirror);
	sh(command);
	content_is("latest", "1\n");
	assert_int_equal(stat(at.mirror, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* Anybody may ask for a commit that is not there; the mirror, which other
 * builds are reading, stays as it is. */
static void
commits_that_are_not_there(void **state)
{
	struct cic_git_commit at, none;
	enum cic_cause cause;
	char tree[CIC_COMMIT_MAX], zeros[41];

	(void)state;
	resolves("dev", &at);
	snprintf(zeros, sizeof(zeros), "%040d", 7);
	assert_int_equal(resolve(zeros, &none, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	if (cic_git_tree(&git, &at, "w/s", tree, &err) != 0)
		fail_msg("the mirror of others is gone: %s", err.msg);
}

static void
two_at_once(void **state)
{
	struct cic_git_commit at;
	pid_t pid[4];
	int status, i;

	(void)state;
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			enum cic_cause cause;

			_exit(resolve(i % 2 ? "dev" : "main", &at, &cause) != 0);
		}
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	content_is("dev", "2\n");
}

static void
hostile_content(void **state)
{
	struct cic_git_commit at;
	char tree[CIC_COMMIT_MAX], *text;
	struct stat st;

	(void)state;
	in_repository("cd w/s; ln -s /etc/passwd abs; ln -s ../../.. up\n"
	    "printf 'f export-ignore\\nf filter=evil\\nk ident\\n' > .gitattributes\n"
	    "printf '$Id$\\n' > k; touch \"$(printf 'line\\nbreak')\" -- -rf\n"
	    "printf '#!/bin/sh\\n' > x; chmod +x x; mkdir hooks; touch hooks/post-checkout\n"
	    "git add .; git update-index --add --cacheinfo "
	    "160000,$(git rev-parse v1),w/s/sub\n"
	    "printf '[submodule \"s\"]\\npath=sub\\nurl=/\\n' > .gitmodules\n"
	    "git add .gitmodules; git commit -qm evil");
	resolves("latest", &at);
	assert_int_equal(cic_git_tree(&git, &at, "w/s", tree, &err), 0);
	if (cic_git_unpack(&git, &at, tree, in_folder("o"), in_folder("i"),
	    &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(lstat(in_folder("o/abs"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat(in_folder("o/up"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(access(in_folder("o/line\nbreak"), F_OK), 0);
	assert_int_equal(access(in_folder("o/-rf"), F_OK), 0);
	assert_int_equal(access(in_folder("o/x"), X_OK), 0);
	assert_int_equal(rmdir(in_folder("o/sub")), 0);	/* empty */
	text = get_file(in_folder("o/f"));
	assert_string_equal(text, "1\n");
	free(text);
	/* a second time into the same folder: it is not ours to write in */
	assert_int_equal(cic_git_unpack(&git, &at, tree, in_folder("o"),
	    in_folder("i"), &err), -1);
	assert_int_equal(err.code, CIC_EEXIST);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(versions), T(unreachable), T(trees), T(broken_mirrors), T(stale_lock),
		T(commits_that_are_not_there), T(two_at_once),
		T(hostile_content),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
