/* Questions about a configuration that more than one key answers; declared in
 * conf.h. */
#include "conf.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "image_name.h"
#include "path.h"
#include "request.h"

struct cic_request_site
cic_conf_site(const struct cic_conf *conf)
{
	return (struct cic_request_site){
		.default_platform = conf->platform,
		.images_prefix = conf->images_prefix,
		.base_image = conf->base_image,
		.has_registry = conf->registry_url[0] != '\0',
		.profiles = conf->machines,
		.profile_count = conf->machine_count,
	};
}

void
cic_conf_registry_host(const struct cic_conf *conf, char out[CIC_CONF_HOST_MAX])
{
	const char *host = conf->registry_url;

	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	else if (strncmp(host, "http://", 7) == 0)
		host += 7;
	snprintf(out, CIC_CONF_HOST_MAX, "%.*s", (int)strcspn(host, "/"), host);
}

bool
cic_conf_registry_is_plain(const struct cic_conf *conf)
{
	char host[CIC_CONF_HOST_MAX];

	if (strncmp(conf->registry_url, "http://", 7) == 0)
		return true;
	if (strncmp(conf->registry_url, "https://", 8) == 0)
		return false;
	cic_conf_registry_host(conf, host);
	host[strcspn(host, ":")] = '\0';
	return conf->ca_file[0] == '\0' && cic_host_is_loopback(host);
}

bool
cic_conf_is_of_registry(const struct cic_conf *conf, const char *image)
{
	char host[CIC_CONF_HOST_MAX];
	size_t len;

	cic_conf_registry_host(conf, host);
	len = strlen(host);
	return len > 0 && strncmp(image, host, len) == 0 && image[len] == '/';
}

const char *
cic_conf_for_platform(const struct cic_list *list, const char *platform,
    const char *otherwise)
{
	size_t len = strlen(platform);
	int i;

	for (i = 0; i < list->count; i++)
		if (strncmp(list->item[i], platform, len) == 0 &&
		    list->item[i][len] == '=')
			return list->item[i] + len + 1;
	return otherwise;
}

int
cic_conf_registry_token(const struct cic_conf *conf, struct cic_buf *token,
    struct cic_err *err)
{
	struct cic_buf text;
	int rc = 0;

	if (conf->registry_token_file[0] == '\0') {
		cic_buf_puts(token, conf->registry_token);
		return 0;
	}
	cic_buf_init(&text, 65536);
	if (cic_read_file(conf->registry_token_file, &text, err) != 0)
		rc = cic_err_wrap(err, "registry.token_file");
	else
		cic_buf_add(token, text.data, strcspn(text.data, "\r\n"));
	cic_buf_release(&text);
	return rc;
}

static bool
stands_in(const struct cic_list *list, const char *word)
{
	int i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->item[i], word) == 0)
			return true;
	return false;
}

bool
cic_conf_is_admin(const struct cic_conf *conf, const char *user)
{
	return stands_in(&conf->admins, user);
}

int
cic_conf_pending_max(const struct cic_conf *conf, const char *user)
{
	return cic_conf_is_admin(conf, user) ||
	    stands_in(&conf->service_accounts, user) ? 0 :
	    conf->pending_per_user;
}
