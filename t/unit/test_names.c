/* names.c: the file names launch scripts hard-code, and Docker's grammar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <regex.h>

#include <cmocka.h>

#include "request.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct cic_request_site site = { .default_platform = "linux/amd64",
	.images_prefix = "" };

static struct cic_request
request(const char *w, const char *s, const char *arch, const char *mpi,
    const char *gpu, const char *version)
{
	struct cic_request r = { .container = CIC_SINGULARITY };

	snprintf(r.workflow, sizeof(r.workflow), "%s", w);
	snprintf(r.step, sizeof(r.step), "%s", s);
	snprintf(r.version, sizeof(r.version), "%s", version);
	snprintf(r.platform, sizeof(r.platform), "linux/amd64");
	snprintf(r.architecture, sizeof(r.architecture), "%s", arch);
	snprintf(r.mpi, sizeof(r.mpi), "%s", mpi);
	snprintf(r.gpu, sizeof(r.gpu), "%s", gpu);
	return r;
}

/* `#` at the end of a name stands for the suffix: _ and 8 hex digits. */
static const struct {
	const char *w, *s, *arch, *mpi, *gpu, *version, *name, *tag;
} known[] = {
	/* facts/clients.md: what is written in launch scripts */
	{ "Pillar_II", "esm", "skylake", "openmpi@4", "", "latest",
	    "pillar_ii_esm_skylake_openmpi_4_nogpu", "latest" },
	{ "minimal_workflow", "wordcount", "rome", "openmpi@4", "cuda@10.2",
	    "latest", "minimal_workflow_wordcount_rome_openmpi_4_cuda_10.2",
	    "latest" },
	{ "minimal_workflow", "wordcount", "skylake", "", "", "v2",
	    "minimal_workflow_wordcount_skylake_nompi_nogpu", "v2" },
	{ "rom_pillar_I", "reduce_order_model", "sandybridge", "", "", "V1.0",
	    "rom_pillar_i_reduce_order_model_sandybridge_nompi_nogpu", "v1.0" },
	{ "Pillar_II", "esm", "skylake_avx512", "intel-mpi@2018", "", "latest",
	    "pillar_ii_esm_skylake_avx512_intel-mpi_2018_nogpu", "latest" },
	/* replaced bytes */
	{ "w", "s", "zen2", "openmpi+pmi", "", "latest",
	    "w_s_zen2_openmpi-pmi_nogpu#", "latest" },
	{ "w", "s", "zen2", "openmpi@4 ~x %gcc", "", "latest",
	    "w_s_zen2_openmpi_4--x--gcc_nogpu#", "latest" },
	{ "w", "s", "zen2", "", "", "feature/x", "w_s_zen2_nompi_nogpu#",
	    "feature-x" },
	/* separators */
	{ "a_", "s", "zen2", "", "", "1", "a__s_zen2_nompi_nogpu", "1" },
	{ "a._b", "s", "zen2", "", "", "1", "a_b_s_zen2_nompi_nogpu#", "1" },
	{ "a", "s", "zen2", "", "cuda@", "1", "a_s_zen2_nompi_cuda#", "1" },
	{ "a---b", "s", "zen2", "", "", "1", "a---b_s_zen2_nompi_nogpu", "1" },
	{ "a", "s", "zen2", "", "", "_x", "a_s_zen2_nompi_nogpu", "_x" },
};

static void
well_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		struct cic_request r = request(known[i].w, known[i].s,
		    known[i].arch, known[i].mpi, known[i].gpu, known[i].version);
		char name[300], file[400], image[400], hash[16] = "";
		unsigned char id[32];
		struct cic_names names;
		size_t len = strlen(known[i].name);

		snprintf(name, sizeof(name), "%s", known[i].name);
		if (name[len - 1] == '#') {
			name[len - 1] = '\0';
			cic_request_identity(&r, id);
			snprintf(hash, sizeof(hash), "_%02x%02x%02x%02x", id[0],
			    id[1], id[2], id[3]);
		}
		snprintf(file, sizeof(file), "%s%s_v_%s.sif", name, hash,
		    known[i].tag);
		snprintf(image, sizeof(image), "%s%s:%s", name, hash,
		    known[i].tag);
		cic_request_names(&r, &site, false, &names);
		assert_string_equal(names.file, file);
		assert_string_equal(names.image, image);
	}
}

static regex_t image_grammar, file_grammar;

