/* challenge.h: any header is refused or read; what was read says the same when
 * it is written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
quote(struct cic_buf *out, const char *name, const char *value)
{
	cic_buf_printf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			cic_buf_putc(out, '\\');
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			abort();
		cic_buf_putc(out, *value);
	}
	cic_buf_puts(out, "\", ");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_challenge first, again;
	struct cic_buf text;
	struct cic_err err;

	cic_buf_init(&text, 1 << 20);
	cic_buf_add(&text, data, size < 1 << 19 ? size : 1 << 19);
	if (cic_challenge_parse(text.data, &first, &err) == -1) {
		if (err.code != CIC_EIO)
			abort();
	} else if (first.bearer) {
		cic_buf_reset(&text);
		cic_buf_puts(&text, "Bearer ");
		quote(&text, "realm", first.realm);
		quote(&text, "service", first.service);
		quote(&text, "scope", first.scope);
		if (cic_challenge_parse(text.data, &again, &err) == -1 ||
		    !again.bearer || strcmp(first.realm, again.realm) != 0 ||
		    strcmp(first.service, again.service) != 0 ||
		    strcmp(first.scope, again.scope) != 0)
			abort();
	}
	cic_buf_release(&text);
	return 0;
}
