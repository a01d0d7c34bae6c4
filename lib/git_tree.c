/* What a commit in a mirror holds; see git.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "git_mirror.h"
#include "git_run.h"
#include "path.h"

#define LISTING_MAX	(64u << 20)	/* bytes of a tree's listing */

/* The names in a folder of a commit, for a message. */
static void
list_folder(const struct cic_git *git, const struct cic_git_commit *at,
    const char *folder, struct cic_buf *names)
{
	char spec[CIC_GIT_SPEC], *line, *save = NULL;
	struct cic_argv argv;
	struct cic_buf lines;
	int count = 0;

	snprintf(spec, sizeof(spec), "refs/cic/%s:%s", at->commit, folder);
	cic_buf_init(&lines, CIC_GIT_OUTPUT);
	cic_git_argv(&argv, at->mirror, "ls-tree", "-d", "--name-only", spec);
	if (cic_git_ask(git, &argv, &lines) == 0)
		for (line = strtok_r(lines.data, "\n", &save); line != NULL;
		    line = strtok_r(NULL, "\n", &save))
			cic_git_list(names, line, count++);
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

/* Returns 0; 1: there is none, or it cannot be read; -1. */
static int
find_tree(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, char tree[CIC_COMMIT_MAX], struct cic_err *err)
{
	char spec[CIC_GIT_SPEC], id[CIC_COMMIT_MAX];
	int rc;

	if (path[0] == '\0')
		snprintf(spec, sizeof(spec), "refs/cic/%s^{tree}", at->commit);
	else {
		snprintf(spec, sizeof(spec), "refs/cic/%s:%s", at->commit,
		    path);
		rc = cic_git_id(git, at->mirror, spec, id, err);
		if (rc != 0)
			return rc;
		/* a file, a link or a submodule has an id too */
		snprintf(spec, sizeof(spec), "%s^{tree}", id);
	}
	return cic_git_id(git, at->mirror, spec, tree, err);
}

int
cic_git_tree(const struct cic_git *git, const struct cic_git_commit *at,
    const char *path, char tree[CIC_COMMIT_MAX], struct cic_err *err)
{
	int rc = find_tree(git, at, path, tree, err);

	if (rc > 0 && !cic_mirror_has(git, at)) {
		rc = cic_mirror_heal(git, at, err);
		if (rc >= 0)
			rc = find_tree(git, at, path, tree, err);
	}
	return rc > 0 ? no_such_folder(git, at, path, err) : rc;
}

/* --- entries -------------------------------------------------------------- */

/* "<mode> <type> <id>\t<path>", ended by a NUL */
static void
take_entry(const char *entry, void (*visit)(const char *path, bool folder,
    void *arg), void *arg)
{
	const char *path = strchr(entry, '\t');

	if (path == NULL)
		return;
	if (strncmp(entry, "040000 ", 7) == 0)
		visit(path + 1, true, arg);
	else if (strncmp(entry, "100", 3) == 0)
		visit(path + 1, false, arg);
}

/* Returns 0, 1 when git failed, -1. */
static int
list_entries(const struct cic_git *git, const struct cic_git_commit *at,
    const char *const *paths, size_t n, struct cic_buf *out,
    struct cic_err *err)
{
	char spec[CIC_GIT_SPEC];
	struct cic_argv argv;
	size_t i;

	snprintf(spec, sizeof(spec), "refs/cic/%s", at->commit);
	cic_git_argv(&argv, at->mirror, "ls-tree", "-z", "--full-tree", spec,
	    "--");
	for (i = 0; i < n && paths[i][0] != '\0'; i++)
		cic_argv_add(&argv, paths[i]);
	return cic_git_run(git, &argv, NULL, 0, out, err);
}

int
cic_git_each_entry(const struct cic_git *git, const struct cic_git_commit *at,
    const char *const *paths, size_t n,
    void (*visit)(const char *path, bool folder, void *arg), void *arg,
    struct cic_err *err)
{
	struct cic_buf out;
	const char *entry;
	int rc;

	cic_buf_init(&out, CIC_GIT_OUTPUT);
	rc = list_entries(git, at, paths, n, &out, err);
	if (rc > 0) {
		rc = cic_mirror_heal(git, at, err);
		cic_buf_reset(&out);
		if (rc == 0)
			rc = list_entries(git, at, paths, n, &out, err);
	}
	if (rc > 0)
		rc = cic_err_set(err, CIC_EIO, "git could not list commit "
		    "%.12s; see the log for what it said", at->commit);
	for (entry = out.data; rc == 0 && entry < out.data + out.len;
	    entry += strlen(entry) + 1)
		take_entry(entry, visit, arg);
	cic_buf_release(&out);
	return rc;
}

/* --- unpacking ------------------------------------------------------------ */

/* A line of `ls-tree -l`, "<mode> <type> <id> <size>\t<path>": its size; a
 * submodule has none. */
static uint64_t
size_in(const char *line)
{
	int word;

	for (word = 0; word < 3 && *line != '\0'; word++) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return strtoull(line, NULL, 10);
}

/* Add up the files of a tree, and their bytes with `sizes`, which takes a while
 * for each.  Returns 0, 1 when git failed, -1. */
static int
measure(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, bool sizes, struct cic_err *err)
{
	uint64_t bytes = 0;
	struct cic_argv argv;
	struct cic_buf lines;
	unsigned files = 0;
	const char *line;
	int rc;

	cic_buf_init(&lines, LISTING_MAX);
	cic_git_argv(&argv, at->mirror, "ls-tree", "-r", "--full-tree",
	    sizes ? "-l" : "--", tree);
	rc = cic_git_run(git, &argv, NULL, 0, &lines, err);
	for (line = rc == 0 ? lines.data : ""; *line != '\0' &&
	    bytes <= CIC_GIT_BYTES && files <= CIC_GIT_FILES;
	    line += strcspn(line, "\n"), line += *line == '\n', files++)
		bytes += sizes ? size_in(line) : 0;
	if (lines.failed || bytes > CIC_GIT_BYTES || files > CIC_GIT_FILES)
		rc = cic_err_set(err, CIC_EINVAL, "tree %.12s holds more than "
		    "%d files or %lld MiB", tree, CIC_GIT_FILES,
		    (long long)(CIC_GIT_BYTES >> 20));
	cic_buf_release(&lines);
	return rc > 0 ? 1 : rc;
}

/* A few objects can stand for more files than there is memory for their names,
 * and a small one for more bytes than a disk has. */
static int
check_size(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, struct cic_err *err)
{
	int rc = measure(git, at, tree, false, err);

	return rc != 0 ? rc : measure(git, at, tree, true, err);
}

/* Returns 0, 1 when git failed, -1. */
static int
unpack(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, const char *to, const char *scratch, struct cic_err *err)
{
	char index[CIC_PATH_MAX];
	struct cic_argv argv;
	int rc;

	if (cic_path_format(index, err, "GIT_INDEX_FILE=%s", scratch) != 0)
		return -1;
	rc = check_size(git, at, tree, err);
	if (rc != 0)
		return rc;
	unlink(scratch);
	if (mkdir(to, 0755) != 0)
		return cic_err_errno(err, "make folder %s", to);
	cic_git_argv(&argv, at->mirror, "read-tree", tree);
	rc = cic_git_run(git, &argv, index, 0, NULL, err);
	if (rc == 0) {
		cic_git_argv(&argv, at->mirror, "--work-tree", to,
		    "checkout-index", "--all", "--quiet");
		rc = cic_git_run(git, &argv, index, 0, NULL, err);
	}
	unlink(scratch);
	return rc > 0 ? 1 : rc;
}

int
cic_git_unpack(const struct cic_git *git, const struct cic_git_commit *at,
    const char *tree, const char *to, const char *scratch, struct cic_err *err)
{
	int rc = unpack(git, at, tree, to, scratch, err);

	if (rc > 0) {
		rc = cic_mirror_heal(git, at, err);
		if (rc == 0) {
			rc = cic_remove_tree(to, err);
			if (rc == 0)
				rc = unpack(git, at, tree, to, scratch, err);
		}
	}
	if (rc > 0)
		rc = cic_err_set(err, CIC_EINVAL,
		    "git could not unpack tree %.12s; see the log for what it "
		    "said", tree);
	return rc;
}
