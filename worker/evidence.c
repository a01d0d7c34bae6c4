/*
 * A failed build's log, reduced; see evidence.h.  Read twice: who failed is only
 * known at the end, and BuildKit's steps may be mixed.
 */
#include "evidence.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "buildlog.h"
#include "loglines.h"

#define STEPS_MAX	999
#define WHOLE_FILE	((off_t)1 << 40)	/* more than a log may hold */

static const char *const step_names[] = {
	[STEP_NONE] = "", [STEP_APT] = "apt", [STEP_PIP] = "pip",
	[STEP_SPACK] = "spack", [STEP_POST_INST] = "post_inst",
	[STEP_PROFILE] = "profile",
};

static bool
contains_any(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strstr(text, *words) != NULL)
			return true;
	return false;
}

/* --- lines that are kept ------------------------------------------------- */

static void
tail_add(struct tail *tail, const char *text)
{
	logline_copy(tail->line[tail->count % EVIDENCE_TAIL], EVIDENCE_LINE,
	    text);
	tail->count++;
}

const char *
tail_line(const struct tail *tail, unsigned back)
{
	if (back >= tail->count || back >= EVIDENCE_TAIL)
		return NULL;
	return tail->line[(tail->count - 1 - back) % EVIDENCE_TAIL];
}

void
quote_add(struct quote *quote, const char *text)
{
	char line[EVIDENCE_LINE];
	size_t len;

	logline_copy(line, sizeof(line), text);
	len = strlen(line);
	if (quote->lines == EVIDENCE_QUOTE ||
	    quote->len + len + 2 > sizeof(quote->text))
		return;
	memcpy(quote->text + quote->len, line, len);
	quote->len += len;
	quote->text[quote->len++] = '\n';
	quote->text[quote->len] = '\0';
	quote->lines++;
}

static void
quote_clear(struct quote *quote)
{
	quote->len = 0;
	quote->lines = 0;
	quote->text[0] = '\0';
}

/* --- the engine's own words ---------------------------------------------- */

/* "… exit code: 137", "… exit status 137" */
static int
exit_status(const char *error)
{
	static const char *const words[] = { "exit code: ", "exit status ",
	    "exit status: " };
	const char *at = NULL, *next;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]) && at == NULL; i++)
		/* the command stands before it and may say anything */
		for (next = strstr(error, words[i]); next != NULL;
		    next = strstr(at, words[i]))
			at = next + strlen(words[i]);
	return at != NULL && isdigit((unsigned char)*at) ?
	    (int)(strtol(at, NULL, 10) & 0xff) : -1;
}

/* Without the command, which stands in front and may be long. */
static void
set_error(struct evidence *e, const char *text)
{
	static const struct { const char *start, *end; } command[] = {
		{ "process ", "did not complete successfully: " },
		{ "executor failed running ", "]: " },
		{ "building at STEP ", "\": " },
		{ "error building at STEP ", "\": " },
	};
	const char *end;
	size_t i;

	e->status = exit_status(text);
	for (i = 0; i < sizeof(command) / sizeof(command[0]); i++) {
		end = strstr(text, command[i].end);
		if (end != NULL && logline_after(text, command[i].start) != NULL)
			text = end + strlen(command[i].end);
	}
	logline_copy(e->error, sizeof(e->error), text);
}

static void
buildkit_failure(struct evidence *e, const struct logline *line)
{
	const char *error = logline_after(line->text, "ERROR: ");

	if (error == NULL)	/* … or it goes on with a step, or prints */
		e->last_vertex = line->vertex;
	/* the others are stopped when one fails, and say so, too */
	else if (e->vertex < 0 && strstr(error, "context canceled") == NULL) {
		e->vertex = line->vertex;
		set_error(e, error);
	}
}

