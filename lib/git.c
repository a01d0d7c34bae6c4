/* What a version of a registry means; see git.h. */
#include "git.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "git_folder.h"
#include "git_mirror.h"
#include "git_run.h"

#define ABBREVIATION	7	/* digits of a commit id, at least */
#define CANDIDATES	16	/* objects whose id begins so */

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
		if (!cic_git_is_id(line))
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
			cic_git_list(names, name, count++);
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

/*
 * What does `version` mean at the repository now?  `names` gets its branches and
 * tags.  Returns 0; 1: none of them is it; -1 with err.
 */
static int
ask_remote(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, struct cic_buf *names, struct cic_err *err)
{
	struct cic_buf lines;
	int rc;

	cic_buf_init(&lines, CIC_GIT_OUTPUT);
	rc = cic_git_ls_remote(git, out->url, &lines, err);
	if (rc == 0)
		rc = !search_refs(lines.data, version, out->commit, names);
	cic_buf_release(&lines);
	return rc;
}

/* --- commits by their ids ------------------------------------------------ */

static bool
may_be_id(const char *version)
{
	size_t len = strlen(version);

	return len >= ABBREVIATION && len < CIC_COMMIT_MAX &&
	    strspn(version, "0123456789abcdefABCDEF") == len;
}

/* Is it a commit that a branch or tag contains, now? */
static bool
is_contained(const struct cic_git *git, const char *mirror, const char *id)
{
	struct cic_argv argv;
	struct cic_buf out;
	bool contained;

	cic_buf_init(&out, 4096);
	cic_git_argv(&argv, mirror, "for-each-ref", "--count=1", "--contains",
	    id, "refs/cic-heads", "refs/cic-tags");
	contained = cic_git_ask(git, &argv, &out) == 0 && out.len > 0;
	cic_buf_release(&out);
	return contained;
}

/* Search the mirror; returns how many such commits there are, `found` lists
 * them. */
static int
search_commits(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, struct cic_buf *found)
{
	char prefix[64 + CIC_COMMIT_MAX], *line, *save = NULL;
	int seen = 0, count = 0;
	struct cic_argv argv;
	struct cic_buf ids;
	size_t i;

	snprintf(prefix, sizeof(prefix), "--disambiguate=%s", version);
	for (i = 0; prefix[i] != '\0'; i++)
		prefix[i] = (char)tolower((unsigned char)prefix[i]);
	cic_buf_init(&ids, CIC_GIT_OUTPUT);
	cic_git_argv(&argv, out->mirror, "rev-parse", prefix);
	if (cic_git_ask(git, &argv, &ids) == 0)
		for (line = strtok_r(ids.data, "\n", &save);
		    line != NULL && seen < CANDIDATES;
		    line = strtok_r(NULL, "\n", &save), seen++) {
			if (!cic_git_is_id(line) ||
			    !is_contained(git, out->mirror, line))
				continue;
			cic_git_list(found, line, count++);
			snprintf(out->commit, sizeof(out->commit), "%s", line);
		}
	cic_buf_release(&ids);
	return count;
}

/* With the whole history; the lock is held.  Returns 0; 1: there is no such
 * commit; -1 with err. */
static int
find_commit(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, enum cic_cause *cause, struct cic_err *err)
{
	struct cic_buf found;
	int rc;

	out->commit[0] = '\0';
	rc = cic_mirror_fetch(git, out, err);
	if (rc != 0) {
		*cause = CIC_CAUSE_GIT_UNREACHABLE;
		return cic_err_wrap(err, "the history of %s cannot be fetched",
		    out->url);
	}
	cic_buf_init(&found, 4096);
	switch (search_commits(git, version, out, &found)) {
	case 0:
		rc = 1;
		break;
	case 1:
		rc = cic_mirror_keep(git, out, err);
		break;
	default:
		*cause = CIC_CAUSE_NO_SUCH_VERSION;
		rc = cic_err_set(err, CIC_ENOENT, "version %s of %s is "
		    "ambiguous: commits %s begin so; give more digits",
		    version, out->url, found.data);
	}
	cic_buf_release(&found);
	return rc;
}

