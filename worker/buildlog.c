/* How far a build has come; see buildlog.h. */
#include "buildlog.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX	999
#define HASH_LENGTH	32
#define PACKAGE_CHARS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
			"0123456789._+=:~-"

/* Where the version begins: after the first '-' before a digit, else after the
 * last one ("-main"); 0: nowhere. */
static size_t
version_at(const char *id, size_t len)
{
	size_t i, at = 0;

	for (i = 1; i + 1 < len; i++) {
		if (id[i] != '-')
			continue;
		at = i + 1;
		if (isdigit((unsigned char)id[at]))
			break;
	}
	return at;
}

bool
buildlog_package(const char *id, char out[CIC_PACKAGE_MAX])
{
	size_t len = strcspn(id, " /"), version, i;

	if (len <= HASH_LENGTH + 3 || len >= CIC_PACKAGE_MAX ||
	    strspn(id, PACKAGE_CHARS) < len || id[0] == '-')
		return false;
	len -= HASH_LENGTH;
	for (i = 0; i < HASH_LENGTH; i++)
		if (!isalnum((unsigned char)id[len + i]))
			return false;
	if (id[--len] != '-')
		return false;
	memcpy(out, id, len);
	out[len] = '\0';
	version = version_at(id, len);
	if (version > 0)
		out[version - 1] = '@';
	return true;
}

bool
buildlog_package_word(const char *text, char package[CIC_PACKAGE_MAX],
    char word[16])
{
	size_t len = strcspn(text, " ");

	if (!buildlog_package(text, package))
		return false;
	logline_copy(word, 16, text[len] == ' ' ? text + len + 1 : "");
	return true;
}

static void
set_step(struct cic_progress *p, const char *name)
{
	logline_copy(p->step_name, sizeof(p->step_name), name);
	p->package[0] = '\0';
	p->packages = p->packages_done = 0;
}

/* "RUN --mount=… sh x" → "RUN sh x": options say nothing to people. */
static void
set_instruction(struct cic_progress *p, int step, int steps, const char *text)
{
	size_t word = strcspn(text, " "), n;
	char short_text[LOGLINE_MAX];

	logline_copy(short_text, word < 16 ? word + 1 : 16, text);
	n = strlen(short_text);
	while (strncmp(text + word, " --", 3) == 0)
		word += 1 + strcspn(text + word + 1, " ");
	logline_copy(short_text + n, sizeof(short_text) - n, text + word);
	set_step(p, short_text);
	p->step = step;
	p->steps = steps;
}

/* "[stage-0  4/11] RUN …" */
static void
buildkit_event(struct cic_progress *p, const char *text)
{
	const char *end = strchr(text, ']'), *at;
	int step, steps;

	if (logline_after(text, "exporting to ") != NULL)
		set_step(p, "storing the image");
	if (text[0] != '[' || end == NULL)
		return;
	for (at = end; at > text + 1 && at[-1] != ' '; at--)
		;
	if (logline_fraction(at, STEPS_MAX, &step, &steps) == end)
		set_instruction(p, step, steps, end + strspn(end, "] "));
}

/* "[1/2] STEP 4/11: RUN …" */
static void
podman_step(struct cic_progress *p, const char *text)
{
	int step, steps;
	const char *rest = text[0] == '[' ?
	    logline_fraction(text + 1, STEPS_MAX, &step, &steps) : NULL;

	if (rest != NULL)
		text = rest + strspn(rest, "] ");
	text = logline_after(text, "STEP ");
	if (text == NULL)
		return;
	rest = logline_fraction(text, STEPS_MAX, &step, &steps);
	if (rest != NULL && rest[0] == ':')
		set_instruction(p, step, steps, rest + strspn(rest, ": "));
}

static void
install_count(struct cic_progress *p, const char *text)
{
	long n = strtol(text, NULL, 10);

	set_step(p, "spack install");
	p->packages = n > 0 && n <= CIC_PROGRESS_COUNT_MAX ? (int)n : 0;
}

static void
package_marker(struct cic_progress *p, const char *text)
{
	char package[CIC_PACKAGE_MAX], word[16];

	if (!buildlog_package_word(text, package, word))
		return;
	if (strcmp(word, "building") == 0) {
		strcpy(p->package, package);
		return;
	}
	if (strcmp(word, "done") != 0)
		return;
	if (p->packages_done < p->packages)
		p->packages_done++;
	/* several build side by side: shown is the one begun last */
	if (strcmp(p->package, package) == 0)
		p->package[0] = '\0';
}

static bool
is_word(const char *text)
{
	return text[0] != '\0' && strspn(text,
	    "abcdefghijklmnopqrstuvwxyz_-") == strlen(text);
}

static void
marker(struct buildlog *b, const char *text)
{
	char package[CIC_PACKAGE_MAX], word[16];
	struct cic_progress *p = &b->progress;
	const char *rest;

	if ((rest = logline_after(text, "log ")) != NULL) {
		if (buildlog_package_word(rest, package, word))
			b->in_package_log = strcmp(word, "begin") == 0;
	} else if (b->in_package_log)
		return;
	else if ((rest = logline_after(text, "step ")) != NULL) {
		if (is_word(rest))
			set_step(p, rest);
	} else if (strcmp(text, "part concretize") == 0)
		set_step(p, "spack concretize");
	else if ((rest = logline_after(text, "part install ")) != NULL)
		install_count(p, rest);
	else if ((rest = logline_after(text, "package ")) != NULL)
		package_marker(p, rest);
}

static void
on_line(const struct logline *line, void *arg)
{
	struct buildlog *b = arg;
	const char *text = line->text, *rest;

	if (line->event) {
		b->in_package_log = false;
		buildkit_event(&b->progress, text);
	} else if ((rest = logline_after(text, "cic: ")) != NULL)
		marker(b, rest);
	else if (b->in_package_log)
		return;
	else if ((rest = logline_after(text,
	    "cic-build: converting: ")) != NULL)
		set_step(&b->progress, rest);
	else if (line->vertex < 0)
		podman_step(&b->progress, text);
}

void
buildlog_init(struct buildlog *b, off_t at)
{
	b->progress = (struct cic_progress){ .step = 0 };
	b->in_package_log = false;
	loglines_init(&b->lines, at, on_line, b);
}

void
buildlog_stage(struct buildlog *b, const char *name)
{
	b->progress = (struct cic_progress){ .output = b->progress.output };
	b->in_package_log = false;
	logline_copy(b->progress.stage, sizeof(b->progress.stage), name);
}
