/* spack_env.h: the real descriptions for fixed machines, odd bodies, and which
 * of them may share a build cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "folder.h"

#include "description.h"
#include "request.h"
#include "spack_env.h"
#include "yaml.h"

#define OURS "  concretizer:\n    unify: true\n    reuse: true\n    targets:\n" \
    "      granularity: microarchitectures\n      host_compatible: false\n"
#define CONFIG "  config:\n    shared_linking:\n      type: runpath\n"
#define VIEW "  view: /opt/view\n"

static struct cic_request zen2 = { .target = "zen2" };
static struct cic_buf out;

static int
setup(void **state)
{
	cic_buf_init(&out, 1 << 20);
	return folder_make(state);
}

static int
teardown(void **state)
{
	cic_buf_release(&out);
	return folder_remove(state);
}

static void
same(const struct cic_yaml *a, const struct cic_yaml *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->plain, b->plain);
	if (a->key != NULL)
		assert_string_equal(a->key, b->key);
	if (a->text != NULL)
		assert_string_equal(a->text, b->text);
	for (a = a->first, b = b->first; a != NULL && b != NULL;
	    a = a->next, b = b->next)
		same(a, b);
	assert_true(a == b);
}

/* What is written for a body is `want`, and reads back. */
static void
writes(const char *body, const struct cic_request *request, const char *want)
{
	struct cic_yaml *y = cic_yaml_parse(body, strlen(body), &err), *again;

	if (y == NULL || spack_env_check(y, &err) != 0)
		fail_msg("%s: %s", body, err.msg);
	cic_buf_reset(&out);
	if (spack_env_write(y, request, &out, &err) != 0)
		fail_msg("%s: %s", body, err.msg);
	assert_string_equal(out.data, want);
	cic_yaml_free(y);
	y = cic_yaml_parse(out.data, out.len, &err);
	again = cic_yaml_parse(want, strlen(want), &err);
	assert_non_null(y);
	same(y, again);
	cic_yaml_free(again);
	cic_yaml_free(y);
}

static void
writing(void **state)
{
	struct cic_request both = { .target = "zen2", .mpi = "openmpi@4",
	    .gpu = "no" };

	(void)state;
	writes("specs: [a]", &zen2, "spack:\n  specs:\n  - a\n  packages:\n"
	    "    all:\n      target:\n      - zen2\n" OURS CONFIG VIEW);
	/* an mpi is text, whatever word it is; specs are made for it */
	writes("x: 1", &both, "spack:\n  x: 1\n  packages:\n    all:\n"
	    "      target:\n      - zen2\n  specs:\n  - 'openmpi@4'\n  - 'no'\n"
	    OURS CONFIG VIEW);
	writes("specs: ~\npackages:\nconfig:\n", &both,
	    "spack:\n  specs:\n  - 'openmpi@4'\n  - 'no'\n  packages:\n    all:\n"
	    "      target:\n      - zen2\n" CONFIG OURS VIEW);
	/* what is there stays, but for what we set */
	writes("view: false\nspecs: [a: b]\npackages: {all: {compiler: [gcc@8],"
	    " target: [x86_64], version: [3.10, '3.10']}, x: {buildable: no}}\n"
	    "config: {build_jobs: 4, shared_linking: rpath}\nconcretizer: 1\n"
	    "develop: {x: {spec: x@1}}\n", &zen2,
	    "spack:\n  view: /opt/view\n  specs:\n  - a: b\n  packages:\n"
	    "    all:\n      compiler:\n      - gcc@8\n      target:\n"
	    "      - zen2\n      version:\n      - 3.10\n      - '3.10'\n"
	    "    x:\n      buildable: no\n  config:\n    build_jobs: 4\n"
	    "    shared_linking:\n      type: runpath\n" OURS
	    "  develop:\n    x:\n      spec: x@1\n");
	writes("packages: {x: {}}", &zen2, "spack:\n  packages:\n    x: {}\n"
	    "    all:\n      target:\n      - zen2\n" OURS CONFIG VIEW);
	/* Spack's second colon */
	writes("packages:: {all:: {target:: [a]}}\nspecs:: [a]\nview:: true\n",
	    &both, "spack:\n  'packages:':\n    'all:':\n      'target:':\n"
	    "      - zen2\n  'specs:':\n  - a\n  - 'openmpi@4'\n  - 'no'\n"
	    "  'view:': /opt/view\n" OURS CONFIG);
}

