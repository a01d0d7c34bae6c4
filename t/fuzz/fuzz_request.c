/* request.h: whatever is accepted has a canonical form that reads back to the
 * same, and names of nothing but [a-z0-9._-]. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cic_request_site site = {
	    .default_platform = "linux/amd64", .images_prefix = "h.org/p/",
	    .base_image = "base:1", .has_registry = true, .has_path = true };
	struct cic_request r, again;
	struct cic_names names;
	struct cic_buf text;
	struct cic_err err;

	if (cic_request_parse((const char *)data, size, &site, &r, &err) != 0) {
		if (err.code != CIC_EINVAL && err.code != CIC_EDENIED)
			abort();
		return 0;
	}
	cic_buf_init(&text, 8192);
	cic_request_print(&text, &r);
	if (text.failed || cic_request_parse(text.data, text.len, &site, &again,
	    &err) != 0 || memcmp(&r, &again, sizeof(r)) != 0)
		abort();
	cic_buf_release(&text);
	cic_request_names(&r, &site, size % 2 != 0, &names);
	if (strspn(names.file, "abcdefghijklmnopqrstuvwxyz0123456789._-") !=
	    strlen(names.file) || names.image[strlen(names.image) - 1] == ':')
		abort();
	return 0;
}
