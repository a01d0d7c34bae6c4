/* Writing YAML by libyaml; see yaml.h. */
#include "yaml.h"

#include <string.h>

#include <yaml.h>

#include "buf.h"

static int
write_out(void *data, unsigned char *bytes, size_t len)
{
	struct cic_buf *out = data;

	cic_buf_add(out, bytes, len);
	return !out->failed;
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/*
 * A plain scalar may need quotes where it now stands (a key `packages:`); then
 * it is no word YAML knows and the quotes change nothing.  Only nothing at all
 * must not become '', so it is written `~`.  Line ends and the like are safe
 * in double quotes alone.
 */
static bool
emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
	yaml_scalar_style_t style = YAML_SINGLE_QUOTED_SCALAR_STYLE;
	yaml_event_t event;

	if (plain && text[0] == '\0')
		text = "~";
	if (!is_ascii(text))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	else if (plain)
		style = YAML_PLAIN_SCALAR_STYLE;
	return yaml_scalar_event_initialize(&event, NULL, NULL,
	    (const yaml_char_t *)text, (int)strlen(text), 1, 1, style) &&
	    yaml_emitter_emit(emitter, &event);
}

static bool emit_node(yaml_emitter_t *emitter, const struct cic_yaml *node);

static bool
emit_sequence(yaml_emitter_t *emitter, const struct cic_yaml *node)
{
	const struct cic_yaml *child;
	yaml_event_t event;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
	    YAML_BLOCK_SEQUENCE_STYLE) || !yaml_emitter_emit(emitter, &event))
		return false;
	for (child = node->first; child != NULL; child = child->next)
		if (!emit_node(emitter, child))
			return false;
	return yaml_sequence_end_event_initialize(&event) &&
	    yaml_emitter_emit(emitter, &event);
}

static bool
emit_mapping(yaml_emitter_t *emitter, const struct cic_yaml *node)
{
	const struct cic_yaml *child;
	yaml_event_t event;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
	    YAML_BLOCK_MAPPING_STYLE) || !yaml_emitter_emit(emitter, &event))
		return false;
	for (child = node->first; child != NULL; child = child->next)
		if (!emit_scalar(emitter, child->key, child->key_plain) ||
		    !emit_node(emitter, child))
			return false;
	return yaml_mapping_end_event_initialize(&event) &&
	    yaml_emitter_emit(emitter, &event);
}

static bool
emit_node(yaml_emitter_t *emitter, const struct cic_yaml *node)
{
	switch (node->type) {
	case CIC_YAML_SEQUENCE:
		return emit_sequence(emitter, node);
	case CIC_YAML_MAPPING:
		return emit_mapping(emitter, node);
	case CIC_YAML_SCALAR:
		break;
	}
	return emit_scalar(emitter, node->text, node->plain);
}

static bool
emit_document(yaml_emitter_t *emitter, const struct cic_yaml *root)
{
	yaml_event_t event;

	return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
	    yaml_emitter_emit(emitter, &event) &&
	    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
	    yaml_emitter_emit(emitter, &event) &&
	    emit_node(emitter, root) &&
	    yaml_document_end_event_initialize(&event, 1) &&
	    yaml_emitter_emit(emitter, &event) &&
	    yaml_stream_end_event_initialize(&event) &&
	    yaml_emitter_emit(emitter, &event);
}

int
cic_yaml_print(const struct cic_yaml *root, struct cic_buf *out,
    struct cic_err *err)
{
	yaml_emitter_t emitter;
	bool ok;

	if (!yaml_emitter_initialize(&emitter))
		return cic_err_set(err, CIC_EIO, "write YAML: out of memory");
	yaml_emitter_set_output(&emitter, write_out, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	ok = emit_document(&emitter, root);
	yaml_emitter_delete(&emitter);
	if (out->failed)
		return cic_err_set(err, CIC_EINVAL,
		    "more than %zu bytes of YAML", out->max);
	return ok ? 0 : cic_err_set(err, CIC_EIO, "write YAML: out of memory");
}