/* "[1/2] STEP 4/11: RUN …" → "RUN …", or NULL. */
static const char *
podman_header(const char *text)
{
	const char *rest;
	int ignored;

	if (text[0] == '[') {
		text = logline_fraction(text + 1, STEPS_MAX, &ignored,
		    &ignored);
		if (text == NULL)
			return NULL;
		text += strspn(text, "] ");
	}
	rest = logline_after(text, "STEP ");
	if (rest != NULL)
		rest = logline_fraction(rest, STEPS_MAX, &ignored, &ignored);
	return rest != NULL && rest[0] == ':' ? rest + strspn(rest, ": ") :
	    NULL;
}

static bool
is_podman_failure(const char *text)
{
	return logline_after(text, "Error: building at STEP ") != NULL ||
	    logline_after(text, "Error: error building at STEP ") != NULL;
}

/* First reading: which instruction failed, and what the engine says of it. */
static void
locate(const struct logline *line, void *arg)
{
	struct evidence *e = arg;
	const char *header = line->vertex < 0 ? podman_header(line->text) : NULL;

	if (e->engine == ENGINE_UNKNOWN)
		e->engine = line->vertex >= 0 ? ENGINE_BUILDKIT :
		    header != NULL ? ENGINE_PODMAN : ENGINE_UNKNOWN;
	if (e->engine == ENGINE_BUILDKIT && line->vertex >= 0)
		buildkit_failure(e, line);
	else if (e->engine == ENGINE_BUILDKIT && e->error[0] == '\0' &&
	    logline_after(line->text, "ERROR: ") != NULL)
		set_error(e, line->text + 7);
	else if (e->engine == ENGINE_PODMAN && header != NULL) {
		e->from = line->start;
		logline_copy(e->header, sizeof(e->header), header);
	} else if (e->engine == ENGINE_PODMAN && is_podman_failure(line->text))
		set_error(e, line->text + 7);
}

/* --- a package's own log ------------------------------------------------- */

bool
evidence_says_killed(const char *text)
{
	static const char *const words[] = {
		"Killed signal terminated program", "Killed (program",
		"virtual memory exhausted", "terminated with signal 9",
		"unable to execute command: Killed", NULL };

	return contains_any(text, words);
}

static bool
is_error_line(const char *text)
{
	static const char *const words[] = { "CMake Error",
	    "undefined reference to", "cannot find -l", NULL };

	return strcasestr(text, "error: ") != NULL ||
	    contains_any(text, words);
}

/* CMake's message is on the line after the one that says where. */
static bool
goes_on(const char *text)
{
	return logline_after(text, "CMake Error at ") != NULL;
}

static void
package_log_line(struct evidence *e, const char *text)
{
	const char *before = tail_line(&e->log_tail, 0);
	bool quoted = before != NULL && is_error_line(before);

	if (text[strspn(text, " ")] == '\0')
		return;
	if (is_error_line(text)) {
		if (before != NULL && !quoted)
			quote_add(&e->log_errors, before);
		quote_add(&e->log_errors, text);
		if (e->log_error[0] == '\0')
			logline_copy(e->log_error, sizeof(e->log_error), text);
	} else if (quoted && goes_on(before)) {
		quote_add(&e->log_errors, text);
		if (strcmp(e->log_error, before) == 0)
			logline_copy(e->log_error, sizeof(e->log_error),
			    text + strspn(text, " "));
	}
	if (e->log_killed[0] == '\0' && evidence_says_killed(text))
		logline_copy(e->log_killed, sizeof(e->log_killed), text);
	tail_add(&e->log_tail, text);
}

/* --- the step that failed ------------------------------------------------ */

static void
begin_step(struct evidence *e, const char *name)
{
	size_t i;

	e->step = STEP_NONE;
	for (i = 1; i < sizeof(step_names) / sizeof(step_names[0]); i++)
		if (strcmp(name, step_names[i]) == 0)
			e->step = (enum evidence_step)i;
	e->concretize = e->quoting = e->in_log = e->keep_log = false;
	e->tail.count = e->log_tail.count = 0;
	quote_clear(&e->apt);
	quote_clear(&e->pip);
	quote_clear(&e->spack);
	quote_clear(&e->log_errors);
	e->package[0] = e->log_error[0] = e->log_killed[0] = '\0';
	e->log_start = e->log_end = 0;
}

