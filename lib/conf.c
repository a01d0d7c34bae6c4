/* The configuration; see conf.h.  One table holds every key. */
#include "conf.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "buf.h"
#include "conf_machines.h"
#include "conf_value.h"
#include "path.h"
#include "request.h"
#include "yaml.h"

#define CONF_BYTES_MAX (1024 * 1024)

static const char *const engines[] = { "docker", "podman", NULL };
static const char *const converters[] = { "singularity", "apptainer",
	"builtin", NULL };
static const char *const no_yes[] = { "no", "yes", NULL };
/* in the order of enum cic_keypart */
static const char *const keyparts[] = { "templates", "workflow", "catalog",
	"base", "machine", NULL };

static const struct key {
	const char		*group, *name;
	enum cic_value		 type;
	size_t			 offset;
	const char		*fallback;	/* NULL: must be given */
	long			 min, max;	/* of a NUMBER */
	const char *const	*choices;	/* of a CHOICE */
} keys[] = {
#define AT(field) offsetof(struct cic_conf, field)
	{ "service", "prefix", URL_PATH, AT(prefix), "/image_creation",
	    0, 0, NULL },
	{ "service", "data", ABS_PATH, AT(data), "/var/lib/cic", 0, 0, NULL },
	{ "service", "threads", NUMBER, AT(threads), "8", 1, 64, NULL },
	{ "service", "admins", LIST, AT(admins), "", 0, 0, NULL },
	{ "service", "service_accounts", LIST, AT(service_accounts), "", 0, 0,
	    NULL },
	{ "service", "long_poll_agents", LIST, AT(long_poll_agents),
	    "ansible-httpget", 0, 0, NULL },
	{ "service", "long_poll_seconds", NUMBER, AT(long_poll_seconds), "20",
	    0, 25, NULL },
	{ "service", "web_group", WORD, AT(web_group), "", 0, 0, NULL },
	{ "repositories", "workflow_repository", REPOSITORY,
	    AT(workflow_repository), NULL, 0, 0, NULL },
	{ "repositories", "software_repository", REPOSITORY,
	    AT(software_repository), NULL, 0, 0, NULL },
	{ "repositories", "git_user", WORD, AT(git_user), "", 0, 0, NULL },
	{ "repositories", "git_token_file", OPT_PATH, AT(git_token_file), "",
	    0, 0, NULL },
	{ "repositories", "git_ssh_key", OPT_PATH, AT(git_ssh_key), "", 0, 0,
	    NULL },
	{ "repositories", "git_known_hosts", OPT_PATH, AT(git_known_hosts), "",
	    0, 0, NULL },
	{ "repositories", "refresh", NUMBER, AT(refresh), "900", 0, 86400,
	    NULL },
	{ "registry", "url", REGISTRY, AT(registry_url), "", 0, 0, NULL },
	{ "registry", "user", WORD, AT(registry_user), "", 0, 0, NULL },
	{ "registry", "token", SECRET, AT(registry_token), "", 0, 0, NULL },
	{ "registry", "token_file", OPT_PATH, AT(registry_token_file), "", 0, 0,
	    NULL },
	{ "registry", "images_prefix", IMAGE_PREFIX, AT(images_prefix), "", 0, 0, NULL },
	{ "network", "http_proxy", WEB_ADDRESS, AT(http_proxy), "", 0, 0, NULL },
	{ "network", "https_proxy", WEB_ADDRESS, AT(https_proxy), "", 0, 0,
	    NULL },
	{ "network", "no_proxy", WORD, AT(no_proxy), "", 0, 0, NULL },
	{ "network", "ca_file", OPT_PATH, AT(ca_file), "", 0, 0, NULL },
	{ "network", "apt_mirrors", ADDRESS_LIST, AT(apt_mirrors), "", 0, 0, NULL },
	{ "network", "pip_index", WEB_ADDRESS, AT(pip_index), "", 0, 0, NULL },
	{ "build", "base_image", WORD, AT(base_image), NULL, 0, 0, NULL },
	{ "build", "base_from", WORD, AT(base_from), "spack/ubuntu-jammy:v0.19.2",
	    0, 0, NULL },
	{ "build", "platform", PLATFORM, AT(platform), "linux/amd64", 0, 0, NULL },
	{ "build", "engine", CHOICE, AT(engine), "docker", 0, 0, engines },
	{ "build", "engine_command", WORD, AT(engine_command), "", 0, 0, NULL },
	{ "build", "engine_args", LIST, AT(engine_args), "", 0, 0, NULL },
	{ "build", "engine_build_args", LIST, AT(engine_build_args), "",
	    0, 0, NULL },
	{ "build", "platform_base_images", PLATFORM_LIST,
	    AT(platform_base_images), "", 0, 0, NULL },
	{ "build", "platform_builders", PLATFORM_LIST, AT(platform_builders),
	    "", 0, 0, NULL },
	{ "build", "platform_contexts", PLATFORM_LIST, AT(platform_contexts),
	    "", 0, 0, NULL },
	{ "build", "site_packages", OPT_PATH, AT(site_packages), "", 0, 0, NULL },
	{ "build", "spack_mirror", WORD, AT(spack_mirror), "", 0, 0, NULL },
	{ "build", "rebuild_on", SET, AT(rebuild_on), "", 0, 0, keyparts },
	{ "build", "adopt_unlabelled", CHOICE, AT(adopt_unlabelled), "no", 0, 0,
	    no_yes },
	{ "build", "jobs", NUMBER, AT(jobs), "0", 0, 1024, NULL },
	{ "build", "converter", CHOICE, AT(converter), "singularity", 0, 0,
	    converters },
	{ "build", "converter_command", WORD, AT(converter_command), "", 0, 0,
	    NULL },
	{ "build", "converter_level", NUMBER, AT(converter_level), "5", 1, 12,
	    NULL },
	{ "build", "converter_threads", NUMBER, AT(converter_threads), "0", 0, 64,
	    NULL },
	{ "build", "images_location", ABS_PATH, AT(images_location),
	    "/var/lib/cic/images", 0, 0, NULL },
	{ "build", "templates", ABS_PATH, AT(templates),
	    "/usr/local/share/cic/image", 0, 0, NULL },
	{ "build", "max_concurrent_builds", NUMBER, AT(max_concurrent_builds),
	    "3", 1, 64, NULL },
	{ "limits", "git_timeout", NUMBER, AT(git_timeout), "600", 1, 86400,
	    NULL },
	{ "limits", "build_timeout", NUMBER, AT(build_timeout), "43200", 1,
	    2592000, NULL },
	{ "limits", "stall_timeout", NUMBER, AT(stall_timeout), "7200", 1,
	    2592000, NULL },
	{ "limits", "memory", NUMBER, AT(memory), "0", 0, INT_MAX, NULL },
	{ "limits", "processes", NUMBER, AT(processes), "0", 0, INT_MAX, NULL },
	{ "limits", "pending_per_user", NUMBER, AT(pending_per_user), "50", 0,
	    1000000, NULL },
	{ "limits", "max_attempts", NUMBER, AT(max_attempts), "3", 1, 100,
	    NULL },
	{ "limits", "min_free_space", NUMBER, AT(min_free_space), "512", 0,
	    INT_MAX, NULL },
#undef AT
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

#define MACHINES "machines"	/* a group of its own kind: conf_machines.h */

struct load {
	struct cic_conf	*conf;
	struct cic_buf	*faults;
	const char	*path;
};

static void
fault(struct load *load, unsigned line, const struct key *key,
    const char *what)
{
	cic_buf_printf(load->faults, "%s:%u: %s.%s: %s\n", load->path, line,
	    key->group, key->name, what);
}

static void
set_text(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	char **field = (char **)((char *)load->conf + key->offset);
	const char *what = cic_value_fault(key->type, text,
	    key->fallback == NULL);
	struct cic_err err;

	if (what == NULL && key->type == PLATFORM &&
	    cic_arch_check_platform(text, &err) != 0)
		what = strstr(err.msg, "unknown");
	if (what != NULL) {
		fault(load, line, key, what);
		return;
	}
	free(*field);
	*field = strdup(text);
	if (*field == NULL)
		fault(load, line, key, "out of memory");
}

static void
set_number(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	char range[96], *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (strspn(text, "-0123456789") != strlen(text) || text[0] == '\0' ||
	    *end != '\0' || errno != 0 ||
	    value < key->min || value > key->max) {
		snprintf(range, sizeof(range),
		    "must be a whole number, %ld to %ld", key->min, key->max);
		fault(load, line, key, range);
		return;
	}
	*(int *)(void *)((char *)load->conf + key->offset) = (int)value;
}

static void
set_choice(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	struct cic_err err;
	int i;

	for (i = 0; key->choices[i] != NULL; i++)
		if (strcmp(text, key->choices[i]) == 0) {
			*(int *)(void *)((char *)load->conf + key->offset) = i;
			return;
		}
	cic_unknown_word(key->name, text, key->choices, &err);
	fault(load, line, key, err.msg);
}

static struct cic_list *
list_of(const struct load *load, const struct key *key)
{
	return (struct cic_list *)(void *)((char *)load->conf + key->offset);
}

static void
clear_list(struct cic_list *list)
{
	while (list->count > 0)
		free(list->item[--list->count]);
	list->item[0] = NULL;
}

static void
add_entry(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	struct cic_list *list = list_of(load, key);

	list->item[list->count] = strdup(text);
	if (list->item[list->count++] == NULL)
		fault(load, line, key, "out of memory");
}

static void
set_scalar(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	switch (key->type) {
	case NUMBER:
		set_number(load, key, line, text);
		break;
	case CHOICE:
		set_choice(load, key, line, text);
		break;
	case LIST:
	case PLATFORM_LIST:
	case ADDRESS_LIST:
		if (text[0] != '\0')
			add_entry(load, key, line, text);
		break;	/* else empty, its default */
	case SET:
		*(int *)(void *)((char *)load->conf + key->offset) = ~0;
		break;
	default:
		set_text(load, key, line, text);
	}
}

static void
set_set(struct load *load, const struct key *key, const struct cic_yaml *node)
{
	int *bits = (int *)(void *)((char *)load->conf + key->offset), i;
	const struct cic_yaml *item;
	struct cic_err err;

	*bits = node->first != NULL ? 0 : ~0;
	for (item = node->first; item != NULL; item = item->next) {
		const char *word = item->type == CIC_YAML_SCALAR ? item->text :
		    "";

		for (i = 0; key->choices[i] != NULL; i++)
			if (strcmp(word, key->choices[i]) == 0)
				break;
		if (key->choices[i] != NULL)
			*bits |= 1 << i;
		else {
			cic_unknown_word(key->name, word, key->choices, &err);
			fault(load, item->line, key, err.msg);
		}
	}
}

static void
set_list(struct load *load, const struct key *key, const struct cic_yaml *node)
{
	struct cic_list *list = list_of(load, key);
	const struct cic_yaml *item;
	const char *what;

	clear_list(list);	/* of its default */
	for (item = node->first; item != NULL; item = item->next) {
		what = item->type != CIC_YAML_SCALAR ?
		    "an entry must be one line of text" :
		    cic_entry_fault(key->type, item->text);
		if (what != NULL) {
			fault(load, item->line, key, what);
			continue;
		}
		if (list->count == CIC_CONF_LIST_MAX) {
			fault(load, item->line, key, "more than 64 entries");
			return;
		}
		add_entry(load, key, item->line, item->text);
	}
}

static bool
is_list(const struct key *key)
{
	return key->type == LIST || key->type == PLATFORM_LIST ||
	    key->type == ADDRESS_LIST || key->type == SET;
}

static void
set_key(struct load *load, const struct key *key, const struct cic_yaml *node)
{
	if (is_list(key)) {
		if (node->type == CIC_YAML_SEQUENCE && key->type == SET)
			set_set(load, key, node);
		else if (node->type == CIC_YAML_SEQUENCE)
			set_list(load, key, node);
		else if (!cic_yaml_is_null(node))
			fault(load, node->line, key, "must be a list: [a, b]");
		return;
	}
	if (node->type != CIC_YAML_SCALAR)
		fault(load, node->line, key, "must be a single value");
	else if (cic_yaml_is_null(node) && key->fallback != NULL)
		;	/* left blank: its default */
	else if (cic_yaml_is_null(node))
		fault(load, node->line, key, "is empty");
	else
		set_scalar(load, key, node->line, node->text);
}

static const struct key *
find_key(const char *group, const char *name)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (strcmp(keys[i].group, group) == 0 &&
		    (name == NULL || strcmp(keys[i].name, name) == 0))
			return &keys[i];
	return NULL;
}

