/* Registries by the git program; see git.h. */
#include "git.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "digest.h"
#include "path.h"
#include "spawn.h"

#define OUTPUT_MAX	(4 * 1024 * 1024)	/* of ls-remote and ls-tree */
#define REF_MAX		300

static const char *const git_env[] = {
	"GIT_TERMINAL_PROMPT=0",
	"GIT_ASKPASS=/bin/false",
	"SSH_ASKPASS=/bin/false",
	"GIT_SSH_COMMAND=ssh -oBatchMode=yes -oConnectTimeout=30",
	"GIT_ALLOW_PROTOCOL=https:http:ssh:file",
	"GIT_OPTIONAL_LOCKS=0",
	NULL
};

/* git with what protects us from the machine's and the author's settings.
 * What is fetched stays a pack, which git syncs before it counts. */
static void
git_argv(struct cic_argv *argv, const char *mirror)
{
	cic_argv_add(argv, "git");
	if (mirror != NULL) {
		cic_argv_add(argv, "--git-dir");
		cic_argv_add(argv, mirror);
	}
	cic_argv_add(argv, "-c");
	cic_argv_add(argv, "core.hooksPath=/dev/null");
	cic_argv_add(argv, "-c");
	cic_argv_add(argv, "gc.auto=0");
	cic_argv_add(argv, "-c");
	cic_argv_add(argv, "advice.detachedHead=false");
	cic_argv_add(argv, "-c");
	cic_argv_add(argv, "fetch.unpackLimit=1");
}

/* Run git; `output` may be NULL.  Returns its exit status or -1. */
static int
run(const struct cic_git *git, const struct cic_argv *argv,
    const char *const *env, struct cic_buf *output, struct cic_err *err)
{
	struct cic_spawn spawn = { .argv = argv, .env = env,
	    .log_fd = git->log_fd, .output = output, .timeout = git->timeout };
	int status;

	return cic_spawn(&spawn, &status, err) != 0 ? -1 : status;
}

/* <mirrors>/<digest of the url>.git */
static int
mirror_path(const struct cic_git *git, const char *url,
    char out[CIC_PATH_MAX], struct cic_err *err)
{
	char hex[CIC_SHA256_HEX];

	cic_digest_mem(url, strlen(url), hex);
	return cic_path_format(out, err, "%s/%.16s.git", git->mirrors, hex);
}

/* Wait for the mirror's lock; another build's fetch may hold it. */
static int
lock_mirror(const struct cic_git *git, const char *mirror, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	unsigned tries;
	int fd;

	if (cic_path_format(path, err, "%s.lock", mirror) != 0)
		return -1;
	for (tries = 0; tries < git->timeout * 10; tries++) {
		fd = cic_lock_file(path, 0600, err);
		if (fd >= 0 || err->code != CIC_EEXIST)
			return fd;
		usleep(100 * 1000);
	}
	return cic_err_set(err, CIC_EAGAIN,
	    "another fetch holds %s for more than %u s", path, git->timeout);
}

/* A usable mirror at `mirror`, empty when new.  The lock is held. */
static int
make_mirror(const struct cic_git *git, const char *mirror, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };
	char stale[CIC_PATH_MAX];
	struct stat st;

	if (cic_path_format(stale, err, "%s/shallow.lock", mirror) != 0)
		return -1;
	unlink(stale);	/* we hold the lock: whoever made it is dead */
	if (cic_path_format(stale, err, "%s/HEAD", mirror) != 0)
		return -1;
	if (stat(stale, &st) == 0 && st.st_size > 0)
		return 0;
	if (cic_remove_tree(mirror, err) != 0)
		return -1;
	git_argv(&argv, NULL);
	cic_argv_add(&argv, "init");
	cic_argv_add(&argv, "--quiet");
	cic_argv_add(&argv, "--bare");
	cic_argv_add(&argv, "--template=");
	cic_argv_add(&argv, mirror);
	switch (run(git, &argv, git_env, NULL, err)) {
	case 0:
		return 0;
	case -1:
		return -1;
	default:
		return cic_err_set(err, CIC_EIO, "git init %s failed", mirror);
	}
}

static bool
is_object_id(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) &&
	    strspn(text, "0123456789abcdef") == len;
}

/* Append a name to "a, b, c", a dozen at most. */
static void
list_name(struct cic_buf *names, const char *name, int count)
{
	if (count < 12)
		cic_buf_printf(names, "%s%.100s", names->len > 0 ? ", " : "",
		    name);
	else if (count == 12)
		cic_buf_puts(names, ", …");
}

