/* Build ids by libuuid, the only file that names it; see id.h. */
#include "id.h"

#include <uuid/uuid.h>

void
cic_id_new(char id[CIC_ID_TEXT])
{
	uuid_t raw;

	uuid_generate_random(raw);
	uuid_unparse_lower(raw, id);
}

bool
cic_id_parse(const char *text, unsigned char raw[16])
{
	return uuid_parse(text, raw) == 0;
}

void
cic_id_format(const unsigned char raw[16], char id[CIC_ID_TEXT])
{
	uuid_unparse_lower(raw, id);
}