static int
resolve_commit(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, enum cic_cause *cause, struct cic_err *err)
{
	int lock, rc;

	*cause = CIC_CAUSE_INTERNAL;
	out->kind = CIC_GIT_HISTORY;
	if (cic_mirror_path(git, out, err) != 0)
		return -1;
	lock = cic_mirror_lock(git, out->mirror, err);
	if (lock < 0)
		return -1;
	rc = find_commit(git, version, out, cause, err);
	close(lock);
	return rc;
}

/* --- the three kinds ----------------------------------------------------- */

/* The commit that a branch or tag is at. */
static int
resolve_ref(const struct cic_git *git, struct cic_git_commit *out,
    enum cic_cause *cause, struct cic_err *err)
{
	int lock, rc = 0;

	*cause = CIC_CAUSE_INTERNAL;
	if (cic_mirror_lists(out))
		return 0;
	lock = cic_mirror_lock(git, out->mirror, err);
	if (lock < 0)
		return -1;
	if (!cic_mirror_lists(out))
		rc = cic_mirror_fetch(git, out, err);
	close(lock);
	if (rc == 0)
		return 0;
	*cause = CIC_CAUSE_GIT_UNREACHABLE;
	return cic_err_wrap(err, "commit %s could not be fetched from %s",
	    out->commit, out->url);
}

static int
resolve_folder(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, enum cic_cause *cause, struct cic_err *err)
{
	int lock, rc;

	if (strcmp(version, "latest") != 0) {
		*cause = CIC_CAUSE_NO_SUCH_VERSION;
		return cic_err_set(err, CIC_ENOENT, "no branch or tag %s in %s, "
		    "which is a plain folder; there is latest", version,
		    out->url);
	}
	*cause = CIC_CAUSE_INTERNAL;
	out->kind = CIC_GIT_FOLDER;
	if (cic_mirror_path(git, out, err) != 0)
		return -1;
	lock = cic_mirror_lock(git, out->mirror, err);
	if (lock < 0)
		return -1;
	rc = cic_git_folder_take(git, out, err);
	close(lock);
	if (rc == 0)
		return 0;
	*cause = CIC_CAUSE_GIT_UNREACHABLE;
	return cic_err_wrap(err, "%s cannot be read", out->url);
}

static int
resolve_repository(const struct cic_git *git, const char *version,
    struct cic_git_commit *out, enum cic_cause *cause, struct cic_err *err)
{
	struct cic_buf names;
	int rc;

	out->kind = CIC_GIT_SHALLOW;
	*cause = CIC_CAUSE_INTERNAL;
	if (cic_mirror_path(git, out, err) != 0)
		return -1;
	*cause = CIC_CAUSE_GIT_UNREACHABLE;
	cic_buf_init(&names, 4096);
	rc = ask_remote(git, version, out, &names, err);
	if (rc == 0)
		rc = resolve_ref(git, out, cause, err);
	else if (rc > 0 && may_be_id(version))
		rc = resolve_commit(git, version, out, cause, err);
	if (rc > 0) {
		*cause = CIC_CAUSE_NO_SUCH_VERSION;
		rc = cic_err_set(err, CIC_ENOENT, "no branch or tag %s%s in %s; "
		    "there are %s", may_be_id(version) ?
		    "has or contains commit " : "", version, out->url,
		    names.len > 0 ? names.data : "none");
	}
	cic_buf_release(&names);
	return rc;
}

int
cic_git_resolve(const struct cic_git *git, const char *url,
    const char *version, struct cic_git_commit *out, enum cic_cause *cause,
    struct cic_err *err)
{
	out->url = url;
	return cic_git_is_folder(url) ?
	    resolve_folder(git, version, out, cause, err) :
	    resolve_repository(git, version, out, cause, err);
}

int
cic_git_snapshot(const struct cic_git *git, const char *folder,
    struct cic_git_commit *out, struct cic_err *err)
{
	enum cic_cause ignored;

	out->url = folder;
	return resolve_folder(git, "latest", out, &ignored, err);
}
