/* yaml.h: any bytes are refused with a sentence, or give a tree that can be
 * walked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
walk(const struct cic_yaml *node)
{
	const struct cic_yaml *child;
	size_t n = 1;

	if (node->line == 0 || (node->type == CIC_YAML_SCALAR) !=
	    (node->text != NULL))
		abort();
	if (node->type == CIC_YAML_SCALAR)
		n += strlen(node->text) + cic_yaml_is_null(node);
	for (child = node->first; child != NULL; child = child->next) {
		if ((node->type == CIC_YAML_MAPPING) != (child->key != NULL))
			abort();
		if (child->key != NULL &&
		    cic_yaml_get(node, child->key) != child)
			abort();
		n += walk(child);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_err err = { .code = CIC_OK };
	struct cic_yaml *root;

	root = cic_yaml_parse((const char *)data, size, &err);
	if (root != NULL)
		walk(root);
	else if (err.code != CIC_EINVAL || err.msg[0] == '\0')
		abort();
	cic_yaml_free(root);
	return 0;
}
