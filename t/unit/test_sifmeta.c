/*
 * sifmeta.h: texts from hostile and odd configurations.  What counts is what a
 * shell makes of them, so sh runs the scripts; every shell that is installed
 * has its turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "sifmeta.h"

static struct cic_err err;
static struct cic_sifmeta m;

static const char *const shells[] = { "dash", "bash", "bash --posix", "busybox sh" };

/* Words that break careless quoting. */
static const char *const nasty[] = {
	"plain", "", " ", "a  b", "$HOME", "`id`", "$(id)", "\"", "'", "\\", "\\\\n",
	"it's \"x\" \\\"y\\\" $z `w`", "a\nb\n", "\t", "*", "?", "~", "#c", "!x",
	"}", "${HOME}", "}\"}", "a}b'c", "-n", "--", "caf\xc3\xa9 \xe2\x82\xac", "a=b",
	"<>|&;()", "'\"'\"'", "\\$", "\\`", "$'x'", "\x01\x7f",
};
#define NNASTY	(sizeof(nasty) / sizeof(nasty[0]))

static int
teardown(void **state)
{
	(void)state;
	cic_sifmeta_release(&m);
	return 0;
}

static void
make(const char *json)
{
	cic_sifmeta_release(&m);
	if (cic_sifmeta_make(json, "docker-daemon", "a/b:c", &m, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
refused(const char *json, const char *why)
{
	assert_int_equal(cic_sifmeta_make(json, "s", "r", &m, &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	if (strstr(err.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
}

/* Run `script` with `args` by one shell; what it prints. */
static char *
sh(const char *shell, const char *script, const char *args)
{
	char name[] = "/tmp/cic-meta-XXXXXX", cmd[8192];
	static char out[65536];
	int fd = mkstemp(name);
	size_t n;
	FILE *f;

	assert_true(fd != -1);
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	close(fd);
	snprintf(cmd, sizeof(cmd), "env -i PATH=/usr/bin:/bin HOME=/home "
	    "SINGULARITY_NO_EVAL=\"$SINGULARITY_NO_EVAL\" %s %s %s",
	    shell, name, args);
	f = popen(cmd, "r");
	assert_non_null(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	if (pclose(f) != 0)
		fail_msg("%s fails on:\n%s", shell, script);
	unlink(name);
	return out;
}

static int
have(const char *shell)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "%s -c : 2>/dev/null", shell);
	return system(cmd) == 0;
}

/* Entrypoint prints each of its words and Cmd's, each ended by "|". */
static void
nasty_words(void **state)
{
	struct cic_buf json, want;

	(void)state;
	cic_buf_init(&json, 1 << 20);
	cic_buf_init(&want, 1 << 20);
	cic_buf_puts(&json, "{\"Config\":{\"Entrypoint\":[\"printf\",\"%s|\"");
	for (size_t i = 0; i < NNASTY; i++) {
		cic_buf_putc(&json, ',');
		cic_json_quote(&json, nasty[i]);
		cic_buf_printf(&want, "%s|", nasty[i]);
	}
	cic_buf_puts(&json, "],\"Cmd\":[\"cmd $x\",\"'\"]}}");
	make(json.data);
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		struct cic_buf all;

		if (!have(shells[i]))
			continue;
		cic_buf_init(&all, 1 << 20);
		cic_buf_printf(&all, "%scmd $x|'|", want.data);
		assert_string_equal(sh(shells[i], m.runscript, ""), all.data);
		/* arguments replace Cmd and are evaluated once more … */
		cic_buf_reset(&all);
		cic_buf_printf(&all, "%s2  `|a'b||-x|", want.data);
		assert_string_equal(sh(shells[i], m.runscript,
		    "'$((1+1))  \\`' \"a'b\" '' -x"), all.data);
		/* … unless the user says not to */
		cic_buf_reset(&all);
		cic_buf_printf(&all, "%s$HOME `id` \"|a'b||-x|", want.data);
		setenv("SINGULARITY_NO_EVAL", "1", 1);
		assert_string_equal(sh(shells[i], m.runscript,
		    "'$HOME `id` \"' \"a'b\" '' -x"), all.data);
		cic_buf_reset(&all);
		cic_buf_printf(&all, "%scmd $x|'|", want.data);
		assert_string_equal(sh(shells[i], m.runscript, ""), all.data);
		unsetenv("SINGULARITY_NO_EVAL");
		cic_buf_release(&all);
	}
	cic_buf_release(&json);
	cic_buf_release(&want);
}

static void
run_combinations(void **state)
{
	(void)state;
	make("{\"Config\":{\"Entrypoint\":null,\"Cmd\":[\"echo\",\"cmd\"]}}");
	assert_string_equal(sh("sh", m.runscript, ""), "cmd\n");
	assert_string_equal(sh("sh", m.runscript, "echo 'a  b'"), "a  b\n");
	make("{\"Config\":{\"Entrypoint\":[\"echo\",\"ep\"]}}");
	assert_string_equal(sh("sh", m.runscript, ""), "ep\n");
	assert_string_equal(sh("sh", m.runscript, "x"), "ep x\n");
	make("{}");
	assert_string_equal(sh("sh", m.runscript, "</dev/null"), "");
	assert_string_equal(sh("sh", m.runscript, "echo y"), "y\n");
}

/* The line by which runtimes know the script. */
static void
runscript_marker(void **state)
{
	(void)state;
	make("{}");
	assert_non_null(strstr(m.runscript, "\neval \"set ${SINGULARITY_OCI_RUN}\"\n"));
	assert_memory_equal(m.runscript, "#!/bin/sh\nOCI_ENTRYPOINT=''\nOCI_CMD=''\n", 39);
	make("{\"Config\":{\"Entrypoint\":[\"/e\",\"it's \\\"x\\\" $y\"]}}");
	assert_non_null(strstr(m.runscript,
	    "\nOCI_ENTRYPOINT='\"/e\" \"it'\"'\"'s \\\"x\\\" \\$y\"'\n"));
}

static void
nasty_variables(void **state)
{
	struct cic_buf json, want, script;

	(void)state;
	cic_buf_init(&json, 1 << 20);
	cic_buf_init(&want, 1 << 20);
	cic_buf_init(&script, 1 << 20);
	cic_buf_puts(&json, "{\"Config\":{\"Env\":[\"PATH=/x:/usr/bin:/bin\"");
	for (size_t i = 0; i < NNASTY; i++) {
		char entry[200];

		snprintf(entry, sizeof(entry), "V%zu=%s", i, nasty[i]);
		cic_buf_putc(&json, ',');
		cic_json_quote(&json, entry);
		cic_buf_printf(&want, "%s|", nasty[i]);
	}
	cic_buf_puts(&json, "]}}");
	make(json.data);
	cic_buf_puts(&script, m.env);
	for (size_t i = 0; i < NNASTY; i++)
		cic_buf_printf(&script, "printf '%%s|' \"$V%zu\"\n", i);
	cic_buf_puts(&script, "printf %s \"$PATH\"\n");
	cic_buf_puts(&want, "/x:/usr/bin:/bin");
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (have(shells[i]))
			assert_string_equal(sh(shells[i], script.data, ""), want.data);
	}
	cic_buf_release(&json);
	cic_buf_release(&want);
	cic_buf_release(&script);
}

static void
variable_forms(void **state)
{
	(void)state;
	make("{\"Config\":{\"Env\":[\"PATH=a\",\"X=1=2\",\"Y\",\"Z=\",\"1A=x\",\"A-B=x\","
	    "\"A B=x\",\"=x\",\"\",\"$(id)=x\",\"a\\nb=x\",\"_ok9=\"]}}");
	assert_string_equal(m.env, "#!/bin/sh\nexport PATH=\"a\"\n"
	    "export X=\"${X:-\"1=2\"}\"\nexport Y=\"${Y:-}\"\nexport Z=\"${Z:-\"\"}\"\n"
	    "export _ok9=\"${_ok9:-\"\"}\"\n");
}

static void
labels(void **state)
{
	struct cic_json *j;

	(void)state;
	make("{\"Architecture\":\"amd64\",\"Created\":\"2024-01-02T03:04:05Z\",\"Config\":"
	    "{\"Labels\":{\"k\\\"\":\"\\u00fc\\n\",\"org.label-schema.build-arch\":\"lie\"}}}");
	j = cic_json_parse(m.labels, strlen(m.labels), &err);
	assert_non_null(j);
	assert_string_equal(cic_json_get_string(j, "k\""), "\xc3\xbc\n");
	assert_string_equal(cic_json_get_string(j, "org.label-schema.build-arch"), "amd64");
	assert_string_equal(cic_json_get_string(j,
	    "org.label-schema.usage.singularity.deffile.from"), "a/b:c");
	cic_json_free(j);
}

static void
json_objects(void **state)
{
	const struct cic_json *a;
	struct cic_json *j;

	(void)state;
	make("{\"Config\":{\"User\":\"me\",\"Env\":[\"A=b\"],\"ExposedPorts\":{\"80/tcp\":{}}}}");
	j = cic_json_parse(m.inspect, strlen(m.inspect), &err);
	if (j == NULL)
		fail_msg("%s", err.msg);
	assert_string_equal(cic_json_get_string(j, "type"), "container");
	a = cic_json_get(cic_json_get(j, "data"), "attributes");
	/* texts without the end of the last line, which `inspect` prints itself */
	m.runscript[strlen(m.runscript) - 1] = '\0';
	m.env[strlen(m.env) - 1] = '\0';
	assert_string_equal(cic_json_get_string(a, "runscript"), m.runscript);
	assert_string_equal(cic_json_get_string(a, "deffile"),
	    "bootstrap: docker-daemon\nfrom: a/b:c");
	assert_string_equal(cic_json_get_string(cic_json_get(a, "environment"),
	    "/.singularity.d/env/10-docker2singularity.sh"), m.env);
	cic_json_free(j);
}

/* Sorted by their bytes, and behind them the build's own, which win. */
static void
labels_are_sorted(void **state)
{
	(void)state;
	make("{\"Architecture\":\"amd64\",\"Config\":{\"Labels\":{\"b\":\"1\",\"a.b\":"
	    "\"2\",\"\u00fc\":\"3\",\"a\":\"4\",\"B\":\"5\",\"\":\"6\","
	    "\"org.label-schema.schema-version\":\"lie\",\"a-b\":\"7\"}}}");
	assert_string_equal(m.labels, "{\"\":\"6\",\"B\":\"5\",\"a\":\"4\",\"a-b\":"
	    "\"7\",\"a.b\":\"2\",\"b\":\"1\",\"\xc3\xbc\":\"3\","
	    "\"org.label-schema.build-arch\":\"amd64\","
	    "\"org.label-schema.schema-version\":\"1.0\","
	    "\"org.label-schema.usage.singularity.deffile.bootstrap\":\"docker-daemon\","
	    "\"org.label-schema.usage.singularity.deffile.from\":\"a/b:c\"}");
	make("{\"Config\":{\"Labels\":null}}");
	assert_memory_equal(m.labels, "{\"org.label-schema.schema-version\"", 34);
}

/* Whatever order and members an engine has: those of the OCI specification, in
 * its order. */
static void
oci_config(void **state)
{
	(void)state;
	make("{\"Config\":{\"StopSignal\":\"SIGTERM\",\"Labels\":{\"b\":\"1\",\"a\":\"2\"},"
	    "\"Tty\":true,\"WorkingDir\":\"/w\",\"Hostname\":\"h\",\"Healthcheck\":{\"Test\":"
	    "[\"CMD\"]},\"Volumes\":{\"/v\":{},\"/a\":{\"y\":1,\"x\":2}},\"OnBuild\":[\"x\"],"
	    "\"Cmd\":[\"z\",\"a\"],\"Image\":\"sha256:0\",\"Entrypoint\":[\"e\"],\"Env\":"
	    "[\"B=1\",\"A=2\"],\"ArgsEscaped\":true,\"Shell\":[\"sh\"],\"ExposedPorts\":"
	    "{\"80/tcp\":{},\"443/tcp\":{}},\"User\":\"me\"}}");
	assert_string_equal(m.oci, "{\"User\":\"me\",\"ExposedPorts\":{\"443/tcp\":{},"
	    "\"80/tcp\":{}},\"Env\":[\"B=1\",\"A=2\"],\"Entrypoint\":[\"e\"],"
	    "\"Cmd\":[\"z\",\"a\"],\"Volumes\":{\"/a\":{\"x\":2,\"y\":1},\"/v\":{}},"
	    "\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"2\",\"b\":\"1\"},"
	    "\"StopSignal\":\"SIGTERM\",\"ArgsEscaped\":true}");
}

/* Docker shows them, podman leaves them out. */
static void
oci_config_without_empty_ones(void **state)
{
	static const char *const empty[] = { "{}", "{\"Config\":null}", "{\"Config\":{}}",
	    "{\"Config\":{\"User\":\"\",\"ExposedPorts\":{},\"Env\":[],\"Entrypoint\":"
	    "null,\"Cmd\":[],\"Volumes\":null,\"WorkingDir\":\"\",\"Labels\":{},"
	    "\"StopSignal\":\"\",\"ArgsEscaped\":false,\"Hostname\":\"x\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		make(empty[i]);
		assert_string_equal(m.oci, "{}");
	}
	make("{\"Config\":{\"Cmd\":[\"\"],\"Volumes\":{\"\":{}},\"StopSignal\":0}}");
	assert_string_equal(m.oci, "{\"Cmd\":[\"\"],\"Volumes\":{\"\":{}},\"StopSignal\":0}");
}

static void
created(void **state)
{
	static const struct { const char *text; uint32_t want; } t[] = {
		{ "2023-11-14T22:13:20Z", 1700000000 },
		{ "2023-11-14T22:13:20.123456789Z", 1700000000 },
		{ "2023-11-15T00:13:20+02:00", 1700000000 },
		{ "2023-11-14T12:43:20-09:30", 1700000000 },
		{ "0001-01-01T00:00:00Z", 0 }, { "1969-12-31T23:59:59Z", 0 },
		{ "9999-12-31T23:59:59Z", 4294967295u },
	};
	static const char *const bad[] = { "", "yesterday", "2023-11-14", "2023-11-14T22:13:20",
	    "2023-11-14T22:13:20Zx", "2023-11-14T22:13:20+2", "2023-13-14T22:13:20Z" };
	char json[200];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(json, sizeof(json), "{\"Created\":\"%s\"}", t[i].text);
		make(json);
		assert_int_equal(m.created, t[i].want);
	}
	teardown(NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(json, sizeof(json), "{\"Created\":\"%s\"}", bad[i]);
		refused(json, "Created");
	}
}

static void
wrong_types(void **state)
{
	(void)state;
	refused("", "image configuration");
	refused("[]", "an array");
	refused("{\"Config\":[]}", "Config");
	refused("{\"Config\":{\"Env\":{}}}", "Env");
	refused("{\"Config\":{\"Env\":[1]}}", "Env");
	refused("{\"Config\":{\"Entrypoint\":\"sh\"}}", "Entrypoint");
	refused("{\"Config\":{\"Cmd\":[null]}}", "Cmd");
	refused("{\"Config\":{\"Labels\":[\"a\"]}}", "Labels");
	refused("{\"Config\":{\"Labels\":{\"a\":1}}}", "Labels");
	refused("{\"Architecture\":1}", "Architecture");
	refused("{\"Config\":{\"Cmd\":[\"a\\u0000b\"]}}", "image configuration");
	refused("{\"a\":", "image configuration");
}

static void
bad_reference(void **state)
{
	(void)state;
	assert_int_equal(cic_sifmeta_make("{}", "s", "a\n%post\n rm", &m, &err), -1);
	assert_int_equal(cic_sifmeta_make("{}", "", "a", &m, &err), -1);
	assert_int_equal(cic_sifmeta_make("{}", "s", "", &m, &err), -1);
}

/* Every script of the list is good shell; parents come before children. */
static void
items(void **state)
{
	struct cic_sifmeta_item it;
	size_t i, scripts = 0;

	(void)state;
	make("{}");
	for (i = 0; cic_sifmeta_item(&m, i, &it) != NULL; i++) {
		char check[4096];

		assert_true(strlen(it.path) < 60 && *it.path != '/');
		if (it.rule != CIC_META_FILE || it.mode != 0755)
			continue;
		scripts++;
		snprintf(check, sizeof(check), "sh -n <<'END'\n%sEND\n", it.text);
		assert_int_equal(system(check), 0);
	}
	assert_int_equal(scripts, 13);
	assert_null(cic_sifmeta_item(&m, 1000, &it));
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(nasty_words), T(run_combinations), T(runscript_marker),
		T(nasty_variables), T(variable_forms), T(labels), T(json_objects),
		T(labels_are_sorted), T(oci_config), T(oci_config_without_empty_ones),
		T(created), T(wrong_types), T(bad_reference), T(items),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
