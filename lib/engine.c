/* The container engine; see engine.h.  Its containers and mounts are in
 * engine_export.c. */
#include "engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "engine_run.h"
#include "json.h"

int
cic_engine_check(const struct cic_conf *conf, int log_fd, struct cic_err *err)
{
	static const char *const version[] = { "version", NULL };
	static const char *const buildx[] = { "buildx", "build", "--help",
	    NULL };
	struct cic_engine engine = { .conf = conf, .build_id = "-",
	    .log_fd = log_fd };
	struct cic_buf out;
	int rc = -1;

	cic_buf_init(&out, CIC_ENGINE_ANSWER);
	if (!cic_program_exists(cic_engine_command(conf)))
		cic_err_set(err, CIC_ENOENT, "build.engine: the program %s is "
		    "not installed; install it or change build.engine or "
		    "build.engine_command", cic_engine_command(conf));
	else if (cic_engine_run(&engine, version, &out, CIC_ENGINE_QUICK, err) != 0)
		cic_err_set(err, CIC_EAGAIN, "build.engine: `%s version` "
		    "fails: is its daemon running, and may this user reach "
		    "it?", cic_engine_command(conf));
	else if (cic_engine_run(&engine, buildx, &out, CIC_ENGINE_QUICK, err) != 0)
		cic_err_set(err, CIC_ENOENT, "build.engine: `%s buildx` does "
		    "not work; install its buildx plugin", cic_engine_command(conf));
	else
		rc = 0;
	cic_buf_release(&out);
	return rc;
}

/* "sha256:<hex>" out of either spelling; false when it is neither. */
static bool
normal_id(const char *id, char out[CIC_DIGEST_MAX])
{
	const char *hex;

	if (id == NULL)
		return false;
	hex = strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;
	if (strspn(hex, "0123456789abcdef") < 64 ||
	    (hex[64] != '\0' && hex[64] != '\n'))
		return false;
	snprintf(out, CIC_DIGEST_MAX, "sha256:%.64s", hex);
	return true;
}

/* `image inspect` of all the names; an array of as many objects, or NULL. */
static struct cic_json *
inspect(const struct cic_engine *engine, const char *const *names,
    struct cic_err *err)
{
	const char *words[2 + CIC_ENGINE_IMAGES + 1] = { "image", "inspect" };
	struct cic_engine quiet = *engine;
	const struct cic_json *item;
	struct cic_json *tree = NULL;
	struct cic_buf out;
	size_t count = 0;
	int rc, null;

	/* "no such image" is an answer here, not something for the log */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) {
		cic_err_errno(err, "open /dev/null");
		return NULL;
	}
	for (; count < CIC_ENGINE_IMAGES && names[count] != NULL; count++)
		words[2 + count] = names[count];
	quiet.log_fd = null;
	cic_buf_init(&out, CIC_ENGINE_ANSWER);
	rc = cic_engine_run(&quiet, words, &out, CIC_ENGINE_QUICK, err);
	close(null);
	if (rc > 0)
		cic_err_set(err, CIC_ENOENT, "the engine has no image %s",
		    names[0]);
	else if (rc == 0 && (tree = cic_json_parse(out.data, out.len, err)) ==
	    NULL)
		cic_err_wrap(err, "image inspect %s", names[0]);
	cic_buf_release(&out);
	for (item = cic_json_first(tree); item != NULL && count > 0; count--)
		item = cic_json_next(item);
	if (tree != NULL && (count > 0 || item != NULL)) {
		cic_err_set(err, CIC_EIO, "image inspect %s: another number of "
		    "answers", names[0]);
		cic_json_free(tree);
		tree = NULL;
	}
	return tree;
}

int
cic_engine_inspect(const struct cic_engine *engine, const char *image,
    struct cic_buf *json, struct cic_err *err)
{
	const char *names[] = { image, NULL };
	struct cic_json *tree = inspect(engine, names, err);

	if (tree == NULL)
		return -1;
	cic_json_print(json, cic_json_first(tree));
	cic_json_free(tree);
	return 0;
}

