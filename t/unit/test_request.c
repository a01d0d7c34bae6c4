/* request.h: what a request may say, row by row, and its canonical form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#include "folder.h"

#include "request.h"

#define SAMPLES "t/data/requests"	/* eflows4hpc/image_creation, 52d8b1f */

static const struct cic_request_site site = { .default_platform = "linux/amd64",
	.images_prefix = "" };

static int
parse(const char *text, struct cic_request *r)
{
	return cic_request_parse(text, strlen(text), &site, r, &err);
}

/* W("…") a request with more members, M("…") with more of the machine. */
#define W(more) "{\"machine\":{\"architecture\":\"zen2\"},\"workflow\":\"w\"," \
	"\"step_id\":\"s\"" more "}"
#define M(more) "{\"machine\":{\"architecture\":\"zen2\"" more "}," \
	"\"workflow\":\"w\",\"step_id\":\"s\"}"
#define N(w, s) "{\"machine\":{\"architecture\":\"zen2\"},\"workflow\":\"" w \
	"\",\"step_id\":\"" s "\"}"
#define A(platform, arch) "{\"machine\":{\"platform\":\"" platform "\"," \
	"\"architecture\":\"" arch "\"},\"workflow\":\"w\",\"step_id\":\"s\"}"
#define S64 "a234567890123456789012345678901234567890123456789012345678901234"

