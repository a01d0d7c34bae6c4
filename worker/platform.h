/*
 * Where an image of a platform is built: here, here under emulation, or on
 * another builder or engine that the configuration names.
 */
#ifndef CIC_PLATFORM_H
#define CIC_PLATFORM_H

#include <stdbool.h>

#include "conf.h"
#include "err.h"

/* Where the kernel tells what it runs other processors' programs by. */
#define PLATFORM_BINFMT	"/proc/sys/fs/binfmt_misc"

/*
 * Can commands of `platform` run where they would be built?  `emulated` is set
 * when that is by qemu; `folder` is PLATFORM_BINFMT.
 * CIC_ENOENT: nobody can run them; the message says what to install or to set.
 * Builders and contexts are believed.
 */
int platform_check(const struct cic_conf *conf, const char *platform,
    const char *folder, bool *emulated, struct cic_err *err);

/* Is `platform` built by another builder or engine than this host's own? */
bool platform_is_elsewhere(const struct cic_conf *conf, const char *platform);

#endif
