/*
 * /machines: what a request's machine may be: the words that are known, and the
 * machines that the site has a name for.
 */
#include "route.h"

#include <string.h>

#include "app.h"
#include "arch.h"
#include "json.h"
#include "resp.h"

static void
print_platforms(struct cic_buf *out)
{
	const char *platform;
	size_t i;

	for (i = 0; (platform = cic_arch_platform(i)) != NULL; i++) {
		cic_buf_puts(out, i > 0 ? "," : "");
		cic_json_quote(out, platform);
	}
}

static void
print_aliases(struct cic_buf *out, const char *name)
{
	const char *alias, *target;
	bool first = true;
	size_t i;

	for (i = 0; (alias = cic_arch_alias(i, &target)) != NULL; i++) {
		if (strcmp(target, name) != 0)
			continue;
		cic_buf_puts(out, first ? "" : ",");
		cic_json_quote(out, alias);
		first = false;
	}
}

static void
print_architectures(struct cic_buf *out)
{
	const char *name, *platform, *family;
	size_t i;

	for (i = 0; (name = cic_arch_at(i, &platform, &family)) != NULL; i++) {
		cic_buf_printf(out, "%s{\"name\":\"%s\",\"family\":\"%s\","
		    "\"platform\":\"%s\",\"aliases\":[", i > 0 ? "," : "", name,
		    family, platform);
		print_aliases(out, name);
		cic_buf_puts(out, "]}");
	}
}

static void
print_profiles(struct cic_buf *out, const struct cic_request_site *site)
{
	const struct cic_profile *profile = site->profiles;
	int i;

	for (i = 0; i < site->profile_count; i++, profile++) {
		cic_buf_puts(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		cic_json_quote(out, profile->name);
		cic_buf_puts(out, ",\"description\":");
		cic_json_quote(out, profile->description);
		cic_buf_printf(out, ",\"machine\":%s}", profile->machine);
	}
}

void
h_machines(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_buf *out = &resp->body;

	(void)req;
	(void)rest;
	cic_buf_puts(out, "{\"platforms\":[");
	print_platforms(out);
	cic_buf_puts(out, "],\"default_platform\":");
	cic_json_quote(out, app->site.default_platform);
	cic_buf_puts(out, ",\"container_engines\":[\"singularity\",\"docker\"],"
	    "\"architectures\":[");
	print_architectures(out);
	cic_buf_puts(out, "],\"profiles\":[");
	print_profiles(out, &app->site);
	cic_buf_puts(out, "]}\n");
}
