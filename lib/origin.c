/* Images by one word; see origin.h. */
#include "origin.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "json.h"
#include "origin_kinds.h"

enum kind { DOCKER, PODMAN, DOCKER_ARCHIVE, OCI_ARCHIVE, OCI, KIND__MAX };

/* The scheme is what the definition says: where apptainer would find it again. */
static const struct { const char *prefix, *scheme; } kinds[KIND__MAX] = {
	[DOCKER] = { "docker-daemon:", "docker-daemon" },
	/* one image, one file, whichever engine has it */
	[PODMAN] = { "podman:", "docker-daemon" },
	[DOCKER_ARCHIVE] = { "docker-archive:", "docker-archive" },
	[OCI_ARCHIVE] = { "oci-archive:", "oci-archive" },
	[OCI] = { "oci:", "oci" },
};

/* What stands behind the scheme, "//" left out; NULL when it is none. */
static const char *
parse(const char *word, enum kind *kind)
{
	const char *rest;
	size_t len;

	for (*kind = 0; *kind < KIND__MAX; ++*kind) {
		len = strlen(kinds[*kind].prefix);
		if (strncmp(word, kinds[*kind].prefix, len) != 0)
			continue;
		rest = word + len;
		if (*kind <= PODMAN && strncmp(rest, "//", 2) == 0)
			rest += 2;
		return *rest == '\0' ? NULL : rest;
	}
	return NULL;
}

int
cic_origin_check(const char *word, struct cic_err *err)
{
	enum kind kind;

	if (parse(word, &kind) != NULL)
		return 0;
	return cic_err_set(err, CIC_EINVAL, "\"%.200s\" is no source of an image; "
	    "it is docker-daemon://NAME, podman://NAME, docker-archive:FILE, "
	    "oci-archive:FILE or oci:FOLDER", word);
}

bool
cic_origin_wants_unshare(const char *word)
{
	enum kind kind;

	return parse(word, &kind) != NULL && kind == PODMAN && geteuid() != 0;
}

/* A path's last component: the folder it happens to lie in is nobody's business,
 * and would make another file of the same image. */
static bool
set_last(struct cic_origin *origin, const char *path)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	return (size_t)snprintf(origin->reference, sizeof(origin->reference),
	    "%.*s", (int)(end - start), path + start) < sizeof(origin->reference);
}

static bool
set_reference(struct cic_origin *origin, const char *name)
{
	return (size_t)snprintf(origin->reference, sizeof(origin->reference), "%s",
	    name) < sizeof(origin->reference);
}

int
cic_origin_open(const char *word, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err)
{
	struct cic_origin o = { .config = NULL };
	enum kind kind;
	const char *rest = parse(word, &kind);
	int r;

	if (rest == NULL)
		return cic_origin_check(word, err);
	o.scheme = kinds[kind].scheme;
	if (!(kind <= PODMAN ? set_reference(&o, rest) : set_last(&o, rest)))
		return cic_err_set(err, CIC_EINVAL, "the image's name is longer "
		    "than %zu bytes", sizeof(o.reference) - 1);
	switch (kind) {
	case DOCKER:
		r = cic_origin_docker(rest, options, &o, err);
		break;
	case PODMAN:
		r = cic_origin_podman(rest, options, &o, err);
		break;
	default:
		r = cic_origin_saved(kind == DOCKER_ARCHIVE ? CIC_OCI_DOCKER_SAVE :
		    CIC_OCI_LAYOUT, rest, options, &o, err);
		break;
	}
	if (r == 0)
		*origin = o;
	else {
		free(o.config);
		cic_oci_release(&o.oci);
	}
	return r;
}

int
cic_origin_start(struct cic_origin *origin, struct cic_err *err)
{
	return origin->start == NULL ? 0 : origin->start(origin, err);
}

int
cic_origin_close(struct cic_origin *origin, struct cic_err *err)
{
	int r = origin->close(origin, err);

	free(origin->config);
	cic_oci_release(&origin->oci);
	return r;
}

void
cic_origin_abort(struct cic_origin *origin)
{
	origin->abort(origin);
}

void
cic_origin_conf(const struct cic_conf *conf, enum cic_engine_kind kind,
    struct cic_conf *out)
{
	static char nothing[] = "";

	*out = (struct cic_conf){ .engine = kind, .engine_command = nothing,
	    .registry_url = nothing, .http_proxy = nothing,
	    .https_proxy = nothing, .no_proxy = nothing };
	if (conf == NULL || conf->engine != (int)kind)
		return;
	out->engine_command = conf->engine_command;
	out->engine_args = conf->engine_args;
}

/* Docker writes "sha256:<digits>", podman the digits alone. */
static bool
set_id(struct cic_origin *origin, const char *id)
{
	const char *hex = id;

	if (id != NULL && strncmp(id, "sha256:", 7) == 0)
		hex = id + 7;
	if (hex == NULL || strlen(hex) != 64 ||
	    strspn(hex, "0123456789abcdef") != 64)
		return false;
	snprintf(origin->id, sizeof(origin->id), "sha256:%s", hex);
	return true;
}

int
cic_origin_set_config(struct cic_origin *origin, const char *inspect, size_t len,
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(inspect, len, err);
	int r = -1;

	if (json == NULL)
		return cic_err_wrap(err, "image inspect");
	if (!set_id(origin, cic_json_get_string(json, "Id")))
		cic_err_set(err, CIC_EIO, "image inspect: no usable Id");
	else if ((origin->config = strndup(inspect, len)) == NULL)
		cic_err_set(err, CIC_EIO, "out of memory");
	else
		r = 0;
	cic_json_free(json);
	return r;
}
