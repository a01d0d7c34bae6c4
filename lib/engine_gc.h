/*
 * How long the engine keeps caches that nobody uses: BuildKit's garbage
 * collection, as `docker buildx inspect` shows it.
 */
#ifndef CIC_ENGINE_GC_H
#define CIC_ENGINE_GC_H

#include <stdbool.h>

#include "engine.h"

#define CIC_KEEP_MAX	32

/*
 * Does the engine throw cache mounts away that were not used for a while?
 * `keep` gets how long it keeps them, in its own words ("48h0m0s").  False
 * also when it does not say (podman, docker before 23).
 */
bool cic_engine_drops_caches(const struct cic_engine *engine,
    char keep[CIC_KEEP_MAX]);

/* The same from the text that `buildx inspect` printed. */
bool cic_gc_policy_drops_caches(const char *text, char keep[CIC_KEEP_MAX]);

#endif
