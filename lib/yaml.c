/* Reading YAML by libyaml; see yaml.h. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define MAX_DEPTH	64
#define MAX_NODES	100000
#define MAX_BYTES	(16 * 1024 * 1024)	/* an alias copies its text */
#define MAX_ANCHORS	1000	/* libyaml compares each with all before it */

struct copy {
	yaml_document_t	*doc;
	struct cic_err	*err;
	int		 depth, nodes;
	size_t		 bytes;		/* of all texts and keys */
};

static struct cic_yaml *copy_node(struct copy *c, const yaml_node_t *node);

static void
fail(struct copy *c, const yaml_node_t *node, const char *what)
{
	cic_err_set(c->err, CIC_EINVAL, "line %zu column %zu: %s",
	    node->start_mark.line + 1, node->start_mark.column + 1, what);
}

/* The text of a value or key, to be freed; a NUL inside would hide what follows
 * it. */
static char *
copy_text(struct copy *c, const yaml_node_t *node, const char *nul)
{
	const char *value = (const char *)node->data.scalar.value;

	if (strlen(value) != node->data.scalar.length) {
		fail(c, node, nul);
		return NULL;
	}
	c->bytes += node->data.scalar.length;
	if (c->bytes > MAX_BYTES) {
		fail(c, node, "more than 16 MiB of text (aliases counted)");
		return NULL;
	}
	return strdup(value);
}

static bool
is_plain(const yaml_node_t *node)
{
	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool
copy_scalar(struct copy *c, const yaml_node_t *node, struct cic_yaml *to)
{
	to->plain = is_plain(node);
	to->text = copy_text(c, node, "NUL character in a value");
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

/* The key that `to`, a mapping's next child, will have; to be freed. */
static char *
copy_key(struct copy *c, const yaml_node_t *key, const struct cic_yaml *mapping)
{
	char *name;

	if (key->type != YAML_SCALAR_NODE ||
	    (key->data.scalar.length == 0 && is_plain(key))) {
		fail(c, key, "a key must be a plain word");
		return NULL;
	}
	name = copy_text(c, key, "NUL character in a key");
	if (name != NULL && cic_yaml_get(mapping, name) != NULL) {
		cic_err_set(c->err, CIC_EINVAL,
		    "line %zu column %zu: key \"%.64s\" stands twice",
		    key->start_mark.line + 1, key->start_mark.column + 1, name);
		free(name);
		return NULL;
	}
	return name;
}

static bool
copy_mapping(struct copy *c, const yaml_node_t *node, struct cic_yaml *to)
{
	struct cic_yaml **tail = &to->first;
	yaml_node_pair_t *pair;

	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start >
	    CIC_YAML_MAX_KEYS) {
		fail(c, node, "mapping with more than 4096 keys");
		return false;
	}
	for (pair = node->data.mapping.pairs.start;
	    pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key =
		    yaml_document_get_node(c->doc, pair->key);
		char *name = copy_key(c, key, to);

		if (name == NULL)
			return false;
		*tail = copy_node(c, yaml_document_get_node(c->doc, pair->value));
		if (*tail == NULL) {
			free(name);
			return false;
		}
		(*tail)->key = name;
		(*tail)->key_plain = is_plain(key);
		(*tail)->key_line = (unsigned)key->start_mark.line + 1;
		(*tail)->key_column = (unsigned)key->start_mark.column + 1;
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

static void
name_of(const yaml_event_t *event, const yaml_char_t **anchor,
    const yaml_char_t **tag)
{
	*anchor = *tag = NULL;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		*anchor = event->data.scalar.anchor;
		*tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		*anchor = event->data.sequence_start.anchor;
		*tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		*anchor = event->data.mapping_start.anchor;
		*tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
}

struct seen {
	int	level, anchors;
};

/* What is against this event, or NULL. */
static const char *
look_at(const yaml_event_t *event, struct seen *seen)
{
	const yaml_char_t *anchor, *tag;

	name_of(event, &anchor, &tag);
	seen->level += level_of(event);
	seen->anchors += anchor != NULL;
	if (seen->level > MAX_DEPTH)
		return "nested more than 64 levels deep";
	if (seen->anchors > MAX_ANCHORS)
		return "more than 1000 anchors";
	if (tag != NULL)
		return "a tag (!…) is not understood; leave it out, and put "
		    "text that looks like a number in quotes";
	return NULL;
}

/*
 * Look at the events alone first: a document is only composed when it is
 * small in every way that libyaml's time grows with the square of (200,000
 * opening brackets took it a minute), and has no tags, which a document of
 * libyaml's no longer tells from their absence.
 */
static int
check_events(const char *text, size_t len, struct cic_err *err)
{
	struct seen seen = { 0, 0 };
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	const char *bad;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return cic_err_set(err, CIC_EIO, "parse YAML: out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (rc == 0 && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			parser_error(&parser, err);
			rc = -1;
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		bad = look_at(&event, &seen);
		if (bad != NULL)
			rc = cic_err_set(err, CIC_EINVAL,
			    "line %zu column %zu: %s",
			    event.start_mark.line + 1,
			    event.start_mark.column + 1, bad);
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

	if (check_events(text, len, err) != 0)
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
