/* Mirrors of repositories; see git_mirror.h. */
#include "git_mirror.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "git_folder.h"
#include "git_run.h"
#include "path.h"

int
cic_mirror_path(const struct cic_git *git, struct cic_git_commit *out,
    struct cic_err *err)
{
	static const char *const suffix[] = { [CIC_GIT_SHALLOW] = "",
	    [CIC_GIT_HISTORY] = "-history", [CIC_GIT_FOLDER] = "-folder" };
	char hex[CIC_SHA256_HEX];

	cic_digest_mem(out->url, strlen(out->url), hex);
	if (cic_mkdir_p(git->mirrors, 0700, err) != 0)
		return -1;
	return cic_path_format(out->mirror, err, "%s/%.16s%s.git",
	    git->mirrors, hex, suffix[out->kind]);
}

int
cic_mirror_lock(const struct cic_git *git, const char *mirror,
    struct cic_err *err)
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

static int
remove_lock(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t len = strlen(path);

	(void)st;
	(void)ftw;
	/* no ref ends so: git-check-ref-format(1) */
	if (type == FTW_F && len > 5 && strcmp(path + len - 5, ".lock") == 0)
		unlink(path);
	return 0;
}

/* git's own locks, when it was killed: we hold ours, so whoever made them is
 * dead. */
static int
remove_locks(const char *mirror, struct cic_err *err)
{
	static const char *const places[] = { "shallow.lock",
	    "packed-refs.lock", "refs" };
	char path[CIC_PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (cic_path_format(path, err, "%s/%s", mirror, places[i]) != 0)
			return -1;
		nftw(path, remove_lock, 16, FTW_PHYS);
	}
	return 0;
}

int
cic_mirror_make(const struct cic_git *git, const char *mirror,
    struct cic_err *err)
{
	struct cic_argv argv;
	char head[CIC_PATH_MAX];
	struct stat st;

	if (remove_locks(mirror, err) != 0 ||
	    cic_path_format(head, err, "%s/HEAD", mirror) != 0)
		return -1;
	if (stat(head, &st) == 0 && st.st_size > 0)
		return 0;
	if (cic_remove_tree(mirror, err) != 0)
		return -1;
	cic_git_argv(&argv, NULL, "init", "--quiet", "--bare", "--template=",
	    mirror);
	switch (cic_git_run(git, &argv, NULL, 0, NULL, err)) {
	case 0:
		return 0;
	case -1:
		return -1;
	default:
		return cic_err_set(err, CIC_EIO, "git init %s failed", mirror);
	}
}

bool
cic_mirror_lists(const struct cic_git_commit *at)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;

	/* a ref in a file: nobody packs refs here, gc.auto is 0 */
	return cic_path_format(path, &ignored, "%s/refs/cic/%s", at->mirror,
	    at->commit) == 0 && access(path, F_OK) == 0;
}

bool
cic_mirror_has(const struct cic_git *git, const struct cic_git_commit *at)
{
	struct cic_argv argv;
	char spec[CIC_GIT_SPEC];

	snprintf(spec, sizeof(spec), "refs/cic/%s", at->commit);
	cic_git_argv(&argv, at->mirror, "rev-list", "--objects",
	    "--max-count=1", "--quiet", spec, "--");
	return cic_git_ask(git, &argv, NULL) == 0;
}

/* Is there a commit in the mirror that cannot be read in full? */
static bool
is_damaged(const struct cic_git *git, const char *mirror)
{
	struct cic_argv argv;

	cic_git_argv(&argv, mirror, "rev-list", "--objects", "--quiet",
	    "--all");
	return cic_git_ask(git, &argv, NULL) != 0;
}

/* Every byte of the commit's files read and compared with its name. */
static bool
is_sound(const struct cic_git *git, const struct cic_git_commit *at)
{
	struct cic_argv argv;
	char spec[CIC_GIT_SPEC];

	snprintf(spec, sizeof(spec), "refs/cic/%s", at->commit);
	cic_git_argv(&argv, at->mirror, "fsck", "--full", "--no-dangling",
	    "--no-progress", spec);
	return cic_mirror_has(git, at) && cic_git_ask(git, &argv, NULL) == 0;
}

