/* The name of an image in a registry; see image_name.h. */
#include "image_name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci.h"

#define ALNUM_LOWER	"abcdefghijklmnopqrstuvwxyz0123456789"
#define ALNUM		ALNUM_LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool
cic_host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char bare[64];
	size_t len = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (len < 3 || len >= sizeof(bare))
		return false;
	if (*host == '[' && host[len - 1] == ']')
		snprintf(bare, sizeof(bare), "%.*s", (int)len - 2, host + 1);
	else
		snprintf(bare, sizeof(bare), "%s", host);
	return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Words of letters and digits, hyphens inside, dots between; or [IPv6]. */
static bool
good_host(const char *host)
{
	size_t len = strlen(host), n;
	struct in6_addr v6;
	char bare[64];

	if (*host == '[') {
		if (len < 4 || len > sizeof(bare) || host[len - 1] != ']')
			return false;
		snprintf(bare, sizeof(bare), "%.*s", (int)len - 2, host + 1);
		return inet_pton(AF_INET6, bare, &v6) == 1;
	}
	for (;; host += n + 1) {
		n = strspn(host, ALNUM "-");
		if (n == 0 || host[0] == '-' || host[n - 1] == '-')
			return false;
		if (host[n] != '.')
			return host[n] == '\0';
	}
}

static bool
good_port(const char *port)
{
	size_t len = strlen(port);

	return len > 0 && len <= 5 && strspn(port, "0123456789") == len &&
	    atoi(port) >= 1 && atoi(port) <= 65535;
}

/* "host[:port]", `end` bytes of the name. */
static int
parse_host(const char *text, size_t end, struct cic_image_name *name,
    struct cic_err *err)
{
	char host[CIC_IMAGE_HOST], *colon;

	if (end >= sizeof(host))
		return cic_err_set(err, CIC_EINVAL, "the host has %zu bytes, and "
		    "may have %zu", end, sizeof(host) - 1);
	snprintf(host, sizeof(host), "%.*s", (int)end, text);
	if (strpbrk(host, ".:") == NULL && strcmp(host, "localhost") != 0)
		return cic_err_set(err, CIC_EINVAL, "\"%s\" is no registry's host: "
		    "write the whole name, host/path:tag", host);
	strcpy(name->host, host);
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL) {
		*colon = '\0';
		if (!good_port(colon + 1))
			return cic_err_set(err, CIC_EINVAL, "\"%s\" is no port",
			    colon + 1);
	}
	if (!good_host(host))
		return cic_err_set(err, CIC_EINVAL, "\"%s\" is no host", host);
	name->loopback = cic_host_is_loopback(host);
	return 0;
}

/* Words of [a-z0-9]; between them `.`, `_`, `__` or any number of `-`. */
static bool
good_component(const char *part, size_t len)
{
	size_t n, run;

	while (len > 0) {
		n = strspn(part, ALNUM_LOWER);
		if (n == 0)
			return false;
		if (n >= len)
			return true;
		part += n;
		len -= n;
		run = strspn(part, "-");
		if (run == 0)
			run = *part == '.' ? 1 : strspn(part, "_");
		if (run == 0 || (*part == '_' && run > 2) || run >= len)
			return false;
		part += run;
		len -= run;
	}
	return false;
}

static int
parse_path(const char *text, struct cic_image_name *name, struct cic_err *err)
{
	const char *part = text;
	size_t len;

	if (strlen(text) >= sizeof(name->path))
		return cic_err_set(err, CIC_EINVAL, "the path has %zu bytes, and "
		    "may have %zu", strlen(text), sizeof(name->path) - 1);
	for (;; part += len + 1) {
		len = strcspn(part, "/");
		if (!good_component(part, len))
			return cic_err_set(err, CIC_EINVAL, "\"%.*s\" may not stand "
			    "in a path: words of a-z and 0-9, between them one of "
			    "\".\", \"_\", \"__\" or hyphens", (int)len, part);
		if (part[len] == '\0')
			break;
	}
	strcpy(name->path, text);
	return 0;
}

static int
parse_tag(const char *text, struct cic_image_name *name, struct cic_err *err)
{
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(name->tag) ||
	    strspn(text, ALNUM "_.-") != len || *text == '.' || *text == '-')
		return cic_err_set(err, CIC_EINVAL, "\"%.140s\" is no tag: 1 to 128 "
		    "of letters, digits, \"_\", \".\", \"-\", not one of the last "
		    "two first", text);
	strcpy(name->tag, text);
	return 0;
}

/* The name without its host; cut up in place. */
static int
parse_rest(char *text, struct cic_image_name *name, struct cic_err *err)
{
	char hex[CIC_SHA256_HEX], *at = strchr(text, '@'), *colon;

	if (at != NULL) {
		*at = '\0';
		if (cic_oci_digest(at + 1, hex, err) == -1)
			return -1;
		snprintf(name->digest, sizeof(name->digest), "sha256:%s", hex);
	}
	colon = strchr(text, ':');
	if (colon != NULL) {
		*colon = '\0';
		if (parse_tag(colon + 1, name, err) == -1)
			return -1;
	}
	if (at == NULL && colon == NULL)
		return cic_err_set(err, CIC_EINVAL, "there is neither a tag nor a "
		    "digest: write host/path:tag");
	return parse_path(text, name, err);
}

int
cic_image_name_parse(const char *text, struct cic_image_name *name,
    struct cic_err *err)
{
	struct cic_image_name out = { .tag = "" };
	char rest[CIC_IMAGE_PATH + CIC_IMAGE_TAG + CIC_DIGEST_MAX + 256];
	const char *slash = strchr(text, '/');

	if (slash == NULL) {
		cic_err_set(err, CIC_EINVAL, "there is no host: write the whole "
		    "name, host/path:tag");
		return cic_err_wrap(err, "image \"%.200s\"", text);
	}
	if (strlen(slash + 1) >= sizeof(rest)) {
		cic_err_set(err, CIC_EINVAL, "the name is too long");
		return cic_err_wrap(err, "image \"%.200s\"", text);
	}
	strcpy(rest, slash + 1);
	if (parse_host(text, (size_t)(slash - text), &out, err) == -1 ||
	    parse_rest(rest, &out, err) == -1)
		return cic_err_wrap(err, "image \"%.200s\"", text);
	*name = out;
	return 0;
}