static void
load_group(struct load *load, const struct cic_yaml *group)
{
	const struct cic_yaml *node;
	const struct key *key;

	if (strcmp(group->key, MACHINES) == 0)
		return;		/* they need to know all the rest */
	if (find_key(group->key, NULL) == NULL) {
		cic_buf_printf(load->faults, "%s:%u: unknown group \"%.64s\"\n",
		    load->path, group->key_line, group->key);
		return;
	}
	if (cic_yaml_is_null(group))
		return;
	if (group->type != CIC_YAML_MAPPING) {
		cic_buf_printf(load->faults,
		    "%s:%u: %s must hold keys, each on a line of its own\n",
		    load->path, group->line, group->key);
		return;
	}
	for (node = group->first; node != NULL; node = node->next) {
		key = find_key(group->key, node->key);
		if (key != NULL)
			set_key(load, key, node);
		else
			cic_buf_printf(load->faults,
			    "%s:%u: unknown key %s.%.64s\n", load->path,
			    node->key_line, group->key, node->key);
	}
}

static void
set_defaults(struct load *load)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (keys[i].fallback != NULL)
			set_scalar(load, &keys[i], 0, keys[i].fallback);
}

/* What was never given. */
static void
check_given(struct load *load, const struct cic_yaml *root)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (keys[i].fallback == NULL && cic_yaml_get(cic_yaml_get(root,
		    keys[i].group), keys[i].name) == NULL)
			cic_buf_printf(load->faults, "%s: %s.%s is missing\n",
			    load->path, keys[i].group, keys[i].name);
}

