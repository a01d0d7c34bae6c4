/* Branches and tags of a repository; see git.h. */
#include "git.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "git_folder.h"
#include "git_run.h"

int
cic_git_ls_remote(const struct cic_git *git, const char *url,
    struct cic_buf *lines, struct cic_err *err)
{
	struct cic_argv argv;

	/* the old protocol lists all refs in its first answer: one round trip
	 * less than the new one */
	cic_git_argv(&argv, NULL, "-c", "protocol.version=0", "ls-remote");
	cic_git_add_url(&argv, url);
	return cic_git_talk(git, &argv, url, lines, err) == 0 ? 0 :
	    cic_err_wrap(err, "the repository %s cannot be read", url);
}

struct walk {
	void	(*visit)(const char *name, bool tag, const char *commit,
		    void *arg);
	void	*arg;
	const char *ref, *id;		/* of the line before, or NULL */
};

/* Only the line behind a tag's says what it points to. */
static void
flush(struct walk *walk)
{
	if (walk->ref != NULL && strncmp(walk->ref, "refs/heads/", 11) == 0)
		walk->visit(walk->ref + 11, false, walk->id, walk->arg);
	else if (walk->ref != NULL && strncmp(walk->ref, "refs/tags/", 10) == 0)
		walk->visit(walk->ref + 10, true, walk->id, walk->arg);
	walk->ref = NULL;
}

static void
take_line(struct walk *walk, char *line)
{
	char *ref = strchr(line, '\t');
	size_t len;

	if (ref == NULL)
		return;
	*ref++ = '\0';
	if (!cic_git_is_id(line))
		return;
	len = strlen(ref);
	if (walk->ref != NULL && len > 3 && strcmp(ref + len - 3, "^{}") == 0 &&
	    strlen(walk->ref) == len - 3 &&
	    memcmp(walk->ref, ref, len - 3) == 0) {
		walk->id = line;
		return;
	}
	flush(walk);
	walk->ref = ref;
	walk->id = line;
}

int
cic_git_each_ref(const struct cic_git *git, const char *url,
    void (*visit)(const char *name, bool tag, const char *commit, void *arg),
    void *arg, struct cic_err *err)
{
	struct walk walk = { .visit = visit, .arg = arg };
	char *line, *save = NULL;
	struct cic_buf lines;
	int rc;

	if (cic_git_is_folder(url))
		return 0;
	cic_buf_init(&lines, CIC_GIT_OUTPUT);
	rc = cic_git_ls_remote(git, url, &lines, err);
	for (line = rc == 0 ? strtok_r(lines.data, "\n", &save) : NULL;
	    line != NULL; line = strtok_r(NULL, "\n", &save))
		take_line(&walk, line);
	flush(&walk);
	cic_buf_release(&lines);
	return rc;
}
