/*
 * Images of podman: their mounted root file system, read as a folder.  Podman
 * mounts without root only in its own user name space (`podman unshare`).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "conf.h"
#include "engine.h"
#include "err.h"
#include "origin_kinds.h"
#include "walk.h"

#define INSPECT_MAX	(8u << 20)

struct podman {
	struct cic_conf	 conf;
	struct cic_engine engine;
	char		 id[CIC_DIGEST_MAX];
	bool		 mounted;
	struct cic_walk	*walk;
};

static void
abort_podman(struct cic_origin *origin)
{
	struct podman *podman = origin->own;
	struct cic_err ignored;

	if (podman->mounted)
		cic_engine_unmount(&podman->engine, podman->id, &ignored);
}

static int
close_podman(struct cic_origin *origin, struct cic_err *err)
{
	struct podman *podman = origin->own;
	int r = 0;

	cic_walk_free(podman->walk);
	if (podman->mounted && cic_engine_unmount(&podman->engine, podman->id,
	    err) == -1)
		r = 1;
	free(podman);
	return r;
}

static int
open_podman(struct podman *podman, const char *name, struct cic_origin *origin,
    struct cic_err *err)
{
	struct cic_buf json, folder;
	int r = -1;

	cic_buf_init(&json, INSPECT_MAX);
	cic_buf_init(&folder, CIC_PATH_MAX);
	if (cic_engine_inspect(&podman->engine, name, &json, err) == -1 ||
	    cic_origin_set_config(origin, json.data, json.len, err) == -1)
		goto out;
	memcpy(podman->id, origin->id, sizeof(podman->id));
	if (cic_engine_mount(&podman->engine, podman->id, &folder, err) == -1)
		goto out;
	podman->mounted = true;
	podman->walk = cic_walk_open(folder.data, err);
	r = podman->walk == NULL ? -1 : 0;
out:
	cic_buf_release(&json);
	cic_buf_release(&folder);
	return r;
}

int
cic_origin_podman(const char *name, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err)
{
	struct podman *podman = calloc(1, sizeof(*podman));
	struct cic_err ignored;

	if (podman == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	cic_origin_conf(options->conf, CIC_ENGINE_PODMAN, &podman->conf);
	podman->engine = (struct cic_engine){ .conf = &podman->conf,
	    .build_id = options->label, .log_fd = options->log_fd };
	origin->own = podman;
	origin->close = close_podman;
	origin->abort = abort_podman;
	if (open_podman(podman, name, origin, err) == -1) {
		close_podman(origin, &ignored);
		return -1;
	}
	origin->files = cic_walk_source(podman->walk);
	return 0;
}
