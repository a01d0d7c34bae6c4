/* yaml.h: any bytes are refused with a sentence, or give a tree that can be
 * walked, and that is the same when it was written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
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

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Could YAML know this word: a number, a date, true, null, a merge key? */
static int
is_word(const char *text)
{
	if (strncmp(text, "---", 3) == 0 || strncmp(text, "...", 3) == 0)
		return 0;
	return strcmp(text, "~") == 0 || strcmp(text, "<<") == 0 ||
	    strcmp(text, "=") == 0 || (strpbrk(text, ALNUM) != NULL &&
	    text[strspn(text, ALNUM "+-._")] == '\0');
}

static void
same_text(const char *a, bool a_plain, const char *b, bool b_plain)
{
	if (a_plain && a[0] == '\0')
		a = "~";
	if (strcmp(a, b) != 0 || (b_plain && !a_plain) ||
	    (a_plain && !b_plain && is_word(a)))
		abort();
}

static void
same(const struct cic_yaml *a, const struct cic_yaml *b)
{
	if (a->type != b->type || (a->key == NULL) != (b->key == NULL))
		abort();
	if (a->key != NULL)
		same_text(a->key, a->key_plain, b->key, b->key_plain);
	if (a->type == CIC_YAML_SCALAR)
		same_text(a->text, a->plain, b->text, b->plain);
	for (a = a->first, b = b->first; a != NULL && b != NULL;
	    a = a->next, b = b->next)
		same(a, b);
	if (a != b)
		abort();
}

static void
write_and_read(const struct cic_yaml *root)
{
	struct cic_err err = { .code = CIC_OK };
	struct cic_yaml *again;
	struct cic_buf text;

	cic_buf_init(&text, 256 << 20);
	if (cic_yaml_print(root, &text, &err) != 0)
		abort();
	again = cic_yaml_parse(text.data, text.len, &err);
	if (again == NULL)
		abort();
	same(root, again);
	cic_yaml_free(again);
	cic_buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_err err = { .code = CIC_OK };
	struct cic_yaml *root;

	root = cic_yaml_parse((const char *)data, size, &err);
	if (root != NULL) {
		walk(root);
		write_and_read(root);
		if (cic_yaml_merge(root, &err) == 0)
			walk(root);
	} else if (err.code != CIC_EINVAL || err.msg[0] == '\0')
		abort();
	cic_yaml_free(root);
	return 0;
}