static void
log_marker(struct evidence *e, const struct logline *line, const char *text)
{
	char package[CIC_PACKAGE_MAX], word[16];

	if (!buildlog_package_word(text, package, word))
		return;
	if (strcmp(word, "begin") == 0) {
		e->in_log = true;
		e->keep_log = e->log_start == 0 && (e->package[0] == '\0' ||
		    strcmp(e->package, package) == 0);
		if (e->keep_log) {
			strcpy(e->package, package);
			e->log_start = line->end;
		}
	} else if (strcmp(word, "end") == 0) {
		if (e->keep_log)
			e->log_end = line->start;
		e->in_log = e->keep_log = false;
	}
}

static void
spack_marker(struct evidence *e, const struct logline *line, const char *text)
{
	char package[CIC_PACKAGE_MAX], word[16];
	const char *rest;

	if ((rest = logline_after(text, "part ")) != NULL) {
		e->concretize = strcmp(rest, "concretize") == 0;
		e->quoting = false;
		quote_clear(&e->spack);
	} else if ((rest = logline_after(text, "log ")) != NULL)
		log_marker(e, line, rest);
	else if ((rest = logline_after(text, "package ")) != NULL &&
	    e->package[0] == '\0' &&
	    buildlog_package_word(rest, package, word) &&
	    strcmp(word, "failed") == 0)
		strcpy(e->package, package);
}

/* pip's warning about other packages is called an error, too. */
static const char *
pip_error(const char *text)
{
	const char *error;

	text += strspn(text, " ");	/* a package's own are set in */
	error = logline_after(text, "ERROR: ");
	if (error == NULL)
		error = logline_after(text, "error: ");
	return error != NULL && strstr(error, "dependency resolver") == NULL &&
	    strstr(error, "subprocess-exited-with-error") == NULL ? error :
	    NULL;
}

/* "==> Error: …", "==> [2024-03-11-03:53:32.104983] Error: …" */
static const char *
spack_error(const char *text)
{
	text = logline_after(text, "==> ");
	if (text != NULL && text[0] == '[' && strchr(text, ']') != NULL)
		text = strchr(text, ']') + 1 + strspn(strchr(text, ']') + 1,
		    " ");
	return text != NULL ? logline_after(text, "Error: ") : NULL;
}

static bool
is_spack_summary(const char *error)
{
	static const char *const words[] = { "Installation request failed",
	    "Terminating after first install failure", NULL };

	return contains_any(error, words);
}

/* Spack without our markers: the path of the package's log names it. */
static void
spack_stage_path(struct evidence *e, const char *text)
{
	const char *at = strstr(text, "/spack-stage-");

	if (e->package[0] == '\0' && at != NULL &&
	    strstr(at, "/spack-build-out.txt") != NULL)
		buildlog_package(at + strlen("/spack-stage-"), e->package);
}

/* "  >> 835    make: *** [Makefile:128: psmp] Error 2": quoted by Spack. */
static void
spack_quotes_log(struct evidence *e, const char *text)
{
	const char *at = text + strspn(text, " ");

	if (logline_after(at, ">> ") == NULL ||
	    !isdigit((unsigned char)at[3]))
		return;
	at += 3 + strspn(at + 3, "0123456789");
	at += strspn(at, " ");
	quote_add(&e->log_errors, at);
	if (e->log_error[0] == '\0' ||
	    (is_error_line(at) && !is_error_line(e->log_error)))
		logline_copy(e->log_error, sizeof(e->log_error), at);
	if (e->log_killed[0] == '\0' && evidence_says_killed(at))
		logline_copy(e->log_killed, sizeof(e->log_killed), at);
}

