/* json.h: any bytes are refused or read; what was read prints as JSON again. */
#include <stdint.h>
#include <stdlib.h>

#include "buf.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cic_json *json, *again;
	struct cic_buf text;
	struct cic_err err;

	json = cic_json_parse((const char *)data, size, &err);
	if (json == NULL) {
		/* nothing was wrong with our memory */
		if (err.code != CIC_EINVAL)
			abort();
		return 0;
	}
	cic_buf_init(&text, 16 << 20);
	cic_json_print(&text, json);
	again = cic_json_parse(text.data, text.len, &err);
	if (again == NULL || cic_json_type(again) != cic_json_type(json))
		/* a number too large for a double is printed as null */
		if (cic_json_type(json) != CIC_JSON_NUMBER)
			abort();
	cic_json_free(again);
	cic_json_free(json);
	cic_buf_release(&text);
	return 0;
}
