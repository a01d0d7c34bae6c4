/* Trees of YAML nodes: looked into, made and changed; see yaml.h. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MERGED	20000	/* keys moved; each is looked up where it goes */

void
cic_yaml_free(struct cic_yaml *root)
{
	struct cic_yaml *next;

	for (; root != NULL; root = next) {
		next = root->next;
		cic_yaml_free(root->first);
		free(root->text);
		free(root->key);
		free(root);
	}
}

const struct cic_yaml *
cic_yaml_get(const struct cic_yaml *node, const char *key)
{
	const struct cic_yaml *child;

	if (node == NULL || node->type != CIC_YAML_MAPPING)
		return NULL;
	for (child = node->first; child != NULL; child = child->next)
		if (child->key != NULL && strcmp(child->key, key) == 0)
			return child;
	return NULL;
}

bool
cic_yaml_is_null(const struct cic_yaml *node)
{
	return node->type == CIC_YAML_SCALAR && node->plain &&
	    (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
	    strcmp(node->text, "null") == 0);
}

struct cic_yaml *
cic_yaml_new(enum cic_yaml_type type)
{
	struct cic_yaml *node = calloc(1, sizeof(*node));

	if (node != NULL)
		node->type = type;
	return node;
}

static struct cic_yaml *
new_scalar(const char *text, bool plain)
{
	struct cic_yaml *node = cic_yaml_new(CIC_YAML_SCALAR);

	if (node == NULL)
		return NULL;
	node->plain = plain;
	node->text = strdup(text);
	if (node->text == NULL) {
		free(node);
		return NULL;
	}
	return node;
}

struct cic_yaml *
cic_yaml_word(const char *text)
{
	return new_scalar(text, true);
}

struct cic_yaml *
cic_yaml_string(const char *text)
{
	return new_scalar(text, false);
}

static bool
copy_children(const struct cic_yaml *from, struct cic_yaml *to)
{
	struct cic_yaml **tail = &to->first;
	const struct cic_yaml *child;

	for (child = from->first; child != NULL; child = child->next) {
		*tail = cic_yaml_copy(child);
		if (*tail == NULL)
			return false;
		(*tail)->key_plain = child->key_plain;
		(*tail)->key_line = child->key_line;
		(*tail)->key_column = child->key_column;
		if (child->key != NULL &&
		    ((*tail)->key = strdup(child->key)) == NULL)
			return false;
		tail = &(*tail)->next;
	}
	return true;
}

struct cic_yaml *
cic_yaml_copy(const struct cic_yaml *node)
{
	struct cic_yaml *to = node->type == CIC_YAML_SCALAR ?
	    new_scalar(node->text, node->plain) : cic_yaml_new(node->type);

	if (to == NULL)
		return NULL;
	to->line = node->line;
	to->column = node->column;
	if (!copy_children(node, to)) {
		cic_yaml_free(to);
		return NULL;
	}
	return to;
}

int
cic_yaml_set(struct cic_yaml *mapping, const char *key, struct cic_yaml *value)
{
	struct cic_yaml **at = &mapping->first, *old;

	if (value == NULL)
		return -1;
	while (*at != NULL && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	old = *at;
	value->key = strdup(key);
	value->key_plain = old == NULL || old->key_plain;
	if (value->key == NULL) {
		cic_yaml_free(value);
		return -1;
	}
	if (old != NULL) {
		value->next = old->next;
		old->next = NULL;
		cic_yaml_free(old);
	}
	*at = value;
	return 0;
}

int
cic_yaml_append(struct cic_yaml *sequence, struct cic_yaml *value)
{
	struct cic_yaml **at = &sequence->first;

	if (value == NULL)
		return -1;
	while (*at != NULL)
		at = &(*at)->next;
	*at = value;
	return 0;
}

/* --- merge keys ---------------------------------------------------------- */

struct merge {
	struct cic_err	*err;
	unsigned	 moved;
};

static int
merge_fails(struct merge *m, const struct cic_yaml *node, const char *what)
{
	return cic_err_set(m->err, CIC_EINVAL, "line %u column %u: %s",
	    node->line, node->column, what);
}

/* Move the keys of `from` that `mapping` lacks to `*at` in it; returns where
 * the next ones go, or NULL. */
static struct cic_yaml **
move_keys(struct merge *m, struct cic_yaml *mapping, struct cic_yaml **at,
    struct cic_yaml *from)
{
	struct cic_yaml *key;

	if (from->type != CIC_YAML_MAPPING) {
		merge_fails(m, from, "what follows << must be a mapping, or a "
		    "list of mappings");
		return NULL;
	}
	while ((key = from->first) != NULL) {
		from->first = key->next;
		key->next = NULL;
		if (++m->moved > MAX_MERGED) {
			merge_fails(m, key, "more than 20000 merged keys");
			cic_yaml_free(key);
			return NULL;
		}
		if (cic_yaml_get(mapping, key->key) != NULL) {
			cic_yaml_free(key);
			continue;
		}
		key->next = *at;
		*at = key;
		at = &key->next;
	}
	return at;
}

/* Put what the merge key at `*at` names into its place. */
static int
expand(struct merge *m, struct cic_yaml *mapping, struct cic_yaml **at)
{
	struct cic_yaml *merged = *at, *each;

	*at = merged->next;
	merged->next = NULL;
	if (merged->type != CIC_YAML_SEQUENCE)
		at = move_keys(m, mapping, at, merged);
	else
		for (each = merged->first; each != NULL && at != NULL;
		    each = each->next)
			at = move_keys(m, mapping, at, each);
	cic_yaml_free(merged);
	return at != NULL ? 0 : -1;
}

static int
merge_below(struct merge *m, struct cic_yaml *node)
{
	struct cic_yaml **at, *child;
	unsigned keys = 0;

	for (child = node->first; child != NULL; child = child->next)
		if (merge_below(m, child) != 0)
			return -1;
	for (at = &node->first; *at != NULL; at = &(*at)->next)
		if ((*at)->key != NULL && (*at)->key_plain &&
		    strcmp((*at)->key, "<<") == 0) {
			if (expand(m, node, at) != 0)
				return -1;
			break;	/* there is one at most: no key stands twice */
		}
	for (child = node->first; child != NULL; child = child->next)
		if (child->key != NULL && ++keys > CIC_YAML_MAX_KEYS)
			return merge_fails(m, node,
			    "mapping with more than 4096 keys");
	return 0;
}

int
cic_yaml_merge(struct cic_yaml *root, struct cic_err *err)
{
	struct merge m = { .err = err };

	return merge_below(&m, root);
}
