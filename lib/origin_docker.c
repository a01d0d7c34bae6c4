/*
 * Images of docker: a container is made of the image, never started, and
 * exported, by the engine's API or by the docker client.
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
#include "origin_kinds.h"
#include "path.h"
#include "tar.h"

#define INSPECT_MAX	(8u << 20)

struct docker {
	struct cic_conf	 conf;
	struct cic_engine engine;
	/* by its API */
	bool		 by_api;
	char		 socket[CIC_PATH_MAX];
	struct cic_docker api;
	struct cic_feed	*feed;
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

	cic_tar_free(docker->tar);
	cic_input_free(docker->input);
	cic_feed_free(docker->feed);
	if (docker->by_api && docker->container[0] != '\0')
		r = cic_docker_remove(&docker->api, docker->container, err);
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
	if (r == -1 || cic_docker_create(&docker->api, origin->id,
	    docker->engine.build_id, docker->container, err) == -1)
		return -1;
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
	docker->input = cic_input_fd(docker->export.fd, err);
	if (docker->input == NULL)
		return -1;
	docker->tar = cic_tar_open(docker->input, CIC_TAR_EXPORT, err);
	return docker->tar == NULL ? -1 : 0;
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
	origin->close = close_docker;
	origin->abort = abort_docker;
	if (cic_engine_socket(&docker->engine, docker->socket))
		r = open_api(docker, name, origin, err);
	else
		r = open_client(docker, name, origin, err);
	if (r == -1) {
		close_docker(origin, &ignored);
		return -1;
	}
	origin->files = cic_tar_source(docker->tar);
	return 0;
}
