/*
 * YAML by libyaml, as a tree that remembers lines.
 *
 * One document, mappings with plain scalar keys, sequences, scalars.  Aliases
 * become copies and are refused when they would nest into themselves; at most
 * 100,000 nodes, 16 MiB of text, 1,000 anchors and 64 levels, so that an alias
 * bomb or a tower of brackets ends in an error.  A key that stands twice is an
 * error, and so is a tag (!!str): the tree has no place for it.
 *
 * A tree is a chain of siblings under each node; whoever holds the root frees
 * all of it.  Reading is yaml.c, trees are yaml_tree.c, writing yaml_print.c.
 */
#ifndef CIC_YAML_H
#define CIC_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct cic_buf;

#define CIC_YAML_MAX_KEYS	4096	/* of one mapping; looked up in turn */

enum cic_yaml_type { CIC_YAML_SCALAR, CIC_YAML_SEQUENCE, CIC_YAML_MAPPING };

struct cic_yaml {
	enum cic_yaml_type	 type;
	unsigned		 line, column;	/* from 1; 0: not from a file */
	bool			 plain;		/* scalar without quotes */
	char			*text;		/* scalar; NUL-terminated */
	char			*key;		/* in a mapping, else NULL */
	bool			 key_plain;
	unsigned		 key_line, key_column;
	struct cic_yaml		*first, *next;	/* children; siblings */
};

/* Returns the root; NULL with CIC_EINVAL and "line L column C: …".
 * An empty document is a plain scalar with the text "". */
struct cic_yaml *cic_yaml_parse(const char *text, size_t len,
    struct cic_err *err);
void cic_yaml_free(struct cic_yaml *root);	/* takes NULL */

/* Child of a mapping by key, or NULL. */
const struct cic_yaml *cic_yaml_get(const struct cic_yaml *node,
    const char *key);

/* Plain and empty, "~" or "null": YAML's way to say nothing. */
bool cic_yaml_is_null(const struct cic_yaml *node);

/*
 * New nodes, to be freed or handed on; NULL: out of memory.
 *
 * cic_yaml_new	an empty sequence or mapping
 * cic_yaml_word	a scalar that YAML reads as it reads the bare word: true, 10
 * cic_yaml_string	a scalar that is text, whatever it looks like
 * cic_yaml_copy	the node and all below it, without key and siblings
 */
struct cic_yaml *cic_yaml_new(enum cic_yaml_type type);
struct cic_yaml *cic_yaml_word(const char *text);
struct cic_yaml *cic_yaml_string(const char *text);
struct cic_yaml *cic_yaml_copy(const struct cic_yaml *node);

/*
 * Set a key of a mapping, or append to a sequence.
 *
 * Both take the value, also when they fail, and fail on NULL, so that a value
 * can be made in the call.  A key that is there keeps its place.  Returns 0, or
 * -1: out of memory.
 */
int cic_yaml_set(struct cic_yaml *mapping, const char *key,
    struct cic_yaml *value);
int cic_yaml_append(struct cic_yaml *sequence, struct cic_yaml *value);

/*
 * Resolve every merge key (`<<: *defaults`, `<<: [*a, *b]`) in the tree: the
 * keys it names take its place, but for those the mapping has itself, or an
 * earlier one of the list had.  CIC_EINVAL when there is something else behind
 * a `<<`.
 * Source: yaml.org/type/merge.html.
 */
int cic_yaml_merge(struct cic_yaml *root, struct cic_err *err);

/*
 * Append the tree as a document in block style, which cic_yaml_parse reads back
 * to the same tree: what stood in quotes stands in quotes, so that "3.10" stays
 * text, and long lines are not folded.  Comments and anchors are gone.
 *
 * CIC_EINVAL: longer than `out` takes, which has then failed.
 */
int cic_yaml_print(const struct cic_yaml *root, struct cic_buf *out,
    struct cic_err *err);

#endif
