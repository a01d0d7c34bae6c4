/*
 * Images of docker.  A container is made of the image, never started, so that
 * nobody removes the image meanwhile.  Then, the best that can be had of
 *
 *	the image's layers where docker keeps them, mounted once more: as root,
 *	with the storage driver overlay2 and no user name space of docker's own
 *	the container's export by the engine's API
 *	the same by the docker client, when the API is not on a Unix socket
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"
#include "docker_api.h"
#include "engine.h"
#include "err.h"
#include "feed.h"
#include "input.h"
#include "json.h"
#include "origin_kinds.h"
#include "overlay.h"
#include "path.h"
#include "tar.h"
#include "walk.h"

#define INSPECT_MAX	(8u << 20)
#define LAYERS_MAX	256

struct docker {
	struct cic_conf	 conf;
	struct cic_engine engine;
	/* by its API */
	bool		 by_api;
	char		 socket[CIC_PATH_MAX];
	struct cic_docker api;
	struct cic_walk	*walk;		/* of its layers, or … */
	struct cic_feed	*feed;		/* … of its export */
	/* by its client */
	bool		 exporting;
	struct cic_engine_export export;
	struct cic_input *input;
	/* by either */
	char		 container[CIC_DOCKER_CONTAINER];	/* "": none */
	struct cic_tar	*tar;
};

static void
abort_docker(struct cic_origin *origin)
{
	struct docker *docker = origin->own;
	struct cic_err ignored;

	if (docker->by_api && docker->container[0] != '\0')
		cic_docker_remove(&docker->api, docker->container, &ignored);
	else if (docker->exporting)
		cic_engine_clean(&docker->engine);
}

static int
close_docker(struct cic_origin *origin, struct cic_err *err)
{
	struct docker *docker = origin->own;
	int r = 0;

	cic_walk_free(docker->walk);
	cic_tar_free(docker->tar);
	cic_input_free(docker->input);
	cic_feed_free(docker->feed);
	if (docker->by_api && docker->container[0] != '\0' &&
	    cic_docker_remove(&docker->api, docker->container, err) == -1)
		r = err->code == CIC_ENOENT ? 0 : 1;
	if (docker->exporting)
		r = cic_engine_export_end(&docker->engine, &docker->export, err);
	free(docker);
	return r;
}

static int
produce(void *arg, struct cic_feed *feed, struct cic_err *err)
{
	struct docker *docker = arg;

	return cic_docker_export(&docker->api, docker->container, feed, err);
}

/* --- layers ------------------------------------------------------------- */

/* Does docker keep files as they are, in folders that we may look into? */
static bool
keeps_plain_layers(const struct docker *docker)
{
	const struct cic_json *option;
	struct cic_json *info = NULL;
	struct cic_err ignored;
	struct cic_buf text;
	const char *driver;
	bool plain;

	cic_buf_init(&text, INSPECT_MAX);
	if (geteuid() == 0 && cic_docker_info(&docker->api, &text, &ignored) == 0)
		info = cic_json_parse(text.data, text.len, &ignored);
	driver = cic_json_get_string(info, "Driver");
	plain = driver != NULL && strcmp(driver, "overlay2") == 0;
	option = cic_json_first(cic_json_get(info, "SecurityOptions"));
	for (; plain && option != NULL; option = cic_json_next(option)) {
		/* owners are shifted there */
		if (cic_json_string(option) != NULL &&
		    (strstr(cic_json_string(option), "name=userns") != NULL ||
		    strstr(cic_json_string(option), "name=rootless") != NULL))
			plain = false;
	}
	cic_json_free(info);
	cic_buf_release(&text);
	return plain;
}

/* Cut "a:b:c" into `layer`, behind what is there. */
static size_t
split_layers(char *list, const char **layer, size_t n)
{
	char *save = NULL, *p;

	for (p = strtok_r(list, ":", &save); p != NULL && n < LAYERS_MAX;
	    p = strtok_r(NULL, ":", &save))
		layer[n++] = p;
	return n;
}

