/* conf.h: every fault with its line, all at once; what -n prints loads again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder.h"

#include "conf.h"
#include "request.h"

#define NEEDED "repositories:\n  workflow_repository: /w\n" \
	"  software_repository: /s\n"
#define BASE "build:\n  base_image: debian:12\n"

static struct cic_conf *
load(const char *text, struct cic_buf *faults)
{
	cic_buf_init(faults, 1 << 20);
	return cic_conf_load(put_file("c.yaml", text), faults);
}

static struct cic_conf *
loads(const char *text)
{
	struct cic_buf faults;
	struct cic_conf *conf = load(text, &faults);

	if (conf == NULL)
		fail_msg("%s", faults.data);
	cic_buf_release(&faults);
	return conf;
}

static void
defaults(void **state)
{
	struct cic_conf *c = loads(NEEDED BASE);
	struct cic_request_site site;

	(void)state;
	assert_string_equal(c->prefix, "/image_creation");
	assert_string_equal(c->data, "/var/lib/cic");
	assert_int_equal(c->engine, CIC_ENGINE_DOCKER);
	assert_int_equal(c->converter, CIC_CONVERT_SINGULARITY);
	assert_string_equal(c->engine_command, "");
	assert_int_equal(c->engine_args.count, 0);
	assert_null(c->engine_args.item[0]);
	assert_int_equal(c->max_concurrent_builds, 3);
	assert_int_equal(c->build_timeout, 43200);
	site = cic_conf_site(c);
	assert_string_equal(site.default_platform, "linux/amd64");
	assert_string_equal(site.images_prefix, "");
	cic_conf_free(c);
	cic_conf_free(NULL);
}

/* One key's value, and what must be said about it (NULL: nothing). */
static const struct {
	const char *group, *key, *value, *fault;
} values[] = {
	{ "registry", "user", "-u", "begins with '-'" },
	{ "network", "http_proxy", "http://proxy.example.org:3128", NULL },
	{ "network", "http_proxy", "proxy:3128", "must be like http://" },
	{ "network", "http_proxy", "http://", "must be like http://" },
	{ "network", "https_proxy", "http://me:secret@proxy:1", "a user name or password" },
	{ "network", "pip_index", "\"https://x/$(id)\"", "must be like" },
	{ "network", "ca_file", "ca.pem", "absolute path" },
	{ "network", "apt_mirrors", "[\"http://m/debian\"]", NULL },
	{ "network", "apt_mirrors", "[\"http://me:pw@m/debian\"]", "a user name or password" },
	{ "network", "apt_mirrors", "[\"http://m/a#b\"]", "must be like" },
	{ "build", "rebuild_on", "[workflow, base]", NULL },
	{ "build", "rebuild_on", "[]", NULL },
	{ "build", "rebuild_on", "[workflow, bas]", "nearest known: base" },
	{ "build", "rebuild_on", "workflow", "must be a list" },
	{ "build", "adopt_unlabelled", "yes", NULL },
	{ "build", "adopt_unlabelled", "maybe", "unknown" },
	{ "build", "platform_builders", "[\"linux/arm64=arm\"]", NULL },
	{ "build", "platform_builders", "[\"linux/arm46=arm\"]", "not known" },
	{ "build", "platform_contexts", "[arm]", "must be like" },
	{ "build", "platform_contexts", "[\"linux/arm64=-x\"]", "must be like" },
	{ "build", "jobs", "-1", "whole number" },
	{ "limits", "memory", "1024", NULL },
	{ "service", "prefix", "\"\"", NULL },
	{ "service", "prefix", "/a/b-c.d_e", NULL },
	{ "service", "prefix", "a", "must begin with /" },
	{ "service", "prefix", "/", "must begin with /" },
	{ "service", "prefix", "/a/", "must begin with /" },
	{ "service", "prefix", "/a b", "letters, digits" },
	{ "service", "prefix", "/a;b", "letters, digits" },
	{ "service", "prefix", "[/a]", "must be a single value" },
	{ "service", "prefix", "{a: b}", "must be a single value" },
	{ "service", "data", "x", "absolute path" },
	{ "service", "data", "\"\"", "absolute path" },
	{ "service", "data", "\"/x\\ny\"", "control byte" },
	{ "service", "data", "\"/x\\x7f\"", "control byte" },
	{ "service", "data", "\"/x\\x85y\"", "control byte" },
	{ "service", "data", "\"/x\\L\"", "control byte" },
	{ "service", "data", "\"/\\uFEFFx\"", "control byte" },
	{ "service", "threads", "1", NULL },
	{ "service", "long_poll_seconds", "0", NULL },
	{ "service", "long_poll_seconds", "26", "a whole number, 0 to 25" },
	{ "service", "threads", "64", NULL },
	{ "service", "threads", "0", "a whole number, 1 to 64" },
	{ "service", "threads", "65", "1 to 64" },
	{ "service", "threads", "-1", "1 to 64" },
	{ "service", "threads", "8x", "1 to 64" },
	{ "service", "threads", "0x8", "1 to 64" },
	{ "service", "threads", "1.5", "1 to 64" },
	{ "service", "threads", "\" 8\"", "1 to 64" },
	{ "service", "threads", "+8", "1 to 64" },
	{ "service", "threads", "4294967304", "1 to 64" },
	{ "service", "threads", "99999999999999999999999", "1 to 64" },
	{ "registry", "images_prefix", "ghcr.io/eflows4hpc/", NULL },
	{ "registry", "images_prefix", "localhost:5000/", NULL },
	{ "registry", "images_prefix", "a-", NULL },
	{ "registry", "images_prefix", "site_", NULL },
	{ "registry", "images_prefix", "ghcr.io", "must be like" },
	{ "registry", "images_prefix", "GHCR.io/", "must be like" },
	{ "registry", "images_prefix", "-a/", "must be like" },
	{ "registry", "images_prefix", ":a/", "must be like" },
	{ "registry", "images_prefix", "_a/", "must be like" },
	{ "registry", "images_prefix", "/", "must be like" },
	{ "registry", "images_prefix", "a//", "must be like" },
	{ "registry", "images_prefix", "a/.b/", "must be like" },
	{ "registry", "images_prefix", "a..b/", "must be like" },
	{ "registry", "images_prefix", "a:5/b:6/", "must be like" },
	{ "registry", "images_prefix", "a:b/", "must be like" },
	{ "registry", "images_prefix", "a___", "must be like" },
	{ "registry", "images_prefix", "a/-", "must be like" },
	{ "build", "platform", "linux/arm64", NULL },
	{ "build", "platform", "linux/amd46", "linux/amd64" },
	{ "build", "engine", "podman", NULL },
	{ "build", "engine", "Docker", "docker" },
	{ "build", "engine", "dcoker", "docker" },
	{ "build", "converter", "builtin", NULL },
	{ "build", "converter", "sif", "singularity" },
	{ "build", "engine_command", "\"-x\"", "begins with '-'" },
	{ "build", "engine_args", "[a, \"-b c\", \"\"]", NULL },
	{ "build", "engine_args", "[]", NULL },
	{ "build", "engine_args", "", NULL },
	{ "build", "engine_args", "a", "must be a list" },
	{ "build", "engine_args", "\"\"", "must be a list" },
	{ "build", "engine_args", "{a: b}", "must be a list" },
	{ "build", "engine_args", "[[a]]", "one line of text" },
	{ "build", "engine_args", "[\"a\\nb\"]", "one line of text" },
	{ "build", "images_location", "images", "absolute" },
	{ "limits", "min_free_space", "0", NULL },
	{ "limits", "min_free_space", "2147483647", NULL },
	{ "limits", "min_free_space", "2147483648", "0 to 2147483647" },
	{ "limits", "build_timeout", "0", "1 to 2592000" },
	{ "limits", "max_attempts", "101", "1 to 100" },
	{ "limits", "Max_attempts", "1", "unknown key limits.Max_attempts" },
};

