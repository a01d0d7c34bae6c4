/* Run the git program; see git_run.h. */
#include "git_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

/* What is fetched stays a pack, which git syncs before it counts. */
void
cic_git_begin(struct cic_argv *argv, const char *mirror,
    const char *const *words)
{
	static const char *const settings[] = { "core.hooksPath=/dev/null",
	    "gc.auto=0", "advice.detachedHead=false", "fetch.unpackLimit=1",
	    "fastimport.unpackLimit=1" };
	size_t i;

	argv->count = 0;
	argv->overflow = false;
	cic_argv_add(argv, "git");
	if (mirror != NULL) {
		cic_argv_add(argv, "--git-dir");
		cic_argv_add(argv, mirror);
	}
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		cic_argv_add(argv, "-c");
		cic_argv_add(argv, settings[i]);
	}
	for (; *words != NULL; words++)
		cic_argv_add(argv, *words);
}

/*
 * A repository on this machine is read by another git, which refuses one that
 * belongs to somebody else and is not told our settings: git-config(1),
 * safe.directory.  It is the administrator who named it.
 */
void
cic_git_add_url(struct cic_argv *argv, const char *url)
{
	if (url[0] == '/' || strncmp(url, "file://", 7) == 0)
		cic_argv_add(argv,
		    "--upload-pack=git -c 'safe.directory=*' upload-pack");
	cic_argv_add(argv, "--");
	cic_argv_add(argv, url);
}

int
cic_git_run(const struct cic_git *git, const struct cic_argv *argv,
    const char *variable, int input, struct cic_buf *output,
    struct cic_err *err)
{
	const char *env[CIC_GIT_ENV + 2];
	struct cic_spawn spawn = { .argv = argv, .env = env,
	    .log_fd = git->log_fd, .output = output, .stdin_fd = input,
	    .timeout = git->timeout };
	size_t n = cic_git_plain_env(env);
	int status;

	env[n++] = variable;	/* or the end */
	env[n] = NULL;
	return cic_spawn(&spawn, &status, err) != 0 ? -1 : status;
}

int
cic_git_ask(const struct cic_git *git, const struct cic_argv *argv,
    struct cic_buf *output)
{
	struct cic_git quiet = { .timeout = git->timeout,
	    .log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
	struct cic_err ignored;
	int rc;

	if (quiet.log_fd < 0)
		return -1;
	rc = cic_git_run(&quiet, argv, NULL, 0, output, &ignored);
	close(quiet.log_fd);
	return rc;
}

bool
cic_git_is_id(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) &&
	    strspn(text, "0123456789abcdef") == len;
}

int
cic_git_id(const struct cic_git *git, const char *mirror, const char *spec,
    char id[CIC_COMMIT_MAX], struct cic_err *err)
{
	struct cic_argv argv;
	struct cic_buf out;
	size_t len;
	int rc;

	cic_buf_init(&out, 4096);
	cic_git_argv(&argv, mirror, "rev-parse", "--quiet", "--verify", spec);
	rc = cic_git_run(git, &argv, NULL, 0, &out, err);
	if (rc == 0) {
		len = strcspn(out.data, "\n");
		snprintf(id, CIC_COMMIT_MAX, "%.*s", (int)(len & 127),
		    out.data);
		if (!cic_git_is_id(id))
			rc = cic_err_set(err, CIC_EIO,
			    "git rev-parse %s gave no object id", spec);
	}
	cic_buf_release(&out);
	return rc > 0 ? 1 : rc;
}

void
cic_git_list(struct cic_buf *names, const char *name, int count)
{
	if (count < 12)
		cic_buf_printf(names, "%s%.100s", names->len > 0 ? ", " : "",
		    name);
	else if (count == 12)
		cic_buf_puts(names, ", …");
}
