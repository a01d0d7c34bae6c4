/* The configuration; see conf.h.  One table holds every key. */
#include "conf.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "buf.h"
#include "path.h"
#include "request.h"
#include "yaml.h"

#define CONF_BYTES_MAX (1024 * 1024)

enum value_type {
	TEXT,		/* any text without control bytes */
	WORD,		/* for an argument: TEXT that does not begin with '-' */
	ABS_PATH,	/* begins with '/' */
	URL_PATH,	/* of the service: "/a/b", or "" for the root */
	REPOSITORY,	/* git URL or folder */
	IMAGE_PREFIX,	/* begins a Docker image name */
	PLATFORM,	/* one that arch.h knows */
	OPT_PATH,	/* absolute, or "" for none */
	WEB_ADDRESS,	/* http or https without a password, or "" */
	REGISTRY,	/* a container registry's host, or "" */
	SECRET,		/* never printed */
	NUMBER,
	CHOICE,
	LIST,
	PLATFORM_LIST,	/* of "linux/arm64=word" */
	SET,		/* of choices, a bit each; empty is all */
};

static const char *const engines[] = { "docker", "podman", NULL };
static const char *const converters[] = { "singularity", "apptainer",
	"builtin", NULL };
static const char *const no_yes[] = { "no", "yes", NULL };
/* in the order of enum cic_keypart */
static const char *const keyparts[] = { "templates", "workflow", "catalog",
	"base", "machine", NULL };

static const struct key {
	const char		*group, *name;
	enum value_type		 type;
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
	{ "network", "apt_mirrors", LIST, AT(apt_mirrors), "", 0, 0, NULL },
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
	{ "limits", "max_attempts", NUMBER, AT(max_attempts), "3", 1, 100,
	    NULL },
	{ "limits", "min_free_space", NUMBER, AT(min_free_space), "512", 0,
	    INT_MAX, NULL },
#undef AT
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

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

/* Control characters, C1 and Unicode's line ends among them: YAML and logs
 * cannot show them as they are.  The text is valid UTF-8: it comes from YAML. */
static bool
has_control_byte(const char *text)
{
	static const char *const lines[] = { "\xe2\x80\xa8", "\xe2\x80\xa9",
	    "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf" };
	const unsigned char *p = (const unsigned char *)text;
	size_t i;

	for (; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(text, lines[i]) != NULL)
			return true;
	return false;
}

/* A repository we may hand to git: known transports, no password inside. */
static const char *
repository_fault(const char *url)
{
	static const char *const schemes[] = { "https://", "http://", "ssh://",
	    "file:///" };
	const char *rest = NULL, *at, *colon, *slash;
	size_t i;

	if (url[0] == '/')
		return NULL;
	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			rest = url + strlen(schemes[i]);
	if (rest == NULL) {
		/* scp-like user@host:path, as git has it */
		at = strchr(url, '@');
		colon = strchr(url, ':');
		slash = strchr(url, '/');
		if (at != NULL && at != url && colon > at &&
		    (slash == NULL || slash > colon) && url[0] != '-' &&
		    at[1] != '-')
			return NULL;
		return "is no git URL (https, ssh, file) and no absolute folder";
	}
	at = strchr(rest, '@');
	slash = strchr(rest, '/');
	colon = strchr(rest, ':');
	/* a token often stands where the user's name belongs */
	if (at != NULL && (slash == NULL || at < slash) &&
	    (strncmp(url, "http", 4) == 0 || (colon != NULL && colon < at)))
		return "holds a user name, token or password; leave that to a "
		    "git credential helper of the worker's user";
	if (rest[0] == '-')
		return "has a host that begins with '-'";
	return NULL;
}

/* A run of [a-z0-9], then a separator that Docker takes and another run …
 * With `open`, it may end in a separator: more of the name will follow. */
static bool
is_name_part(const char *text, size_t len, bool open)
{
	const char *end = text + len;
	size_t run, sep;

	while (text < end) {
		run = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
		text += run;
		if (run == 0 || text >= end)
			return run > 0;
		sep = strspn(text, "-");
		if (sep == 0 && *text != '.' && *text != '_')
			return false;
		if (sep == 0)
			sep = strncmp(text, "__", 2) == 0 ? 2 : 1;
		text += sep;
	}
	return open;
}

/* host[:port]/part/…, or the beginning of a name */
static bool
is_image_prefix(const char *text)
{
	const char *slash, *part = text;
	size_t len, port;

	for (; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
		len = (size_t)(slash - part);
		port = strcspn(part, ":/");
		if (part == text && port < len) {
			if (port + 1 == len || strspn(part + port + 1,
			    "0123456789") != len - port - 1)
				return false;
			len = port;
		}
		if (!is_name_part(part, len, false))
			return false;
	}
	return *part == '\0' || (strchr("-_", part[strlen(part) - 1]) != NULL &&
	    is_name_part(part, strlen(part), true));
}

/* Proxies and indexes: what stands there reaches logs and argument vectors. */
static const char *
address_fault(const char *text)
{
	const char *rest = strncmp(text, "http://", 7) == 0 ? text + 7 :
	    strncmp(text, "https://", 8) == 0 ? text + 8 : "";

	if (text[0] == '\0')
		return NULL;
	if (rest[0] == '\0' || rest[0] == '/' || strpbrk(text, " \"\'\\`$") != NULL)
		return "must be like http://proxy.example.org:3128";
	return memchr(rest, '@', strcspn(rest, "/")) != NULL ?
	    "holds a user name or password, which would be seen in logs" : NULL;
}

static bool
is_loopback(const char *host, size_t len)
{
	return (len == 9 && memcmp(host, "localhost", 9) == 0) ||
	    (len > 4 && memcmp(host, "127.", 4) == 0 &&
	    strspn(host, "0123456789.") >= len);
}

/* host[:port], with https:// before it where somebody likes that. */
static const char *
registry_fault(const char *text)
{
	const char *host = text;
	size_t len, port;

	if (text[0] == '\0')
		return NULL;
	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	else if (strncmp(host, "http://", 7) == 0) {
		host += 7;
		if (!is_loopback(host, strcspn(host, ":/")))
			return "without https only 127.0.0.1 is spoken to";
	}
	len = strcspn(host, ":/");
	port = host[len] == ':' ? strspn(host + len + 1, "0123456789") + 1 : 0;
	if (len == 0 || port == 1 || (strcmp(host + len + port, "") != 0 &&
	    strcmp(host + len + port, "/") != 0) ||
	    !is_name_part(host, len, false))
		return "must be a registry's host, like registry.example.org";
	return NULL;
}

static const char *
text_fault(const struct key *key, const char *text)
{
	size_t len = strlen(text);

	if (has_control_byte(text))
		return "holds a control byte";
	if (len > 1000)
		return "is longer than 1000 bytes";
	if (key->fallback == NULL && len == 0)
		return "is empty";
	switch (key->type) {
	case WORD:
		return text[0] == '-' ? "begins with '-'" : NULL;
	case ABS_PATH:
		return text[0] != '/' ? "must be an absolute path" : NULL;
	case URL_PATH:
		if (len == 0)
			return NULL;
		if (text[0] != '/' || text[len - 1] == '/')
			return "must begin with / and not end with one";
		return strspn(text, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
		    "OPQRSTUVWXYZ0123456789._-") != len ?
		    "may hold letters, digits and ./_- only" : NULL;
	case REPOSITORY:
		return repository_fault(text);
	case OPT_PATH:
		return text[0] != '\0' && text[0] != '/' ?
		    "must be an absolute path" : NULL;
	case WEB_ADDRESS:
		return address_fault(text);
	case REGISTRY:
		return registry_fault(text);
	case IMAGE_PREFIX:
		/* a name has at most 255 bytes, 129 of them ours (names.c) */
		return len > 120 || !is_image_prefix(text) ?
		    "must be like registry.example.org/group/: lower-case "
		    "letters, digits and ./:_-, at most 120" : NULL;
	default:
		return NULL;
	}
}

static void
set_text(struct load *load, const struct key *key, unsigned line,
    const char *text)
{
	char **field = (char **)((char *)load->conf + key->offset);
	const char *what = text_fault(key, text);
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
		break;	/* empty, its default */
	case SET:
		*(int *)(void *)((char *)load->conf + key->offset) = ~0;
		break;
	default:
		set_text(load, key, line, text);
	}
}

