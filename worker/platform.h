/*
 * Where an image of a platform is built: here, here under emulation, or on
 * another builder or engine that the configuration names.
 */
#ifndef CIC_PLATFORM_H
#define CIC_PLATFORM_H

#include <stdbool.h>

#include "conf.h"
#include "err.h"

/*
 * Can commands of `platform` run where they would be built?  `emulated` is set
 * when that is by binfmt_misc and qemu.
 * CIC_ENOENT: nobody can run them; the message says what to install or to set.
 * Builders and contexts are believed.
 */
int platform_check(const struct cic_conf *conf, const char *platform,
    bool *emulated, struct cic_err *err);

#endif