/*
 * Search the lines "<id>\t<ref>" of ls-remote for a branch or tag.  A branch
 * wins over a tag of the same name, as with `clone --branch`; an annotated
 * tag's line with ^{} names the commit.  `names` gets what there is.
 */
static bool
search_refs(char *lines, const char *version, char commit[CIC_COMMIT_MAX],
    struct cic_buf *names)
{
	char *line, *save = NULL, *ref, *peeled;
	bool branch = false, tag = false;
	const char *name;
	int count = 0;

	for (line = strtok_r(lines, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		ref = strchr(line, '\t');
		if (ref == NULL)
			continue;
		*ref++ = '\0';
		if (!is_object_id(line))
			continue;
		if (strcmp(ref, "HEAD") == 0) {
			if (strcmp(version, "latest") == 0 && !branch) {
				snprintf(commit, CIC_COMMIT_MAX, "%s", line);
				branch = true;
			}
			continue;
		}
		name = strncmp(ref, "refs/heads/", 11) == 0 ? ref + 11 :
		    strncmp(ref, "refs/tags/", 10) == 0 ? ref + 10 : NULL;
		if (name == NULL)
			continue;
		peeled = strstr(ref, "^{}");
		if (peeled != NULL)
			*peeled = '\0';
		else
			list_name(names, name, count++);
		if ((strcmp(name, version) != 0 && strcmp(line, version) != 0) ||
		    strcmp(version, "latest") == 0)
			continue;
		if (ref[5] == 'h')
			branch = true;
		else if (branch)
			continue;
		else
			tag = true;
		snprintf(commit, CIC_COMMIT_MAX, "%s", line);
	}
	return branch || tag;
}

/* What does `version` mean at the repository now? */
static int
ask_remote(const struct cic_git *git, const char *url, const char *version,
    char commit[CIC_COMMIT_MAX], enum cic_cause *cause, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };
	struct cic_buf lines, names;
	int rc;

	cic_buf_init(&lines, OUTPUT_MAX);
	cic_buf_init(&names, 4096);
	git_argv(&argv, NULL);
	cic_argv_add(&argv, "ls-remote");
	cic_argv_add(&argv, "--");
	cic_argv_add(&argv, url);
	*cause = CIC_CAUSE_GIT_UNREACHABLE;
	rc = run(git, &argv, git_env, &lines, err);
	if (rc > 0)
		rc = cic_err_set(err, CIC_EAGAIN,
		    "the repository %s cannot be read; see the log for what "
		    "git said", url);
	else if (rc == 0 && !search_refs(lines.data, version, commit, &names)) {
		*cause = CIC_CAUSE_NO_SUCH_VERSION;
		if (is_object_id(version))
			rc = cic_err_set(err, CIC_ENOENT, "no branch or tag "
			    "of %s is at commit %s; there are %s", url,
			    version, names.len > 0 ? names.data : "none");
		else
			rc = cic_err_set(err, CIC_ENOENT,
			    "no branch or tag %s in %s; there are %s", version,
			    url, names.len > 0 ? names.data : "none");
	}
	cic_buf_release(&lines);
	cic_buf_release(&names);
	return rc;
}

static bool
have_commit(const struct cic_git *git, const char *mirror, const char *commit)
{
	/* "bad revision" is an answer here, not something for the log */
	struct cic_git quiet = { .log_fd = open("/dev/null",
	    O_WRONLY | O_CLOEXEC), .timeout = git->timeout };
	struct cic_argv argv = { .count = 0 };
	struct cic_err ignored;
	struct cic_buf out;
	char spec[REF_MAX];
	int rc;

	/* walks the trees too: a damaged mirror is not "there" */
	snprintf(spec, sizeof(spec), "refs/cic/%s", commit);
	cic_buf_init(&out, 4096);
	git_argv(&argv, mirror);
	cic_argv_add(&argv, "rev-list");
	cic_argv_add(&argv, "--objects");
	cic_argv_add(&argv, "--quiet");
	cic_argv_add(&argv, spec);
	cic_argv_add(&argv, "--");
	rc = quiet.log_fd < 0 ? -1 :
	    run(&quiet, &argv, git_env, &out, &ignored);
	if (quiet.log_fd >= 0)
		close(quiet.log_fd);
	cic_buf_release(&out);
	return rc == 0;
}

/* Fetch one commit; kept from git's gc by a ref of our own. */
static int
fetch_commit(const struct cic_git *git, const char *mirror, const char *url,
    const char *commit, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };
	char refspec[REF_MAX];

	snprintf(refspec, sizeof(refspec), "+%s:refs/cic/%s", commit, commit);
	git_argv(&argv, mirror);
	cic_argv_add(&argv, "fetch");
	cic_argv_add(&argv, "--quiet");
	cic_argv_add(&argv, "--depth=1");
	cic_argv_add(&argv, "--no-tags");
	cic_argv_add(&argv, "--no-recurse-submodules");
	cic_argv_add(&argv, "--no-write-fetch-head");
	cic_argv_add(&argv, "--");
	cic_argv_add(&argv, url);
	cic_argv_add(&argv, refspec);
	return run(git, &argv, git_env, NULL, err);
}