/* "os/arch" with the variant where the platform's name has one. */
static void
read_platform(const struct cic_json *image, char out[CIC_ARCH_MAX])
{
	const char *os = cic_json_get_string(image, "Os");
	const char *arch = cic_json_get_string(image, "Architecture");
	const char *variant = cic_json_get_string(image, "Variant");
	bool arm = arch != NULL && strcmp(arch, "arm") == 0;

	snprintf(out, CIC_ARCH_MAX, "%.8s/%.12s%s%.8s", os != NULL ? os : "",
	    arch != NULL ? arch : "", arm && variant != NULL ? "/" : "",
	    arm && variant != NULL ? variant : "");
}

static int
read_image(const struct cic_json *json, const char *name,
    struct cic_engine_image *out, struct cic_err *err)
{
	const struct cic_json *labels = cic_json_get(cic_json_get(json,
	    "Config"), "Labels");
	const char *key = cic_json_get_string(labels, CIC_KEY_LABEL);
	const char *parts = cic_json_get_string(labels, CIC_PARTS_LABEL);

	snprintf(out->key, sizeof(out->key), "%s", key != NULL ? key : "");
	snprintf(out->parts, sizeof(out->parts), "%s",
	    parts != NULL ? parts : "");
	read_platform(json, out->platform);
	return normal_id(cic_json_get_string(json, "Id"), out->id) ? 0 :
	    cic_err_set(err, CIC_EIO, "image inspect %s: no usable Id", name);
}

int
cic_engine_images(const struct cic_engine *engine, const char *const *names,
    struct cic_engine_image *out, struct cic_err *err)
{
	struct cic_json *tree = inspect(engine, names, err);
	const struct cic_json *item = cic_json_first(tree);
	int rc = tree == NULL ? -1 : 0;
	size_t i;

	for (i = 0; rc == 0 && item != NULL; i++, item = cic_json_next(item))
		rc = read_image(item, names[i], &out[i], err);
	cic_json_free(tree);
	return rc;
}

int
cic_engine_image(const struct cic_engine *engine, const char *image,
    struct cic_engine_image *out, struct cic_err *err)
{
	const char *names[] = { image, NULL };

	return cic_engine_images(engine, names, out, err);
}

/* podman wants to be told that the registry on this machine speaks http, and
 * whom to trust; docker's daemon knows.  Plain http never for another host. */
static void
add_trust(struct cic_argv *argv, const struct cic_engine *engine,
    const char *image)
{
	if (engine->conf->engine != CIC_ENGINE_PODMAN)
		return;
	if (cic_conf_is_of_registry(engine->conf, image) &&
	    cic_conf_registry_is_plain(engine->conf))
		cic_argv_add(argv, "--tls-verify=false");
	else if (engine->certs != NULL) {
		cic_argv_add(argv, "--cert-dir");
		cic_argv_add(argv, engine->certs);
	}
}

/* Pull or push. */
static int
transfer(const struct cic_engine *engine, const char *const *words,
    const char *image, unsigned timeout, unsigned stall, struct cic_err *err)
{
	struct cic_engine_env env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = cic_engine_environment(&env, engine, image),
	    .log_fd = engine->log_fd, .timeout = timeout, .stall = stall,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	cic_engine_argv(&argv, engine, words);
	add_trust(&argv, engine, image);
	cic_argv_add(&argv, image);
	if (cic_spawn(&spawn, &status, err) != 0)
		return -1;
	return status == 0 ? 0 : cic_err_set(err, CIC_EIO,
	    "%s %s ended with status %d", cic_engine_command(engine->conf), words[0],
	    status);
}

int
cic_engine_pull(const struct cic_engine *engine, const char *image,
    const char *platform, struct cic_err *err)
{
	const char *words[] = { "pull", "--platform", platform, NULL };

	return transfer(engine, words, image,
	    (unsigned)engine->conf->build_timeout,
	    (unsigned)engine->conf->stall_timeout, err);
}

int
cic_engine_push(const struct cic_engine *engine, const char *image,
    unsigned timeout, unsigned stall, struct cic_err *err)
{
	static const char *const words[] = { "push", NULL };

	return transfer(engine, words, image, timeout, stall, err);
}

