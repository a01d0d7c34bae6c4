/*
 * CPU micro-architectures and platforms.
 *
 * The names are Spack's (archspec), plus the words that machine owners use for
 * them (`rome`, `graviton3` …), which stay in file names but mean a Spack target.
 * `-` and `_` within a word are free: neoverse-n1, cascade_lake.
 */
#ifndef CIC_ARCH_H
#define CIC_ARCH_H

#include <stddef.h>

#include "err.h"

#define CIC_ARCH_MAX	32	/* longest architecture or platform, with NUL */

/* Spack target for an architecture word (`rome` → `zen2`, `zen2` → `zen2`);
 * NULL when the word is unknown. */
const char *cic_arch_target(const char *word);

/* Can `platform` ("linux/amd64") run code for `target`?  Both known names.
 * 0, or -1 with CIC_EINVAL naming both. */
int cic_arch_fits(const char *target, const char *platform,
    struct cic_err *err);

/* Is it a platform we build for?  0, or -1 with CIC_EINVAL and the nearest
 * known names. */
int cic_arch_check_platform(const char *platform, struct cic_err *err);

/* As above for an architecture word. */
int cic_arch_check(const char *word, struct cic_err *err);

/*
 * The tables, for those who list them; all end with NULL.
 *
 * cic_arch_platform	the i-th platform
 * cic_arch_at		the i-th target; `platform` runs it, and `family` is the
 *			generic target of that platform
 * cic_arch_alias	the i-th other word, and the target it means
 */
const char *cic_arch_platform(size_t i);
const char *cic_arch_at(size_t i, const char **platform, const char **family);
const char *cic_arch_alias(size_t i, const char **target);

/* Fill the error "<field>: unknown <value>; near it: a, b, c" from a list that
 * ends in NULL.  Returns -1. */
int cic_unknown_word(const char *field, const char *value,
    const char *const *known, struct cic_err *err);

#endif