/* `said`: in the canonical text, or in the message when `code` says so. */
static const struct {
	const char *text;
	enum cic_code code;
	const char *said;
} cases[] = {
	/* names */
	{ W(""), CIC_OK, "\"workflow\":\"w\",\"step_id\":\"s\"" },
	{ N("A.b_c-9", "0"), CIC_OK, "\"A.b_c-9\"" },
	{ N(S64, "s"), CIC_OK, S64 },
	{ N(S64 "5", "s"), CIC_EINVAL, "workflow: longer than 64" },
	{ N("", "s"), CIC_EINVAL, "workflow: is empty" },
	{ N("w", ""), CIC_EINVAL, "step_id: is empty" },
	{ N("-w", "s"), CIC_EINVAL, "workflow: '-' at position 1" },
	{ N(".", "s"), CIC_EINVAL, "workflow: '.' at position 1" },
	{ N("w/x", "s"), CIC_EINVAL, "workflow: '/' at position 2" },
	{ N("w", "s x"), CIC_EINVAL, "step_id: byte 0x20 at position 2" },
	{ N("w", "s;x"), CIC_EINVAL, "step_id: ';' at position 2" },
	{ N("w", "\\u00e4"), CIC_EINVAL, "step_id: byte 0xc3 at position 1" },
	{ N("w\\n", "s"), CIC_EINVAL, "workflow: byte 0x0a at position 2" },
	{ "{\"machine\":{\"architecture\":\"zen2\"},\"workflow\":\"w\"}",
	    CIC_EINVAL, "step_id: missing" },
	{ "{\"workflow\":\"w\",\"step_id\":\"s\"}", CIC_EINVAL, "machine: missing" },
	{ "{\"machine\":[],\"workflow\":\"w\"}", CIC_EINVAL,
	    "machine: must be an object, not an array" },
	{ W(",\"workflow\":\"x\""), CIC_EINVAL, "stands twice" },
	{ N("BASE", "BASE"), CIC_OK, "BASE" },
	{ N("BASE", "base"), CIC_OK, "BASE" },
	/* version */
	{ W(""), CIC_OK, "\"version\":\"latest\"" },
	{ W(",\"version\":\"\""), CIC_OK, "\"version\":\"latest\"" },
	{ W(",\"version\":null"), CIC_OK, "\"version\":\"latest\"" },
	{ W(",\"version\":\"feature/x+1\""), CIC_OK, "feature/x+1" },
	{ W(",\"version\":2"), CIC_EINVAL, "version: must be a string, not a number" },
	{ W(",\"version\":\"-x\""), CIC_EINVAL, "version: '-'" },
	{ W(",\"version\":\"--upload-pack=x\""), CIC_EINVAL, "version: '-'" },
	{ W(",\"version\":\"a..b\""), CIC_EINVAL, "version: \"a..b\"" },
	{ W(",\"version\":\"a/\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"/a\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a.lock\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a.lock/b\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a@{1}\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a^{}\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a:b\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a/.b\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"a.\""), CIC_EINVAL, "version" },
	{ W(",\"version\":\"" S64 S64 "\""), CIC_OK, S64 S64 },
	{ W(",\"version\":\"" S64 S64 "5\""), CIC_EINVAL, "longer than 128" },
	/* mpi, gpu */
	{ M(""), CIC_OK, "\"mpi\":\"\",\"gpu\":\"\"" },
	{ M(",\"mpi\":\"\",\"gpu\":\"\""), CIC_OK, "\"mpi\":\"\",\"gpu\":\"\"" },
	{ M(",\"mpi\":null"), CIC_OK, "\"mpi\":\"\"" },
	{ M(",\"mpi\":\"openmpi@4.0.0+pmi ~x fabrics=ucx,ofi %gcc@8 ^ucx\""),
	    CIC_OK, "fabrics=ucx,ofi" },
	{ M(",\"gpu\":\"cuda@10.2\""), CIC_OK, "\"gpu\":\"cuda@10.2\"" },
	{ M(",\"mpi\":\"@4\""), CIC_EINVAL, "machine.mpi: '@' at position 1" },
	{ M(",\"mpi\":\"4\""), CIC_EINVAL, "machine.mpi: '4'" },
	{ M(",\"mpi\":\"a$(x)\""), CIC_EINVAL, "machine.mpi: '$' at position 2" },
	{ M(",\"gpu\":\"a\\\"b\""), CIC_EINVAL, "machine.gpu: '\"'" },
	{ M(",\"gpu\":\"a\\tb\""), CIC_EINVAL, "machine.gpu: byte 0x09" },
	{ M(",\"gpu\":true"), CIC_EINVAL, "machine.gpu: must be a string" },
	/* platform, architecture */
	{ M(",\"platform\":\"\""), CIC_OK, "\"platform\":\"linux/amd64\"" },
	{ M(",\"platform\":null"), CIC_OK, "\"platform\":\"linux/amd64\"" },
	{ A("linux/ppc64le", "power9le"), CIC_OK, "linux/ppc64le" },
	{ A("linux/arm64", "graviton3"), CIC_OK, "graviton3" },
	{ A("linux/arm64", "zen2"), CIC_EINVAL, "machine.architecture: zen2 code" },
	{ A("linux/amd46", "zen2"), CIC_EINVAL, "machine.platform: unknown \"linux/amd46\"; "
	    "the nearest known: linux/amd64" },
	{ A("", "rome"), CIC_OK, "\"architecture\":\"rome\"" },
	{ A("", "skylak"), CIC_EINVAL, "the nearest known: skylake" },
	{ A("", ""), CIC_EINVAL, "machine.architecture: is empty" },
	{ A("", "ZEN2"), CIC_EINVAL, "machine.architecture: unknown" },
	{ A("", "a23456789012345678901234567890123"), CIC_EINVAL,
	    "machine.architecture: longer than 31" },
	{ "{\"machine\":{},\"workflow\":\"w\",\"step_id\":\"s\"}", CIC_EINVAL,
	    "machine.architecture: missing" },
	/* container_engine */
	{ M(""), CIC_OK, "\"container_engine\":\"singularity\"" },
	{ M(",\"container_engine\":\"\""), CIC_OK, "\"singularity\"" },
	{ M(",\"container_engine\":\"apptainer\""), CIC_OK, "\"singularity\"" },
	{ M(",\"container_engine\":\"docker\""), CIC_OK, "\"docker\"" },
	{ M(",\"container_engine\":\"podman\""), CIC_EINVAL,
	    "machine.container_engine: unknown \"podman\"" },
	{ M(",\"container_engine\":\"Docker\""), CIC_EINVAL, "docker" },
	/* force, push */
	{ W(""), CIC_OK, "\"force\":false" },
	{ W(",\"force\":true"), CIC_OK, "\"force\":true" },
	{ W(",\"force\":\"TrUe\""), CIC_OK, "\"force\":true" },
	{ W(",\"force\":\"false\""), CIC_OK, "\"force\":false" },
	{ W(",\"force\":\"False\",\"push\":\"FALSE\""), CIC_OK, "\"force\":false" },
	{ W(",\"force\":\"\",\"push\":null"), CIC_OK, "\"force\":false" },
	{ W(",\"force\":\"yes\""), CIC_EINVAL, "force: must be true or false" },
	{ W(",\"force\":1"), CIC_EINVAL, "force: must be true or false, not a number" },
	{ W(",\"force\":True"), CIC_EINVAL, "JSON wants true" },
	{ W(",\"push\":true"), CIC_EINVAL, "push: true" },
	{ W(",\"push\":\"true\""), CIC_EINVAL, "push: true" },
	{ W(",\"push\":[]"), CIC_EINVAL, "push: must be" },
	{ W(""), CIC_OK, "\"push\":false" },
	/* path, other keys, case, JSON */
	{ W(",\"path\":\"/x\""), CIC_EINVAL, "path: a local folder" },
	{ W(",\"what\":{\"ever\":[1]}"), CIC_OK, "\"workflow\":\"w\"" },
	{ W(",\"Force\":true"), CIC_EINVAL, "Force: the key is written force" },
	{ W(",\"VERSION\":\"v2\""), CIC_EINVAL, "VERSION: the key is written version" },
	{ M(",\"MPI\":\"openmpi\""), CIC_EINVAL,
	    "machine.MPI: the key is written mpi" },
	{ M(",\"Container_Engine\":\"docker\""), CIC_EINVAL,
	    "machine.Container_Engine: the key" },
	{ "[]", CIC_EINVAL, "the body must be a JSON object, not an array" },
	{ "", CIC_EINVAL, "the body is not JSON: line 1 column 1" },
	{ W("") " x", CIC_EINVAL, "text after the end" },
	{ W(",\"version\":\"\xff\""), CIC_EINVAL, "invalid UTF-8" },
	{ W(",\"version\":\"a\\u0000b\""), CIC_EINVAL, "NUL" },
};

