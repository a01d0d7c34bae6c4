/*
 * Micro-architectures and platforms; see arch.h.
 * Source of the names: archspec's microarchitectures.json, as Spack uses it.
 */
#include "arch.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One row a family: the platform that runs it, then its targets. */
static const struct family {
	const char *platform;
	const char *targets;	/* separated by spaces */
} families[] = {
	{ "linux/amd64", "x86_64 x86_64_v2 x86_64_v3 x86_64_v4 nocona core2 "
	    "nehalem westmere sandybridge ivybridge haswell broadwell skylake "
	    "mic_knl skylake_avx512 cannonlake cascadelake icelake "
	    "sapphirerapids alderlake arrowlake arrowlake_s k10 bulldozer "
	    "piledriver steamroller excavator zen zen2 zen3 zen4 zen5" },
	{ "linux/386", "x86 i686 pentium2 pentium3 pentium4 prescott" },
	{ "linux/arm64", "aarch64 armv8.1a armv8.2a armv8.3a armv8.4a armv8.5a "
	    "armv8.6a armv9.0a armv9.2a thunderx2 a64fx cortex_a72 neoverse_n1 "
	    "neoverse_v1 neoverse_v2 neoverse_n2 neoverse_v3ae ampere1 "
	    "ampere1a m1 m2 m3 m4" },
	{ "linux/ppc64le", "ppc64le power8le power9le power10le" },
	{ "linux/riscv64", "riscv64 u74mc x60" },
	{ "linux/arm/v7", "arm" },
};

/* Words of machine descriptions, and the Spack target they mean. */
static const struct alias {
	const char *word, *target;
} aliases[] = {
	{ "naples", "zen" }, { "rome", "zen2" }, { "milan", "zen3" },
	{ "genoa", "zen4" }, { "bergamo", "zen4" }, { "turin", "zen5" },
	{ "knl", "mic_knl" }, { "icelake_server", "icelake" },
	{ "grace", "neoverse_v2" }, { "graviton2", "neoverse_n1" },
	{ "graviton3", "neoverse_v1" }, { "amd64", "x86_64" },
	{ "arm64", "aarch64" },
};

/* Call `visit` for each target until it returns non-NULL, and return that. */
static const char *
each_target(const char *(*visit)(const struct family *family,
    const char *target, size_t len, void *arg), void *arg)
{
	const char *p, *found;
	size_t i, len;

	for (i = 0; i < COUNT(families); i++)
		for (p = families[i].targets; *p != '\0'; p += len) {
			p += strspn(p, " ");
			len = strcspn(p, " ");
			found = visit(&families[i], p, len, arg);
			if (found != NULL)
				return found;
		}
	return NULL;
}

static const char *
family_of(const struct family *family, const char *target, size_t len,
    void *arg)
{
	const char *wanted = arg;

	return strlen(wanted) == len && memcmp(wanted, target, len) == 0 ?
	    family->platform : NULL;
}

static const char *
platform_of(const char *target)
{
	return each_target(family_of, (void *)(uintptr_t)target);
}

const char *
cic_arch_target(const char *word)
{
	size_t i;

	for (i = 0; i < COUNT(aliases); i++)
		if (strcmp(aliases[i].word, word) == 0)
			return aliases[i].target;
	return platform_of(word) != NULL ? word : NULL;
}

int
cic_arch_fits(const char *target, const char *platform, struct cic_err *err)
{
	const char *runs_on = platform_of(target);

	if (runs_on != NULL && strcmp(runs_on, platform) == 0)
		return 0;
	return cic_err_set(err, CIC_EINVAL,
	    "machine.architecture: %s code does not run on platform %s "
	    "(it wants %s)", target, platform,
	    runs_on != NULL ? runs_on : "another");
}

/* Edit distance (insert, delete, replace), bounded by the short rows. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[CIC_ARCH_MAX + 1], i, j, diagonal, above, la, lb;

	la = strnlen(a, CIC_ARCH_MAX);
	lb = strnlen(b, CIC_ARCH_MAX);
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			row[j] = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}
	return row[lb];
}

int
cic_unknown_word(const char *field, const char *value,
    const char *const *known, struct cic_err *err)
{
	const char *best[3] = { NULL, NULL, NULL };
	size_t score[3] = { 99, 99, 99 }, i, d;
	int at, k;

	for (i = 0; known[i] != NULL; i++) {
		d = distance(value, known[i]);
		for (at = 0; at < 3 && d >= score[at]; at++)
			;
		if (at == 3)
			continue;
		for (k = 2; k > at; k--) {
			best[k] = best[k - 1];
			score[k] = score[k - 1];
		}
		best[at] = known[i];
		score[at] = d;
	}
	return cic_err_set(err, CIC_EINVAL,
	    "%s: unknown \"%.64s\"; the nearest known: %s%s%s%s%s", field,
	    value, best[0] != NULL ? best[0] : "none",
	    best[1] != NULL ? ", " : "", best[1] != NULL ? best[1] : "",
	    best[2] != NULL ? ", " : "", best[2] != NULL ? best[2] : "");
}

int
cic_arch_check_platform(const char *platform, struct cic_err *err)
{
	const char *known[COUNT(families) + 1];
	size_t i;

	for (i = 0; i < COUNT(families); i++) {
		if (strcmp(families[i].platform, platform) == 0)
			return 0;
		known[i] = families[i].platform;
	}
	known[i] = NULL;
	return cic_unknown_word("machine.platform", platform, known, err);
}

/* All words an architecture may be, copied out of the spaced lists. */
struct words {
	char		 text[128][CIC_ARCH_MAX];
	const char	*list[129];
	size_t		 count;
};

static const char *
collect(const struct family *family, const char *target, size_t len, void *arg)
{
	struct words *words = arg;

	(void)family;
	if (words->count < COUNT(words->text)) {
		snprintf(words->text[words->count], CIC_ARCH_MAX, "%.*s",
		    (int)len, target);
		words->list[words->count] = words->text[words->count];
		words->count++;
	}
	return NULL;
}

int
cic_arch_check(const char *word, struct cic_err *err)
{
	struct words words = { .count = 0 };
	size_t i;

	if (cic_arch_target(word) != NULL)
		return 0;
	each_target(collect, &words);
	for (i = 0; i < COUNT(aliases); i++)
		collect(NULL, aliases[i].word, strlen(aliases[i].word), &words);
	words.list[words.count] = NULL;
	return cic_unknown_word("machine.architecture", word, words.list, err);
}