static void
spack_line(struct evidence *e, const char *text)
{
	const char *error = spack_error(text);

	spack_stage_path(e, text);
	spack_quotes_log(e, text);
	if (error != NULL) {
		e->quoting = e->spack.lines == 0 || !is_spack_summary(error);
		if (!e->quoting)
			return;
		quote_clear(&e->spack);
		quote_add(&e->spack, error);
	} else if (logline_after(text, "==> ") != NULL ||
	    logline_after(text, "Traceback") != NULL) {
		e->quoting = false;
		/* what an older Spack does next has no marker of ours */
		if (logline_after(text, "==> Concretized ") != NULL ||
		    logline_after(text, "==> Installing ") != NULL)
			e->concretize = false;
	}
	else if (e->quoting && text[strspn(text, " ")] != '\0')
		quote_add(&e->spack, text);
}

/* What is added to a step's output by others than its programs. */
static bool
is_noise(const struct evidence *e, const char *text)
{
	static const char *const starts[] = { "time=\"", "subprocess exited ",
	    "[output clipped", "[notice]", "note: ", "hint: ", "--> ", NULL };
	static const char *const engine[] = { "------", " > [", "Dockerfile:",
	    "ERROR: failed to solve", "process \"", "#", NULL };
	size_t i;

	if (text[strspn(text, " ")] == '\0' || is_podman_failure(text))
		return true;
	for (i = 0; starts[i] != NULL; i++)
		if (logline_after(text, starts[i]) != NULL)
			return true;
	for (i = 0; e->engine == ENGINE_UNKNOWN && engine[i] != NULL; i++)
		if (logline_after(text, engine[i]) != NULL)
			return true;
	return false;
}

static void
step_line(struct evidence *e, const char *text)
{
	if (e->step == STEP_SPACK)
		spack_line(e, text);
	if (e->step == STEP_APT && logline_after(text, "E: ") != NULL)
		quote_add(&e->apt, text);
	if (e->step == STEP_PIP && pip_error(text) != NULL)
		quote_add(&e->pip, pip_error(text));
	if (!is_noise(e, text))
		tail_add(&e->tail, text);
}

/* "[stage-0  4/11] RUN …" → "RUN …" */
static void
buildkit_header(struct evidence *e, const char *text)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;

	if (end != NULL)
		logline_copy(e->header, sizeof(e->header),
		    end + strspn(end, "] "));
}

/* Second reading: what the failed instruction printed. */
static void
collect(const struct logline *line, void *arg)
{
	struct evidence *e = arg;
	const char *rest;

	if (e->engine == ENGINE_BUILDKIT) {
		if (line->vertex != e->vertex)
			return;
		if (line->event) {
			buildkit_header(e, line->text);
			return;
		}
	} else if (e->engine == ENGINE_PODMAN && line->start == e->from)
		return;		/* the header */
	rest = logline_after(line->text, "cic: ");
	if (rest == NULL && e->in_log) {
		if (e->keep_log)
			package_log_line(e, line->text);
	} else if (rest == NULL)
		step_line(e, line->text);
	else if (logline_after(rest, "step ") != NULL && !e->in_log)
		begin_step(e, rest + 5);
	else if (e->step == STEP_SPACK)
		spack_marker(e, line, rest);
}

struct evidence *
evidence_read(int fd, off_t start)
{
	struct evidence *e = calloc(1, sizeof(*e));
	struct loglines *lines = malloc(sizeof(*lines));

	if (e == NULL || lines == NULL) {
		free(e);
		free(lines);
		return NULL;
	}
	e->vertex = e->last_vertex = e->status = -1;
	e->from = start;
	loglines_init(lines, start, locate, e);
	loglines_read(lines, fd, WHOLE_FILE);
	loglines_end(lines);
	if (e->engine == ENGINE_BUILDKIT && e->vertex < 0)
		e->vertex = e->last_vertex;	/* it went away in between */
	loglines_init(lines, e->from, collect, e);
	loglines_read(lines, fd, WHOLE_FILE);
	loglines_end(lines);
	if (e->log_start != 0 && e->log_end == 0)
		e->log_end = lines->at;		/* cut off with its step */
	free(lines);
	return e;
}
