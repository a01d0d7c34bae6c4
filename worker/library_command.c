/* A build on one's own machine, as a command; see library_command.h. */
#include "library_command.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "library.h"
#include "library_report.h"
#include "log.h"
#include "terminal.h"
#include "tools.h"

#define REQUEST_MAX	(64 * 1024)	/* as the service has it */
#define SITE_CONFIG	"/etc/cic/cic.yaml"

/* Exit status. */
enum { FINE, FAILED, WRONG, UNABLE, SIGNAL = 128 };

struct command {
	const char	*request, *path, *config, *output;
	bool		 keep, quiet, json, no_color;

	struct cic_conf	*conf;
	struct terminal	 terminal;
	struct library	 library;
};

/* --- words ---------------------------------------------------------------- */

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-build --request FILE.json [options]\n"
	    "Build an image on this machine, without the service; the .sif appears in\n"
	    "the current folder.\n"
	    "      --request FILE   what to build, as for the service's POST /build\n"
	    "  -p, --path DIR       the step's folder, on this machine, instead of the\n"
	    "                       workflow registry's (also \"path\" in the request)\n"
	    "  -c, --config FILE    settings; else $CIC_CONFIG, else " SITE_CONFIG "\n"
	    "  -o, --output FOLDER  where the .sif goes\n"
	    "  -k, --keep           keep the build's folder and log, and say where\n"
	    "  -q, --quiet          no log, no progress\n"
	    "  -j, --json           print a JSON object instead of the .sif's path\n"
	    "      --no-color       no colours (as NO_COLOR in the environment)\n"
	    "  -h, --help           print this\n"
	    "The path of the .sif goes to standard output, everything else to standard\n"
	    "error.  Exit status: 0 fine; 1 the build failed, and it says why; 2 wrong\n"
	    "usage or request; 3 this machine cannot build, or its settings are wrong;\n"
	    "128 + n ended by signal n, and nothing is left.\n");
	exit(status);
}

static void
parse(struct command *c, int argc, char **argv)
{
	enum { REQUEST = 256, NO_COLOR };
	static const struct option options[] = {
		{ "request", required_argument, NULL, REQUEST },
		{ "path", required_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ "keep", no_argument, NULL, 'k' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'j' },
		{ "no-color", no_argument, NULL, NO_COLOR },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "p:c:o:kqjh", options,
	    NULL)) != -1)
		switch (opt) {
		case REQUEST:
			/* "--request --help" is what people type */
			if (strcmp(optarg, "--help") == 0 ||
			    strcmp(optarg, "-h") == 0)
				usage(stdout, FINE);
			c->request = optarg;
			break;
		case 'p': c->path = optarg; break;
		case 'c': c->config = optarg; break;
		case 'o': c->output = optarg; break;
		case 'k': c->keep = true; break;
		case 'q': c->quiet = true; break;
		case 'j': c->json = true; break;
		case NO_COLOR: c->no_color = true; break;
		case 'h': usage(stdout, FINE);
		default: usage(stderr, WRONG);
		}
	if (c->request == NULL || optind != argc)
		usage(stderr, WRONG);
}

/* --- settings ------------------------------------------------------------- */

static const char minimal[] =
    "repositories:\n"
    "  workflow_repository: https://github.com/eflows4hpc/workflow-registry.git\n"
    "  software_repository: https://github.com/eflows4hpc/software-catalog.git\n"
    "build:\n"
    "  base_image: ghcr.io/eflows4hpc/spack_base:0.19.2\n"
    "  engine: docker          # or podman\n"
    "  converter: builtin      # or singularity, apptainer\n";

static const char *
find_config(const struct command *c)
{
	const char *named = getenv("CIC_CONFIG");

	if (c->config != NULL)
		return c->config;
	if (named != NULL && named[0] != '\0')
		return named;
	return access(SITE_CONFIG, R_OK) == 0 ? SITE_CONFIG : NULL;
}

static int
load_config(struct command *c, struct cic_err *err)
{
	const char *path = find_config(c);
	struct cic_buf faults;

	if (path == NULL)
		return cic_err_set(err, CIC_ENOENT, "there is no "
		    "configuration: name it with --config or CIC_CONFIG, or "
		    "write a readable " SITE_CONFIG);
	cic_buf_init(&faults, 65536);
	c->conf = cic_conf_load(path, &faults);
	if (c->conf == NULL) {
		fputs(faults.data, stderr);
		cic_err_set(err, CIC_EINVAL, "%s cannot be used", path);
	}
	cic_buf_release(&faults);
	return c->conf != NULL ? 0 : -1;
}

/* Copies of the registries outlive a build: ${XDG_CACHE_HOME:-~/.cache}/cic */
static int
cache_folder(char out[CIC_PATH_MAX], struct cic_err *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int rc;

	/* one that is not absolute is to be ignored (XDG base directories) */
	if (cache != NULL && cache[0] == '/')
		rc = cic_path_format(out, err, "%s/cic", cache);
	else if (home != NULL && home[0] == '/')
		rc = cic_path_format(out, err, "%s/.cache/cic", home);
	else
		rc = cic_err_set(err, CIC_ENOENT, "neither XDG_CACHE_HOME nor "
		    "HOME names a folder for copies of the registries");
	return rc == 0 ? cic_mkdir_p(out, 0700, err) : -1;
}

