/* From a log to a cause; see failure.h. */
#include "failure.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_BYTES	(256 * 1024)
#define MARKER		"cic: step "

static const struct step {
	const char	*name;
	enum cic_cause	 cause;
	const char	*words;
} steps[] = {
	{ "apt", CIC_CAUSE_APT, "installing the apt packages failed" },
	{ "post_inst", CIC_CAUSE_POST_INST, "post_inst.sh failed" },
	{ "profile", CIC_CAUSE_IMAGE_BUILD,
	    "writing the login profile failed" },
};

/* Skip BuildKit's "#12 3.456 " in front of what a RUN printed. */
static char *
text_of(char *line)
{
	char *p = line;

	if (*p != '#')
		return line;
	p += 1 + strspn(p + 1, "0123456789");
	if (*p != ' ')
		return line;
	p++;
	p += strspn(p, "0123456789.");
	return *p == ' ' ? p + 1 : line;
}

/* Lines that the engine adds after a failure, and empty ones. */
static bool
is_noise(const char *line)
{
	static const char *const starts[] = { "------", " > [", "Dockerfile:",
	    "--------------------", "ERROR: failed to solve", "#", "Error: ",
	    "error: subprocess", "time=\"", "cic: ", "process \"" };
	size_t i;

	if (line[strspn(line, " \t\r")] == '\0' ||
	    isdigit((unsigned char)line[strspn(line, " ")]) ||
	    strstr(line, "| >>>") != NULL)
		return true;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

struct found {
	const struct step	*step;
	char			*last;	/* last line that is no noise */
	char			*apt;	/* last line that begins with "E: " */
	char			*engine;	/* last one by the engine itself */
	bool			 disk;
};

static void
look_at(struct found *found, char *line)
{
	char *text = text_of(line);
	size_t i;

	if (strstr(text, "No space left on device") != NULL ||
	    strstr(text, "no space left on device") != NULL)
		found->disk = true;
	if (strncmp(text, MARKER, strlen(MARKER)) == 0) {
		for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			if (strcmp(text + strlen(MARKER), steps[i].name) == 0) {
				*found = (struct found){ .step = &steps[i],
				    .disk = found->disk };
				return;
			}
	}
	if (strncmp(text, "E: ", 3) == 0)
		found->apt = text;
	if (strncmp(text, "Error: ", 7) == 0 || strncmp(text, "ERROR: ", 7) == 0)
		found->engine = text;
	if (!is_noise(text))
		found->last = text;
}

static void
say(const struct found *found, const char *fallback,
    char sentence[CIC_MESSAGE_MAX])
{
	const char *words = found->step != NULL ? found->step->words : fallback;
	const char *why = found->step != NULL &&
	    found->step->cause == CIC_CAUSE_APT && found->apt != NULL ?
	    found->apt : found->last != NULL ? found->last : found->engine;

	snprintf(sentence, CIC_MESSAGE_MAX, "%s%s%s%.600s",
	    found->disk ? "the disk is full: " : "", words,
	    why != NULL ? ": " : "", why != NULL ? why : "");
}

enum cic_cause
failure_of_log(int fd, off_t start, const char *fallback,
    char sentence[CIC_MESSAGE_MAX])
{
	struct found found = { .step = NULL };
	char *text, *line, *save = NULL;
	struct stat st;
	ssize_t n = 0, i;

	snprintf(sentence, CIC_MESSAGE_MAX, "%s", fallback);
	text = malloc(TAIL_BYTES + 1);
	if (text == NULL || fstat(fd, &st) != 0)
		goto out;
	if (st.st_size - start > TAIL_BYTES)
		start = st.st_size - TAIL_BYTES;
	n = pread(fd, text, TAIL_BYTES, start);
	text[n > 0 ? n : 0] = '\0';
	/* a NUL would hide all that follows */
	for (i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	for (line = strtok_r(text, "\r\n", &save); line != NULL;
	    line = strtok_r(NULL, "\r\n", &save))
		look_at(&found, line);
	say(&found, fallback, sentence);
out:
	free(text);
	if (found.disk)
		return CIC_CAUSE_DISK;
	return found.step != NULL ? found.step->cause : CIC_CAUSE_IMAGE_BUILD;
}