static void
rows(void **state)
{
	struct cic_buf text;

	(void)state;
	cic_buf_init(&text, 8192);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cic_request r, again;
		int rc = parse(cases[i].text, &r);

		if ((rc == 0) != (cases[i].code == CIC_OK))
			fail_msg("%s: %s", cases[i].text, rc ? err.msg : "accepted");
		if (rc != 0) {
			assert_int_equal(err.code, cases[i].code);
			has(err.msg, cases[i].said);
			continue;
		}
		cic_buf_reset(&text);
		cic_request_print(&text, &r);
		has(text.data, cases[i].said);
		assert_int_equal(parse(text.data, &again), 0);
		assert_memory_equal(&r, &again, sizeof(r));
	}
	cic_buf_release(&text);
}

/* With a registry, and in library mode. */
static void
push_and_path(void **state)
{
	static const struct cic_request_site rich = {
		.default_platform = "linux/amd64", .images_prefix = "r.org/",
		.base_image = "base:1", .has_registry = true, .has_path = true };
	struct cic_request r;

	(void)state;
	assert_int_equal(cic_request_parse(W(""), strlen(W("")), &rich, &r, &err),
	    0);
	assert_true(r.push);
	assert_string_equal(r.path, "");
	assert_int_equal(cic_request_parse(W(",\"push\":\"False\""),
	    strlen(W(",\"push\":\"False\"")), &rich, &r, &err), 0);
	assert_false(r.push);
	assert_int_equal(cic_request_parse(W(",\"path\":\"/a b\""),
	    strlen(W(",\"path\":\"/a b\"")), &rich, &r, &err), 0);
	assert_string_equal(r.path, "/a b");
	assert_int_equal(cic_request_parse(W(",\"path\":7"),
	    strlen(W(",\"path\":7")), &rich, &r, &err), -1);
	assert_int_equal(cic_request_parse(W(",\"path\":\"\""),
	    strlen(W(",\"path\":\"\"")), &rich, &r, &err), -1);
}