/* Fetch into a new mirror and, when that works, put it in the old one's place:
 * then the old one was to blame.  Else it stays, for others are reading it. */
static int
replace_mirror(const struct cic_git *git, const char *mirror, const char *url,
    const char *commit, struct cic_err *err)
{
	char fresh[CIC_PATH_MAX];
	struct cic_err ignored;
	int rc;

	if (cic_path_format(fresh, err, "%s.new", mirror) != 0 ||
	    cic_remove_tree(fresh, err) != 0 ||
	    make_mirror(git, fresh, err) != 0)
		return -1;
	rc = fetch_commit(git, fresh, url, commit, err);
	if (rc == 0) {
		rc = cic_remove_tree(mirror, err);
		if (rc == 0 && rename(fresh, mirror) != 0)
			rc = cic_err_errno(err, "rename %s", fresh);
	}
	if (rc != 0)
		cic_remove_tree(fresh, &ignored);
	return rc;
}

/* A killed git leaves its lock over the ref; we hold the mirror's. */
static void
remove_ref_lock(const char *mirror, const char *commit)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;

	if (cic_path_format(path, &ignored, "%s/refs/cic/%s.lock", mirror,
	    commit) == 0)
		unlink(path);
}

/* Is there a commit in the mirror that cannot be read in full? */
static bool
is_damaged(const struct cic_git *git, const char *mirror)
{
	struct cic_argv argv = { .count = 0 };
	struct cic_err ignored;

	git_argv(&argv, mirror);
	cic_argv_add(&argv, "rev-list");
	cic_argv_add(&argv, "--objects");
	cic_argv_add(&argv, "--quiet");
	cic_argv_add(&argv, "--all");
	return run(git, &argv, git_env, NULL, &ignored) != 0;
}

/* The lock is held. */
static int
have_in_mirror(const struct cic_git *git, const char *mirror, const char *url,
    const char *commit, struct cic_err *err)
{
	int rc;

	if (make_mirror(git, mirror, err) != 0)
		return -1;
	if (have_commit(git, mirror, commit))
		return 0;
	remove_ref_lock(mirror, commit);
	rc = fetch_commit(git, mirror, url, commit, err);
	/* a fetch that failed is no reason to take the mirror from builds that
	 * read it; damage is */
	if (rc > 0 && is_damaged(git, mirror))
		rc = replace_mirror(git, mirror, url, commit, err);
	if (rc <= 0)
		return rc;
	return cic_err_set(err, CIC_EAGAIN,
	    "commit %s could not be fetched from %s; see the log for what git "
	    "said", commit, url);
}

int
cic_git_resolve(const struct cic_git *git, const char *url,
    const char *version, struct cic_git_commit *out, enum cic_cause *cause,
    struct cic_err *err)
{
	int lock, rc;

	if (ask_remote(git, url, version, out->commit, cause, err) != 0)
		return -1;
	*cause = CIC_CAUSE_INTERNAL;
	if (cic_mkdir_p(git->mirrors, 0700, err) != 0 ||
	    mirror_path(git, url, out->mirror, err) != 0)
		return -1;
	lock = lock_mirror(git, out->mirror, err);
	if (lock < 0)
		return -1;
	rc = have_in_mirror(git, out->mirror, url, out->commit, err);
	close(lock);
	if (rc != 0)
		*cause = CIC_CAUSE_GIT_UNREACHABLE;
	return rc;
}

/* The names in a folder of a commit, for a message. */
static void
list_folder(const struct cic_git *git, const struct cic_git_commit *at,
    const char *folder, struct cic_buf *names)
{
	struct cic_argv argv = { .count = 0 };
	char spec[REF_MAX], *line, *save = NULL;
	struct cic_err ignored;
	struct cic_buf lines;
	int count = 0;

	snprintf(spec, sizeof(spec), "refs/cic/%s:%s", at->commit, folder);
	cic_buf_init(&lines, OUTPUT_MAX);
	git_argv(&argv, at->mirror);
	cic_argv_add(&argv, "ls-tree");
	cic_argv_add(&argv, "-d");
	cic_argv_add(&argv, "--name-only");
	cic_argv_add(&argv, spec);
	if (run(git, &argv, git_env, &lines, &ignored) == 0)
		for (line = strtok_r(lines.data, "\n", &save); line != NULL;
		    line = strtok_r(NULL, "\n", &save))
			list_name(names, line, count++);
	cic_buf_release(&lines);
}