static void
one_value(void **state)
{
	char text[512], where[128];
	struct cic_buf faults;
	struct cic_conf *conf;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		bool build = strcmp(values[i].group, "build") == 0;

		snprintf(text, sizeof(text), "%s%s%s%s  %s: %s\n", NEEDED,
		    BASE, build ? "" : values[i].group, build ? "" : ":\n",
		    values[i].key, values[i].value);
		conf = load(text, &faults);
		if (values[i].fault == NULL && conf == NULL)
			fail_msg("%s: %s", values[i].value, faults.data);
		if (values[i].fault != NULL) {
			if (conf != NULL)
				fail_msg("accepted: %s", text);
			has(faults.data, values[i].fault);
			snprintf(where, sizeof(where), "c.yaml:%d: ",
			    build ? 6 : 7);
			has(faults.data, where);
			has(faults.data, values[i].key);
			assert_ptr_equal(strchr(faults.data, '\n'),
			    faults.data + faults.len - 1);
		}
		cic_conf_free(conf);
		cic_buf_release(&faults);
	}
}

static void
repositories(void **state)
{
	static const struct { const char *url; bool good; } t[] = {
		{ "https://example.org/r.git", true },
		{ "http://example.org:80/r", true },
		{ "ssh://git@example.org/r.git", true },
		{ "git@example.org:group/r.git", true },
		{ "file:///srv/r", true }, { "/srv/r", true },
		{ "https://example.org/a@b:c", true },
		{ "https://u:p@example.org/r", false },
		{ "http://:p@example.org/r", false },
		{ "ssh://u:p@h/r", false }, { "ssh://-oProxyCommand=x/r", false },
		{ "-u@h:r", false }, { "u@-h:r", false }, { "@h:r", false },
		{ "ext::sh -c x", false }, { "git://h/r", false },
		{ "ftp://h/r", false }, { "file://h/r", false },
		{ "relative/r", false }, { "../r", false }, { "h:r", false },
		{ "--upload-pack=x", false }, { "", false },
	};
	struct cic_buf faults;
	struct cic_conf *conf;
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof(text), BASE "repositories:\n"
		    "  software_repository: /s\n  workflow_repository: \"%s\"\n",
		    t[i].url);
		conf = load(text, &faults);
		if ((conf != NULL) != t[i].good)
			fail_msg("%s: %s", t[i].url, faults.data);
		if (conf == NULL)
			has(faults.data, "c.yaml:5: repositories.workflow_");
		cic_conf_free(conf);
		cic_buf_release(&faults);
	}
}