/* What only two keys together can be: pushing goes where a name says. */
static void
check_together(struct load *load)
{
	const struct cic_conf *conf = load->conf;
	char host[CIC_CONF_HOST_MAX];
	size_t len;

	if (conf->registry_url == NULL || conf->images_prefix == NULL)
		return;
	cic_conf_registry_host(conf, host);
	len = strlen(host);
	if (len > 0 && (strncmp(conf->images_prefix, host, len) != 0 ||
	    conf->images_prefix[len] != '/'))
		cic_buf_printf(load->faults, "%s: registry.images_prefix: must "
		    "begin with \"%s/\", the host of registry.url\n",
		    load->path, host);
}

struct cic_conf *
cic_conf_load(const char *path, struct cic_buf *faults)
{
	struct load load = { .faults = faults, .path = path };
	struct cic_yaml *root = NULL;
	const struct cic_yaml *group;
	struct cic_buf text;
	struct cic_err err;

	cic_buf_init(&text, CONF_BYTES_MAX);
	load.conf = calloc(1, sizeof(*load.conf));
	if (load.conf == NULL || cic_read_file(path, &text, &err) != 0) {
		cic_buf_printf(faults, "%s\n",
		    load.conf == NULL ? "out of memory" : err.msg);
		goto out;
	}
	load.conf->path = strdup(path);
	load.conf->text = strdup(text.data);
	root = cic_yaml_parse(text.data, text.len, &err);
	if (root == NULL) {
		cic_buf_printf(faults, "%s: %s\n", path, err.msg);
		goto out;
	}
	set_defaults(&load);
	if (root->type != CIC_YAML_MAPPING) {
		cic_buf_printf(faults, "%s: holds no keys\n", path);
		goto out;
	}
	for (group = root->first; group != NULL; group = group->next)
		load_group(&load, group);
	group = cic_yaml_get(root, MACHINES);
	if (group != NULL)
		cic_conf_machines_load(load.conf, group, path, faults);
	check_given(&load, root);
	check_together(&load);
out:
	cic_yaml_free(root);
	cic_buf_release(&text);
	if (faults->len > 0 || faults->failed) {
		cic_conf_free(load.conf);
		return NULL;
	}
	return load.conf;
}

