/* The built-in converter as a command; see convert_command.h. */
#include "convert_command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "convert.h"
#include "id.h"
#include "json.h"
#include "log.h"
#include "origin.h"
#include "output.h"
#include "path.h"
#include "stop.h"

#define DESCRIBE_MAX	(1u << 20)
#define LABEL_MAX	50
#define LABEL		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
			"0123456789._-"
#define MIB		(1024.0 * 1024.0)

struct command {
	/* told */
	const char	*source, *file, *config, *name, *platform, *describe, *lock;
	const char	*label;
	int		 level, threads;
	bool		 force, json, quiet, plain;

	/* at work; the lock is held while something is made or taken away that
	 * outlives the process */
	pthread_mutex_t	 mutex;
	struct cic_conf	*conf;
	struct cic_origin origin;
	bool		 opened, published;
	struct cic_output output;
	struct cic_converted made;
	char		 id[CIC_ID_TEXT];
	char		 image_id[CIC_DIGEST_MAX];
	struct timespec	 began, shown;
};

/* --- words -------------------------------------------------------------- */

static void usage(FILE *out, int status) __attribute__((noreturn));
static void
usage(FILE *out, int status)
{
	fprintf(out,
	    "usage: cic-build --convert SOURCE --output FILE.sif [options]\n"
	    "Make a .sif of a container image, without singularity or apptainer.\n"
	    "  SOURCE: docker-daemon://NAME   an image of docker's engine\n"
	    "          podman://NAME          an image of podman\n"
	    "          docker-archive:FILE    what `docker save` wrote\n"
	    "          oci-archive:FILE       an OCI layout in a tar archive\n"
	    "          oci:FOLDER             an OCI layout\n"
	    "          (archives of several images: FILE:REFERENCE)\n"
	    "  -o, --output FILE     the .sif; it appears only when it is complete\n"
	    "  -F, --force           replace FILE if it exists\n"
	    "  -p, --platform P      of an archive for several: linux/arm64; default:\n"
	    "                        this machine's\n"
	    "  -l, --level N         1 to 12: fast to small (5)\n"
	    "  -t, --threads N       that pack; default: processors we may use\n"
	    "  -j, --json            print a summary, or the failure, as JSON\n"
	    "  -q, --quiet           no progress, no summary\n"
	    "  -P, --progress        progress as lines, also when not on a terminal\n"
	    "  -n, --name NAME       what the file says it was made from\n"
	    "  -d, --describe FILE   JSON object to embed into cic-build.json\n"
	    "  -s, --spack-lock PATH file in the image to embed there, too\n"
	    "  -c, --config FILE     how to call the engine: cic.yaml\n"
	    "  -L, --label ID        of the container made: cic.build=ID\n"
	    "Exit status: 0 the file is there; 1 it is not, the message says why;\n"
	    "2 wrong usage; 128 + n ended by signal n, and nothing is left.\n");
	exit(status);
}

static int
number(const char *text, int min, int max, const char *what)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
		cic_log_warnx("%s: \"%s\" is not a number from %d to %d", what, text,
		    min, max);
		exit(2);
	}
	return (int)n;
}

static void
parse(struct command *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "convert", required_argument, NULL, 'C' },
		{ "output", required_argument, NULL, 'o' },
		{ "force", no_argument, NULL, 'F' },
		{ "platform", required_argument, NULL, 'p' },
		{ "level", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "progress", no_argument, NULL, 'P' },
		{ "name", required_argument, NULL, 'n' },
		{ "describe", required_argument, NULL, 'd' },
		{ "spack-lock", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "label", required_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "o:Fp:l:t:jqPn:d:s:c:L:h",
	    options, NULL)) != -1)
		switch (opt) {
		case 'C':
			/* "--convert --help" is what people type */
			if (strcmp(optarg, "--help") == 0 ||
			    strcmp(optarg, "-h") == 0)
				usage(stdout, 0);
			c->source = optarg;
			break;
		case 'o': c->file = optarg; break;
		case 'F': c->force = true; break;
		case 'p': c->platform = optarg; break;
		case 'l': c->level = number(optarg, 1, 12, "--level"); break;
		case 't': c->threads = number(optarg, 1, CIC_CONVERT_THREADS,
		    "--threads"); break;
		case 'j': c->json = true; break;
		case 'q': c->quiet = true; break;
		case 'P': c->plain = true; break;
		case 'n': c->name = optarg; break;
		case 'd': c->describe = optarg; break;
		case 's': c->lock = optarg; break;
		case 'c': c->config = optarg; break;
		case 'L':
			if (strlen(optarg) > LABEL_MAX || strspn(optarg, LABEL) !=
			    strlen(optarg)) {
				cic_log_warnx("--label: at most %d letters, digits "
				    "and ._-", LABEL_MAX);
				exit(2);
			}
			c->label = optarg;
			break;
		case 'h': usage(stdout, 0);
		default: usage(stderr, 2);
		}
	if (c->source == NULL || c->file == NULL || optind != argc)
		usage(stderr, 2);
}

/* --- progress ----------------------------------------------------------- */