static void
all_at_once(void **state)
{
	static const char *const said[] = { "c.yaml:2: service.data: ",
	    "c.yaml:3: service.threads: ", "c.yaml:4: unknown key service.x",
	    "c.yaml:5: unknown group \"y\"", "c.yaml:7: limits must hold keys",
	    "c.yaml:9: build.engine: ", "c.yaml:11: build.engine_args: ",
	    "c.yaml:12: build.engine_args: ",
	    "c.yaml:13: build.platform: ",
	    "repositories.workflow_repository is missing",
	    "repositories.software_repository is missing",
	    "build.base_image is missing" };
	struct cic_buf faults;
	size_t lines = 0, i;

	(void)state;
	assert_null(load("service:\n  data: x\n  threads: 0\n  x: 1\ny: 2\n"
	    "limits:\n  word\nbuild:\n  engine: x\n  engine_args:\n"
	    "    - [a]\n    - {b: c}\n  platform: vax\n", &faults));
	for (i = 0; i < COUNT(said); i++)
		has(faults.data, said[i]);
	for (i = 0; i < faults.len; i++)
		lines += faults.data[i] == '\n';
	assert_int_equal(lines, COUNT(said));
	cic_buf_release(&faults);
}

static void
no_mapping(void **state)
{
	static const char *const t[] = { "", "- a\n- b\n", "word", "[]", "{}",
	    "- {a: b}", "# c", "service:\n", "a: [\n", "\"\\0\"", "null: 1" };
	struct cic_buf faults;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_null(load(t[i], &faults));
		assert_true(faults.len > 0);
		cic_buf_release(&faults);
	}
	cic_buf_init(&faults, 4096);
	assert_null(cic_conf_load(in_folder("gone"), &faults));
	has(faults.data, "gone: No such file");
	cic_buf_reset(&faults);
	assert_null(cic_conf_load(folder, &faults));
	has(faults.data, "not a regular file");
	cic_buf_release(&faults);
}

/* "key:" with nothing behind it is as if the line were not there. */
static void
left_blank(void **state)
{
	struct cic_conf *c = loads(NEEDED "service:\nlimits: ~\nregistry:\n"
	    "  images_prefix:\n" BASE "  engine_command: null\n"
	    "  converter_command: ~\n  engine_args: ~\n  platform:\n");
	struct cic_buf faults;

	(void)state;
	assert_string_equal(c->images_prefix, "");
	assert_string_equal(c->engine_command, "");
	assert_string_equal(c->converter_command, "");
	assert_string_equal(c->platform, "linux/amd64");
	cic_conf_free(c);
	assert_null(load(NEEDED "build:\n  base_image:\n", &faults));
	has(faults.data, "c.yaml:5: build.base_image: is empty");
	cic_buf_release(&faults);
	assert_null(load(NEEDED "build:\n  base_image: null\n", &faults));
	has(faults.data, "c.yaml:5: build.base_image: is empty");
	cic_buf_release(&faults);
}

