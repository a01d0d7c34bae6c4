/* YAML by libyaml, the only file that names it; see yaml.h. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define MAX_DEPTH	64
#define MAX_NODES	100000
#define MAX_KEYS	4096	/* of one mapping; bounds the duplicate check */
#define MAX_ANCHORS	1000	/* libyaml compares each with all before it */

struct copy {
	yaml_document_t	*doc;
	struct cic_err	*err;
	int		 depth, nodes;
};

static struct cic_yaml *copy_node(struct copy *c, const yaml_node_t *node);

static void
fail(struct copy *c, const yaml_node_t *node, const char *what)
{
	cic_err_set(c->err, CIC_EINVAL, "line %zu column %zu: %s",
	    node->start_mark.line + 1, node->start_mark.column + 1, what);
}

/* Scalars hold text: a NUL inside would hide what follows it. */
static bool
copy_scalar(struct copy *c, const yaml_node_t *node, struct cic_yaml *to)
{
	const char *value = (const char *)node->data.scalar.value;

	if (strlen(value) != node->data.scalar.length) {
		fail(c, node, "NUL character in a value");
		return false;
	}
	to->plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	to->text = strdup(value);
	return to->text != NULL;
}

static bool
copy_sequence(struct copy *c, const yaml_node_t *node, struct cic_yaml *to)
{
	struct cic_yaml **tail = &to->first;
	yaml_node_item_t *item;

	for (item = node->data.sequence.items.start;
	    item < node->data.sequence.items.top; item++) {
		*tail = copy_node(c, yaml_document_get_node(c->doc, *item));
		if (*tail == NULL)
			return false;
		tail = &(*tail)->next;
	}
	return true;
}

static bool
copy_mapping(struct copy *c, const yaml_node_t *node, struct cic_yaml *to)
{
	struct cic_yaml **tail = &to->first;
	yaml_node_pair_t *pair;

	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start >
	    MAX_KEYS) {
		fail(c, node, "mapping with more than 4096 keys");
		return false;
	}
	for (pair = node->data.mapping.pairs.start;
	    pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key =
		    yaml_document_get_node(c->doc, pair->key);
		const char *name;

		if (key->type != YAML_SCALAR_NODE) {
			fail(c, key, "a key must be a plain word");
			return false;
		}
		name = (const char *)key->data.scalar.value;
		if (strlen(name) != key->data.scalar.length) {
			fail(c, key, "NUL character in a key");
			return false;
		}
		if (cic_yaml_get(to, name) != NULL) {
			cic_err_set(c->err, CIC_EINVAL,
			    "line %zu column %zu: key \"%.64s\" stands twice",
			    key->start_mark.line + 1,
			    key->start_mark.column + 1, name);
			return false;
		}
		*tail = copy_node(c, yaml_document_get_node(c->doc, pair->value));
		if (*tail == NULL)
			return false;
		(*tail)->key = strdup(name);
		(*tail)->key_line = (unsigned)key->start_mark.line + 1;
		if ((*tail)->key == NULL)
			return false;
		tail = &(*tail)->next;
	}
	return true;
}

static struct cic_yaml *
copy_node(struct copy *c, const yaml_node_t *node)
{
	struct cic_yaml *to;
	bool ok = false;

	if (++c->nodes > MAX_NODES || c->depth >= MAX_DEPTH) {
		fail(c, node, c->nodes > MAX_NODES ?
		    "more than 100000 values (aliases counted)" :
		    "nested more than 64 levels deep");
		return NULL;
	}
	to = calloc(1, sizeof(*to));
	if (to == NULL)
		return NULL;
	to->line = (unsigned)node->start_mark.line + 1;
	to->column = (unsigned)node->start_mark.column + 1;
	c->depth++;
	switch (node->type) {
	case YAML_SCALAR_NODE:
		to->type = CIC_YAML_SCALAR;
		ok = copy_scalar(c, node, to);
		break;
	case YAML_SEQUENCE_NODE:
		to->type = CIC_YAML_SEQUENCE;
		ok = copy_sequence(c, node, to);
		break;
	case YAML_MAPPING_NODE:
		to->type = CIC_YAML_MAPPING;
		ok = copy_mapping(c, node, to);
		break;
	case YAML_NO_NODE:
		break;
	}
	c->depth--;
	if (!ok) {
		cic_yaml_free(to);
		return NULL;
	}
	return to;
}

