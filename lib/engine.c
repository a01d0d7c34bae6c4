/* The container engine; see engine.h. */
#include "engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "json.h"
#include "path.h"
#include "spawn.h"

#define INSPECT_MAX	(8 * 1024 * 1024)
#define QUICK		120	/* seconds for what takes the engine moments */

static const struct kind {
	const char	*command;
	const char	*context;	/* option that names another engine */
	const char	*login;		/* variable that names the login, */
	const char	*login_file;	/* … a folder or a file in it */
	const char	*build[8];	/* words after `buildx build` */
} kinds[] = {
	[CIC_ENGINE_DOCKER] = { "docker", "--context", "DOCKER_CONFIG", "",
	    { "--progress=plain", "--load", NULL } },
	/* SHELL exists in Docker's image format only */
	[CIC_ENGINE_PODMAN] = { "podman", "--connection", "REGISTRY_AUTH_FILE",
	    "/config.json", { "--format=docker", NULL } },
};

/* What the engine's program is told beside our own variables. */
struct environment {
	char		 login[CIC_PATH_MAX + 32];
	char		 proxies[6][1100];
	const char	*words[10];
};

/* podman fetches by itself; docker's daemon has settings of its own. */
static size_t
add_proxies(struct environment *env, const struct cic_conf *conf, size_t n)
{
	const struct { const char *lower, *upper, *value; } proxies[] = {
		{ "http_proxy", "HTTP_PROXY", conf->http_proxy },
		{ "https_proxy", "HTTPS_PROXY", conf->https_proxy },
		{ "no_proxy", "NO_PROXY", conf->no_proxy },
	};
	size_t i;

	for (i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
		if (proxies[i].value[0] == '\0')
			continue;
		snprintf(env->proxies[2 * i], sizeof(env->proxies[0]), "%s=%.1000s",
		    proxies[i].lower, proxies[i].value);
		snprintf(env->proxies[2 * i + 1], sizeof(env->proxies[0]),
		    "%s=%.1000s", proxies[i].upper, proxies[i].value);
		env->words[n++] = env->proxies[2 * i];
		env->words[n++] = env->proxies[2 * i + 1];
	}
	return n;
}

/* `image` is what the login may be for, or NULL. */
static const char *const *
make_environment(struct environment *env, const struct cic_engine *engine,
    const char *image)
{
	const struct kind *kind = &kinds[engine->conf->engine];
	size_t n = 0;

	/* an attestation would turn the image into an index */
	env->words[n++] = "BUILDX_NO_DEFAULT_ATTESTATIONS=1";
	env->words[n++] = "DOCKER_CLI_HINTS=false";
	if (engine->login != NULL && image != NULL &&
	    cic_conf_is_of_registry(engine->conf, image)) {
		snprintf(env->login, sizeof(env->login), "%s=%.4095s%s",
		    kind->login, engine->login, kind->login_file);
		env->words[n++] = env->login;
	}
	if (engine->conf->engine == CIC_ENGINE_PODMAN)
		n = add_proxies(env, engine->conf, n);
	env->words[n] = NULL;
	return env->words;
}

static const char *
command(const struct cic_conf *conf)
{
	return conf->engine_command[0] != '\0' ? conf->engine_command :
	    kinds[conf->engine].command;
}

static void
add_list(struct cic_argv *argv, const char *const *words)
{
	for (; words != NULL && *words != NULL; words++)
		cic_argv_add(argv, *words);
}

static void
engine_argv(struct cic_argv *argv, const struct cic_engine *engine,
    const char *const *words)
{
	const struct cic_conf *conf = engine->conf;
	const char *context = engine->platform == NULL ? NULL :
	    cic_conf_for_platform(&conf->platform_contexts, engine->platform,
	    NULL);

	cic_argv_add(argv, command(conf));
	add_list(argv, (const char *const *)conf->engine_args.item);
	if (context != NULL) {
		cic_argv_add(argv, kinds[conf->engine].context);
		cic_argv_add(argv, context);
	}
	add_list(argv, words);
}

/* Run to the end; `output` may be NULL.  Exit status or -1. */
static int
run(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err)
{
	struct environment env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = make_environment(&env, engine, NULL),
	    .log_fd = engine->log_fd, .output = output, .timeout = timeout,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	engine_argv(&argv, engine, words);
	return cic_spawn(&spawn, &status, err) != 0 ? -1 : status;
}

/* As run, where any exit status but 0 is a failure. */
static int
must(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err)
{
	int status = run(engine, words, output, timeout, err);

	if (status > 0)
		return cic_err_set(err, CIC_EIO,
		    "%s %s %s ended with status %d; the log has what it said",
		    command(engine->conf), words[0],
		    words[1] != NULL ? words[1] : "", status);
	return status;
}

int
cic_engine_ask(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, struct cic_err *err)
{
	return must(engine, words, output, QUICK, err);
}

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

	cic_buf_init(&out, INSPECT_MAX);
	if (!cic_program_exists(command(conf)))
		cic_err_set(err, CIC_ENOENT, "build.engine: the program %s is "
		    "not installed; install it or change build.engine or "
		    "build.engine_command", command(conf));
	else if (run(&engine, version, &out, QUICK, err) != 0)
		cic_err_set(err, CIC_EAGAIN, "build.engine: `%s version` "
		    "fails: is its daemon running, and may this user reach "
		    "it?", command(conf));
	else if (run(&engine, buildx, &out, QUICK, err) != 0)
		cic_err_set(err, CIC_ENOENT, "build.engine: `%s buildx` does "
		    "not work; install its buildx plugin", command(conf));
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
	cic_buf_init(&out, INSPECT_MAX);
	rc = run(&quiet, words, &out, QUICK, err);
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
	struct environment env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = make_environment(&env, engine, image),
	    .log_fd = engine->log_fd, .timeout = timeout, .stall = stall,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	engine_argv(&argv, engine, words);
	add_trust(&argv, engine, image);
	cic_argv_add(&argv, image);
	if (cic_spawn(&spawn, &status, err) != 0)
		return -1;
	return status == 0 ? 0 : cic_err_set(err, CIC_EIO,
	    "%s %s ended with status %d", command(engine->conf), words[0],
	    status);
}