/* A machine that the site has a name for is the machine spelled out. */
static void
profiles(void **state)
{
#define P(name) "{\"machine\":\"" name "\",\"workflow\":\"w\",\"step_id\":\"s\"}"
	static char small[] = "{\"architecture\":\"zen2\",\"mpi\":\"openmpi@4\"}";
	static char wrong[] = "{\"architecture\":\"zen\"";
	static struct cic_profile profile[12] = {
		{ "one", "", small }, { "broken", "", wrong },
		{ "p2", "", small }, { "p3", "", small }, { "p4", "", small },
		{ "p5", "", small }, { "p6", "", small }, { "p7", "", small },
		{ "p8", "", small }, { "p9", "", small }, { "p10", "", small },
		{ "p11", "", small },
	};
	struct cic_request_site with = { .default_platform = "linux/amd64",
		.images_prefix = "", .profiles = profile, .profile_count = 12 };
	unsigned char named[32], spelled[32];
	struct cic_request r;

	(void)state;
	assert_int_equal(cic_request_parse(P("one"), strlen(P("one")), &with,
	    &r, &err), 0);
	assert_string_equal(r.mpi, "openmpi@4");
	cic_request_key(&r, named);
	assert_int_equal(parse(M(",\"mpi\":\"openmpi@4\""), &r), 0);
	cic_request_key(&r, spelled);
	assert_memory_equal(named, spelled, 32);
	assert_int_equal(cic_request_parse(P("two"), strlen(P("two")), &with,
	    &r, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "machine: there is no machine \"two\"; there are one, broken, "
	    "p2,");
	has(err.msg, "p9, …");
	assert_null(strstr(err.msg, "p10"));
	with.profile_count = 1;
	assert_int_equal(cic_request_parse(P(""), strlen(P("")), &with, &r,
	    &err), -1);
	has(err.msg, "there is one");
	assert_int_equal(cic_request_parse(M(""), strlen(M("")), &with, &r,
	    &err), 0);
	with.profile_count = 2;
	assert_int_equal(cic_request_parse(P("broken"), strlen(P("broken")),
	    &with, &r, &err), -1);
	assert_int_equal(parse(P("one"), &r), -1);
	has(err.msg, "machine: must be an object, not a string");
}

static void
machines(void **state)
{
	static const char text[] = "{\"architecture\":\"rome\",\"gpu\":\"\"}";
	struct cic_buf out;

	(void)state;
	cic_buf_init(&out, 4096);
	assert_int_equal(cic_request_check_machine(text, strlen(text), &site,
	    &out, &err), 0);
	assert_string_equal(out.data, "{\"platform\":\"linux/amd64\","
	    "\"architecture\":\"rome\",\"container_engine\":\"singularity\","
	    "\"mpi\":\"\",\"gpu\":\"\"}");
	cic_buf_reset(&out);
	assert_int_equal(cic_request_check_machine("{}", 2, &site, &out, &err),
	    -1);
	has(err.msg, "machine.architecture: missing");
	assert_int_equal(cic_request_check_machine("{", 1, &site, &out, &err),
	    -1);
	assert_int_equal(out.len, 0);
	cic_buf_release(&out);
}

/* What could stand in a request, asked for by itself. */
static void
words(void **state)
{
	(void)state;
	assert_true(cic_request_is_name("A.b_c-9"));
	assert_true(cic_request_is_name(S64));
	assert_false(cic_request_is_name(S64 "5"));
	assert_false(cic_request_is_name(""));
	assert_false(cic_request_is_name("-a"));
	assert_false(cic_request_is_name("a/b"));
	assert_false(cic_request_is_name("a\n"));
	assert_true(cic_request_is_version("feature/x"));
	assert_true(cic_request_is_version(S64 S64));
	assert_false(cic_request_is_version(S64 S64 "5"));
	assert_false(cic_request_is_version(""));
	assert_false(cic_request_is_version("a..b"));
	assert_false(cic_request_is_version("a.lock"));
	assert_false(cic_request_is_version("-a"));
}

/* The tables end, and every word in them is known. */
static void
tables(void **state)
{
	const char *platform, *family, *target, *word;
	size_t i;

	(void)state;
	for (i = 0; (platform = cic_arch_platform(i)) != NULL; i++)
		assert_int_equal(cic_arch_check_platform(platform, &err), 0);
	assert_int_equal(i, 6);
	for (i = 0; (word = cic_arch_at(i, &platform, &family)) != NULL; i++) {
		assert_int_equal(cic_arch_fits(word, platform, &err), 0);
		assert_int_equal(cic_arch_fits(family, platform, &err), 0);
	}
	assert_true(i > 60);
	for (i = 0; (word = cic_arch_alias(i, &target)) != NULL; i++)
		assert_string_equal(cic_arch_target(word), target);
	assert_true(i > 30);
}

/* What means the same has one key; what does not, has another. */
static void
keys(void **state)
{
	static const char *const same[] = {
		M(""), "\n" M(" ") "\n", M(",\"mpi\":\"\",\"gpu\":null"),
		W(",\"version\":\"latest\",\"force\":\"FALSE\",\"push\":false"),
		M(",\"container_engine\":\"apptainer\",\"platform\":\"linux/amd64\""),
		"{\"step_id\":\"\\u0073\",\"x\":1,\"workflow\":\"w\","
		    "\"machine\":{\"architecture\":\"zen2\"}}",
	};
	static const struct { const char *text; bool same_name; } other[] = {
		{ N("w", "t"), false }, { N("v", "s"), false },
		{ W(",\"version\":\"v2\""), false }, { W(",\"force\":true"), true },
		{ M(",\"container_engine\":\"docker\""), true },
		{ M(",\"mpi\":\"a\""), false }, { M(",\"gpu\":\"a\""), false },
		{ A("", "rome"), false }, { A("linux/arm64", "m1"), false },
	};
	unsigned char first[32], key[32], name1[32], name2[32];
	struct cic_request r;

	(void)state;
	assert_int_equal(parse(same[0], &r), 0);
	cic_request_key(&r, first);
	cic_request_identity(&r, name1);
	for (size_t i = 1; i < COUNT(same); i++) {
		assert_int_equal(parse(same[i], &r), 0);
		cic_request_key(&r, key);
		if (memcmp(key, first, 32) != 0)
			fail_msg("another key: %s", same[i]);
	}
	for (size_t i = 0; i < COUNT(other); i++) {
		assert_int_equal(parse(other[i].text, &r), 0);
		cic_request_key(&r, key);
		cic_request_identity(&r, name2);
		assert_memory_not_equal(key, first, 32);
		assert_int_equal(memcmp(name1, name2, 32) == 0,
		    other[i].same_name);
	}
}

static void
architectures(void **state)
{
	static const struct { const char *word, *target; } t[] = {
		{ "rome", "zen2" }, { "milan", "zen3" }, { "genoa", "zen4" },
		{ "zen2", "zen2" }, { "skylake_avx512", "skylake_avx512" },
		{ "x86_64", "x86_64" }, { "power9le", "power9le" },
		{ "siena", "zen4" }, { "turin", "zen5" }, { "znver3", "zen3" },
		{ "skylake-avx512", "skylake_avx512" },
		{ "cascade_lake", "cascadelake" }, { "knl", "mic_knl" },
		{ "icelake-server", "icelake" }, { "x86-64-v3", "x86_64_v3" },
		{ "graviton2", "neoverse_n1" }, { "grace", "neoverse_v2" },
		{ "graviton4", "neoverse_v2" }, { "ampere-altra", "neoverse_n1" },
		{ "neoverse-v1", "neoverse_v1" }, { "armv9.0a", "armv9.0a" },
		{ "a64fx", "a64fx" }, { "power9", "power9le" },
		{ "power10", "power10le" }, { "u74mc", "u74mc" },
		{ "graniterapids", "sapphirerapids" }, { "-", NULL }, { "power7", NULL },
		{ "x86_6", NULL }, { "x86_64 x86_64_v2", NULL }, { "", NULL },
		{ " ", NULL }, { "Rome", NULL }, { "armv8", NULL },
	};
	char text[256];
	struct cic_request r;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		const char *target = cic_arch_target(t[i].word);

		if (t[i].target == NULL) {
			assert_null(target);
			continue;
		}
		assert_string_equal(target, t[i].target);
	}
	assert_int_equal(parse(A("", "milan"), &r), 0);
	assert_string_equal(r.architecture, "milan");
	assert_string_equal(r.target, "zen3");
	assert_int_equal(parse(A("linux/arm64", "ampere-altra"), &r), 0);
	assert_string_equal(r.architecture, "ampere-altra");
	assert_string_equal(r.target, "neoverse_n1");
	assert_int_equal(cic_arch_fits("nonsense", "linux/amd64", &err), -1);
	assert_int_equal(cic_arch_fits("a64fx", "linux/amd64", &err), -1);
	assert_int_equal(cic_arch_fits("a64fx", "linux/arm64", &err), 0);
	memset(text, 'x', 255);
	text[255] = '\0';
	assert_int_equal(cic_arch_check(text, &err), -1);
	assert_int_equal(cic_arch_check_platform(text, &err), -1);
}

/* The bodies that are out there; one of them is no JSON. */
static void
samples(void **state)
{
	DIR *dir = opendir(SAMPLES);
	struct dirent *e;
	int good = 0, bad = 0;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		struct cic_request r;
		char path[512], *text;

		if (strstr(e->d_name, ".json") == NULL)
			continue;
		snprintf(path, sizeof(path), SAMPLES "/%s", e->d_name);
		text = get_file(path);
		if (parse(text, &r) == 0)
			good++;
		else {
			has(err.msg, "the body is not JSON: line 3 column");
			has(e->d_name, "ftrt_power9");
			bad++;
		}
		free(text);
	}
	closedir(dir);
	assert_int_equal(good, 4);
	assert_int_equal(bad, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows), cmocka_unit_test(keys),
		cmocka_unit_test(push_and_path), cmocka_unit_test(profiles),
		cmocka_unit_test(machines), cmocka_unit_test(words),
		cmocka_unit_test(tables),
		cmocka_unit_test(architectures), cmocka_unit_test(samples),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
