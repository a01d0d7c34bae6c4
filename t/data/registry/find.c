/* usage: find IMAGE PLATFORM
 * Prints what registry.h finds: digest, id and the label "cic.test", a line
 * each; or the error's code and message, and exits with 1.
 * IMAGE_REGISTRY_USER, _PASSWORD and _CA are settings; its log is on standard
 * error. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "registry.h"

static const char *
setting(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? "" : value;
}

int
main(int argc, char **argv)
{
	struct cic_registry registry = { .user = setting("IMAGE_REGISTRY_USER"),
	    .password = setting("IMAGE_REGISTRY_PASSWORD"),
	    .ca_file = setting("IMAGE_REGISTRY_CA"), .https_proxy = "",
	    .http_proxy = "", .no_proxy = "", .timeout = 30,
	    .log_fd = STDERR_FILENO };
	struct cic_registry_image image;
	const char *label;
	struct cic_json *json;
	struct cic_buf config;
	struct cic_err err;

	if (argc != 3)
		return 2;
	cic_buf_init(&config, CIC_REGISTRY_CONFIG);
	image.config = &config;
	if (cic_registry_find(&registry, argv[1], argv[2], &image, &err) == -1) {
		printf("%d %s\n", err.code, err.msg);
		return 1;
	}
	json = cic_json_parse(config.data, config.len, &err);
	label = cic_json_get_string(cic_json_get(cic_json_get(json, "config"),
	    "Labels"), "cic.test");
	printf("%s\n%s\n%s\n", image.digest, image.image_id, label == NULL ? "" :
	    label);
	cic_json_free(json);
	cic_buf_release(&config);
	return 0;
}
