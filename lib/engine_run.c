/* Calling the engine's program; see engine_run.h. */
#include "engine_run.h"

#include <stdio.h>
#include <string.h>

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

/* podman fetches by itself; docker's daemon has settings of its own. */
static size_t
add_proxies(struct cic_engine_env *env, const struct cic_conf *conf, size_t n)
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

const char *const *
cic_engine_environment(struct cic_engine_env *env, const struct cic_engine *engine,
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

const char *
cic_engine_command(const struct cic_conf *conf)
{
	return conf->engine_command[0] != '\0' ? conf->engine_command :
	    kinds[conf->engine].command;
}

const char *const *
cic_engine_build_words(const struct cic_conf *conf)
{
	return kinds[conf->engine].build;
}

void
cic_engine_words(struct cic_argv *argv, const char *const *words)
{
	for (; words != NULL && *words != NULL; words++)
		cic_argv_add(argv, *words);
}

void
cic_engine_argv(struct cic_argv *argv, const struct cic_engine *engine,
    const char *const *words)
{
	const struct cic_conf *conf = engine->conf;
	const char *context = engine->platform == NULL ? NULL :
	    cic_conf_for_platform(&conf->platform_contexts, engine->platform,
	    NULL);

	cic_argv_add(argv, cic_engine_command(conf));
	cic_engine_words(argv, (const char *const *)conf->engine_args.item);
	if (context != NULL) {
		cic_argv_add(argv, kinds[conf->engine].context);
		cic_argv_add(argv, context);
	}
	cic_engine_words(argv, words);
}

int
cic_engine_run(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err)
{
	struct cic_engine_env env;
	struct cic_argv argv = { .count = 0 };
	struct cic_spawn spawn = { .argv = &argv,
	    .env = cic_engine_environment(&env, engine, NULL),
	    .log_fd = engine->log_fd, .output = output, .timeout = timeout,
	    .tick = engine->tick, .tick_arg = engine->tick_arg };
	int status;

	cic_engine_argv(&argv, engine, words);
	return cic_spawn(&spawn, &status, err) != 0 ? -1 : status;
}

int
cic_engine_must(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err)
{
	int status = cic_engine_run(engine, words, output, timeout, err);

	if (status > 0)
		return cic_err_set(err, CIC_EIO,
		    "%s %s %s ended with status %d; the log has what it said",
		    cic_engine_command(engine->conf), words[0],
		    words[1] != NULL ? words[1] : "", status);
	return status;
}

int
cic_engine_ask(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, struct cic_err *err)
{
	return cic_engine_must(engine, words, output, CIC_ENGINE_QUICK, err);
}
