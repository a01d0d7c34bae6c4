/* A step's description; see description.h. */
#include "description.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "path.h"
#include "yaml.h"

#define FILE_NAME	"eflows4hpc.yaml"
#define FILE_MAX	(1024 * 1024)

static int
fail(const struct cic_yaml *node, const char *what, const char *value,
    struct cic_err *err)
{
	return cic_err_set(err, CIC_EINVAL, "%s line %u column %u: %s%s%.80s%s",
	    FILE_NAME, node->line, node->column, what,
	    value != NULL ? " \"" : "", value != NULL ? value : "",
	    value != NULL ? "\"" : "");
}

/* A package as `apt-get install` takes it: name[:arch][=version|/release].
 * One that ends in '-' would remove the package, be it behind the version. */
static bool
is_package(const char *text)
{
	static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz"
	    "0123456789";
	size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
	const char *rest = text + name;
	size_t len;

	if (name < 2 || name > 128 || strchr(lower_digits, text[0]) == NULL ||
	    text[name - 1] == '-')
		return false;
	if (*rest == ':') {
		len = strspn(rest + 1, lower_digits);
		if (len == 0)
			return false;
		rest += 1 + len;
	}
	if (*rest == '=' || *rest == '/') {
		len = strspn(rest + 1, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.~:_*-");

		if (len == 0 || len > 128)
			return false;
		rest += 1 + len;
	}
	return *rest == '\0' && rest[-1] != '-';
}

static int
read_apt(const struct cic_yaml *node, struct cic_buf *apt, struct cic_err *err)
{
	const struct cic_yaml *item;

	if (node == NULL || cic_yaml_is_null(node))
		return 0;
	if (node->type != CIC_YAML_SEQUENCE)
		return fail(node, "apt must be a list of packages", NULL, err);
	for (item = node->first; item != NULL; item = item->next) {
		if (item->type != CIC_YAML_SCALAR)
			return fail(item, "an apt entry must be one word", NULL,
			    err);
		if (!is_package(item->text))
			return fail(item, "not a package name:", item->text,
			    err);
		cic_buf_printf(apt, "%s\n", item->text);
	}
	return apt->failed ?
	    fail(node, "the apt list is too long", NULL, err) : 0;
}

/* What authors may ask for but this service does not build: said, not
 * silently left out of the image. */
static int
refuse_rest(const struct cic_yaml *root, int step_fd, struct cic_err *err)
{
	static const char *const unsupported[] = { "spack", "pip" };
	const struct cic_yaml *node;
	size_t i;

	for (i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
		node = cic_yaml_get(root, unsupported[i]);
		if (node != NULL && !cic_yaml_is_null(node) &&
		    !(node->type == CIC_YAML_SEQUENCE && node->first == NULL))
			return fail(node, "this service does not install "
			    "packages of", unsupported[i], err);
	}
	if (faccessat(step_fd, "requirements.txt", F_OK,
	    AT_SYMLINK_NOFOLLOW) == 0)
		return cic_err_set(err, CIC_EINVAL, "requirements.txt: this "
		    "service does not install packages of \"pip\"");
	return 0;
}

int
description_read(int step_fd, struct cic_buf *apt, struct cic_err *err)
{
	struct cic_yaml *root = NULL;
	struct cic_buf text;
	int rc = -1;

	cic_buf_init(&text, FILE_MAX);
	if (cic_read_file_beneath(step_fd, FILE_NAME, &text, err) != 0) {
		if (err->code == CIC_ENOENT)
			cic_err_set(err, CIC_EINVAL,
			    "the step has no file " FILE_NAME);
		goto out;
	}
	root = cic_yaml_parse(text.data, text.len, err);
	if (root == NULL) {
		cic_err_wrap(err, FILE_NAME);
		goto out;
	}
	if (root->type != CIC_YAML_MAPPING && !cic_yaml_is_null(root)) {
		fail(root, "must hold keys like apt:", NULL, err);
		goto out;
	}
	if (refuse_rest(root, step_fd, err) == 0)
		rc = read_apt(cic_yaml_get(root, "apt"), apt, err);
out:
	cic_yaml_free(root);
	cic_buf_release(&text);
	return rc;
}