static void
too_long(void **state)
{
	struct cic_yaml *y = cic_yaml_parse("{}", 2, &err);
	struct cic_buf small;

	(void)state;
	cic_buf_init(&small, 20);
	assert_int_equal(spack_env_write(y, &zen2, &small, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "spack.yaml: more than 20 bytes");
	cic_buf_release(&small);
	cic_yaml_free(y);
}

/* `why`: what is said against the body, NULL: nothing. */
static const struct { const char *body, *why; } checks[] = {
	{ "specs: [a@1.2:3%gcc@8~x+y ^b arch=c, \"a cflags='-O3 -g'\", $p, ^$q]",
	    NULL },
	{ "specs: [\"%gcc@8\", \"@1.2\", ~x, +y, 3dtk, /abc123, '\"x\"', 'yes']",
	    NULL },
	{ "specs: [{matrix: [[a, b], ['%gcc', -mpi]], exclude: [a]}, [x]]", NULL },
	{ "specs: []", NULL }, { "specs:", NULL }, { "{}", NULL },
	{ "packages:\nconfig: ~\n", NULL }, { "include: 1\nspecs: [x]", NULL },
	{ "[a]", "line 1 column 1: spack must be a mapping" },
	{ "a", "line 1 column 1: spack must be a mapping" },
	{ "specs: a", "line 1 column 8: specs must be a list" },
	{ "specs: {a: b}", "specs must be a list" },
	{ "specs:: a", "line 1 column 9: specs must be a list" },
	{ "specs: [a,\n  -mpi]", "line 2 column 3: not a spec of Spack's" },
	{ "specs: [' a']", "not a spec" }, { "specs: ['']", "not a spec" },
	{ "specs: [a, ~]", "line 1 column 12: not a spec" },
	{ "specs: [Yes]", "must stand in quotes: \"Yes\"" },
	{ "specs: [null]", "must stand in quotes" },
	{ "specs: [{matrix: [[on]]}]", "line 1 column 20: not a spec" },
	{ "specs: [\"a\\nb\"]", "line 1 column 9: a character" },
	{ "specs: [\"a\\x01\"]", "a character" }, { "specs: [\"a;b\"]", "a char" },
	{ "specs: [{matrix: [[\"a\\tb\"]]}]", "line 1 column 20: a character" },
	{ "specs: [\"b\xc3\xa4r\"]", "a character" },
	{ "packages: [a]", "line 1 column 11: packages must be a mapping" },
	{ "packages: {all: x}", "line 1 column 17: all must be a mapping" },
	{ "packages: {'all:': [x]}", "all must be a mapping" },
	{ "config: x", "config must be a mapping" },
	{ "packages: {}\npackages:: {}", "line 2 column 1: key \"packages\" "
	    "stands twice, once with a second colon" },
	{ "packages: {'all:': {}, all: {}}", "key \"all\" stands twice" },
	{ "packages: {all: {'target:': [], target: []}}", "\"target\" stands tw" },
};

static void
checking(void **state)
{
	char text[4100] = "specs: [";
	struct cic_yaml *y;
	int rc;

	(void)state;
	for (size_t i = 0; i < COUNT(checks); i++) {
		y = cic_yaml_parse(checks[i].body, strlen(checks[i].body), &err);
		if (y == NULL)
			fail_msg("%s: %s", checks[i].body, err.msg);
		rc = spack_env_check(y, &err);
		if ((rc == 0) != (checks[i].why == NULL))
			fail_msg("%s: %s", checks[i].body, rc ? err.msg : "taken");
		if (rc != 0) {
			assert_int_equal(err.code, CIC_EINVAL);
			has(err.msg, checks[i].why);
		}
		cic_yaml_free(y);
	}
	memset(text + 8, 'a', 4001);
	strcpy(text + 8 + 4001, "]");
	y = cic_yaml_parse(text, strlen(text), &err);
	assert_int_equal(spack_env_check(y, &err), -1);
	has(err.msg, "more than 4000 bytes");
	cic_yaml_free(y);
}

static const struct { const char *body; bool shared; } shares[] = {
	{ "specs: [compss@3.3, gflags@2.2, git@2.39, 'kratos@9 apps=A,B']", true },
	{ "packages: {all: {compiler: [gcc@8], require: '%gcc', variants: +mpi,"
	    " providers: {mpi: [openmpi]}}, x: {version: [1.2], buildable: false,"
	    " prefer: ['@1'], conflict: ['@2']}}", true },
	{ "concretizer: {reuse: false}\nview:: true\npackages:: {all:: {}}", true },
	{ "definitions: [{a: [x, y]}, {b: [z]}]\nspecs: [$a]", true },
	{ "specs: [{matrix: [[a], ['%gcc']]}]", true }, { "{}", true },
	{ "include: [x.yaml]", false }, { "develop: {}", false },
	{ "repos: [/step/repo]", false }, { "mirrors: {}", false },
	{ "config: {build_stage: /step}", false }, { "compilers: []", false },
	{ "modules: {}", false }, { "upstreams: {}", false },
	{ "bootstrap: {}", false }, { "container: {}", false },
	{ "env_vars: {set: {LD_PRELOAD: /step/x.so}}", false },
	{ "toolchains: {}", false }, { "include:: []", false },
	{ "packages: {cmake: {externals: [{spec: cmake@3, prefix: /step}]}}",
	    false },
	{ "packages: {'all:': {package_attributes: {url: x}}}", false },
	{ "packages: {x: {paths: {x: /step}}}", false },
	{ "packages: {x: [y]}", false },
	{ "packages: {all: {require: ['dev_path=/step']}}", false },
	{ "specs: ['x dev_path=/step']", false },
	{ "specs: [{matrix: [[x], ['dev_path=/step']]}]", false },
	{ "specs: ['x cflags=\"-fplugin=/step/x.so\"']", false },
	{ "specs: ['gflags ldflags == -x']", false },
	{ "specs: ['x ldlibs=y']", false },
	{ "specs: [x@git.main]", false }, { "specs: [x@git.refs/pull/1]", false },
	{ "specs: [x@0123456789abcdef0123456789ABCDEF01234567=1]", false },
	{ "specs: [x@0123456789abcdef0123456789ABCDEF0123456]", true },
	{ "packages: {x: {version: [git.main]}}", false },
	{ "specs: [/step/x.json]", false }, { "specs: ['x ^./y.yaml']", false },
	{ "definitions: [{when: '__import__(\"os\").system(\"x\")', a: [x]}]",
	    false },
	{ "definitions: [{when:: x, a: [x]}]", false },
};

/* With no request's specs, and a step whose name is nobody else's. */
static const struct cic_request plain = { .step = "wordcount" };

static bool
is_shared_for(const char *body, const struct cic_request *request)
{
	struct cic_yaml *y = cic_yaml_parse(body, strlen(body), &err);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	bool shared;

	if (y == NULL)
		fail_msg("%s: %s", body, err.msg);
	shared = spack_env_is_shared(y, request, fd);
	close(fd);
	cic_yaml_free(y);
	return shared;
}

static bool
is_shared(const char *body)
{
	return is_shared_for(body, &plain);
}

static void
sharing(void **state)
{
	struct cic_yaml *y = cic_yaml_parse("{}", 2, &err);

	(void)state;
	for (size_t i = 0; i < COUNT(shares); i++)
		if (is_shared(shares[i].body) != shares[i].shared)
			fail_msg("%s", shares[i].body);
	put_file("spack.lock", "{}");
	assert_false(is_shared("{}"));
	unlink(in_folder("spack.lock"));
	assert_true(is_shared("{}"));
	assert_int_equal(symlink("x", in_folder(".spack-env")), 0);
	assert_false(is_shared("{}"));
	assert_false(spack_env_is_shared(y, &plain, -1));
	cic_yaml_free(y);
}

/* A user's specs go where the author's go, and the step's folder where its name
 * says. */
static const struct {
	struct cic_request request;
	bool shared;
} requests[] = {
	{ { .step = "wordcount", .mpi = "openmpi@4 +cxx", .gpu = "cuda@11.8" },
	    true },
	{ { .step = "wordcount", .mpi = "zlib cflags=-B/wordcount" }, false },
	{ { .step = "wordcount", .mpi = "mpich dev_path=/wordcount" }, false },
	{ { .step = "wordcount", .mpi = "mpich@git.main" }, false },
	{ { .step = "wordcount", .gpu = "wordcount/x.json" }, false },
	{ { .step = "usr" }, false }, { { .step = "opt" }, false },
	{ { .step = "etc" }, false }, { { .step = "root" }, false },
	{ { .step = "packages" }, false },
	{ { .step = "software-catalog" }, false },
	{ { .step = "user" }, true }, { { .step = "op" }, true },
};

static void
sharing_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++)
		if (is_shared_for("{specs: [x]}", &requests[i].request) !=
		    requests[i].shared)
			fail_msg("step %s, mpi %s, gpu %s",
			    requests[i].request.step, requests[i].request.mpi,
			    requests[i].request.gpu);
}