static struct cic_yaml *
copy_document(yaml_document_t *doc, struct cic_err *err)
{
	struct copy c = { .doc = doc, .err = err };
	yaml_node_t *root = yaml_document_get_root_node(doc);
	struct cic_yaml *to;

	cic_err_set(err, CIC_EIO, "parse YAML: out of memory");
	if (root != NULL)
		return copy_node(&c, root);
	to = calloc(1, sizeof(*to));	/* nothing but comments */
	if (to == NULL || (to->text = strdup("")) == NULL) {
		free(to);
		return NULL;
	}
	to->type = CIC_YAML_SCALAR;
	to->plain = true;
	to->line = to->column = 1;
	return to;
}

static void
parser_error(const yaml_parser_t *parser, struct cic_err *err)
{
	const char *problem = parser->problem != NULL ? parser->problem :
	    "not readable as YAML";

	if (parser->error == YAML_READER_ERROR)
		cic_err_set(err, CIC_EINVAL, "byte %zu: %s",
		    parser->problem_offset + 1, problem);
	else
		cic_err_set(err, CIC_EINVAL, "line %zu column %zu: %s",
		    parser->problem_mark.line + 1,
		    parser->problem_mark.column + 1, problem);
}

/* What an event adds to the levels that are open: 1, 0 or -1. */
static int
level_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return 1;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return -1;
	default:
		return 0;
	}
}

static bool
has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor != NULL;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor != NULL;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor != NULL;
	default:
		return false;
	}
}

/*
 * Look at the events alone first: a document is only composed when it is
 * small in every way that libyaml's time grows with the square of.  (200,000
 * opening brackets took it a minute.)
 */
static int
check_size(const char *text, size_t len, struct cic_err *err)
{
	int level = 0, anchors = 0, rc = 0;
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;

	if (!yaml_parser_initialize(&parser))
		return cic_err_set(err, CIC_EIO, "parse YAML: out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (rc == 0 && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			parser_error(&parser, err);
			rc = -1;
			break;
		}
		level += level_of(&event);
		anchors += has_anchor(&event);
		end = event.type == YAML_STREAM_END_EVENT;
		if (level > MAX_DEPTH || anchors > MAX_ANCHORS)
			rc = cic_err_set(err, CIC_EINVAL,
			    "line %zu column %zu: %s",
			    event.start_mark.line + 1,
			    event.start_mark.column + 1, level > MAX_DEPTH ?
			    "nested more than 64 levels deep" :
			    "more than 1000 anchors");
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return rc;
}

struct cic_yaml *
cic_yaml_parse(const char *text, size_t len, struct cic_err *err)
{
	struct cic_yaml *root = NULL;
	yaml_document_t doc, more;
	yaml_parser_t parser;

	if (check_size(text, len, err) != 0)
		return NULL;
	if (!yaml_parser_initialize(&parser)) {
		cic_err_set(err, CIC_EIO, "parse YAML: out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &doc)) {
		parser_error(&parser, err);
		goto out;
	}
	root = copy_document(&doc, err);
	yaml_document_delete(&doc);
	if (root == NULL)
		goto out;
	/* a second load finds the end, or a document nobody asked for */
	if (!yaml_parser_load(&parser, &more)) {
		parser_error(&parser, err);
		cic_yaml_free(root);
		root = NULL;
		goto out;
	}
	if (yaml_document_get_root_node(&more) != NULL) {
		cic_err_set(err, CIC_EINVAL,
		    "line %zu column 1: a second document; one is expected",
		    more.start_mark.line + 1);
		cic_yaml_free(root);
		root = NULL;
	}
	yaml_document_delete(&more);
out:
	yaml_parser_delete(&parser);
	return root;
}

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
