/*
 * Micro-architectures and platforms; see arch.h.
 * Source of the targets: archspec's microarchitectures.json (as of August 2026),
 * less what no container platform of ours runs.
 */
#include "arch.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TARGETS_MAX	40

/* The platform of a family of targets. */
static const struct family {
	const char *platform;
	const char *targets[TARGETS_MAX + 1];
} families[] = {
	{ "linux/amd64", { "x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4",
	    "nocona", "core2", "nehalem", "westmere", "sandybridge",
	    "ivybridge", "haswell", "broadwell", "skylake", "mic_knl",
	    "skylake_avx512", "cannonlake", "cascadelake", "icelake",
	    "sapphirerapids", "alderlake", "arrowlake", "arrowlake_s", "k10",
	    "bulldozer", "piledriver", "steamroller", "excavator", "zen",
	    "zen2", "zen3", "zen4", "zen5" } },
	{ "linux/386", { "x86", "i686", "pentium2", "pentium3", "pentium4",
	    "prescott" } },
	{ "linux/arm64", { "aarch64", "armv8.1a", "armv8.2a", "armv8.3a",
	    "armv8.4a", "armv8.5a", "armv8.6a", "armv9.0a", "armv9.2a",
	    "thunderx2", "a64fx", "cortex_a72", "neoverse_n1", "neoverse_v1",
	    "neoverse_v2", "neoverse_n2", "neoverse_v3ae", "ampere1",
	    "ampere1a", "m1", "m2", "m3", "m4" } },
	{ "linux/ppc64le", { "ppc64le", "power8le", "power9le", "power10le" } },
	{ "linux/riscv64", { "riscv64", "u74mc", "x60" } },
	{ "linux/arm/v7", { "arm" } },
};

/*
 * Words of machine descriptions, and the target they mean: names that vendors
 * give the processors, GCC's of -march where archspec has another, Go's of the
 * platforms.  Granite Rapids has all of Sapphire Rapids' instructions, and
 * archspec no name.  Its power8 to power10 are big endian, which no container
 * platform is.
 */
static const struct alias {
	const char *word, *target;
} aliases[] = {
	{ "naples", "zen" }, { "rome", "zen2" }, { "milan", "zen3" },
	{ "genoa", "zen4" }, { "bergamo", "zen4" }, { "siena", "zen4" },
	{ "turin", "zen5" },
	{ "znver1", "zen" }, { "znver2", "zen2" }, { "znver3", "zen3" },
	{ "znver4", "zen4" }, { "znver5", "zen5" },
	{ "knl", "mic_knl" }, { "knights_landing", "mic_knl" },
	{ "skylake_sp", "skylake_avx512" }, { "skx", "skylake_avx512" },
	{ "icelake_server", "icelake" }, { "icelake_sp", "icelake" },
	{ "emerald_rapids", "sapphirerapids" },
	{ "granite_rapids", "sapphirerapids" },
	{ "grace", "neoverse_v2" }, { "axion", "neoverse_v2" },
	{ "graviton", "cortex_a72" }, { "graviton2", "neoverse_n1" },
	{ "graviton3", "neoverse_v1" }, { "graviton4", "neoverse_v2" },
	{ "graviton5", "neoverse_v3ae" }, { "cobalt", "neoverse_n2" },
	{ "altra", "neoverse_n1" }, { "ampere_altra", "neoverse_n1" },
	{ "ampere_one", "ampere1" },
	{ "power8", "power8le" }, { "power9", "power9le" },
	{ "power10", "power10le" },
	{ "amd64", "x86_64" }, { "arm64", "aarch64" },
};

/* The same word, whether it is written neoverse-n1, neoverse_n1 or neoversen1? */
static bool
is_same(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, "_-");
		b += strspn(b, "_-");
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
	}
}

/* The target of that name and its platform; NULL: there is none. */
static const char *
find_target(const char *word, const char **platform)
{
	const char *const *target;
	size_t i;

	for (i = 0; i < COUNT(families); i++)
		for (target = families[i].targets; *target != NULL; target++)
			if (is_same(*target, word)) {
				*platform = families[i].platform;
				return *target;
			}
	return NULL;
}

const char *
cic_arch_target(const char *word)
{
	const char *platform;
	size_t i;

	for (i = 0; i < COUNT(aliases); i++)
		if (is_same(aliases[i].word, word))
			return aliases[i].target;
	return find_target(word, &platform);
}

const char *
cic_arch_platform(size_t i)
{
	return i < COUNT(families) ? families[i].platform : NULL;
}

const char *
cic_arch_at(size_t i, const char **platform, const char **family)
{
	const char *const *target;
	size_t f;

	for (f = 0; f < COUNT(families); f++)
		for (target = families[f].targets; *target != NULL; target++)
			if (i-- == 0) {
				*platform = families[f].platform;
				*family = families[f].targets[0];
				return *target;
			}
	return NULL;
}

const char *
cic_arch_alias(size_t i, const char **target)
{
	if (i >= COUNT(aliases))
		return NULL;
	*target = aliases[i].target;
	return aliases[i].word;
}

int
cic_arch_fits(const char *target, const char *platform, struct cic_err *err)
{
	const char *runs_on = NULL;

	if (find_target(target, &runs_on) != NULL &&
	    strcmp(runs_on, platform) == 0)
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

int
cic_arch_check(const char *word, struct cic_err *err)
{
	const char *known[COUNT(families) * TARGETS_MAX + COUNT(aliases) + 1];
	const char *const *target;
	size_t i, n = 0;

	if (cic_arch_target(word) != NULL)
		return 0;
	for (i = 0; i < COUNT(families); i++)
		for (target = families[i].targets; *target != NULL; target++)
			known[n++] = *target;
	for (i = 0; i < COUNT(aliases); i++)
		known[n++] = aliases[i].word;
	known[n] = NULL;
	return cic_unknown_word("machine.architecture", word, known, err);
}
