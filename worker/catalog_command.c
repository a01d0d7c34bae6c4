/* What the registries hold; see catalog_command.h. */
#include "catalog_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "catalog.h"
#include "job.h"
#include "log.h"

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-build --catalog -c FILE\n"
	    "Print what the workflow registry and the software catalog hold, as\n"
	    "one JSON object, for cic-worker.  Standard error must be a file.\n"
	    "  -c, --config FILE   the service's configuration\n"
	    "  -h, --help          print this\n"
	    "Exit status: 0 printed, be it why it could not be found out; 1 not,\n"
	    "2 wrong usage.\n");
	exit(status);
}

/* A look at the workflow registry. */
struct look {
	const struct cic_git		*git;
	struct cic_git_commit		 at;
	struct cic_catalog		*catalog;
	struct cic_buf			 found;		/* paths, by a listing,
							 * each with its NUL */
	size_t				 count;		/* … of them */
	bool				 folders;	/* … or else files */
	struct cic_err			*err;
	bool				 failed;
};

static void
take_ref(const char *name, bool tag, const char *commit, void *arg)
{
	struct look *look = arg;

	if (cic_catalog_add_version(look->catalog, name, tag, commit,
	    look->err) != 0)
		look->failed = true;
}

static void
take_path(const char *path, bool folder, void *arg)
{
	struct look *look = arg;
	const char *slash = strrchr(path, '/');

	/* a file's name is ours; a folder's must be one that a request says */
	if (folder != look->folders || (folder &&
	    (look->count >= CIC_CATALOG_ENTRIES ||
	    !cic_request_is_name(slash != NULL ? slash + 1 : path))))
		return;
	look->count++;
	cic_buf_puts(&look->found, path);
	if (folder)
		cic_buf_putc(&look->found, '/');
	cic_buf_putc(&look->found, '\0');
}

/*
 * List what is at these paths.  More than we take at once is listed in halves,
 * and a folder that is too large by itself is left out: it is one author's fault.
 */
static int
list(struct look *look, const char *const *paths, size_t n)
{
	if (cic_git_each_entry(look->git, &look->at, paths, n, take_path, look,
	    look->err) == 0)
		return 0;
	if (look->err->code != CIC_EINVAL || paths[0][0] == '\0')
		return -1;
	if (n == 1) {
		cic_log_warnx("%s: left out: %s", paths[0], look->err->msg);
		return 0;
	}
	return list(look, paths, n / 2) != 0 ||
	    list(look, paths + n / 2, n - n / 2) != 0 ? -1 : 0;
}

/* The same for any number of paths, which are in a buffer. */
static int
list_all(struct look *look, const struct cic_buf *paths, bool folders)
{
	const char *chunk[CIC_GIT_PATHS], *path = paths->data;
	size_t n = 0;

	cic_buf_reset(&look->found);
	look->count = 0;
	look->folders = folders;
	while (path < paths->data + paths->len) {
		chunk[n++] = path;
		path += strlen(path) + 1;
		if (n < CIC_GIT_PATHS && path < paths->data + paths->len)
			continue;
		if (list(look, chunk, n) != 0)
			return -1;
		n = 0;
	}
	return look->found.failed || paths->failed ? cic_err_set(look->err,
	    CIC_EIO, "out of memory") : 0;
}

/* Where the descriptions of steps are, were there any: "w/s/eflows4hpc.yaml". */
static void
name_descriptions(const struct cic_buf *steps, struct cic_buf *out)
{
	const char *step = steps->data;

	for (; step < steps->data + steps->len; step += strlen(step) + 1) {
		cic_buf_printf(out, "%seflows4hpc.yaml", step);
		cic_buf_putc(out, '\0');
	}
}

/* "workflow/step/file", in git's order. */
static int
add_steps(struct look *look)
{
	const struct cic_buf *files = &look->found;
	char workflow[CIC_NAME_MAX], step[CIC_NAME_MAX];
	const char *path = files->data, *slash, *end;

	for (; path < files->data + files->len; path += strlen(path) + 1) {
		slash = strchr(path, '/');
		end = strrchr(path, '/');
		if (slash == end)
			continue;
		snprintf(workflow, sizeof(workflow), "%.*s",
		    (int)(slash - path), path);
		snprintf(step, sizeof(step), "%.*s", (int)(end - slash - 1),
		    slash + 1);
		if (cic_catalog_add_step(look->catalog, workflow, step,
		    look->err) != 0)
			return -1;
	}
	return 0;
}

