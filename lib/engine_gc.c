/* How long the engine keeps caches; see engine_gc.h. */
#include "engine_gc.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"

/* "  Keep Duration:  48h0m0s" → "48h0m0s"; NULL when it is another line. */
static const char *
value_of(const char *line, const char *name)
{
	line += strspn(line, " \t");
	if (strncmp(line, name, strlen(name)) != 0)
		return NULL;
	line += strlen(name);
	return line + strspn(line, " \t");
}

bool
cic_gc_policy_drops_caches(const char *text, char keep[CIC_KEEP_MAX])
{
	bool of_mounts = false;
	const char *line, *value;

	for (line = text; *line != '\0'; line += strcspn(line, "\n"),
	    line += *line == '\n') {
		if (value_of(line, "GC Policy rule#") != NULL)
			of_mounts = false;
		value = value_of(line, "Filters:");
		if (value != NULL)
			of_mounts = memmem(value, strcspn(value, "\n"),
			    "exec.cachemount", 15) != NULL;
		value = value_of(line, "Keep Duration:");
		if (value == NULL || !of_mounts)
			continue;
		snprintf(keep, CIC_KEEP_MAX, "%.*s", (int)strcspn(value, "\r\n"),
		    value);
		return true;
	}
	return false;
}

bool
cic_engine_drops_caches(const struct cic_engine *engine,
    char keep[CIC_KEEP_MAX])
{
	const char *const words[] = { "buildx", "inspect", NULL };
	struct cic_err ignored;
	struct cic_buf text;
	bool drops = false;

	if (engine->conf->engine != CIC_ENGINE_DOCKER)
		return false;
	cic_buf_init(&text, 1024 * 1024);
	if (cic_engine_ask(engine, words, &text, &ignored) == 0)
		drops = cic_gc_policy_drops_caches(text.data, keep);
	cic_buf_release(&text);
	return drops;
}
