/* The Spack environment of a step; see spack_env.h. */
#include "spack_env.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "buf.h"
#include "request.h"
#include "yaml.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define SPEC_MAX	4000
#define ALNUM		"abcdefghijklmnopqrstuvwxyz" \
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Is the key this name, be it with Spack's second colon? */
static bool
is_key(const char *key, const char *name)
{
	size_t len = strlen(name);

	return strncmp(key, name, len) == 0 &&
	    (key[len] == '\0' || strcmp(key + len, ":") == 0);
}

static struct cic_yaml *
find(const struct cic_yaml *mapping, const char *name)
{
	struct cic_yaml *child;

	for (child = mapping->first; child != NULL; child = child->next)
		if (is_key(child->key, name))
			return child;
	return NULL;
}

/* --- checking ------------------------------------------------------------ */

static int
fail(const struct cic_yaml *node, struct cic_err *err, const char *what,
    const char *value)
{
	return cic_err_set(err, CIC_EINVAL, "line %u column %u: %s%s%.80s%s",
	    node->line, node->column, what, value != NULL ? " \"" : "",
	    value != NULL ? value : "", value != NULL ? "\"" : "");
}

/* Would YAML make something else than text of this word?  By 1.1, which is what
 * the older Spacks read.  (A number is no spec anyway.) */
static bool
is_special(const struct cic_yaml *item)
{
	static const char *const words[] = { "", "~", "null", "true", "false",
	    "yes", "no", "on", "off" };
	size_t i;

	for (i = 0; i < COUNT(words) && item->plain; i++)
		if (strcasecmp(item->text, words[i]) == 0)
			return true;
	return false;
}

/* The texts of a spec or matrix, whatever the shape of that. */
static int
check_texts(const struct cic_yaml *node, struct cic_err *err)
{
	const struct cic_yaml *child;
	size_t len;

	for (child = node->first; child != NULL; child = child->next)
		if (check_texts(child, err) != 0)
			return -1;
	if (node->type != CIC_YAML_SCALAR)
		return 0;
	len = strspn(node->text, ALNUM "._@+~=:,%^/ \"'{}[]*!<>$\\-");
	if (node->text[len] != '\0')
		return fail(node, err, "a character that no spec of Spack's "
		    "holds:", node->text);
	if (len > SPEC_MAX)
		return fail(node, err, "a spec of more than 4000 bytes", NULL);
	if (is_special(node))
		return fail(node, err, "not a spec of Spack's; a word like "
		    "this must stand in quotes:", node->text);
	return 0;
}

static int
check_specs(const struct cic_yaml *specs, struct cic_err *err)
{
	const struct cic_yaml *item;

	if (specs == NULL || cic_yaml_is_null(specs))
		return 0;
	if (specs->type != CIC_YAML_SEQUENCE)
		return fail(specs, err, "specs must be a list: write each spec "
		    "as \"- name@version\" on its line", NULL);
	for (item = specs->first; item != NULL; item = item->next) {
		if (check_texts(item, err) != 0)
			return -1;
		if (item->type == CIC_YAML_SCALAR && (item->text[0] == '\0' ||
		    strchr(ALNUM "_^%@+~$/\"", item->text[0]) == NULL))
			return fail(item, err, "not a spec of Spack's, like "
			    "name@version:", item->text);
	}
	return 0;
}

/* `packages:` and `packages::` in one mapping would be one key to us, and to
 * Spack. */
static int
check_spellings(const struct cic_yaml *mapping, struct cic_err *err)
{
	const struct cic_yaml *child, *other;
	size_t len;

	for (child = mapping->first; child != NULL; child = child->next) {
		len = strlen(child->key);
		if (len == 0 || child->key[len - 1] != ':')
			continue;
		for (other = mapping->first; other != NULL; other = other->next)
			if (strlen(other->key) == len - 1 &&
			    is_key(child->key, other->key))
				return cic_err_set(err, CIC_EINVAL,
				    "line %u column %u: key \"%.64s\" stands "
				    "twice, once with a second colon",
				    child->key_line, child->key_column,
				    other->key);
	}
	return 0;
}

