/* login.h: a folder that logs in, and nothing more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder.h"

#include "digest.h"
#include "json.h"
#include "login.h"

static char text_url[] = "r.example.org:5000", text_user[] = "ann",
    text_token[] = "pass:word", text_none[] = "";

static struct cic_conf
conf_of(void)
{
	return (struct cic_conf){ .registry_url = text_url,
	    .registry_user = text_user, .registry_token = text_token,
	    .registry_token_file = text_none };
}

static struct cic_json *
made(const char *name)
{
	char path[CIC_PATH_MAX];
	struct cic_json *json;
	struct cic_buf text;
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/config.json", folder, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	cic_buf_init(&text, 1 << 20);
	assert_int_equal(cic_read_file(path, &text, &err), 0);
	json = cic_json_parse(text.data, text.len, &err);
	assert_non_null(json);
	cic_buf_release(&text);
	return json;
}

static const char *
auth_of(const struct cic_json *json)
{
	return cic_json_get_string(cic_json_get(cic_json_get(json, "auths"),
	    "r.example.org:5000"), "auth");
}

static void
alone(void **state)
{
	struct cic_conf conf = conf_of();
	struct cic_json *json;
	struct stat st;

	(void)state;
	unsetenv("HOME");
	unsetenv("DOCKER_CONFIG");
	assert_int_equal(login_make(&conf, in_folder("a"), &err), 0);
	assert_int_equal(stat(in_folder("a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	json = made("a");
	/* base64 of "ann:pass:word" */
	assert_string_equal(auth_of(json), "YW5uOnBhc3M6d29yZA==");
	cic_json_free(json);
	assert_int_equal(login_make(&conf, in_folder("a"), &err), -1);
}

/* The user's contexts and plugins stay in reach, his logins do not. */
static void
beside_own(void **state)
{
	struct cic_conf conf = conf_of();
	struct cic_json *json;

	(void)state;
	mkdir(in_folder("own"), 0700);
	mkdir(in_folder("own/cli-plugins"), 0700);
	mkdir(in_folder("own/contexts"), 0700);
	put_file("own/config.json", "{\"auths\":{\"other\":{\"auth\":\"x\"}},"
	    "\"credsStore\":\"desktop\",\"currentContext\":\"far\","
	    "\"proxies\":{\"default\":{\"httpProxy\":\"http://p:1\"}}}");
	setenv("DOCKER_CONFIG", in_folder("own"), 1);
	assert_int_equal(login_make(&conf, in_folder("b"), &err), 0);
	assert_int_equal(access(in_folder("b/cli-plugins"), F_OK), 0);
	assert_int_equal(access(in_folder("b/contexts"), F_OK), 0);
	assert_int_equal(access(in_folder("b/buildx"), F_OK), -1);
	json = made("b");
	assert_string_equal(cic_json_get_string(json, "currentContext"), "far");
	assert_non_null(cic_json_get(json, "proxies"));
	assert_null(cic_json_get(json, "credsStore"));
	assert_null(cic_json_get(cic_json_get(json, "auths"), "other"));
	assert_non_null(auth_of(json));
	cic_json_free(json);
}

/* docker knows docker.io by another name, podman does not. */
static void
docker_hub(void **state)
{
	static char url[] = "https://docker.io";
	struct cic_conf conf = conf_of();
	const struct cic_json *auths;
	struct cic_json *json;

	(void)state;
	conf.registry_url = url;
	unsetenv("DOCKER_CONFIG");
	assert_int_equal(login_make(&conf, in_folder("d"), &err), 0);
	json = made("d");
	auths = cic_json_get(json, "auths");
	assert_non_null(cic_json_get(auths, "docker.io"));
	assert_string_equal(cic_json_get_string(cic_json_get(auths,
	    "https://index.docker.io/v1/"), "auth"), "YW5uOnBhc3M6d29yZA==");
	cic_json_free(json);
}

static void
token_file_missing(void **state)
{
	struct cic_conf conf = conf_of();
	char path[] = "/nonexistent/token";

	(void)state;
	conf.registry_token_file = path;
	assert_int_equal(login_make(&conf, in_folder("c"), &err), -1);
	assert_non_null(strstr(err.msg, "registry.token_file"));
	assert_int_equal(access(in_folder("c/config.json"), F_OK), -1);
}

static void
base64(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" } };
	struct cic_buf out;
	char longer[200];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(pairs); i++) {
		cic_buf_init(&out, 1000);
		cic_base64(&out, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(out.data, pairs[i][1]);
		cic_buf_release(&out);
	}
	memset(longer, 'a', sizeof(longer));
	cic_buf_init(&out, 1000);
	cic_base64(&out, longer, sizeof(longer));
	assert_int_equal(out.len, 268);
	assert_int_equal(strspn(out.data, "YWFh"), 266);
	assert_string_equal(out.data + 266, "E=");
	cic_buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { UNIT(alone), UNIT(beside_own),
		UNIT(docker_hub), UNIT(token_file_missing), UNIT(base64) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