static char *
printed(const struct cic_conf *conf)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cic_conf_print(conf, f);
	fclose(f);
	return text;
}

static void
printed_loads_again(void **state)
{
	static const char *const t[] = {
		NEEDED BASE,
		NEEDED BASE "  engine: podman\n  converter: builtin\n"
		    "  engine_args: [\"a \\\"b\\\"\", 'c\\d', \"#\", \"a: b\", "
		    "\"%s\", \"\\u00e4\", \"'\", \"\"]\n"
		    "  images_location: '/a \"b\" \\c'\n  templates: \"/\\t\"\n"
		    "service: {data: '/x: #y', prefix: \"\", threads: 64}\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char copy[1024], *tab, *first, *second;
		struct cic_conf *c;

		snprintf(copy, sizeof(copy), "%s", t[i]);
		if ((tab = strstr(copy, "\\t\"")) != NULL)
			memcpy(tab, "tt\"", 3);
		c = loads(copy);
		first = printed(c);
		cic_conf_free(c);
		c = loads(first);
		second = printed(c);
		assert_string_equal(first, second);
		if (i == 1) {
			assert_int_equal(c->engine_args.count, 8);
			assert_string_equal(c->engine_args.item[0], "a \"b\"");
			assert_string_equal(c->engine_args.item[1], "c\\d");
			assert_string_equal(c->images_location, "/a \"b\" \\c");
			assert_string_equal(c->data, "/x: #y");
		}
		cic_conf_free(c);
		free(first);
		free(second);
	}
}

static void
long_lists(void **state)
{
	struct cic_buf text, faults;
	struct cic_conf *c;

	(void)state;
	cic_buf_init(&text, 1 << 20);
	cic_buf_puts(&text, NEEDED BASE "  engine_args:\n");
	for (int i = 0; i < CIC_CONF_LIST_MAX; i++)
		cic_buf_printf(&text, "  - a%d\n", i);
	c = loads(text.data);
	assert_int_equal(c->engine_args.count, CIC_CONF_LIST_MAX);
	assert_null(c->engine_args.item[CIC_CONF_LIST_MAX]);
	cic_conf_free(c);
	cic_buf_puts(&text, "  - more\n");
	assert_null(load(text.data, &faults));
	has(faults.data, "c.yaml:71: build.engine_args: more than 64");
	cic_buf_release(&faults);
	cic_buf_release(&text);
}

/* A registry's url, and what only fits together with images_prefix. */
static void
registries(void **state)
{
	static const struct { const char *url, *host; bool plain; } good[] = {
		{ "ghcr.io", "ghcr.io", false },
		{ "https://r.example.org:5000/", "r.example.org:5000", false },
		{ "127.0.0.1:5000", "127.0.0.1:5000", true },
		{ "http://localhost:5000", "localhost:5000", true },
		{ "https://localhost:5000", "localhost:5000", true },
		{ "", "", false },
	};
	static const char *const bad[] = { "http://ghcr.io", "ftp://x", "a b",
		"https://user:pw@r.org", "r.org/x", "-r", "r.org:", "https://" };
	char text[512], host[CIC_CONF_HOST_MAX];
	struct cic_buf faults;
	struct cic_conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof(text), NEEDED BASE "registry:\n  url: \"%s\"\n"
		    "  images_prefix: \"%s%s\"\n", good[i].url, good[i].host,
		    good[i].host[0] != '\0' ? "/x/" : "");
		c = loads(text);
		cic_conf_registry_host(c, host);
		assert_string_equal(host, good[i].host);
		assert_int_equal(cic_conf_registry_is_plain(c), good[i].plain &&
		    strncmp(good[i].url, "https", 5) != 0);
		cic_conf_free(c);
	}
	for (i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), NEEDED BASE "registry:\n  url: \"%s\"\n",
		    bad[i]);
		assert_null(load(text, &faults));
		assert_non_null(strstr(faults.data, "registry.url"));
		cic_buf_release(&faults);
	}
	assert_null(load(NEEDED BASE "registry:\n  url: r.org\n"
	    "  images_prefix: r.organ/x/\n", &faults));
	assert_non_null(strstr(faults.data, "must begin with \"r.org/\""));
	cic_buf_release(&faults);
}

