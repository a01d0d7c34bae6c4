/* How far a build has come; declared in build.h. */
#include "build.h"

#include <string.h>

#include "buf.h"
#include "json.h"

#define OUTPUT_STEP	10000	/* ms; see cic_progress_differs */

void
cic_progress_print(struct cic_buf *buf, const struct cic_progress *p)
{
	cic_buf_puts(buf, "{\"stage\":");
	cic_json_quote(buf, p->stage);
	cic_buf_printf(buf, ",\"step\":%d,\"steps\":%d,\"step_name\":",
	    p->step, p->steps);
	cic_json_quote(buf, p->step_name);
	cic_buf_puts(buf, ",\"package\":");
	cic_json_quote(buf, p->package);
	cic_buf_printf(buf, ",\"packages_done\":%d,\"packages\":%d,"
	    "\"output\":%lld}", p->packages_done, p->packages,
	    (long long)p->output);
}

static void
parse_text(const struct cic_json *json, const char *key, char *out,
    size_t size)
{
	const char *text = cic_json_get_string(json, key);

	if (text != NULL && strlen(text) < size)
		memcpy(out, text, strlen(text) + 1);
}

static int
parse_count(const struct cic_json *json, const char *key)
{
	int64_t n = cic_json_int(cic_json_get(json, key), 0);

	return n >= 0 && n <= CIC_PROGRESS_COUNT_MAX ? (int)n : 0;
}

void
cic_progress_parse(const struct cic_json *json, struct cic_progress *p)
{
	*p = (struct cic_progress){ .step = parse_count(json, "step"),
	    .steps = parse_count(json, "steps"),
	    .packages_done = parse_count(json, "packages_done"),
	    .packages = parse_count(json, "packages"),
	    .output = cic_json_int(cic_json_get(json, "output"), 0) };
	if (p->output < 0)
		p->output = 0;
	parse_text(json, "stage", p->stage, sizeof(p->stage));
	parse_text(json, "step_name", p->step_name, sizeof(p->step_name));
	parse_text(json, "package", p->package, sizeof(p->package));
}

bool
cic_progress_differs(const struct cic_progress *a, const struct cic_progress *b)
{
	return strcmp(a->stage, b->stage) != 0 || a->step != b->step ||
	    a->steps != b->steps ||
	    strcmp(a->step_name, b->step_name) != 0 ||
	    strcmp(a->package, b->package) != 0 ||
	    a->packages_done != b->packages_done ||
	    a->packages != b->packages ||
	    a->output - b->output >= OUTPUT_STEP;
}