/* Folders of folders that hold a description. */
static int
look_for_steps(struct look *look)
{
	static const char top[] = "";
	struct cic_buf paths;
	int rc;

	cic_buf_init(&paths, 4 * CIC_CATALOG_TEXT);
	cic_buf_init(&look->found, 2 * CIC_CATALOG_TEXT);
	cic_buf_add(&paths, top, sizeof(top));
	rc = list_all(look, &paths, true);
	if (rc == 0) {
		cic_buf_reset(&paths);
		cic_buf_add(&paths, look->found.data, look->found.len);
		rc = list_all(look, &paths, true);
	}
	if (rc == 0) {
		cic_buf_reset(&paths);
		name_descriptions(&look->found, &paths);
		rc = list_all(look, &paths, false);
	}
	if (rc == 0)
		rc = add_steps(look);
	cic_buf_release(&look->found);
	cic_buf_release(&paths);
	return rc;
}

static int
resolve(const struct cic_git *git, const char *url, struct cic_git_commit *at,
    char commit[CIC_COMMIT_MAX], struct cic_err *err)
{
	enum cic_cause ignored;

	if (cic_git_resolve(git, url, "latest", at, &ignored, err) != 0)
		return -1;
	snprintf(commit, CIC_COMMIT_MAX, "%s", at->commit);
	return 0;
}

static int
look_at_all(const struct cic_conf *conf, const struct cic_git *git,
    struct cic_catalog *catalog, struct cic_err *err)
{
	struct look look = { .git = git, .catalog = catalog, .err = err };
	struct cic_git_commit software;

	if (cic_git_each_ref(git, conf->workflow_repository, take_ref, &look,
	    err) != 0 || look.failed ||
	    resolve(git, conf->workflow_repository, &look.at,
	    catalog->workflow_commit, err) != 0 || look_for_steps(&look) != 0)
		return cic_err_wrap(err, "workflow registry");
	if (resolve(git, conf->software_repository, &software,
	    catalog->catalog_commit, err) != 0)
		return cic_err_wrap(err, "software catalog");
	return 0;
}

/* Returns the exit status. */
static int
print(const struct cic_catalog *catalog)
{
	struct cic_buf text;
	int rc = 1;

	cic_buf_init(&text, CIC_CATALOG_TEXT);
	cic_catalog_print(&text, catalog);
	cic_buf_putc(&text, '\n');
	if (text.failed)
		cic_log_warnx("the catalog is too large");
	else if (fwrite(text.data, 1, text.len, stdout) == text.len &&
	    fflush(stdout) == 0)
		rc = 0;
	cic_buf_release(&text);
	return rc;
}

static int
run(const struct cic_conf *conf)
{
	struct job job = { .conf = conf, .log_fd = STDERR_FILENO };
	struct cic_catalog catalog = { .updated = 0 };
	struct job_git git;
	struct cic_err err;
	int rc;

	if (job_git(&job, &git, &err) == 0 &&
	    look_at_all(conf, &git.git, &catalog, &err) == 0)
		catalog.updated = cic_now_ms();
	else {
		cic_catalog_release(&catalog);
		snprintf(catalog.error, sizeof(catalog.error), "%s", err.msg);
	}
	rc = print(&catalog);
	cic_catalog_release(&catalog);
	return rc;
}

int
catalog_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "catalog", no_argument, NULL, 'a' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *config = NULL;
	struct cic_buf faults;
	struct cic_conf *conf;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (opt) {
		case 'a':
			break;
		case 'c':
			config = optarg;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	if (config == NULL || optind != argc)
		usage(stderr, 2);
	cic_buf_init(&faults, 65536);
	conf = cic_conf_load(config, &faults);
	if (conf == NULL)
		cic_log_fatalx("%s", faults.data);
	rc = run(conf);
	cic_conf_free(conf);
	cic_buf_release(&faults);
	return rc;
}