/* eflows4hpc/workflow-registry at dd1cef4, each for a machine; what is in
 * t/data/spack was compared with what the original's own steps make of it. */
static const struct {
	const char *step;
	struct cic_request machine;
} samples[] = {
	{ "Caelestis_DT/training", { .target = "zen2", .mpi = "openmpi@4",
	    .gpu = "cuda@10.2" } },
	{ "Pillar_II/esm", { .target = "skylake", .mpi = "openmpi@4" } },
	{ "distributed_training/blocks_shuffle", { .target = "power9le",
	    .mpi = "openmpi@4", .gpu = "cuda@10.2" } },
	{ "kaust/exageostat", { .target = "skylake" } },
	{ "minimal_workflow/wordcount", { .target = "x86_64" } },
	{ "rom_pillar_I/reduce_order_model", { .target = "sandybridge",
	    .mpi = "openmpi@3.1.6" } },
	{ "sentiment_analysis/analyze", { .target = "zen2" } },
	{ "tutorial/HPC_AI_training", { .target = "zen3", .gpu = "cuda@11.8" } },
	{ "tutorial/lysozyme", { .target = "a64fx", .mpi = "mpich@4 device=ch4" } },
};

/* A list's file is there when the list has entries. */
static void
is_golden(const char *step, const char *name, const struct cic_buf *text)
{
	char path[CIC_PATH_MAX];
	char *want;

	snprintf(path, sizeof(path), "t/data/spack/%s/%s", step, name);
	if (text->len == 0) {
		assert_int_not_equal(access(path, F_OK), 0);
		return;
	}
	want = get_file(path);
	assert_string_equal(text->data, want);
	free(want);
}

static void
golden(void **state)
{
	char path[CIC_PATH_MAX];
	struct description d;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		snprintf(path, sizeof(path), "t/data/descriptions/%s",
		    samples[i].step);
		fd = open(path, O_RDONLY | O_DIRECTORY);
		if (description_read(fd, &d, &err) != 0)
			fail_msg("%s: %s", path, err.msg);
		assert_true(spack_env_is_shared(d.spack, &plain, fd));
		close(fd);
		cic_buf_reset(&out);
		assert_int_equal(spack_env_write(d.spack, &samples[i].machine,
		    &out, &err), 0);
		is_golden(samples[i].step, "spack.yaml", &out);
		is_golden(samples[i].step, "apt.list", &d.apt);
		is_golden(samples[i].step, "pip.list", &d.pip);
		assert_false(d.requirements);
		description_release(&d);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(writing), CASE(too_long), CASE(checking), CASE(sharing),
		CASE(sharing_requests), CASE(golden),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
