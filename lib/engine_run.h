/*
 * Calling the engine's program, for lib/engine*.c alone: how docker and podman
 * differ in their words and variables.
 */
#ifndef CIC_ENGINE_RUN_H
#define CIC_ENGINE_RUN_H

#include "engine.h"
#include "path.h"
#include "spawn.h"

#define CIC_ENGINE_ANSWER	(8 * 1024 * 1024)	/* bytes of an answer */
#define CIC_ENGINE_QUICK	120	/* seconds for what takes it moments */

/* What the program is told beside our own variables. */
struct cic_engine_env {
	char		 login[CIC_PATH_MAX + 32];
	char		 proxies[6][1100];
	const char	*words[10];
};

/* Fill `env` and return its words; the login only for an `image` (or NULL) of
 * the registry it is for. */
const char *const *cic_engine_environment(struct cic_engine_env *env,
    const struct cic_engine *engine, const char *image);

/* The program's name. */
const char *cic_engine_command(const struct cic_conf *conf);

/* Add words that end in NULL; may be NULL itself. */
void cic_engine_words(struct cic_argv *argv, const char *const *words);

/* The program, what the configuration puts behind it, and the words. */
void cic_engine_argv(struct cic_argv *argv, const struct cic_engine *engine,
    const char *const *words);

/* What this engine wants right after `buildx build`. */
const char *const *cic_engine_build_words(const struct cic_conf *conf);

/* Run to the end; `output` may be NULL.  Returns the exit status or -1. */
int cic_engine_run(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err);

/* The same, where any exit status but 0 is a failure. */
int cic_engine_must(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, unsigned timeout, struct cic_err *err);

#endif