/* "linux/arm64=word" */
static const char *
platform_entry_fault(const char *text)
{
	char platform[CIC_ARCH_MAX];
	const char *equals = strchr(text, '=');
	struct cic_err ignored;

	if (equals == NULL || equals - text >= CIC_ARCH_MAX ||
	    equals[1] == '\0' || equals[1] == '-')
		return "an entry must be like \"linux/arm64=name\"";
	snprintf(platform, sizeof(platform), "%.*s", (int)(equals - text), text);
	return cic_arch_check_platform(platform, &ignored) != 0 ?
	    "an entry begins with a platform that is not known" : NULL;
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
	struct cic_list *list =
	    (struct cic_list *)(void *)((char *)load->conf + key->offset);
	const struct cic_yaml *item;

	for (item = node->first; item != NULL; item = item->next) {
		if (item->type != CIC_YAML_SCALAR ||
		    has_control_byte(item->text)) {
			fault(load, item->line, key, "an entry must be one line of text");
			continue;
		}
		if (key->type == PLATFORM_LIST &&
		    platform_entry_fault(item->text) != NULL) {
			fault(load, item->line, key,
			    platform_entry_fault(item->text));
			continue;
		}
		if (list->count == CIC_CONF_LIST_MAX) {
			fault(load, item->line, key, "more than 64 entries");
			return;
		}
		list->item[list->count] = strdup(item->text);
		if (list->item[list->count++] == NULL)
			fault(load, item->line, key, "out of memory");
	}
}

static bool
is_list(const struct key *key)
{
	return key->type == LIST || key->type == PLATFORM_LIST ||
	    key->type == SET;
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
	int n;

	if (conf == NULL)
		return;
	for (i = 0; i < KEYS; i++) {
		void *field = (char *)conf + keys[i].offset;
		struct cic_list *list = field;

		if (keys[i].type == LIST || keys[i].type == PLATFORM_LIST)
			for (n = 0; n < list->count; n++)
				free(list->item[n]);
		else if (keys[i].type != NUMBER && keys[i].type != CHOICE &&
		    keys[i].type != SET)
			free(*(char **)field);
	}
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

/* Double-quoted YAML; control characters are not there (text_fault). */
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
}

struct cic_request_site
cic_conf_site(const struct cic_conf *conf)
{
	return (struct cic_request_site){
		.default_platform = conf->platform,
		.images_prefix = conf->images_prefix,
		.base_image = conf->base_image,
		.has_registry = conf->registry_url[0] != '\0',
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
	const char *host = conf->registry_url;

	return strncmp(host, "http://", 7) == 0 || (conf->ca_file[0] == '\0' &&
	    is_loopback(host, strcspn(host, ":/")));
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

bool
cic_conf_is_admin(const struct cic_conf *conf, const char *user)
{
	int i;

	for (i = 0; i < conf->admins.count; i++)
		if (strcmp(conf->admins.item[i], user) == 0)
			return true;
	return false;
}
