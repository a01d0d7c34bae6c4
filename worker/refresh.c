/* What the registries hold; see refresh.h. */
#include "refresh.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "digest.h"
#include "log.h"
#include "run.h"
#include "spawn.h"
#include "store_catalog.h"
#include "sweep.h"

#define INTERVAL	60	/* seconds between two looks, at least */

static int64_t
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static const struct cic_conf *
conf_of(const struct refresh *refresh)
{
	return refresh->worker->conf;
}

void
refresh_init(struct refresh *refresh, const struct worker *worker)
{
	char hex[CIC_SHA256_HEX];

	*refresh = (struct refresh){ .worker = worker, .out_fd = -1,
	    .due = seconds() };
	/* of this store: there may be another service on this host */
	cic_digest_mem(worker->conf->data, strlen(worker->conf->data), hex);
	snprintf(refresh->marker, sizeof(refresh->marker), "catalog-%.16s",
	    hex);
	sweep_processes(refresh->marker);
}

/* It and git's helpers, which outlive it. */
static void
clear(struct refresh *refresh)
{
	refresh->pid = 0;
	sweep_processes(refresh->marker);
	close(refresh->out_fd);
	refresh->out_fd = -1;
}

void
refresh_end(struct refresh *refresh)
{
	if (refresh->pid == 0)
		return;
	kill(refresh->pid, SIGKILL);
	waitpid(refresh->pid, NULL, 0);
	clear(refresh);
}

static void
failed(const struct refresh *refresh, const char *why)
{
	struct cic_err err;

	cic_log_warnx("catalog: %s", why);
	if (cic_store_catalog_failed(refresh->worker->store, why, &err) != 0)
		cic_log_warnx("catalog: %s", err.msg);
}

/* The configuration as we have it, as a file without a name: the one it was
 * read from may be changing now. */
static int
config_fd(const struct cic_conf *conf, struct cic_err *err)
{
	int fd = memfd_create("cic.yaml", MFD_CLOEXEC);
	size_t len = strlen(conf->text);

	if (fd >= 0 && write(fd, conf->text, len) == (ssize_t)len)
		return fd;
	cic_err_errno(err, "memory for the configuration");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
open_log(const struct cic_conf *conf, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	int fd;

	if (cic_path_format(path, err, "%s/catalog.log", conf->data) != 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	return fd >= 0 ? fd : cic_err_errno(err, "open %s", path);
}

static int
spawn(struct refresh *refresh, struct cic_err *err)
{
	char marker[sizeof(refresh->marker) + 16];
	const char *const env[] = { marker, NULL };
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv, .env = env };
	int rc = -1;

	snprintf(marker, sizeof(marker), "CIC_BUILD=%s", refresh->marker);
	cic_argv_add(&argv, refresh->worker->build_program);
	cic_argv_add(&argv, "--catalog");
	cic_argv_add(&argv, "--config");
	cic_argv_add(&argv, "/dev/stdin");
	spawn.log_fd = open_log(conf_of(refresh), err);
	if (spawn.log_fd < 0)
		return -1;
	spawn.stdin_fd = config_fd(conf_of(refresh), err);
	spawn.stdout_fd = memfd_create("catalog", MFD_CLOEXEC);
	if (spawn.stdin_fd >= 0 && spawn.stdout_fd < 0)
		cic_err_errno(err, "memory for the catalog");
	else if (spawn.stdin_fd >= 0)
		rc = cic_spawn_start(&spawn, &refresh->pid, err);
	close(spawn.log_fd);
	if (spawn.stdin_fd >= 0)
		close(spawn.stdin_fd);
	if (rc == 0)
		refresh->out_fd = spawn.stdout_fd;
	else if (spawn.stdout_fd >= 0)
		close(spawn.stdout_fd);
	return rc;
}

static void
start(struct refresh *refresh)
{
	struct cic_err err;
	int every = conf_of(refresh)->refresh;

	refresh->started = seconds();
	refresh->due = every > 0 ? refresh->started + every : INT64_MAX;
	refresh->overdue = false;
	if (spawn(refresh, &err) != 0) {
		refresh->pid = 0;
		failed(refresh, err.msg);
	}
}

void
refresh_turn(struct refresh *refresh)
{
	int64_t now = seconds();

	if (refresh->pid == 0 && now >= refresh->due)
		start(refresh);
	else if (refresh->pid > 0 && !refresh->overdue &&
	    now - refresh->started > conf_of(refresh)->git_timeout) {
		refresh->overdue = true;
		kill(refresh->pid, SIGKILL);
	}
}

void
refresh_soon(struct refresh *refresh)
{
	int64_t soon = refresh->started + INTERVAL;

	if (conf_of(refresh)->refresh > 0 && soon < refresh->due)
		refresh->due = soon;
}

/* What it printed, into `text`; whoever it was that printed it. */
static int
read_output(int fd, struct cic_buf *text, struct cic_err *err)
{
	char chunk[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0 &&
	    !text->failed) {
		cic_buf_add(text, chunk, (size_t)n);
		at += n;
	}
	if (n < 0)
		return cic_err_errno(err, "read the catalog");
	return text->failed ? cic_err_set(err, CIC_EINVAL,
	    "the catalog is larger than %d MiB", CIC_CATALOG_TEXT >> 20) : 0;
}

static void
take(struct refresh *refresh)
{
	struct cic_catalog catalog = { .updated = 0 };
	struct cic_buf text;
	struct cic_err err;

	cic_buf_init(&text, CIC_CATALOG_TEXT);
	if (read_output(refresh->out_fd, &text, &err) != 0 ||
	    cic_catalog_parse(text.data, text.len, &catalog, &err) != 0)
		failed(refresh, err.msg);
	else if (catalog.error[0] != '\0')
		failed(refresh, catalog.error);
	else if (cic_store_put_catalog(refresh->worker->store, &catalog,
	    &err) != 0)
		cic_log_warnx("catalog: %s", err.msg);
	cic_catalog_release(&catalog);
	cic_buf_release(&text);
}

void
refresh_reaped(struct refresh *refresh, pid_t pid, int status)
{
	if (refresh->pid == 0 || pid != refresh->pid)
		return;
	if (refresh->overdue)
		failed(refresh, "the registries did not answer within "
		    "limits.git_timeout");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		failed(refresh, "cic-build --catalog failed; see catalog.log");
	else
		take(refresh);
	clear(refresh);
}