void
cic_conf_free(struct cic_conf *conf)
{
	size_t i;

	if (conf == NULL)
		return;
	for (i = 0; i < KEYS; i++) {
		void *field = (char *)conf + keys[i].offset;

		if (is_list(&keys[i]) && keys[i].type != SET)
			clear_list(field);
		else if (keys[i].type != NUMBER && keys[i].type != CHOICE &&
		    keys[i].type != SET)
			free(*(char **)field);
	}
	cic_conf_machines_free(conf);
	free(conf->path);
	free(conf->text);
	free(conf);
}

int
cic_conf_set_folders(struct cic_conf *conf, const char *data,
    const char *images, struct cic_err *err)
{
	char *d = strdup(data), *i = strdup(images);

	if (d == NULL || i == NULL) {
		free(d);
		free(i);
		return cic_err_set(err, CIC_EIO, "out of memory");
	}
	free(conf->data);
	free(conf->images_location);
	conf->data = d;
	conf->images_location = i;
	return 0;
}

/* Double-quoted YAML; control characters are not there (cic_value_fault). */
static void
print_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void
print_value(const struct cic_conf *conf, const struct key *key, FILE *out)
{
	const void *field = (const char *)conf + key->offset;
	const struct cic_list *list = field;
	int n, printed = 0;

	switch (key->type) {
	case NUMBER:
		fprintf(out, "%d", *(const int *)field);
		break;
	case CHOICE:
		fprintf(out, "%s", key->choices[*(const int *)field]);
		break;
	case SECRET:
		fputs((*(char *const *)field)[0] != '\0' ? "(not shown)" : "\"\"",
		    out);
		break;
	case SET:
		fputc('[', out);
		for (n = 0; key->choices[n] != NULL; n++)
			if (*(const int *)field & 1 << n)
				fprintf(out, "%s%s", printed++ > 0 ? ", " : "",
				    key->choices[n]);
		fputc(']', out);
		break;
	case LIST:
	case PLATFORM_LIST:
	case ADDRESS_LIST:
		fputc('[', out);
		for (n = 0; n < list->count; n++) {
			fputs(n > 0 ? ", " : "", out);
			print_text(list->item[n], out);
		}
		fputc(']', out);
		break;
	default:
		print_text(*(char *const *)field, out);
	}
}

void
cic_conf_print(const struct cic_conf *conf, FILE *out)
{
	const char *group = "";
	size_t i;

	for (i = 0; i < KEYS; i++) {
		if (strcmp(group, keys[i].group) != 0)
			fprintf(out, "%s:\n", keys[i].group);
		group = keys[i].group;
		fprintf(out, "  %s: ", keys[i].name);
		print_value(conf, &keys[i], out);
		fputc('\n', out);
	}
	cic_conf_machines_print(conf, out);
}
