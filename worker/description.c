/* A step's description; see description.h. */
#include "description.h"

#include <string.h>
#include <strings.h>

#include "path.h"
#include "requirement.h"
#include "spack_env.h"
#include "yaml.h"

#define FILE_NAME	"eflows4hpc.yaml"
#define REQUIREMENTS	"requirements.txt"
#define FILE_MAX	(1024 * 1024)	/* each of the two */
#define LIST_MAX	(256 * 1024)

#define LOWER	"abcdefghijklmnopqrstuvwxyz"
#define UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

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
	size_t name = strspn(text, LOWER DIGITS "+.-");
	const char *rest = text + name;
	size_t len;

	if (name < 2 || name > 128 || strchr(LOWER DIGITS, text[0]) == NULL ||
	    text[name - 1] == '-')
		return false;
	if (*rest == ':') {
		len = strspn(rest + 1, LOWER DIGITS);
		if (len == 0)
			return false;
		rest += 1 + len;
	}
	if (*rest == '=' || *rest == '/') {
		len = strspn(rest + 1, LOWER UPPER DIGITS "+.~:_*-");
		if (len == 0 || len > 128)
			return false;
		rest += 1 + len;
	}
	return *rest == '\0' && rest[-1] != '-';
}

/* A list of the description that becomes lines. */
struct list {
	const char	*key;
	bool		(*check)(const char *entry);
	const char	*not_list, *not_word, *not_good, *too_long;
};

static const struct list apt_list = {
	"apt", is_package,
	"apt must be a list of packages: write each as \"- name\" on its line",
	"an apt entry must be one word", "not a package name:",
	"the apt list is too long",
};

static const struct list pip_list = {
	"pip", requirement_ok,
	"pip must be a list of requirements: write each as \"- name\" on its line",
	"a pip entry must be one line of text, in quotes when it holds \": \" "
	    "or begins with [ or {",
	"not a requirement of pip (name, name==1.2, name[extra]>=1; marker, "
	    "https://… or ./path; one an entry, no options):",
	"the pip list is too long",
};

static int
read_entry(const struct list *list, const struct cic_yaml *item,
    struct cic_buf *lines, struct cic_err *err)
{
	size_t len;

	if (item->type != CIC_YAML_SCALAR)
		return fail(item, list->not_word, NULL, err);
	len = strlen(item->text);
	while (len > 0 && item->text[len - 1] == ' ')
		item->text[--len] = '\0';
	if (cic_yaml_is_null(item) || !list->check(item->text))
		return fail(item, list->not_good, item->text, err);
	cic_buf_printf(lines, "%s\n", item->text);
	return 0;
}

static int
read_list(const struct list *list, const struct cic_yaml *root,
    struct cic_buf *lines, struct cic_err *err)
{
	const struct cic_yaml *node = cic_yaml_get(root, list->key), *item;

	if (node == NULL || cic_yaml_is_null(node))
		return 0;
	if (node->type != CIC_YAML_SEQUENCE)
		return fail(node, list->not_list, NULL, err);
	for (item = node->first; item != NULL; item = item->next)
		if (read_entry(list, item, lines, err) != 0)
			return -1;
	return lines->failed ? fail(node, list->too_long, NULL, err) : 0;
}

/* Only looked at: pip reads it inside the image. */
static int
read_requirements(int step_fd, bool *present, struct cic_err *err)
{
	struct cic_buf text;
	int rc = 0;

	cic_buf_init(&text, FILE_MAX);
	if (cic_read_file_beneath(step_fd, REQUIREMENTS, &text, err) != 0)
		rc = err->code == CIC_ENOENT ? 0 : -1;
	else if (strlen(text.data) != text.len)
		rc = cic_err_set(err, CIC_EINVAL, REQUIREMENTS
		    " holds a NUL byte; it must be text");
	else
		*present = true;
	cic_buf_release(&text);
	return rc;
}

static int
read_spack(struct description *d, struct cic_err *err)
{
	const struct cic_yaml *body = cic_yaml_get(d->root, "spack");

	if (body == NULL || cic_yaml_is_null(body))
		return 0;
	if (spack_env_check(body, err) != 0)
		return cic_err_wrap(err, FILE_NAME);
	if (body->first != NULL)
		d->spack = body;
	return 0;
}

/* A key in the wrong case would be ignored, and what it asks for left out. */
static int
check_keys(const struct cic_yaml *root, struct cic_err *err)
{
	static const char *const known[] = { "apt", "pip", "spack" };
	const struct cic_yaml *child;
	size_t i;

	for (child = root->first; child != NULL; child = child->next)
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcasecmp(child->key, known[i]) == 0 &&
			    strcmp(child->key, known[i]) != 0)
				return cic_err_set(err, CIC_EINVAL, "%s line "
				    "%u column %u: the key is written %s",
				    FILE_NAME, child->key_line,
				    child->key_column, known[i]);
	return 0;
}

static struct cic_yaml *
read_file(int step_fd, struct cic_err *err)
{
	struct cic_yaml *root = NULL;
	struct cic_buf text;

	cic_buf_init(&text, FILE_MAX);
	if (cic_read_file_beneath(step_fd, FILE_NAME, &text, err) == 0) {
		root = cic_yaml_parse(text.data, text.len, err);
		if (root == NULL)
			cic_err_wrap(err, FILE_NAME);
	} else if (err->code == CIC_ENOENT)
		cic_err_set(err, CIC_EINVAL,
		    "the step has no file " FILE_NAME);
	cic_buf_release(&text);
	return root;
}

static int
read_root(int step_fd, struct description *d, struct cic_err *err)
{
	d->root = read_file(step_fd, err);
	if (d->root == NULL)
		return -1;
	if (cic_yaml_merge(d->root, err) != 0)
		return cic_err_wrap(err, FILE_NAME);
	if (d->root->type != CIC_YAML_MAPPING && !cic_yaml_is_null(d->root))
		return fail(d->root, "must hold keys like apt:", NULL, err);
	return check_keys(d->root, err);
}

int
description_read(int step_fd, struct description *d, struct cic_err *err)
{
	*d = (struct description){ .root = NULL };
	cic_buf_init(&d->apt, LIST_MAX);
	cic_buf_init(&d->pip, LIST_MAX);
	if (read_root(step_fd, d, err) != 0 ||
	    read_list(&apt_list, d->root, &d->apt, err) != 0 ||
	    read_list(&pip_list, d->root, &d->pip, err) != 0 ||
	    read_spack(d, err) != 0)
		return -1;
	if (cic_yaml_get(d->root, "pip") != NULL)
		return 0;
	return read_requirements(step_fd, &d->requirements, err);
}

void
description_release(struct description *d)
{
	cic_buf_release(&d->apt);
	cic_buf_release(&d->pip);
	cic_yaml_free(d->root);
	d->root = NULL;
	d->spack = NULL;
}