int
cic_mirror_keep(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	struct cic_argv argv;
	char ref[CIC_GIT_SPEC];
	int rc;

	snprintf(ref, sizeof(ref), "refs/cic/%s", at->commit);
	cic_git_argv(&argv, at->mirror, "update-ref", ref, at->commit);
	rc = cic_git_run(git, &argv, NULL, 0, NULL, err);
	return rc <= 0 ? rc : cic_err_set(err, CIC_EIO,
	    "git update-ref %s in %s failed; see the log for what git said",
	    ref, at->mirror);
}

/* One commit, kept from git's gc by a ref of our own. */
static int
fetch_commit(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	char refspec[CIC_GIT_SPEC];
	struct cic_argv argv;

	snprintf(refspec, sizeof(refspec), "+%s:refs/cic/%s", at->commit,
	    at->commit);
	cic_git_argv(&argv, at->mirror, "fetch", "--quiet", "--depth=1",
	    "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head");
	cic_git_add_url(&argv, at->url);
	cic_argv_add(&argv, refspec);
	return cic_git_talk(git, &argv, at->url, NULL, err);
}

static int
fetch_history(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	struct cic_argv argv;
	int rc;

	cic_git_argv(&argv, at->mirror, "fetch", "--quiet", "--prune",
	    "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head");
	cic_git_add_url(&argv, at->url);
	cic_argv_add(&argv, "+refs/heads/*:refs/cic-heads/*");
	cic_argv_add(&argv, "+refs/tags/*:refs/cic-tags/*");
	rc = cic_git_talk(git, &argv, at->url, NULL, err);
	return rc != 0 || at->commit[0] == '\0' ? rc :
	    cic_mirror_keep(git, at, err);
}

static int
fill(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	switch (at->kind) {
	case CIC_GIT_SHALLOW:
		return fetch_commit(git, at, err);
	case CIC_GIT_HISTORY:
		return fetch_history(git, at, err);
	default:
		return cic_git_folder_again(git, at, err);
	}
}

/* Fill a new mirror and, when that works, put it in the old one's place:
 * then the old one was to blame.  Else it stays, for others are reading it. */
static int
replace(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	struct cic_git_commit fresh = *at;
	struct cic_err ignored;
	int rc;

	if (cic_path_format(fresh.mirror, err, "%s.new", at->mirror) != 0 ||
	    cic_remove_tree(fresh.mirror, err) != 0 ||
	    cic_mirror_make(git, fresh.mirror, err) != 0)
		return -1;
	rc = fill(git, &fresh, err);
	if (rc == 0) {
		rc = cic_remove_tree(at->mirror, err);
		if (rc == 0 && rename(fresh.mirror, at->mirror) != 0)
			rc = cic_err_errno(err, "rename %s", fresh.mirror);
	}
	if (rc != 0)
		cic_remove_tree(fresh.mirror, &ignored);
	return rc;
}

int
cic_mirror_fetch(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	int rc;

	if (cic_mirror_make(git, at->mirror, err) != 0)
		return -1;
	rc = fill(git, at, err);
	/* a fetch that failed is no reason to take the mirror from builds that
	 * read it; damage is */
	if (rc > 0 && is_damaged(git, at->mirror))
		rc = replace(git, at, err);
	return rc;
}

int
cic_mirror_heal(const struct cic_git *git, const struct cic_git_commit *at,
    struct cic_err *err)
{
	int lock, rc;

	lock = cic_mirror_lock(git, at->mirror, err);
	if (lock < 0)
		return -1;
	rc = is_sound(git, at) ? 1 : replace(git, at, err) == 0 ? 0 :
	    cic_err_wrap(err, "the copy of %s is damaged and could not be made "
	    "again", at->url);
	close(lock);
	return rc;
}