static int
read_iidfile(const char *path, char id[CIC_DIGEST_MAX], struct cic_err *err)
{
	struct cic_buf text;
	int rc = -1;

	cic_buf_init(&text, 4096);
	if (cic_read_file(path, &text, err) == 0) {
		if (normal_id(text.data, id))
			rc = 0;
		else
			cic_err_set(err, CIC_EIO,
			    "%s holds no image id", path);
	}
	cic_buf_release(&text);
	return rc;
}

/* Docker with the image store of containerd knows an image by the digest of its
 * manifest, and buildx writes that of its configuration: then the tag that was
 * just set says which image it is. */
static int
own_id(const struct cic_engine *engine, const char *tag,
    char id[CIC_DIGEST_MAX], struct cic_err *err)
{
	struct cic_engine_image image = { .id = "" };

	if (cic_engine_image(engine, id, &image, err) == 0)
		return 0;
	if (err->code != CIC_ENOENT ||
	    cic_engine_image(engine, tag, &image, err) != 0)
		return -1;
	snprintf(id, CIC_DIGEST_MAX, "%s", image.id);
	return 0;
}

int
cic_engine_build(const struct cic_engine *engine,
    const struct cic_engine_build *build, char id[CIC_DIGEST_MAX],
    struct cic_err *err)
{
	const char *first[] = { "buildx", "build", NULL };
	const char *middle[] = { "--platform", build->platform, "--tag",
	    build->tag, "--iidfile", build->iidfile, "--file",
	    build->dockerfile, NULL };
	const char *builder = cic_conf_for_platform(
	    &engine->conf->platform_builders, build->platform, NULL);
	struct cic_engine_env env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = cic_engine_environment(&env, engine, build->base),
	    .log_fd = engine->log_fd, .timeout = build->timeout, .stall = build->stall,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	cic_engine_argv(&argv, engine, first);
	if (builder != NULL && engine->conf->engine == CIC_ENGINE_DOCKER) {
		cic_argv_add(&argv, "--builder");
		cic_argv_add(&argv, builder);
	}
	cic_engine_words(&argv, cic_engine_build_words(engine->conf));
	cic_engine_words(&argv, middle);
	cic_engine_words(&argv,
	    (const char *const *)engine->conf->engine_build_args.item);
	cic_engine_words(&argv, build->options);
	if (build->cgroup[0] != '\0') {
		cic_argv_add(&argv, "--cgroup-parent");
		cic_argv_add(&argv, build->cgroup);
	}
	cic_argv_add(&argv, build->context);
	unlink(build->iidfile);
	if (cic_spawn(&spawn, &status, err) != 0)
		return -1;
	if (status != 0)
		return cic_err_set(err, CIC_EIO,
		    "%s buildx build ended with status %d",
		    cic_engine_command(engine->conf), status);
	if (read_iidfile(build->iidfile, id, err) != 0)
		return -1;
	return engine->conf->engine != CIC_ENGINE_DOCKER ? 0 :
	    own_id(engine, build->tag, id, err);
}

int
cic_engine_save(const struct cic_engine *engine, const char *image_id,
    const char *file, struct cic_err *err)
{
	const char *podman[] = { "save", "--format", "docker-archive",
	    "--output", file, image_id, NULL };
	const char *docker[] = { "save", "--output", file, image_id, NULL };

	return cic_engine_must(engine, engine->conf->engine == CIC_ENGINE_PODMAN ?
	    podman : docker, NULL, (unsigned)engine->conf->build_timeout, err);
}

int
cic_engine_tag(const struct cic_engine *engine, const char *image_id,
    const char *name, struct cic_err *err)
{
	const char *words[] = { "tag", image_id, name, NULL };

	return cic_engine_must(engine, words, NULL, CIC_ENGINE_QUICK, err);
}

int
cic_engine_untag(const struct cic_engine *engine, const char *name,
    struct cic_err *err)
{
	const char *podman[] = { "untag", name, name, NULL };
	const char *docker[] = { "rmi", "--no-prune", name, NULL };
	struct cic_buf out;
	int rc;

	cic_buf_init(&out, 65536);
	rc = cic_engine_must(engine, engine->conf->engine == CIC_ENGINE_PODMAN ?
	    podman : docker, &out, CIC_ENGINE_QUICK, err);
	cic_buf_release(&out);
	return rc;
}
