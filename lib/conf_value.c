/* What a value of the configuration may be; see conf_value.h. */
#include "conf_value.h"

#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "image_name.h"

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
		return "holds a user name, token or password; they belong into "
		    "repositories.git_user and git_token_file";
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
	if (rest[0] == '\0' || rest[0] == '/' || strpbrk(text, " \"\'\\`$#&") != NULL)
		return "must be like http://proxy.example.org:3128";
	return memchr(rest, '@', strcspn(rest, "/")) != NULL ?
	    "holds a user name or password, which would be seen in logs" : NULL;
}

/* host[:port], with https:// before it where somebody likes that. */
static const char *
registry_fault(const char *text)
{
	const char *host = text;
	char name[CIC_IMAGE_HOST];
	size_t len, port;

	if (text[0] == '\0')
		return NULL;
	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	else if (strncmp(host, "http://", 7) == 0)
		host += 7;
	len = strcspn(host, ":/");
	snprintf(name, sizeof(name), "%.*s", (int)len, host);
	if (strncmp(text, "http://", 7) == 0 && !cic_host_is_loopback(name))
		return "without https only 127.0.0.1 is spoken to";
	port = host[len] == ':' ? strspn(host + len + 1, "0123456789") + 1 : 0;
	if (len == 0 || port == 1 || (strcmp(host + len + port, "") != 0 &&
	    strcmp(host + len + port, "/") != 0) ||
	    !is_name_part(host, len, false))
		return "must be a registry's host, like registry.example.org";
	return NULL;
}

const char *
cic_value_fault(enum cic_value kind, const char *text, bool must)
{
	size_t len = strlen(text);

	if (has_control_byte(text))
		return "holds a control byte";
	if (len > 1000)
		return "is longer than 1000 bytes";
	if (must && len == 0)
		return "is empty";
	switch (kind) {
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

const char *
cic_entry_fault(enum cic_value kind, const char *text)
{
	if (has_control_byte(text))
		return "an entry must be one line of text";
	if (kind == PLATFORM_LIST)
		return platform_entry_fault(text);
	if (kind == ADDRESS_LIST)
		return text[0] == '\0' ? "an entry is empty" :
		    address_fault(text);
	return NULL;
}