int
cic_engine_pull(const struct cic_engine *engine, const char *image,
    const char *platform, struct cic_err *err)
{
	const char *words[] = { "pull", "--platform", platform, NULL };

	return transfer(engine, words, image,
	    (unsigned)engine->conf->build_timeout, 0, err);
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
	struct environment env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = make_environment(&env, engine, build->base),
	    .log_fd = engine->log_fd, .timeout = build->timeout, .stall = build->stall,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	engine_argv(&argv, engine, first);
	if (builder != NULL && engine->conf->engine == CIC_ENGINE_DOCKER) {
		cic_argv_add(&argv, "--builder");
		cic_argv_add(&argv, builder);
	}
	add_list(&argv, kinds[engine->conf->engine].build);
	add_list(&argv, middle);
	add_list(&argv,
	    (const char *const *)engine->conf->engine_build_args.item);
	add_list(&argv, build->options);
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
		    command(engine->conf), status);
	if (read_iidfile(build->iidfile, id, err) != 0)
		return -1;
	return engine->conf->engine != CIC_ENGINE_DOCKER ? 0 :
	    own_id(engine, build->tag, id, err);
}

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
	rc = must(engine, words, &out, QUICK * 5, err);
	if (rc == 0) {
		size_t len = strcspn(out.data, "\n");

		if (len == 0 || len >= 128 ||
		    strspn(out.data, "0123456789abcdef") < len)
			rc = cic_err_set(err, CIC_EIO,
			    "%s create printed no container id",
			    command(engine->conf));
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
	run(engine, words, &out, QUICK * 5, &ignored);
	cic_buf_release(&out);
}

int
cic_engine_export_start(const struct cic_engine *engine, const char *image_id,
    struct cic_engine_export *export, struct cic_err *err)
{
	const char *words[] = { "export", export->container, NULL };
	struct environment env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = make_environment(&env, engine, NULL), .log_fd = engine->log_fd };
	int ends[2];

	if (create_container(engine, image_id, export->container, err) != 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		cic_err_errno(err, "pipe");
		remove_container(engine, export->container);
		return -1;
	}
	engine_argv(&argv, engine, words);
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
	    .timeout = QUICK };
	int status, rc;

	cic_argv_add(&argv, command(engine->conf));
	close(export->fd);	/* unread bytes end the exporter by SIGPIPE */
	rc = cic_spawn_wait(&spawn, export->pid, &status, err);
	remove_container(engine, export->container);
	if (rc == 0 && status != 0)
		rc = cic_err_set(err, CIC_EIO,
		    "%s export ended with status %d; the log has what it said",
		    command(engine->conf), status);
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
	rc = must(engine, words, &out, QUICK, err);
	if (rc == 0 && (out.data[0] != '/' || strcspn(out.data, "\n") + 1 !=
	    out.len))
		rc = cic_err_set(err, CIC_EIO, "%s image mount printed no folder",
		    command(engine->conf));
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
	rc = must(engine, words, &out, QUICK, err);
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
	if (!cic_program_exists(command(engine->conf)))
		return socket_of("unix:///var/run/docker.sock", path);
	cic_buf_init(&out, CIC_PATH_MAX);
	if (run(engine, words, &out, QUICK, &ignored) == 0)
		found = socket_of(out.data, path);
	cic_buf_release(&out);
	return found;
}

int
cic_engine_save(const struct cic_engine *engine, const char *image_id,
    const char *file, struct cic_err *err)
{
	const char *podman[] = { "save", "--format", "docker-archive",
	    "--output", file, image_id, NULL };
	const char *docker[] = { "save", "--output", file, image_id, NULL };

	return must(engine, engine->conf->engine == CIC_ENGINE_PODMAN ?
	    podman : docker, NULL, (unsigned)engine->conf->build_timeout, err);
}

int
cic_engine_tag(const struct cic_engine *engine, const char *image_id,
    const char *name, struct cic_err *err)
{
	const char *words[] = { "tag", image_id, name, NULL };

	return must(engine, words, NULL, QUICK, err);
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
	rc = must(engine, engine->conf->engine == CIC_ENGINE_PODMAN ?
	    podman : docker, &out, QUICK, err);
	cic_buf_release(&out);
	return rc;
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
	if (run(engine, words, &out, QUICK, &ignored) == 0)
		for (id = strtok_r(out.data, "\n", &save); id != NULL;
		    id = strtok_r(NULL, "\n", &save))
			if (strspn(id, "0123456789abcdef") == strlen(id))
				remove_container(engine, id);
	cic_buf_release(&out);
	cic_engine_scratch_name(engine, scratch, sizeof(scratch));
	if (engine->conf->engine == CIC_ENGINE_DOCKER)
		cic_engine_untag(engine, scratch, &ignored);
}