/* A secret is known to who needs it, and printed to nobody. */
static void
secrets(void **state)
{
	struct cic_conf *c;
	struct cic_buf token, text;
	FILE *out;

	(void)state;
	put_file("token", "from-file\nsecond line\n");
	c = loads(NEEDED BASE "registry:\n  token: s3cr3t\n");
	cic_buf_init(&token, 100);
	assert_int_equal(cic_conf_registry_token(c, &token, &err), 0);
	assert_string_equal(token.data, "s3cr3t");
	out = fopen(in_folder("printed"), "w");
	cic_conf_print(c, out);
	fclose(out);
	cic_buf_init(&text, 1 << 20);
	assert_int_equal(cic_read_file(in_folder("printed"), &text, &err), 0);
	assert_null(strstr(text.data, "s3cr3t"));
	assert_non_null(strstr(text.data, "token: (not shown)"));
	free(c->registry_token_file);
	c->registry_token_file = strdup(in_folder("token"));
	cic_buf_reset(&token);
	assert_int_equal(cic_conf_registry_token(c, &token, &err), 0);
	assert_string_equal(token.data, "from-file");
	cic_buf_release(&text);
	cic_buf_release(&token);
	cic_conf_free(c);
}

static void
platforms_and_admins(void **state)
{
	struct cic_conf *c = loads(NEEDED BASE
	    "  platform_base_images: [\"linux/arm64=b:arm\", \"linux/arm/v7=b:7\"]\n"
	    "  rebuild_on: [base]\nservice:\n  admins: [ann]\n");

	(void)state;
	assert_string_equal(cic_conf_for_platform(&c->platform_base_images,
	    "linux/arm64", "x"), "b:arm");
	assert_string_equal(cic_conf_for_platform(&c->platform_base_images,
	    "linux/arm/v7", "x"), "b:7");
	assert_string_equal(cic_conf_for_platform(&c->platform_base_images,
	    "linux/arm", "x"), "x");
	assert_int_equal(c->rebuild_on, 1 << CIC_KEYPART_BASE);
	assert_true(cic_conf_is_admin(c, "ann"));
	assert_false(cic_conf_is_admin(c, "an"));
	assert_false(cic_conf_is_admin(c, ""));
	cic_conf_free(c);
}

static void
quotas(void **state)
{
	struct cic_conf *c = loads(NEEDED BASE "service:\n  admins: [ann]\n"
	    "  service_accounts: [portal]\nlimits:\n  pending_per_user: 7\n");

	(void)state;
	assert_int_equal(cic_conf_pending_max(c, "bob"), 7);
	assert_int_equal(cic_conf_pending_max(c, "ann"), 0);
	assert_int_equal(cic_conf_pending_max(c, "portal"), 0);
	assert_false(cic_conf_is_admin(c, "portal"));
	cic_conf_free(c);
	c = loads(NEEDED BASE);
	assert_int_equal(cic_conf_pending_max(c, ""), 50);
	assert_int_equal(c->refresh, 900);
	cic_conf_free(c);
}

static void
machines(void **state)
{
	static const char words[] = NEEDED BASE "machines:\n"
	    "  mn5:\n    description: \"MareNostrum \\\"5\\\"\"\n"
	    "    architecture: sapphirerapids\n    mpi: openmpi@4\n    gpu:\n"
	    "  \"4\": {architecture: rome, container_engine: apptainer}\n";
	struct cic_conf *c = loads(words);
	struct cic_request_site site = cic_conf_site(c);
	char *first, *second;

	(void)state;
	assert_int_equal(site.profile_count, 2);
	assert_string_equal(site.profiles[0].name, "mn5");
	assert_string_equal(site.profiles[0].description, "MareNostrum \"5\"");
	assert_string_equal(site.profiles[0].machine, "{\"platform\":\"linux/amd64\","
	    "\"architecture\":\"sapphirerapids\",\"container_engine\":\"singularity\","
	    "\"mpi\":\"openmpi@4\",\"gpu\":\"\"}");
	assert_string_equal(site.profiles[1].name, "4");
	has(site.profiles[1].machine, "\"container_engine\":\"singularity\"");
	first = printed(c);
	cic_conf_free(c);
	c = loads(first);
	second = printed(c);
	assert_string_equal(first, second);
	has(first, "  \"mn5\":\n");
	cic_conf_free(c);
	free(first);
	free(second);
	/* the group may stand before what it needs, and be left blank */
	c = loads("machines:\n  a: {architecture: a64fx}\n" NEEDED BASE
	    "  platform: linux/arm64\n");
	assert_int_equal(c->machine_count, 1);
	cic_conf_free(c);
	c = loads("machines:\n" NEEDED BASE);
	assert_int_equal(c->machine_count, 0);
	cic_conf_free(c);
}

