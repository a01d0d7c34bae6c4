/* The kinds of origins.  Only for origin*.c. */
#ifndef CIC_ORIGIN_KINDS_H
#define CIC_ORIGIN_KINDS_H

#include "conf.h"
#include "origin.h"

/* Each gets what stands behind its scheme, and fills all of `origin`; on failure
 * cic_origin_open frees `config` and `oci`. */
int cic_origin_docker(const char *name, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err);
int cic_origin_podman(const char *name, const struct cic_origin_options *options,
    struct cic_origin *origin, struct cic_err *err);
int cic_origin_saved(enum cic_oci_form form, const char *path,
    const struct cic_origin_options *options, struct cic_origin *origin,
    struct cic_err *err);

/* A configuration for this engine, its strings borrowed: what `conf` says of it, or
 * nothing when that is about the other one. */
void cic_origin_conf(const struct cic_conf *conf, enum cic_engine_kind kind,
    struct cic_conf *out);

/* Take an engine's `image inspect` object: sets config and id. */
int cic_origin_set_config(struct cic_origin *origin, const char *inspect,
    size_t len, struct cic_err *err);

#endif
