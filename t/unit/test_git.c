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
}

/* Commits by their ids: the history is fetched, and only what a branch or tag
 * contains counts. */
static void
commits(void **state)
{
	struct cic_git_commit at, again;
	enum cic_cause cause;
	char *ids, first[41], stray[41], command[CIC_PATH_MAX + 100];

	(void)state;
	in_repository("git rev-parse v1 > ../ids; git checkout -q --detach dev\n"
	    "echo 9 > w/s/f; git commit -qam stray; git rev-parse HEAD >> ../ids\n"
	    "git checkout -q main; echo 4 > w/s/f; git commit -qam four\n"
	    "git tag -d v1; git config uploadpack.allowAnySHA1InWant true");
	ids = get_file(in_folder("ids"));
	snprintf(first, sizeof(first), "%.40s", ids);
	snprintf(stray, sizeof(stray), "%.40s", ids + 41);
	free(ids);
	content_is(first, "1\n");
	first[7] = '\0';
	content_is(first, "1\n");
	resolves(first, &at);
	assert_int_equal(at.kind, CIC_GIT_HISTORY);
	assert_int_equal(strlen(at.commit), 40);
	first[6] = '\0';
	assert_int_equal(resolve(first, &again, &cause), -1);
	has(err.msg, "no branch or tag");
	assert_int_equal(resolve(stray, &again, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	has(err.msg, "has or contains commit");
	has(err.msg, "there are both, dev, main, both, v2");
	/* a mirror that lost everything, or its use */
	snprintf(command, sizeof(command), "rm -rf %s/objects/pack/*",
	    at.mirror);
	sh(command);
	content_is(at.commit, "1\n");
	/* a git that was killed */
	snprintf(command, sizeof(command), "cd %s; touch packed-refs.lock "
	    "refs/cic-heads/extra.lock refs/cic-heads/dev.lock", at.mirror);
	sh(command);
	/* a branch that holds it, and one that does no more */
	in_repository("git branch extra $(tail -n 1 ../ids)~0; git branch top extra\n"
	    "git checkout -q extra; git commit -q --allow-empty -m more\n"
	    "git branch -qD top; git checkout -q main");
	content_is(stray, "9\n");
	in_repository("git branch -qD extra");
	assert_int_equal(resolve(stray, &again, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	/* a tree has an id as well */
	in_repository("git rev-parse main^{tree} > ../ids");
	ids = get_file(in_folder("ids"));
	ids[40] = '\0';
	assert_int_equal(resolve(ids, &again, &cause), -1);
	free(ids);
}

/* Seven digits are found twice after some 16,000 commits; made by counting. */
static void
ambiguous(void **state)
{
	struct cic_git_commit at;
	enum cic_cause cause;
	char *twice;

	(void)state;
	in_repository("{ for n in $(seq 30000); do printf 'commit refs/heads/many\\n"
	    "committer c <c@c> %d +0000\\ndata 0\\n' $n; done; } | git fast-import "
	    "--quiet --force\n"
	    "git rev-list many | cut -c1-7 | sort | uniq -d | head -n 1 > ../twice");
	twice = get_file(in_folder("twice"));
	assert_int_equal(strlen(twice), 8);
	twice[7] = '\0';
	assert_int_equal(resolve(twice, &at, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	has(err.msg, "is ambiguous: commits ");
	free(twice);
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

/* Damage that nobody looks for is healed by whoever comes upon it: even a file
 * whose bytes are not those of its name. */
static void
damage_met_later(void **state)
{
	struct cic_git_commit at;
	char tree[CIC_COMMIT_MAX], command[CIC_PATH_MAX + 400], *text;

	(void)state;
	resolves("dev", &at);
	assert_int_equal(cic_git_tree(&git, &at, "w/s", tree, &err), 0);
	/* the file's object once more, with other bytes: loose ones come second,
	 * so the pack has to go */
	snprintf(command, sizeof(command), "cd %s; mkdir ../x; mv objects/pack/* "
	    "../x; for p in ../x/*.pack; do git --git-dir . unpack-objects -q < $p;"
	    " done; o=$(git --git-dir . rev-parse %s:f); f=objects/$(echo $o | "
	    "sed 's|^..|&/|'); chmod u+w $f; echo broken > $f", at.mirror, tree);
	sh(command);
	if (cic_git_unpack(&git, &at, tree, in_folder("o"), in_folder("i"),
	    &err) != 0)
		fail_msg("%s", err.msg);
	text = get_file(in_folder("o/f"));
	assert_string_equal(text, "2\n");
	free(text);
	snprintf(command, sizeof(command), "rm -rf %s/objects/pack", at.mirror);
	sh(command);
	if (cic_git_tree(&git, &at, "w/s", tree, &err) != 0)
		fail_msg("%s", err.msg);
	/* damage, and nowhere to get it from */
	sh(command);
	in_repository("mv ../repo ../away");
	assert_int_equal(cic_git_tree(&git, &at, "w/s", tree, &err), -1);
	has(err.msg, "is damaged and could not be made again: ");
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

/* A few objects of git stand for a hundred million files, and a small one for
 * many bytes. */
static void
bombs(void **state)
{
	static const char *const commands[] = {
		"t=$(echo x | git hash-object -w --stdin); k='100644 blob'\n"
		    "for level in 1 2 3 4 5 6 7 8; do\n"
		    "t=$(for n in 0 1 2 3 4 5 6 7 8 9; do"
		    " printf '%s %s\\t%s\\n' \"$k\" $t $n; done | git mktree)\n"
		    "k='040000 tree'; done\n",
		"b=$(head -c 16777216 /dev/zero | git hash-object -w --stdin)\n"
		    "t=$(for n in $(seq 129); do"
		    " printf '100644 blob %s\\t%s\\n' $b $n; done | git mktree)\n",
	};
	char tree[CIC_COMMIT_MAX], line[2048];
	struct cic_git_commit at;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		snprintf(line, sizeof(line), "%sgit update-ref refs/heads/main "
		    "$(git commit-tree -m bomb $t)", commands[i]);
		in_repository(line);
		resolves("latest", &at);
		assert_int_equal(cic_git_tree(&git, &at, "", tree, &err), 0);
		assert_int_equal(cic_git_unpack(&git, &at, tree, in_folder("o"),
		    in_folder("i"), &err), -1);
		assert_int_equal(err.code, CIC_EINVAL);
		assert_non_null(strstr(err.msg, "200000 files or 2048 MiB"));
		assert_int_not_equal(lstat(in_folder("o"), &st), 0);
	}
}

/* --- plain folders -------------------------------------------------------- */

static void
make_folder(const char *commands)
{
	char line[8192];

	snprintf(line, sizeof(line), "set -e; mkdir -p %s/plain; cd %s/plain\n%s",
	    folder, folder, commands);
	sh(line);
	snprintf(url, sizeof(url), "%s/plain", folder);
}

static void
unpacks(const char *to, struct cic_git_commit *at)
{
	char tree[CIC_COMMIT_MAX];

	resolves("latest", at);
	assert_int_equal(at->kind, CIC_GIT_FOLDER);
	if (cic_git_tree(&git, at, "", tree, &err) != 0 ||
	    cic_git_unpack(&git, at, tree, in_folder(to), in_folder("i"),
	    &err) != 0)
		fail_msg("%s", err.msg);
}

static void
plain_folder(void **state)
{
	struct cic_git_commit at, again;
	enum cic_cause cause;

	(void)state;
	make_folder("mkdir a empty; echo 1 > a/f; printf 'x\\r\\n' > crlf; ln -s "
	    "/etc/shadow link; printf '#!/bin/sh\\n' > x; chmod 755 x\n"
	    "printf '* text=auto eol=crlf filter=evil\\n' > .gitattributes\n"
	    "echo '*' > .gitignore; echo q > 'a \"b\\\\\n'; : > nothing");
	unpacks("o", &at);
	in_repository("cd ../plain; rmdir empty; diff -r --no-dereference . ../o; "
	    "test -x ../o/x; test ! -x ../o/a/f");
	resolves("latest", &again);
	assert_string_equal(at.commit, again.commit);
	assert_int_equal(resolve("v1", &again, &cause), -1);
	assert_int_equal(cause, CIC_CAUSE_NO_SUCH_VERSION);
	has(err.msg, "is a plain folder; there is latest");
	make_folder("echo 2 > a/f");	/* as long as it was */
	unpacks("o2", &again);
	assert_string_not_equal(at.commit, again.commit);
	in_repository("cd ../plain; diff -r --no-dereference . ../o2");
	make_folder("rm crlf; echo 1 > a/f; printf 'x\\r\\n' > crlf");
	resolves("latest", &again);
	assert_string_equal(at.commit, again.commit);
}

/* Nothing is read again when nothing has changed; a change is noticed. */
static void
unchanged_folder(void **state)
{
	struct cic_git_commit at, again;
	char path[CIC_PATH_MAX], *note;
	int tries = 100;

	(void)state;
	make_folder("mkdir a; echo 1 > a/f");
	/* noted once the last change is some seconds old */
	do {
		usleep(100 * 1000);
		resolves("latest", &at);
		if (cic_path_format(path, &err, "%s/cic-folder", at.mirror) != 0)
			fail_msg("%s", err.msg);
	} while (access(path, F_OK) != 0 && tries-- > 0);
	note = get_file(path);
	has(note, at.commit);
	free(note);
	setenv("PATH", "/nonexistent", 1);
	if (cic_git_resolve(&git, url, "latest", &again,
	    &(enum cic_cause){ 0 }, &err) != 0)
		fail_msg("git was asked: %s", err.msg);
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	assert_string_equal(at.commit, again.commit);
	make_folder("touch -d @1 ref; cp -p a/f b; echo 2 > a/f; touch -r b a/f; rm b ref");
	resolves("latest", &again);
	assert_string_not_equal(at.commit, again.commit);
}

static void
hostile_folder(void **state)
{
	struct cic_git_commit at;
	enum cic_cause cause;

	(void)state;
	make_folder("mkfifo fifo; mkdir sub; cd sub; git init -q .; echo 1 > f\n"
	    "printf '[core]\\nfsmonitor = \"touch ../../ran\"\\n' >> .git/config\n"
	    "git -c core.fsmonitor= add f; cd ..\n"
	    "mkdir s2; echo 'gitdir: /nowhere' > s2/.git; echo 2 > s2/f\n"
	    "ln -s . loop; ln -s /dev/zero zero; echo t > \"$(printf 'n\\nl\\001')\"\n"
	    "mkdir hooks; printf '#!/bin/sh\\ntouch ../ran\\n' > hooks/pre-commit; "
	    "chmod +x hooks/*; echo '* filter=evil' > .gitattributes");
	sh("printf '[filter \"evil\"]\nclean = touch /tmp/never-here\nsmudge = cat\n"
	    "required = true\n' >> $HOME/.gitconfig");
	unpacks("o", &at);
	in_repository("cd ../o; test -f sub/f; test ! -e sub/.git; test -f s2/f; "
	    "test ! -e fifo; test \"$(readlink loop)\" = .; test -L zero; "
	    "test ! -e ../ran; test -f \"$(printf 'n\\nl\\001')\"");
	make_folder("echo newer > f; cd $HOME/mirrors/*-folder.git; "
	    "touch refs/cic-folder.lock");
	resolves("latest", &at);
	/* damage heals here too, but not into something else */
	sh("rm -rf $HOME/mirrors/*-folder.git/objects/pack");
	unpacks("o2", &at);
	sh("rm -rf $HOME/mirrors/*-folder.git/objects/pack");
	make_folder("echo new > new");
	{
		char tree[CIC_COMMIT_MAX];

		assert_int_equal(cic_git_tree(&git, &at, "", tree, &err), -1);
		has(err.msg, "the folder has changed since");
	}
	make_folder("d=$(printf 'd/%.0s' $(seq 70)); mkdir -p $d; touch $d/f");
	assert_int_equal(resolve("latest", &at, &cause), -1);
	has(err.msg, "more than 64 folders deep");
}

static struct cic_buf seen;	/* by visitors */

static void
see_ref(const char *name, bool tag, const char *commit, void *arg)
{
	(void)arg;
	cic_buf_printf(&seen, "%s%s=%.6s ", tag ? "tag " : "", name, commit);
}

static void
see_entry(const char *path, bool is_folder, void *arg)
{
	(void)arg;
	cic_buf_printf(&seen, "%s%s ", path, is_folder ? "/" : "");
}

static void
refs_are(const char *want)
{
	cic_buf_reset(&seen);
	if (cic_git_each_ref(&git, url, see_ref, NULL, &err) != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(seen.data, want);
}

static void
refs(void **state)
{
	struct cic_git_commit one, two, three;
	char want[256];

	(void)state;
	cic_buf_init(&seen, 65536);
	resolves("main", &one);
	resolves("dev", &two);
	resolves("both", &three);
	in_repository("git update-ref refs/other/x main\n"
	    "git tag -a v3 -m nested v2\ngit tag zero main");
	snprintf(want, sizeof(want), "both=%.6s dev=%.6s main=%.6s tag both=%.6s "
	    "tag v1=%.6s tag v2=%.6s tag v3=%.6s tag zero=%.6s ", three.commit,
	    two.commit, one.commit, two.commit, one.commit, two.commit,
	    two.commit, one.commit);
	refs_are(want);
	sh("rm -rf $HOME/repo/.git");	/* a plain folder */
	refs_are("");
	strcat(url, "/gone");
	assert_int_equal(cic_git_each_ref(&git, url, see_ref, NULL, &err), -1);
	has(err.msg, "cannot be read");
	cic_buf_release(&seen);
}

static void
entries_are(const struct cic_git_commit *at, const char *const *paths,
    const char *want)
{
	size_t n = 0;

	while (paths[n] != NULL)
		n++;
	cic_buf_reset(&seen);
	if (cic_git_each_entry(&git, at, paths, n, see_entry, NULL, &err) != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(seen.data, want);
}

static void
entries(void **state)
{
	static const char *const top[] = { "", NULL }, *const both[] = { "a/",
	    "w/", NULL }, *const files[] = { "w/s/f", "w/s/none", "a/x", NULL },
	    *const none[] = { "gone/", NULL };
	struct cic_git_commit at;

	(void)state;
	cic_buf_init(&seen, 65536);
	in_repository("mkdir -p a/b; echo x > a/x; echo x > a/b/x; ln -s x a/l\n"
	    "printf x > 'a/n w\nl'\n"
	    "echo r > README; git add a README\n"
	    "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),a/m\n"
	    "git commit -qm entries");
	resolves("main", &at);
	entries_are(&at, top, "README a/ w/ ");
	entries_are(&at, both, "a/b/ a/n w\nl a/x w/README w/s/ ");
	entries_are(&at, files, "a/x w/s/f ");
	entries_are(&at, none, "");
	/* of a damaged copy a new one is made */
	sh("for p in $HOME/mirrors/*.git/objects/pack/*.pack; do "
	    ": > $p.new; mv -f $p.new $p; done");
	entries_are(&at, files, "a/x w/s/f ");
	cic_buf_release(&seen);
}

/* The worker may be root, the repository somebody else's. */
static void
foreign_repository(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	in_repository("chown -R nobody .");
	content_is("v2", "2\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(versions), T(commits), T(ambiguous), T(unreachable), T(trees), T(broken_mirrors), T(damage_met_later),
		T(stale_lock),
		T(commits_that_are_not_there), T(two_at_once),
		T(hostile_content), T(bombs), T(plain_folder), T(unchanged_folder),
		T(hostile_folder), T(refs), T(entries), T(foreign_repository),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