/* The image's layers, topmost first, mounted; -1 when that cannot be had. */
static int
mount_layers(const struct cic_origin *origin)
{
	const struct cic_json *data;
	const char *layer[LAYERS_MAX], *upper, *lower;
	struct cic_json *json;
	struct cic_err ignored;
	char *list = NULL;
	size_t n = 0;
	int fd = -1;

	json = cic_json_parse(origin->config, strlen(origin->config), &ignored);
	data = cic_json_get(cic_json_get(json, "GraphDriver"), "Data");
	upper = cic_json_get_string(data, "UpperDir");
	lower = cic_json_get_string(data, "LowerDir");
	if (upper != NULL && *upper == '/') {
		layer[n++] = upper;
		if (lower != NULL && (list = strdup(lower)) != NULL)
			n = split_layers(list, layer, n);
		if (n < LAYERS_MAX && (lower == NULL || list != NULL))
			fd = cic_overlay_mount(layer, n, &ignored);
	}
	free(list);
	cic_json_free(json);
	return fd;
}

/* Whether it worked; nothing is lost when it did not. */
static bool
open_layers(struct docker *docker, const struct cic_origin *origin)
{
	struct cic_err ignored;
	int fd = keeps_plain_layers(docker) ? mount_layers(origin) : -1;

	if (fd != -1)
		docker->walk = cic_walk_fd(fd, &ignored);
	return docker->walk != NULL;
}

/* --- export ------------------------------------------------------------- */

static int
open_api(struct docker *docker, const char *name, struct cic_origin *origin,
    struct cic_err *err)
{
	struct cic_buf json;
	int r;

	docker->by_api = true;
	docker->api.socket = docker->socket;
	cic_buf_init(&json, INSPECT_MAX);
	r = cic_docker_inspect(&docker->api, name, &json, err);
	if (r == 0)
		r = cic_origin_set_config(origin, json.data, json.len, err);
	cic_buf_release(&json);
	return r == -1 ? -1 : cic_docker_create(&docker->api, origin->id,
	    docker->engine.build_id, docker->container, err);
}

static int
start_api(struct docker *docker, const struct cic_origin *origin,
    struct cic_err *err)
{
	if (open_layers(docker, origin))
		return 0;
	docker->feed = cic_feed_start(produce, docker, err);
	if (docker->feed == NULL)
		return -1;
	docker->tar = cic_tar_open(cic_feed_input(docker->feed), CIC_TAR_EXPORT,
	    err);
	return docker->tar == NULL ? -1 : 0;
}

static int
open_client(struct docker *docker, const char *name, struct cic_origin *origin,
    struct cic_err *err)
{
	struct cic_buf json;
	int r;

	cic_buf_init(&json, INSPECT_MAX);
	r = cic_engine_inspect(&docker->engine, name, &json, err);
	if (r == 0)
		r = cic_origin_set_config(origin, json.data, json.len, err);
	cic_buf_release(&json);
	if (r == -1 || cic_engine_export_start(&docker->engine, origin->id,
	    &docker->export, err) == -1)
		return -1;
	docker->exporting = true;
	return 0;
}

static int
start_client(struct docker *docker, struct cic_err *err)
{
	docker->input = cic_input_fd(docker->export.fd, err);
	if (docker->input == NULL)
		return -1;
	docker->tar = cic_tar_open(docker->input, CIC_TAR_EXPORT, err);
	return docker->tar == NULL ? -1 : 0;
}

static int
start_docker(struct cic_origin *origin, struct cic_err *err)
{
	struct docker *docker = origin->own;
	int r = docker->by_api ? start_api(docker, origin, err) :
	    start_client(docker, err);

	if (r == 0)
		origin->files = docker->walk != NULL ?
		    cic_walk_source(docker->walk) : cic_tar_source(docker->tar);
	return r;
}

int
cic_origin_docker(const char *name, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err)
{
	struct docker *docker = calloc(1, sizeof(*docker));
	struct cic_err ignored;
	int r;

	if (docker == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	cic_origin_conf(options->conf, CIC_ENGINE_DOCKER, &docker->conf);
	docker->engine = (struct cic_engine){ .conf = &docker->conf,
	    .build_id = options->label, .log_fd = options->log_fd };
	origin->own = docker;
	origin->start = start_docker;
	origin->close = close_docker;
	origin->abort = abort_docker;
	if (cic_engine_socket(&docker->engine, docker->socket))
		r = open_api(docker, name, origin, err);
	else
		r = open_client(docker, name, origin, err);
	if (r == -1)
		close_docker(origin, &ignored);
	return r;
}
