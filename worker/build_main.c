/*
 * cic-build: one build from request to .sif.
 *
 * For cic-worker: started with the journal as standard output and the log as
 * standard error; touches no store and opens no socket.  Exit status 0 when
 * the journal has its last line, whatever that says.  For people: --request
 * (library_command.h) and --convert (convert_command.h).  For cic-worker as
 * well: --catalog (catalog_command.h).
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "catalog_command.h"
#include "convert_command.h"
#include "job.h"
#include "library_command.h"
#include "log.h"
#include "stages.h"
#include "version.h"
#include "wake.h"

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-build --request FILE.json [options]\n"
	    "       cic-build --convert SOURCE --output FILE.sif [options]\n"
	    "       cic-build -c FILE -b FOLDER\n"
	    "       cic-build --catalog -c FILE\n"
	    "Build an image on this machine, make a .sif of an image, run one build that\n"
	    "cic-worker has laid out, or tell it what the registries hold.  cic-build\n"
	    "--request --help, --convert --help and --catalog --help tell more of the\n"
	    "others; this is for the third:\n"
	    "  -c, --config FILE   the service's configuration\n"
	    "  -b, --build FOLDER  the build's folder, which holds job.json\n"
	    "  -V, --version       print the version\n"
	    "  -h, --help          print this\n"
	    "JSON lines about its progress go to standard output, the log to\n"
	    "standard error.  Exit status: 0 the last line says how it ended,\n"
	    "1 it could not be told, 2 wrong usage.\n");
	exit(status);
}

static void
poke_worker(const struct job *job)
{
	char folder[CIC_PATH_MAX];
	struct cic_err ignored;

	if (cic_path_format(folder, &ignored, "%s/db", job->conf->data) == 0)
		cic_wake_poke(folder);
}

/* Our number, into the lock file that is held for us: for people, scripts, and
 * the worker when we hang. */
static void
write_pid(const struct job *job)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	int fd;

	if (cic_path_format(path, &ignored, "%s/lock", job->folder) != 0)
		return;
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		cic_log_warn("%s", path);
	if (fd >= 0)
		close(fd);
}

/* Run the build of a folder; returns the exit status. */
static int
build_command(const char *config, const char *folder)
{
	static const struct stages_caller worker = {
		.host = "the service's host", .moved = poke_worker };
	struct job job = { .log_fd = STDERR_FILENO,
	    .journal_fd = STDOUT_FILENO };
	struct cic_buf faults;
	struct cic_conf *conf;
	struct cic_err err;
	int rc;

	cic_buf_init(&faults, 65536);
	job.conf = conf = cic_conf_load(config, &faults);
	if (conf == NULL)
		cic_log_fatalx("%s", faults.data);
	if (cic_path_format(job.folder, &err, "%s", folder) != 0 ||
	    job_read(&job, &err) != 0)
		cic_log_fatalx("%s", err.msg);
	write_pid(&job);
	rc = stages_run(&job, &worker) == 0 ? 0 : 1;
	cic_build_release(&job.build);
	cic_conf_free(conf);
	cic_buf_release(&faults);
	return rc;
}

/* Is this one of the other things we do?  `option` comes by itself or with "=". */
static bool
asks_for(const char *option, int argc, char **argv)
{
	size_t len = strlen(option);
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strncmp(argv[i], option, len) == 0 &&
		    (argv[i][len] == '\0' || argv[i][len] == '='))
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "build", required_argument, NULL, 'b' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *config = NULL, *folder = NULL;
	int opt;

	cic_log_open("cic-build");
	if (asks_for("--convert", argc, argv))
		return convert_command(argc, argv);
	if (asks_for("--catalog", argc, argv))
		return catalog_command(argc, argv);
	if (asks_for("--request", argc, argv))
		return library_command(argc, argv);
	while ((opt = getopt_long(argc, argv, "c:b:Vh", options, NULL)) != -1)
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'b':
			folder = optarg;
			break;
		case 'V':
			puts("cic-build " CIC_VERSION);
			return 0;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	if (config == NULL || folder == NULL || optind != argc)
		usage(stderr, 2);
	return build_command(config, folder);
}