static void
bad_machines(void **state)
{
	static const struct { const char *text, *said; } t[] = {
		{ "a: {architecture: rom}", ":8: machines.a.architecture: unknown \"rom\"; the nearest known: rome" },
		{ "a:\n    architecture: zen2\n    platform: linux/arm64", ":9: machines.a.architecture: zen2 code does not run" },
		{ "a:\n    architecture: zen2\n    platform: linux/arm46", ":10: machines.a.platform: unknown" },
		{ "a: {mpi: openmpi}", ":8: machines.a.architecture: missing" },
		{ "a: {architecture: zen2, mpi: 4}", "machines.a.mpi: '4' at position 1" },
		{ "a: {architecture: zen2, gpu: $(id)}", "machines.a.gpu: '$' at" },
		{ "a: {architecture: zen2, container_engine: oci}", "machines.a.container_engine: unknown" },
		{ "a: {architecture: zen2, arch: zen}", ":8: machines.a.arch: unknown key" },
		{ "a: {architecture: [zen2]}", "machines.a.architecture: must be a single value" },
		{ "a: {architecture: zen2, description: \"a\\nb\"}", "machines.a.description: holds a control byte" },
		{ "a: zen2", ":8: machines.a: must hold keys" },
		{ "A: {architecture: zen2}", ":8: machines.A: a name has" },
		{ "-a: {architecture: zen2}", "machines.-a: a name has" },
		{ "\"\": {architecture: zen2}", "machines.: a name has" },
		{ "a234567890123456789012345678901234567890123456789012345678901234567: {architecture: zen2}", "a name has" },
	};
	struct cic_buf faults;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof(text), NEEDED BASE
		    "limits:\nmachines:\n  %s\n", t[i].text);
		assert_null(load(text, &faults));
		has(faults.data, t[i].said);
		assert_ptr_equal(strchr(faults.data, '\n'),
		    faults.data + faults.len - 1);
		cic_buf_release(&faults);
	}
	assert_null(load(NEEDED BASE "machines: [a]\n", &faults));
	has(faults.data, ":6: machines must hold names");
	cic_buf_release(&faults);
}

/* A list that has a default: it counts unless a list is given, empty or not. */
static void
list_default(void **state)
{
	struct cic_conf *c = loads(NEEDED BASE);

	(void)state;
	assert_int_equal(c->long_poll_agents.count, 1);
	assert_string_equal(c->long_poll_agents.item[0], "ansible-httpget");
	assert_int_equal(c->long_poll_seconds, 20);
	cic_conf_free(c);
	c = loads(NEEDED BASE "service:\n  long_poll_agents: [a, b/2]\n");
	assert_int_equal(c->long_poll_agents.count, 2);
	assert_string_equal(c->long_poll_agents.item[1], "b/2");
	assert_null(c->long_poll_agents.item[2]);
	cic_conf_free(c);
	c = loads(NEEDED BASE "service:\n  long_poll_agents: []\n");
	assert_int_equal(c->long_poll_agents.count, 0);
	cic_conf_free(c);
	c = loads(NEEDED BASE "service:\n  long_poll_agents:\n");
	assert_int_equal(c->long_poll_agents.count, 1);
	cic_conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(defaults), UNIT(registries), UNIT(secrets),
		UNIT(platforms_and_admins), UNIT(list_default), UNIT(one_value), UNIT(repositories),
		UNIT(all_at_once), UNIT(no_mapping), UNIT(left_blank),
		UNIT(printed_loads_again), UNIT(long_lists), UNIT(quotas),
		UNIT(machines), UNIT(bad_machines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