/* Check that a child, when there is one, holds keys.  `*found`: it or NULL. */
static int
check_mapping(const struct cic_yaml *parent, const char *name,
    const struct cic_yaml **found, struct cic_err *err)
{
	const struct cic_yaml *child = parent != NULL ? find(parent, name) :
	    NULL;

	*found = NULL;
	if (child == NULL || cic_yaml_is_null(child))
		return 0;
	if (child->type != CIC_YAML_MAPPING)
		return cic_err_set(err, CIC_EINVAL, "line %u column %u: %s "
		    "must be a mapping: write keys below it, each as \"key: "
		    "value\"", child->line, child->column, name);
	*found = child;
	return check_spellings(child, err);
}

int
spack_env_check(const struct cic_yaml *body, struct cic_err *err)
{
	const struct cic_yaml *packages, *found;

	if (body->type != CIC_YAML_MAPPING)
		return fail(body, err, "spack must be a mapping: write keys of "
		    "a Spack environment below it, like specs:", NULL);
	if (check_spellings(body, err) != 0 ||
	    check_mapping(body, "packages", &packages, err) != 0 ||
	    check_mapping(packages, "all", &found, err) != 0 ||
	    check_mapping(body, "config", &found, err) != 0)
		return -1;
	return check_specs(find(body, "specs"), err);
}

/* --- writing ------------------------------------------------------------- */

/* Set a key, in the spelling that is there.  Takes `value`; NULL fails. */
static bool
put(struct cic_yaml *mapping, const char *name, struct cic_yaml *value)
{
	const struct cic_yaml *old = find(mapping, name);

	return cic_yaml_set(mapping, old != NULL ? old->key : name, value) == 0;
}

/* The child, made when there is none or it is null. */
static struct cic_yaml *
child_of(struct cic_yaml *mapping, const char *name, enum cic_yaml_type type)
{
	struct cic_yaml *child = find(mapping, name);

	if (child != NULL && child->type == type)
		return child;
	return put(mapping, name, cic_yaml_new(type)) ? find(mapping, name) :
	    NULL;
}

static bool
set_target(struct cic_yaml *body, const char *target)
{
	struct cic_yaml *packages, *all, *list;

	packages = child_of(body, "packages", CIC_YAML_MAPPING);
	all = packages == NULL ? NULL :
	    child_of(packages, "all", CIC_YAML_MAPPING);
	if (all == NULL || !put(all, "target", cic_yaml_new(CIC_YAML_SEQUENCE)))
		return false;
	list = find(all, "target");
	return cic_yaml_append(list, cic_yaml_word(target)) == 0;
}

static bool
add_spec(struct cic_yaml *body, const char *spec)
{
	struct cic_yaml *specs;

	if (spec[0] == '\0')
		return true;
	specs = child_of(body, "specs", CIC_YAML_SEQUENCE);
	return specs != NULL &&
	    cic_yaml_append(specs, cic_yaml_string(spec)) == 0;
}

/* Set a key to what this YAML says. */
static bool
put_text(struct cic_yaml *mapping, const char *name, const char *yaml)
{
	struct cic_err err;

	return put(mapping, name, cic_yaml_parse(yaml, strlen(yaml), &err));
}

/* One solution for all specs, of installed packages where they fit, for a
 * target the building host may not have; libraries found by what the view's
 * activation sets; and the view where the inner script looks for it. */
static bool
set_fixed(struct cic_yaml *body)
{
	struct cic_yaml *config;

	if (!put_text(body, "concretizer", "{unify: true, reuse: true, targets: "
	    "{granularity: microarchitectures, host_compatible: false}}"))
		return false;
	config = child_of(body, "config", CIC_YAML_MAPPING);
	return config != NULL &&
	    put_text(config, "shared_linking", "{type: runpath}") &&
	    put_text(body, "view", "/opt/view");
}

int
spack_env_write(const struct cic_yaml *body, const struct cic_request *request,
    struct cic_buf *out, struct cic_err *err)
{
	struct cic_yaml *root = cic_yaml_new(CIC_YAML_MAPPING), *copy;
	int rc;

	if (root == NULL || cic_yaml_set(root, "spack", cic_yaml_copy(body)) !=
	    0 || !set_target(copy = root->first, request->target) ||
	    !add_spec(copy, request->mpi) || !add_spec(copy, request->gpu) ||
	    !set_fixed(copy))
		rc = cic_err_set(err, CIC_EIO, "spack.yaml: out of memory");
	else if ((rc = cic_yaml_print(root, out, err)) != 0)
		cic_err_wrap(err, "spack.yaml");
	cic_yaml_free(root);
	return rc;
}