static double
since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) +
	    (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void
progress(void *arg, uint64_t bytes, uint64_t files)
{
	struct command *c = arg;
	double seconds = since(&c->began);

	if (since(&c->shown) < (c->plain ? 10.0 : 0.2))
		return;
	clock_gettime(CLOCK_MONOTONIC, &c->shown);
	if (c->plain)
		cic_log_info("converting: %.0f MiB, %llu files, %.0f MiB/s",
		    (double)bytes / MIB, (unsigned long long)files,
		    (double)bytes / MIB / seconds);
	else
		fprintf(stderr, "\r%9.1f MiB %9llu files %7.1f MiB/s ",
		    (double)bytes / MIB, (unsigned long long)files,
		    (double)bytes / MIB / seconds);
}

static bool
on_terminal(const struct command *c)
{
	return !c->quiet && !c->plain && isatty(STDERR_FILENO);
}

static void
wipe_line(const struct command *c)
{
	if (on_terminal(c))
		fprintf(stderr, "\r%60s\r", "");
}

/* For programs: what went wrong, as a word and as a sentence. */
static void
tell_failure(const struct command *c, const struct cic_err *err)
{
	static const char *const code[CIC_CODE__MAX] = {
		[CIC_OK] = "", [CIC_EINVAL] = "invalid", [CIC_ENOENT] = "missing",
		[CIC_EEXIST] = "exists", [CIC_ENOSPC] = "full",
		[CIC_EAGAIN] = "again", [CIC_EDENIED] = "denied",
		[CIC_EIO] = "failed",
	};
	struct cic_buf b;

	cic_log_warnx("%s", err->msg);
	if (!c->json)
		return;
	cic_buf_init(&b, sizeof(err->msg) * 8);
	cic_buf_printf(&b, "{\"code\":\"%s\",\"error\":", code[err->code]);
	cic_json_quote(&b, err->msg);
	cic_buf_puts(&b, "}");
	puts(b.data);
	cic_buf_release(&b);
}

static void
summary(const struct command *c)
{
	const struct cic_converted *made = &c->made;
	struct cic_buf b;

	if (c->json) {
		cic_buf_init(&b, CIC_PATH_MAX * 8);
		cic_buf_puts(&b, "{\"file\":");
		cic_json_quote(&b, c->file);
		cic_buf_printf(&b, ",\"size\":%llu,\"sha256\":\"%s\","
		    "\"seconds\":%.3f,\"files\":%llu,\"bytes\":%llu,"
		    "\"image_id\":\"%s\"}", (unsigned long long)made->size,
		    made->sha256, since(&c->began),
		    (unsigned long long)made->files,
		    (unsigned long long)made->bytes, c->image_id);
		puts(b.data);
		cic_buf_release(&b);
	} else if (!c->quiet)
		printf("%s: %.1f MiB of %.1f MiB in %llu files, in %.1f s\n"
		    "sha256 %s\n", c->file, (double)made->size / MIB,
		    (double)made->bytes / MIB, (unsigned long long)made->files,
		    since(&c->began), made->sha256);
}

/* --- signals ------------------------------------------------------------ */

/* A signal takes away what would stay behind and ends the process; but not while
 * such a thing is being made, nor when all is done. */
static void *
wait_for_signal(void *arg)
{
	struct command *c = arg;
	sigset_t set;
	int sig;

	stop_signals(&set);
	if (sigwait(&set, &sig) != 0)
		return NULL;
	pthread_mutex_lock(&c->mutex);
	if (!c->published) {
		if (c->opened)
			cic_origin_abort(&c->origin);
		if (c->output.part[0] != '\0')
			unlink(c->output.part);
		wipe_line(c);
		cic_log_warnx("stopped by signal %d; %s was not written", sig,
		    c->file);
		_exit(128 + sig);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

static int
watch_signals(struct command *c, struct cic_err *err)
{
	pthread_t thread;
	sigset_t set;

	stop_signals(&set);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* then it is an error that has a message */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL, wait_for_signal, c) != 0)
		return cic_err_set(err, CIC_EIO, "no thread could be started");
	pthread_detach(thread);
	return 0;
}

/* --- work --------------------------------------------------------------- */

static int
read_describe(const struct command *c, struct cic_buf *text, struct cic_err *err)
{
	if (c->describe == NULL)
		return 0;
	return cic_read_file(c->describe, text, err);
}

/* A folder in a folder in a folder: each is open while what is in it is read. */
static void
raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
open_both(struct command *c, struct cic_err *err)
{
	struct cic_origin_options options = {
		.conf = c->conf,
		.platform = c->platform == NULL ? "" : c->platform,
		.label = c->label == NULL ? c->id : c->label,
		.log_fd = STDERR_FILENO,
	};
	int r;

	pthread_mutex_lock(&c->mutex);
	r = cic_output_open(&c->output, c->file, err);
	if (r == 0)
		r = cic_origin_open(c->source, &options, &c->origin, err);
	c->opened = r == 0;
	pthread_mutex_unlock(&c->mutex);
	return r;
}

/* End the source first: only then is it known that all of it was read. */
static int
close_both(struct command *c, int r, struct cic_err *err)
{
	struct cic_err other;
	int closed;

	pthread_mutex_lock(&c->mutex);
	if (c->opened) {
		memcpy(c->image_id, c->origin.id, sizeof(c->image_id));
		closed = cic_origin_close(&c->origin, &other);
		if (closed == -1 && r == 0) {
			*err = other;
			r = -1;
		} else if (closed == 1)
			cic_log_warnx("left behind: %s", other.msg);
	}
	c->opened = false;
	if (r == 0)
		r = cic_output_publish(&c->output, c->force, err);
	else
		cic_output_abandon(&c->output);
	c->published = r == 0;
	pthread_mutex_unlock(&c->mutex);
	return r;
}

static int
convert(struct command *c, const char *describe, struct cic_err *err)
{
	struct cic_convert what = {
		.files = c->origin.files,
		.layer = c->origin.oci.layer,
		.layers = c->origin.oci.count,
		.config = c->origin.config,
		.scheme = c->origin.scheme,
		.reference = c->name != NULL ? c->name : c->origin.reference,
		.image_id = c->origin.id,
		.describe = describe,
		.lock = c->lock,
		.threads = (unsigned)c->threads,
		.level = c->level,
		.progress = c->plain || on_terminal(c) ? progress : NULL,
		.arg = c,
	};

	return cic_convert(&what, c->output.fd, &c->made, err);
}

/* What is damaged, or where there is no room. */
static int
name_the_file(const struct command *c, struct cic_err *err)
{
	if (err->code == CIC_EINVAL && c->origin.oci.count > 0)
		return cic_err_wrap(err, "%s", c->source);
	return err->code == CIC_ENOSPC ? cic_err_wrap(err, "%s", c->file) : -1;
}

static int
run(struct command *c, struct cic_err *err)
{
	struct cic_buf describe;
	int r;

	if (!c->force && access(c->file, F_OK) == 0)
		return cic_err_set(err, CIC_EEXIST, "%s exists; --force replaces it",
		    c->file);
	cic_buf_init(&describe, DESCRIBE_MAX);
	r = read_describe(c, &describe, err);
	if (r == 0) {
		r = open_both(c, err);
		if (r == 0)
			r = cic_origin_start(&c->origin, err);
		if (r == 0)
			r = convert(c, c->describe == NULL ? NULL : describe.data,
			    err) == 0 ? 0 : name_the_file(c, err);
		r = close_both(c, r, err);
	}
	cic_buf_release(&describe);
	return r;
}

/* Podman mounts images without root only inside its own user name space. */
static int
enter_podman(const struct command *c, char **argv, int argc)
{
	char **words = calloc((size_t)argc + CIC_CONF_LIST_MAX + 4,
	    sizeof(*words));
	char self[CIC_PATH_MAX], podman[] = "podman", verb[] = "unshare";
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int n = 0, i;

	if (words == NULL || len == -1) {
		cic_log_warn("podman unshare");
		return 1;
	}
	self[len] = '\0';
	words[n++] = podman;
	if (c->conf != NULL && c->conf->engine == CIC_ENGINE_PODMAN) {
		if (c->conf->engine_command[0] != '\0')
			words[0] = c->conf->engine_command;
		for (i = 0; i < c->conf->engine_args.count; i++)
			words[n++] = c->conf->engine_args.item[i];
	}
	words[n++] = verb;
	words[n++] = self;
	for (i = 1; i < argc; i++)
		words[n++] = argv[i];
	execvp(words[0], words);
	cic_log_warn("%s: cannot be run", words[0]);
	free(words);
	return 1;
}

static void
load_conf(struct command *c)
{
	struct cic_buf faults;

	if (c->config == NULL)
		return;
	cic_buf_init(&faults, 65536);
	c->conf = cic_conf_load(c->config, &faults);
	if (c->conf == NULL)
		cic_log_fatalx("%s", faults.data);
	cic_buf_release(&faults);
	if (c->level == 0)
		c->level = c->conf->converter_level;
	if (c->threads == 0)
		c->threads = c->conf->converter_threads;
}

int
convert_command(int argc, char **argv)
{
	struct command c = { .mutex = PTHREAD_MUTEX_INITIALIZER,
	    .output = { .fd = -1 } };
	struct cic_err err;
	int r;

	parse(&c, argc, argv);
	if (cic_origin_check(c.source, &err) == -1) {
		cic_log_warnx("%s", err.msg);
		return 2;
	}
	load_conf(&c);
	if (cic_origin_wants_unshare(c.source))
		return enter_podman(&c, argv, argc);
	clock_gettime(CLOCK_MONOTONIC, &c.began);
	c.shown = c.began;
	cic_id_new(c.id);
	raise_file_limit();
	r = watch_signals(&c, &err);
	if (r == 0)
		r = run(&c, &err);
	wipe_line(&c);
	if (r == 0)
		summary(&c);
	else
		tell_failure(&c, &err);
	cic_conf_free(c.conf);
	return r == 0 ? 0 : 1;
}