/* The names must be names, whatever the request is. */
static void
check(const struct cic_request *r, const struct cic_request_site *at,
    bool suffix)
{
	struct cic_names names, again;
	char *colon;

	memset(&names, 'X', sizeof(names));
	cic_request_names(r, at, suffix, &names);
	cic_request_names(r, at, suffix, &again);
	assert_string_equal(names.file, again.file);
	assert_string_equal(names.image, again.image);
	if (regexec(&file_grammar, names.file, 0, NULL, 0) != 0 ||
	    strlen(names.file) > 240)
		fail_msg("file %s of version %s", names.file, r->version);
	if (regexec(&image_grammar, names.image, 0, NULL, 0) != 0)
		fail_msg("image %s of version %s", names.image, r->version);
	colon = strrchr(names.image, ':');
	assert_true(colon - names.image <= 255);
}

static void
compile_grammars(void)
{
	/* distribution/reference: path components, then the tag */
	assert_int_equal(regcomp(&image_grammar, "^([a-z0-9.-]+(:[0-9]+)?/)?"
	    "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*"
	    "(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*"
	    ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", REG_EXTENDED | REG_NOSUB), 0);
	assert_int_equal(regcomp(&file_grammar,
	    "^[a-z0-9][a-z0-9._-]*_v_[a-z0-9_][a-z0-9._-]*[.]sif$",
	    REG_EXTENDED | REG_NOSUB), 0);
}

static void
any(char *out, size_t max, const char *first, const char *rest)
{
	/* few kinds of bytes in a row find more than all of them mixed */
	const char *set = rand() % 3 == 0 ? "_.-" : rest;
	size_t len = (size_t)rand() % (rand() % 2 ? max : 8), i;

	for (i = 0; i < len; i++) {
		const char *from = i == 0 ? first : set;

		out[i] = from[(size_t)rand() % strlen(from)];
	}
	out[len] = '\0';
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void
thousands(void **state)
{
	static const char *const prefixes[] = { "", "ghcr.io/eflows4hpc/",
	    "localhost:5000/", "site_", "site-" };
	char longest[121];

	(void)state;
	compile_grammars();
	memset(longest, 'a', 120);
	longest[119] = '/';
	longest[120] = '\0';
	srand(4711);
	for (int i = 0; i < 50000; i++) {
		struct cic_request_site at = { .default_platform = "linux/amd64",
		    .images_prefix = i % 6 == 5 ? longest : prefixes[i % 6] };
		struct cic_request r = request("w", "s", "skylake_avx512", "",
		    "", "latest");

		any(r.workflow + 1, 64, ALNUM "._-", ALNUM "._-");
		any(r.step + 1, 64, ALNUM "._-", ALNUM "._-");
		any(r.mpi, 128, "abcXYZ", ALNUM "._@+~=:,%^/ -");
		any(r.gpu, 128, "abcXYZ", ALNUM "._@+~=:,%^/ -");
		r.version[0] = '_';
		any(r.version + (rand() % 2), 127, ALNUM "_",
		    ALNUM "._-/+@#=,%!");
		if (r.version[0] == '\0')
			strcpy(r.version, "_");
		check(&r, &at, i % 2 != 0);
	}
	regfree(&image_grammar);
	regfree(&file_grammar);
}

/* The longest of everything, and a version of separators alone. */
static void
extremes(void **state)
{
	struct cic_request r = request("w", "s", "zen2", "m", "g", "_");
	struct cic_request_site at = { .default_platform = "linux/amd64",
	    .images_prefix = "" };

	(void)state;
	compile_grammars();
	check(&r, &at, false);
	memset(r.version, '_', 128);
	check(&r, &at, false);
	memset(r.version + 1, '#', 127);
	check(&r, &at, true);
	memset(r.workflow, 'w', 64);
	memset(r.step, 's', 64);
	memset(r.architecture, 'a', 31);
	memset(r.mpi, 'm', 128);
	memset(r.gpu, 'g', 128);
	memset(r.version, 'v', 128);
	check(&r, &at, true);
	memset(r.step, '_', 64);
	check(&r, &at, true);
	regfree(&image_grammar);
	regfree(&file_grammar);
}

/* What is cut or replaced stays apart, by its suffix. */
static void
apart(void **state)
{
	struct cic_request a = request("w", "s", "zen2", "m+x", "", "1");
	struct cic_request b = request("w", "s", "zen2", "m~x", "", "1");
	struct cic_names one, two;

	(void)state;
	cic_request_names(&a, &site, false, &one);
	cic_request_names(&b, &site, false, &two);
	assert_string_not_equal(one.file, two.file);
	strcpy(a.mpi, "m");	/* nothing but its length is wrong */
	memset(a.gpu, 'g', 128);
	b = a;
	b.gpu[127] = 'h';
	cic_request_names(&a, &site, false, &one);
	cic_request_names(&b, &site, false, &two);
	assert_string_not_equal(one.file, two.file);
	b = a;
	b.container = CIC_DOCKER;
	b.force = true;
	cic_request_names(&b, &site, false, &two);
	assert_string_equal(one.file, two.file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_known), cmocka_unit_test(thousands),
		cmocka_unit_test(extremes), cmocka_unit_test(apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
