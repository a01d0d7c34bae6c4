/* When a build's stages began; declared in build.h. */
#include "build.h"

#include <string.h>

#include "buf.h"
#include "json.h"

void
cic_stages_begin(struct cic_stages *stages, const char *name, int64_t ms)
{
	int i;

	if (name[0] == '\0' || strlen(name) >= sizeof(stages->at[0].name))
		return;
	for (i = 0; i < stages->count; i++)
		if (strcmp(stages->at[i].name, name) == 0)
			return;
	if (i == CIC_STAGES_MAX)
		return;
	memcpy(stages->at[i].name, name, strlen(name) + 1);
	stages->at[i].began = ms;
	stages->count++;
}

void
cic_stages_print(struct cic_buf *buf, const struct cic_stages *stages)
{
	int i;

	cic_buf_putc(buf, '{');
	for (i = 0; i < stages->count; i++) {
		if (i > 0)
			cic_buf_putc(buf, ',');
		cic_json_quote(buf, stages->at[i].name);
		cic_buf_printf(buf, ":%lld", (long long)stages->at[i].began);
	}
	cic_buf_putc(buf, '}');
}

void
cic_stages_parse(const struct cic_json *json, struct cic_stages *stages)
{
	const struct cic_json *item;
	int64_t began;

	stages->count = 0;
	if (cic_json_type(json) != CIC_JSON_OBJECT)
		return;
	for (item = cic_json_first(json); item != NULL;
	    item = cic_json_next(item)) {
		began = cic_json_int(item, -1);
		if (began >= 0)
			cic_stages_begin(stages, cic_json_key(item), began);
	}
}