/* --- the request ---------------------------------------------------------- */

/* A folder as an absolute path; `what` names it for people. */
static int
find_folder(const char *what, const char *path, char out[CIC_PATH_MAX],
    struct cic_err *err)
{
	char *real = realpath(path, NULL);
	struct stat st;
	int rc = 0;

	if (real == NULL || stat(real, &st) != 0)
		rc = cic_err_errno(err, "%s: %s", what, path);
	else if (!S_ISDIR(st.st_mode))
		rc = cic_err_set(err, CIC_EINVAL, "%s: %s is not a folder",
		    what, path);
	else
		rc = cic_path_format(out, err, "%s", real);
	free(real);
	return rc;
}

static int
set_path(struct command *c, struct cic_err *err)
{
	struct cic_request *r = &c->library.request;
	const char *what = c->path != NULL ? "--path" : "path";
	char real[CIC_PATH_MAX];

	if (c->path == NULL && r->path[0] == '\0')
		return 0;
	if (find_folder(what, c->path != NULL ? c->path : r->path, real,
	    err) != 0)
		return -1;
	if (strlen(real) >= sizeof(r->path))
		return cic_err_set(err, CIC_EINVAL, "%s: longer than %zu bytes",
		    what, sizeof(r->path) - 1);
	strcpy(r->path, real);
	return 0;
}

static int
read_request(struct command *c, struct cic_err *err)
{
	struct cic_request_site site = cic_conf_site(c->conf);
	struct cic_buf text;
	int rc;

	site.has_path = true;
	cic_buf_init(&text, REQUEST_MAX);
	rc = cic_read_file(c->request, &text, err);
	if (rc == 0 && cic_request_parse(text.data, text.len, &site,
	    &c->library.request, err) != 0)
		rc = cic_err_wrap(err, "%s", c->request);
	cic_buf_release(&text);
	if (rc == 0)
		rc = set_path(c, err);
	if (rc == 0)
		cic_request_names(&c->library.request, &site, false,
		    &c->library.names);
	return rc;
}

static int
find_output(const struct command *c, char out[CIC_PATH_MAX],
    struct cic_err *err)
{
	const char *path = c->output != NULL ? c->output : ".";

	if (find_folder("--output", path, out, err) != 0)
		return -1;
	return access(out, W_OK | X_OK) == 0 ? 0 :
	    cic_err_errno(err, "--output: %s", path);
}

/* --- the whole ------------------------------------------------------------ */

static int
check_machine(const struct command *c, struct cic_err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	if (null < 0)
		return cic_err_errno(err, "/dev/null");
	rc = tools_check(c->conf,
	    c->library.request.container == CIC_SINGULARITY, null, err);
	close(null);
	return rc;
}

/* What has to be right before anything is begun. */
static int
get_ready(struct command *c, struct cic_err *err)
{
	char output[CIC_PATH_MAX], cache[CIC_PATH_MAX];

	if (load_config(c, err) != 0)
		return UNABLE;
	if (read_request(c, err) != 0 || find_output(c, output, err) != 0)
		return WRONG;
	if (cache_folder(cache, err) != 0 ||
	    cic_conf_set_folders(c->conf, cache, output, err) != 0 ||
	    check_machine(c, err) != 0)
		return UNABLE;
	c->library.conf = c->conf;
	return FINE;
}

/* It ended before it began. */
static void
complain(struct command *c, int status, const struct cic_err *err)
{
	struct journal_line *end = &c->library.end;

	cic_log_warnx("%s", err->msg);
	if (find_config(c) == NULL)
		fprintf(stderr, "The least that one says:\n\n%s\n", minimal);
	end->event = JOURNAL_FAILED;
	end->cause = status == WRONG ? CIC_CAUSE_REQUEST : CIC_CAUSE_INTERNAL;
	snprintf(end->message, sizeof(end->message), "%s", err->msg);
	if (c->json && library_report_json(&c->library) != 0)
		cic_log_warn("standard output");
}

static int
tell(const struct command *c)
{
	const struct library *l = &c->library;
	bool failed = l->end.event == JOURNAL_FAILED;

	library_report(l);
	if ((c->json && library_report_json(l) != 0) ||
	    (!c->json && !failed && library_report_result(l) != 0)) {
		cic_log_warn("standard output");
		return FAILED;
	}
	return l->signal != 0 ? SIGNAL + l->signal : failed ? FAILED : FINE;
}

static int
run(struct command *c, struct cic_err *err)
{
	int status = UNABLE;

	c->library.keep = c->keep;
	c->library.terminal = &c->terminal;
	terminal_open(&c->terminal, STDERR_FILENO, c->quiet, c->no_color);
	if (library_run(&c->library, err) == 0)
		status = tell(c);
	terminal_close(&c->terminal);
	return status;
}

int
library_command(int argc, char **argv)
{
	static struct command c;
	struct cic_err err;
	int status;

	parse(&c, argc, argv);
	status = get_ready(&c, &err);
	if (status == FINE)
		status = run(&c, &err);
	if (status == WRONG || status == UNABLE)
		complain(&c, status, &err);
	cic_conf_free(c.conf);
	return status;
}