/* "a/b" is not there: say what stands beside the part that is missing. */
static int
no_such_folder(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, struct cic_err *err)
{
	const char *slash = strchr(path, '/');
	char first[CIC_NAME_MAX] = "";
	struct cic_buf names;

	cic_buf_init(&names, 4096);
	if (slash != NULL) {
		snprintf(first, sizeof(first), "%.*s", (int)(slash - path),
		    path);
		list_folder(git, at, first, &names);
	}
	if (names.len > 0)
		cic_err_set(err, CIC_ENOENT, "workflow %s has no step %s at "
		    "commit %.12s; it has %s", first, slash + 1, at->commit,
		    names.data);
	else {
		list_folder(git, at, "", &names);
		cic_err_set(err, CIC_ENOENT, "the registry has no workflow %s "
		    "at commit %.12s; it has %s", first[0] != '\0' ? first :
		    path, at->commit, names.len > 0 ? names.data : "none");
	}
	cic_buf_release(&names);
	return -1;
}

/* What a revision of the mirror is, as an object id; > 0: there is none. */
static int
object_id(const struct cic_git *git, const char *mirror, const char *spec,
    char id[CIC_COMMIT_MAX], struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };
	struct cic_buf out;
	size_t len;
	int rc;

	cic_buf_init(&out, 4096);
	git_argv(&argv, mirror);
	cic_argv_add(&argv, "rev-parse");
	cic_argv_add(&argv, "--quiet");
	cic_argv_add(&argv, "--verify");
	cic_argv_add(&argv, spec);
	rc = run(git, &argv, git_env, &out, err);
	if (rc == 0) {
		len = strcspn(out.data, "\n");
		snprintf(id, CIC_COMMIT_MAX, "%.*s", (int)(len & 127),
		    out.data);
		if (!is_object_id(id))
			rc = cic_err_set(err, CIC_EIO,
			    "git rev-parse %s gave no object id", spec);
	}
	cic_buf_release(&out);
	return rc;
}

int
cic_git_tree(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, char tree[CIC_COMMIT_MAX], struct cic_err *err)
{
	char spec[REF_MAX], id[CIC_COMMIT_MAX];
	int rc = 0;

	if (path[0] == '\0')
		snprintf(spec, sizeof(spec), "refs/cic/%s^{tree}", at->commit);
	else {
		snprintf(spec, sizeof(spec), "refs/cic/%s:%s", at->commit,
		    path);
		rc = object_id(git, at->mirror, spec, id, err);
		/* a file, a link or a submodule has an id too */
		snprintf(spec, sizeof(spec), "%s^{tree}", rc == 0 ? id : "");
	}
	if (rc == 0)
		rc = object_id(git, at->mirror, spec, tree, err);
	return rc > 0 ? no_such_folder(git, at, path, err) : rc;
}

static int
read_tree(const struct cic_git *git, const char *mirror, const char *tree,
    const char *const *env, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };

	git_argv(&argv, mirror);
	cic_argv_add(&argv, "read-tree");
	cic_argv_add(&argv, tree);
	return run(git, &argv, env, NULL, err);
}

static int
checkout_index(const struct cic_git *git, const char *mirror, const char *to,
    const char *const *env, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };

	git_argv(&argv, mirror);
	cic_argv_add(&argv, "--work-tree");
	cic_argv_add(&argv, to);
	cic_argv_add(&argv, "checkout-index");
	cic_argv_add(&argv, "--all");
	cic_argv_add(&argv, "--quiet");
	return run(git, &argv, env, NULL, err);
}

int
cic_git_unpack(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, const char *to, const char *scratch, struct cic_err *err)
{
	char index[CIC_PATH_MAX];
	const char *env[16] = { index };
	size_t i;
	int rc;

	if (cic_path_format(index, err, "GIT_INDEX_FILE=%s", scratch) != 0)
		return -1;
	for (i = 0; git_env[i] != NULL && i + 2 < 16; i++)
		env[i + 1] = git_env[i];
	unlink(scratch);
	if (mkdir(to, 0755) != 0)
		return cic_err_errno(err, "make folder %s", to);
	rc = read_tree(git, at->mirror, tree, env, err);
	if (rc == 0)
		rc = checkout_index(git, at->mirror, to, env, err);
	unlink(scratch);
	if (rc > 0)
		rc = cic_err_set(err, CIC_EINVAL,
		    "git could not unpack tree %.12s; see the log for what it "
		    "said", tree);
	return rc;
}
