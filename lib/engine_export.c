/* An image's files out of the engine, by a container or a mount, and what is left
 * of them; declared in engine.h. */
#include "engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "engine_run.h"

static int
create_container(const struct cic_engine *engine, const char *image_id,
    char container[128], struct cic_err *err)
{
	char label[64];
	/* without a command of its own an image cannot be created from */
	/* and a working directory that is missing would be made */
	const char *words[] = { "create", "--workdir", "/", "--label", label,
	    image_id,
	    "/never-started", NULL };
	struct cic_buf out;
	int rc;

	snprintf(label, sizeof(label), "cic.build=%s", engine->build_id);
	cic_buf_init(&out, 4096);
	rc = cic_engine_must(engine, words, &out, CIC_ENGINE_QUICK * 5, err);
	if (rc == 0) {
		size_t len = strcspn(out.data, "\n");

		if (len == 0 || len >= 128 ||
		    strspn(out.data, "0123456789abcdef") < len)
			rc = cic_err_set(err, CIC_EIO,
			    "%s create printed no container id",
			    cic_engine_command(engine->conf));
		else
			snprintf(container, 128, "%.*s", (int)len, out.data);
	}
	cic_buf_release(&out);
	return rc;
}

static void
remove_container(const struct cic_engine *engine, const char *container)
{
	const char *words[] = { "rm", "--force", "--volumes", container, NULL };
	struct cic_err ignored;
	struct cic_buf out;

	cic_buf_init(&out, 65536);
	cic_engine_run(engine, words, &out, CIC_ENGINE_QUICK * 5, &ignored);
	cic_buf_release(&out);
}

int
cic_engine_export_start(const struct cic_engine *engine, const char *image_id,
    struct cic_engine_export *export, struct cic_err *err)
{
	const char *words[] = { "export", export->container, NULL };
	struct cic_engine_env env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = cic_engine_environment(&env, engine, NULL), .log_fd = engine->log_fd };
	int ends[2];

	if (create_container(engine, image_id, export->container, err) != 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		cic_err_errno(err, "pipe");
		remove_container(engine, export->container);
		return -1;
	}
	cic_engine_argv(&argv, engine, words);
	spawn.stdout_fd = ends[1];
	if (cic_spawn_start(&spawn, &export->pid, err) != 0) {
		close(ends[0]);
		close(ends[1]);
		remove_container(engine, export->container);
		return -1;
	}
	close(ends[1]);
	export->fd = ends[0];
	return 0;
}

int
cic_engine_export_end(const struct cic_engine *engine,
    struct cic_engine_export *export, struct cic_err *err)
{
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv, .log_fd = engine->log_fd,
	    .timeout = CIC_ENGINE_QUICK };
	int status, rc;

	cic_argv_add(&argv, cic_engine_command(engine->conf));
	close(export->fd);	/* unread bytes end the exporter by SIGPIPE */
	rc = cic_spawn_wait(&spawn, export->pid, &status, err);
	remove_container(engine, export->container);
	if (rc == 0 && status != 0)
		rc = cic_err_set(err, CIC_EIO,
		    "%s export ended with status %d; the log has what it said",
		    cic_engine_command(engine->conf), status);
	return rc;
}

int
cic_engine_mount(const struct cic_engine *engine, const char *image_id,
    struct cic_buf *folder, struct cic_err *err)
{
	const char *words[] = { "image", "mount", image_id, NULL };
	struct cic_buf out;
	int rc;

	cic_buf_init(&out, CIC_PATH_MAX);
	rc = cic_engine_must(engine, words, &out, CIC_ENGINE_QUICK, err);
	if (rc == 0 && (out.data[0] != '/' || strcspn(out.data, "\n") + 1 !=
	    out.len))
		rc = cic_err_set(err, CIC_EIO, "%s image mount printed no folder",
		    cic_engine_command(engine->conf));
	else if (rc == 0)
		cic_buf_add(folder, out.data, out.len - 1);
	cic_buf_release(&out);
	return rc;
}

int
cic_engine_unmount(const struct cic_engine *engine, const char *image_id,
    struct cic_err *err)
{
	const char *words[] = { "image", "unmount", image_id, NULL };
	struct cic_buf out;
	int rc;

	cic_buf_init(&out, 65536);
	rc = cic_engine_must(engine, words, &out, CIC_ENGINE_QUICK, err);
	cic_buf_release(&out);
	return rc;
}

/* "unix:///run/docker.sock\n" -> the path. */
static bool
socket_of(const char *host, char path[CIC_PATH_MAX])
{
	struct cic_err ignored;

	return strncmp(host, "unix:///", 8) == 0 &&
	    cic_path_format(path, &ignored, "%.*s", (int)strcspn(host + 7, "\n"),
	    host + 7) == 0;
}

bool
cic_engine_socket(const struct cic_engine *engine, char path[CIC_PATH_MAX])
{
	const char *words[] = { "context", "inspect", "--format",
	    "{{.Endpoints.docker.Host}}", NULL };
	const char *host = getenv("DOCKER_HOST");
	struct cic_err ignored;
	struct cic_buf out;
	bool found = false;

	if (engine->conf->engine_args.count == 0 && host != NULL &&
	    *host != '\0')
		return socket_of(host, path);
	/* Without its client, docker's engine is where it always is. */
	if (!cic_program_exists(cic_engine_command(engine->conf)))
		return socket_of("unix:///var/run/docker.sock", path);
	cic_buf_init(&out, CIC_PATH_MAX);
	if (cic_engine_run(engine, words, &out, CIC_ENGINE_QUICK, &ignored) == 0)
		found = socket_of(out.data, path);
	cic_buf_release(&out);
	return found;
}

void
cic_engine_scratch_name(const struct cic_engine *engine, char *name,
    size_t size)
{
	snprintf(name, size, "cic-build:%s", engine->build_id);
}

void
cic_engine_clean(const struct cic_engine *engine)
{
	char filter[80], scratch[80], *id, *save = NULL;
	const char *words[] = { "ps", "--all", "--quiet", "--no-trunc",
	    "--filter", filter, NULL };
	struct cic_err ignored;
	struct cic_buf out;

	snprintf(filter, sizeof(filter), "label=cic.build=%s",
	    engine->build_id);
	cic_buf_init(&out, 65536);
	if (cic_engine_run(engine, words, &out, CIC_ENGINE_QUICK, &ignored) == 0)
		for (id = strtok_r(out.data, "\n", &save); id != NULL;
		    id = strtok_r(NULL, "\n", &save))
			if (strspn(id, "0123456789abcdef") == strlen(id))
				remove_container(engine, id);
	cic_buf_release(&out);
	cic_engine_scratch_name(engine, scratch, sizeof(scratch));
	if (engine->conf->engine == CIC_ENGINE_DOCKER)
		cic_engine_untag(engine, scratch, &ignored);
}