/* --- sharing ------------------------------------------------------------- */

static bool
is_one_of(const char *key, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_key(key, names[i]))
			return true;
	return false;
}

static bool
holds_commit(const char *text)
{
	size_t len;

	for (; *text != '\0'; text += len + (text[len] != '\0')) {
		len = strspn(text, "0123456789abcdefABCDEF");
		if (len >= 40)
			return true;
	}
	return false;
}

/* `word=` or `word == `, behind any prefix: cflags=, ldflags=. */
static bool
sets(const char *text, const char *word)
{
	const char *at = text;

	while ((at = strstr(at, word)) != NULL) {
		at += strlen(word);
		if (at[strspn(at, " \t\n")] == '=')
			return true;
	}
	return false;
}

/*
 * Can this text, in a spec or where a spec may stand, bring code along?
 *
 *	cflags= …	a compiler takes plugins and files to include
 *	dev_path=	sources from a folder, which the step can be
 *	git.<ref>	and a commit id: versions no recipe names; GitHub hands out
 *			those of forks and pull requests, which anybody makes
 *	.json .yaml	a spec from a file, with "externals" wherever it likes
 */
static bool
brings_code(const char *text)
{
	static const char *const parts[] = { "dev_path", "git.", ".json",
	    ".yaml" };
	size_t i;

	for (i = 0; i < COUNT(parts); i++)
		if (strstr(text, parts[i]) != NULL)
			return true;
	return sets(text, "flags") || sets(text, "ldlibs") ||
	    holds_commit(text);
}

static bool
is_quiet(const struct cic_yaml *node)
{
	const struct cic_yaml *child;

	if ((node->key != NULL && brings_code(node->key)) ||
	    (node->text != NULL && brings_code(node->text)))
		return false;
	for (child = node->first; child != NULL; child = child->next)
		if (!is_quiet(child))
			return false;
	return true;
}

/* Preferences alone: what names files of the image (externals) or changes a
 * recipe's class (package_attributes) is not among them. */
static bool
prefers_only(const struct cic_yaml *packages)
{
	static const char *const known[] = { "require", "prefer", "conflict",
	    "version", "target", "compiler", "buildable", "providers",
	    "variants" };
	const struct cic_yaml *package, *key;

	for (package = packages->first; package != NULL; package = package->next)
		for (key = package->first; key != NULL; key = key->next)
			if (key->key == NULL ||
			    !is_one_of(key->key, known, COUNT(known)))
				return false;
	return true;
}

/* Spack evaluates `when:` of a definition as Python. */
static bool
is_unconditional(const struct cic_yaml *definitions)
{
	const struct cic_yaml *item, *key;

	for (item = definitions->first; item != NULL; item = item->next)
		for (key = item->first; key != NULL; key = key->next)
			if (key->key != NULL && is_key(key->key, "when"))
				return false;
	return true;
}

/* What stands at the top of an image: hier(7), file-hierarchy(7), the folders of
 * the build (conf/image/Dockerfile), and where else Spack is put. */
static bool
is_taken(const char *step)
{
	static const char *const taken[] = { "bin", "boot", "dev", "etc", "home",
	    "lib", "lib32", "lib64", "libx32", "media", "mnt", "nix", "opt",
	    "packages", "proc", "root", "run", "sbin", "software-catalog",
	    "spack", "srv", "sys", "tmp", "usr", "var" };
	size_t i;

	for (i = 0; i < COUNT(taken); i++)
		if (strcmp(step, taken[i]) == 0)
			return true;
	return false;
}

bool
spack_env_is_shared(const struct cic_yaml *body,
    const struct cic_request *request, int step_fd)
{
	/* concretizer and view are ours in the end */
	static const char *const known[] = { "specs", "packages", "definitions",
	    "concretizer", "view" };
	const struct cic_yaml *child;
	struct stat st;

	if (is_taken(request->step) || brings_code(request->mpi) ||
	    brings_code(request->gpu))
		return false;
	if (fstatat(step_fd, "spack.lock", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT ||
	    fstatat(step_fd, ".spack-env", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return false;
	for (child = body->first; child != NULL; child = child->next)
		if (!is_one_of(child->key, known, COUNT(known)) ||
		    (is_key(child->key, "packages") && !prefers_only(child)) ||
		    (is_key(child->key, "definitions") &&
		    !is_unconditional(child)))
			return false;
	return is_quiet(body);
}
