/* How a build on one's own machine ended; see library_report.h. */
#include "library_report.h"

#include <stdio.h>
#include <string.h>

#include "json.h"
#include "library.h"
#include "loglines.h"
#include "spawn.h"
#include "terminal.h"

#define MIB	(1024.0 * 1024.0)

/* The .sif with its folder; "" when there is none. */
static const char *
file_of(const struct library *l, char path[CIC_PATH_MAX])
{
	struct cic_err ignored;

	path[0] = '\0';
	if (l->end.event == JOURNAL_FINISHED && l->end.size > 0 &&
	    cic_path_format(path, &ignored, "%s/%s", l->conf->images_location,
	    l->names.file) != 0)
		path[0] = '\0';
	return path;
}

static void
say_how_to_run(const struct library *l, const char *file)
{
	const char *engine = l->conf->engine_command[0] != '\0' ?
	    l->conf->engine_command :
	    l->conf->engine == CIC_ENGINE_DOCKER ? "docker" : "podman";
	char line[CIC_PATH_MAX + CIC_IMAGE_MAX];

	if (file[0] != '\0')
		snprintf(line, sizeof(line), "%s run %s",
		    cic_program_exists("apptainer") ? "apptainer" :
		    "singularity", file);
	else
		snprintf(line, sizeof(line), "%.*s run --rm -it %s",
		    CIC_PATH_MAX - 64, engine, l->names.image);
	terminal_say(l->terminal, TERMINAL_STRONG, "run", line);
}

static void
report_success(const struct library *l, const char *clock)
{
	char line[CIC_PATH_MAX], path[CIC_PATH_MAX];
	const char *file = file_of(l, path);

	snprintf(line, sizeof(line), "done in %s", clock);
	terminal_say(l->terminal, TERMINAL_GOOD, "", line);
	if (file[0] != '\0') {
		terminal_say(l->terminal, TERMINAL_PLAIN, "file", file);
		snprintf(line, sizeof(line), "%.1f MiB",
		    (double)l->end.size / MIB);
		terminal_say(l->terminal, TERMINAL_PLAIN, "size", line);
		terminal_say(l->terminal, TERMINAL_PLAIN, "sha256",
		    l->end.sha256);
	}
	terminal_say(l->terminal, TERMINAL_PLAIN, "image", l->names.image);
	terminal_say(l->terminal, TERMINAL_PLAIN, "id", l->end.image_id);
	if (l->end.message[0] != '\0')
		terminal_say(l->terminal, TERMINAL_PLAIN, "where",
		    l->end.message);
	say_how_to_run(l, file);
}

static void
say_excerpt(const struct library *l)
{
	const char *at, *end;
	char line[LOGLINE_MAX];

	for (at = l->end.excerpt; *at != '\0'; at = end + (*end != '\0')) {
		end = strchrnul(at, '\n');
		snprintf(line, sizeof(line), "| %.*s", (int)(end - at), at);
		terminal_say(l->terminal, TERMINAL_FAINT, "", line);
	}
}

static void
report_failure(const struct library *l, const char *clock)
{
	const char *stage = l->progress.stage;
	char line[CIC_PATH_MAX];

	snprintf(line, sizeof(line), "failed after %s%s%s: %s", clock,
	    stage[0] != '\0' ? " at stage " : "", stage,
	    cic_cause_name(l->end.cause));
	terminal_say(l->terminal, TERMINAL_BAD, "", line);
	terminal_say(l->terminal, TERMINAL_PLAIN, "", l->end.message);
	say_excerpt(l);
	if (l->folder[0] == '\0' && l->signal == 0)
		terminal_say(l->terminal, TERMINAL_FAINT, "", "(--keep keeps "
		    "the whole log and the folder of the build)");
}

void
library_report(const struct library *l)
{
	char clock[24];

	terminal_clock(l->seconds, clock);
	if (l->end.event == JOURNAL_FAILED)
		report_failure(l, clock);
	else if (!l->terminal->quiet)
		report_success(l, clock);
	if (l->folder[0] != '\0')
		terminal_say(l->terminal, TERMINAL_PLAIN, "kept", l->folder);
	terminal_flush(l->terminal);
}

/* A full disk shows only now. */
static int
print(const char *line)
{
	return puts(line) != EOF && fflush(stdout) == 0 ? 0 : -1;
}

int
library_report_result(const struct library *l)
{
	char path[CIC_PATH_MAX];
	const char *file = file_of(l, path);

	return print(file[0] != '\0' ? file : l->names.image);
}

int
library_report_json(const struct library *l)
{
	bool failed = l->end.event == JOURNAL_FAILED;
	char path[CIC_PATH_MAX];
	struct cic_buf b;
	int rc;

	cic_buf_init(&b, 65536);
	cic_buf_puts(&b, "{\"file\":");
	cic_json_quote(&b, file_of(l, path));
	cic_buf_puts(&b, ",\"sha256\":");
	cic_json_quote(&b, l->end.sha256);
	cic_buf_printf(&b, ",\"size\":%llu,\"image\":",
	    (unsigned long long)l->end.size);
	cic_json_quote(&b, l->names.image);
	cic_buf_puts(&b, ",\"image_id\":");
	cic_json_quote(&b, l->end.image_id);
	cic_buf_printf(&b, ",\"status\":\"%s\",\"cause\":",
	    cic_state_name(failed ? CIC_FAILED : CIC_FINISHED));
	cic_json_quote(&b, failed ? cic_cause_name(l->end.cause) : "");
	cic_buf_puts(&b, ",\"message\":");
	cic_json_quote(&b, l->end.message);
	cic_buf_putc(&b, '}');
	rc = b.failed ? -1 : print(b.data);
	cic_buf_release(&b);
	return rc;
}
