/*
 * YAML by libyaml, as a tree that remembers lines.
 *
 * One document, mappings with plain scalar keys, sequences, scalars.  Aliases
 * are resolved by copying no data and are refused when they would nest into
 * themselves; at most 100,000 nodes, 1,000 anchors and 64 levels, so that an
 * alias bomb or a tower of brackets ends in an error.  A key that stands twice is an error.
 */
#ifndef CIC_YAML_H
#define CIC_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum cic_yaml_type { CIC_YAML_SCALAR, CIC_YAML_SEQUENCE, CIC_YAML_MAPPING };

struct cic_yaml {
	enum cic_yaml_type	 type;
	unsigned		 line, column;	/* from 1 */
	bool			 plain;		/* scalar without quotes */
	char			*text;		/* scalar; NUL-terminated */
	char			*key;		/* in a mapping, else NULL */
	unsigned		 key_line;
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

#endif
