/* The registry's login; see login.h. */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "digest.h"
#include "json.h"
#include "path.h"

#define CONFIG_MAX	(1024 * 1024)
#define TOKEN_MAX	16384
/* docker's name for docker.io among the logins; podman has the plain one */
#define DOCKER_HUB	"https://index.docker.io/v1/"

/* The user's own docker folder; false when he has none. */
static bool
own_folder(char out[CIC_PATH_MAX])
{
	const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	struct cic_err ignored;

	if (config != NULL && config[0] == '/')
		return cic_path_format(out, &ignored, "%s", config) == 0;
	return home != NULL && home[0] == '/' &&
	    cic_path_format(out, &ignored, "%s/.docker", home) == 0;
}

static int
link_name(const char *own, const char *folder, const char *name,
    struct cic_err *err)
{
	char from[CIC_PATH_MAX], to[CIC_PATH_MAX];

	if (cic_path_format(from, err, "%s/%s", own, name) != 0 ||
	    cic_path_format(to, err, "%s/%s", folder, name) != 0)
		return -1;
	if (access(from, F_OK) != 0)
		return 0;
	return symlink(from, to) == 0 ? 0 : cic_err_errno(err, "link %s", to);
}

/* What of the user's config.json is not about logging in. */
static void
copy_settings(const char *own, struct cic_buf *out)
{
	static const char *const keys[] = { "currentContext", "proxies",
	    "cliPluginsExtraDirs" };
	struct cic_json *json = NULL;
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct cic_buf text;
	size_t i;

	cic_buf_init(&text, CONFIG_MAX);
	if (cic_path_format(path, &ignored, "%s/config.json", own) == 0 &&
	    cic_read_file(path, &text, &ignored) == 0)
		json = cic_json_parse(text.data, text.len, &ignored);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (cic_json_get(json, keys[i]) == NULL)
			continue;
		cic_buf_printf(out, ",\"%s\":", keys[i]);
		cic_json_print(out, cic_json_get(json, keys[i]));
	}
	cic_json_free(json);
	cic_buf_release(&text);
}

/* "host": {"auth": base64(user:token)} */
static int
write_auth(const struct cic_conf *conf, struct cic_buf *out,
    struct cic_err *err)
{
	char host[CIC_CONF_HOST_MAX];
	struct cic_buf pair, auth;
	int rc;

	cic_conf_registry_host(conf, host);
	cic_buf_init(&pair, TOKEN_MAX);
	cic_buf_init(&auth, 2 * TOKEN_MAX);
	cic_buf_printf(&pair, "%s:", conf->registry_user);
	rc = cic_conf_registry_token(conf, &pair, err);
	cic_base64(&auth, pair.data, pair.len);
	cic_buf_puts(out, "{\"auths\":{");
	cic_json_quote(out, host);
	cic_buf_printf(out, ":{\"auth\":\"%s\"}", auth.data);
	if (strcmp(host, "docker.io") == 0)
		cic_buf_printf(out, ",\"" DOCKER_HUB "\":{\"auth\":\"%s\"}",
		    auth.data);
	cic_buf_puts(out, "}");
	if (rc == 0 && pair.failed)
		rc = cic_err_set(err, CIC_EINVAL,
		    "the registry's token is longer than 16 KiB");
	explicit_bzero(pair.data, pair.len);
	explicit_bzero(auth.data, auth.len);
	cic_buf_release(&pair);
	cic_buf_release(&auth);
	return rc;
}

int
login_make(const struct cic_conf *conf, const char *folder,
    struct cic_err *err)
{
	static const char *const names[] = { "contexts", "buildx",
	    "cli-plugins", "tls" };
	char own[CIC_PATH_MAX], path[CIC_PATH_MAX];
	bool has_own = own_folder(own);
	struct cic_buf text;
	int rc = 0;
	size_t i;

	if (mkdir(folder, 0700) != 0)
		return cic_err_errno(err, "make folder %s", folder);
	for (i = 0; rc == 0 && has_own && i < sizeof(names) / sizeof(names[0]);
	    i++)
		rc = link_name(own, folder, names[i], err);
	cic_buf_init(&text, CONFIG_MAX);
	if (rc == 0)
		rc = write_auth(conf, &text, err);
	if (rc == 0 && has_own)
		copy_settings(own, &text);
	cic_buf_puts(&text, "}\n");
	if (rc == 0 && text.failed)
		rc = cic_err_set(err, CIC_EIO, "out of memory");
	if (rc == 0 && (rc = cic_path_format(path, err, "%s/config.json",
	    folder)) == 0)
		rc = cic_write_new_file(path, text.data, text.len, 0600, err);
	explicit_bzero(text.data, text.len);
	cic_buf_release(&text);
	return rc;
}
