/*
 * The Spack environment of a step: the body its description holds under
 * `spack:`, and the spack.yaml that is made of it for one machine.
 *
 * A key may be written with a second colon (`packages::`), by which Spack lets
 * it replace the settings of outer scopes; it is the same key then.
 */
#ifndef CIC_SPACK_ENV_H
#define CIC_SPACK_ENV_H

#include <stdbool.h>

#include "err.h"

struct cic_buf;
struct cic_request;
struct cic_yaml;

/*
 * Check the keys that spack_env_write changes, and the specs.
 *
 * The body, packages, packages.all and config must be mappings, specs a list,
 * of texts with nothing but the characters of Spack's specs in them and of
 * matrices.  Texts that Spack would read as true, false or null must stand in
 * quotes.  An empty value is as good as none.  Whatever else there is, Spack
 * judges.  CIC_EINVAL: "line L column C: …".
 */
int spack_env_check(const struct cic_yaml *body, struct cic_err *err);

/*
 * Append the whole spack.yaml to `out`: `body` (which has passed the check) with
 *	packages: all: target: [<the request's target>]
 *	the request's mpi and gpu behind the specs, when there are any
 *	concretizer, view, and shared_linking in config, set to what the inner
 *	script relies on
 * Everything else stays, in its order; new keys come last.  CIC_EINVAL: longer
 * than `out` takes.
 * Source: what the original service wrote, but for three of its faults: an
 * empty mpi or gpu is no spec, `packages` without `all` has a target too, and
 * other keys of config are kept.
 */
int spack_env_write(const struct cic_yaml *body,
    const struct cic_request *request, struct cic_buf *out,
    struct cic_err *err);

/*
 * May the packages of this environment be kept in a build cache that builds of
 * other authors take from?
 *
 * Only while nothing but the catalog's recipes runs during `spack install`: code
 * of the author's own that ran there could write what it likes into the cache
 * under the hash of an honest package.  So this knows what is harmless and says
 * no to the rest.  It does not judge the recipes: their authors are trusted.
 *
 * request	its mpi and gpu become specs like the body's, and the step's name
 *		is that of a folder at the image's top: "usr" or "packages" would
 *		be laid over what Spack runs
 * step_fd	the step's folder, which becomes the environment's: a spack.lock
 *		or .spack-env in it would bring specs and recipes along
 */
bool spack_env_is_shared(const struct cic_yaml *body,
    const struct cic_request *request, int step_fd);

#endif
