/* The journal between cic-build and the worker; see journal.h. */
#include "journal.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "failure.h"
#include "job.h"
#include "json.h"

/* every byte of a failure's texts may become six */
#define LINE_BYTES_MAX	49152
#define READ_BYTES	65536	/* more than that */

static const char *const event_names[] = {
	[JOURNAL_STATE] = "state",
	[JOURNAL_FINISHED] = "finished",
	[JOURNAL_FAILED] = "failed",
	[JOURNAL_PROGRESS] = "progress",
};

/* Append a line; releases `line`. */
static int
append(int fd, struct cic_buf *line, bool sync, struct cic_err *err)
{
	int rc = 0;

	cic_buf_putc(line, '\n');
	if (line->failed)
		rc = cic_err_set(err, CIC_EIO, "journal: line too long");
	else if (write(fd, line->data, line->len) != (ssize_t)line->len ||
	    (sync && fsync(fd) != 0))
		rc = cic_err_errno(err, "journal");
	cic_buf_release(line);
	return rc;
}

static void
put(struct cic_buf *line, const char *key, const char *value)
{
	cic_buf_printf(line, ",\"%s\":", key);
	cic_json_quote(line, value);
}

int
journal_write_state(int fd, enum cic_state state, struct cic_err *err)
{
	struct cic_buf line;

	cic_buf_init(&line, LINE_BYTES_MAX);
	cic_buf_puts(&line, "{\"event\":\"state\"");
	put(&line, "state", cic_state_name(state));
	cic_buf_putc(&line, '}');
	return append(fd, &line, false, err);
}

int
journal_write_finished(int fd, const struct job *job, struct cic_err *err)
{
	struct cic_buf line;

	cic_buf_init(&line, LINE_BYTES_MAX);
	cic_buf_puts(&line, "{\"event\":\"finished\"");
	put(&line, "image_id", job->image_id);
	put(&line, "content_key", job->content_key);
	put(&line, "workflow_commit", job->workflow.commit);
	put(&line, "catalog_commit", job->catalog.commit);
	put(&line, "message", job->message);
	put(&line, "sha256", job->made.sha256);
	cic_buf_printf(&line, ",\"size\":%llu,\"keep\":%s}",
	    (unsigned long long)job->made.size,
	    job->keep_file ? "true" : "false");
	return append(fd, &line, true, err);
}

int
journal_write_failed(int fd, const struct failure *failure,
    struct cic_err *err)
{
	struct cic_buf line;

	cic_buf_init(&line, LINE_BYTES_MAX);
	cic_buf_puts(&line, "{\"event\":\"failed\"");
	put(&line, "cause", cic_cause_name(failure->cause));
	put(&line, "message", failure->sentence);
	put(&line, "excerpt", failure->excerpt);
	put(&line, "package", failure->package);
	cic_buf_putc(&line, '}');
	return append(fd, &line, true, err);
}

int
journal_write_progress(int fd, const struct cic_progress *progress,
    struct cic_err *err)
{
	struct cic_buf line;

	cic_buf_init(&line, LINE_BYTES_MAX);
	cic_buf_puts(&line, "{\"event\":\"progress\",\"progress\":");
	cic_progress_print(&line, progress);
	cic_buf_putc(&line, '}');
	return append(fd, &line, false, err);
}

static const struct text_field {
	const char	*name;
	size_t		 offset, size;
} text_fields[] = {
#define TEXT_FIELD(member) { #member, offsetof(struct journal_line, member), \
	sizeof(((struct journal_line *)NULL)->member) }
	TEXT_FIELD(message), TEXT_FIELD(excerpt), TEXT_FIELD(package),
	TEXT_FIELD(image_id), TEXT_FIELD(content_key),
	TEXT_FIELD(workflow_commit), TEXT_FIELD(catalog_commit),
	TEXT_FIELD(sha256),
#undef TEXT_FIELD
};

static bool
parse_event(const struct cic_json *json, struct journal_line *out)
{
	const char *event = cic_json_get_string(json, "event");
	size_t i;

	for (i = 0; i < sizeof(event_names) / sizeof(event_names[0]); i++)
		if (event != NULL && strcmp(event, event_names[i]) == 0) {
			out->event = (enum journal_event)i;
			break;
		}
	if (i == sizeof(event_names) / sizeof(event_names[0]))
		return false;
	out->state = cic_state_parse(cic_json_get_string(json, "state"));
	out->cause = cic_cause_parse(cic_json_get_string(json, "cause"));
	if (out->event == JOURNAL_STATE &&
	    (out->state == CIC_STATE__MAX || cic_state_is_end(out->state) ||
	    out->state == CIC_PENDING))
		return false;
	if (out->event == JOURNAL_FAILED)
		return out->cause != CIC_CAUSE__MAX;
	out->cause = CIC_CAUSE_NONE;
	cic_progress_parse(cic_json_get(json, "progress"), &out->progress);
	return true;
}

static bool
parse_line(const char *text, size_t len, struct journal_line *out)
{
	struct cic_err ignored;
	struct cic_json *json = cic_json_parse(text, len, &ignored);
	const char *value;
	bool ok;
	size_t i;

	*out = (struct journal_line){ .size = 0 };
	ok = json != NULL && parse_event(json, out);
	for (i = 0; ok && i < sizeof(text_fields) / sizeof(text_fields[0]);
	    i++) {
		value = cic_json_get_string(json, text_fields[i].name);
		if (value == NULL)
			continue;
		/* text cut within a character has grown by U+FFFD */
		ok = strlen(value) < text_fields[i].size ||
		    strcmp(text_fields[i].name, "message") == 0 ||
		    strcmp(text_fields[i].name, "excerpt") == 0;
		if (ok)
			snprintf((char *)out + text_fields[i].offset,
			    text_fields[i].size, "%s", value);
	}
	out->keep = cic_json_bool(cic_json_get(json, "keep"));
	out->size = (uint64_t)cic_json_int(cic_json_get(json, "size"), 0);
	cic_json_free(json);
	return ok;
}

int
journal_read(int fd, off_t *offset,
    void (*visit)(const struct journal_line *line, void *arg), void *arg,
    struct cic_err *err)
{
	char *chunk = malloc(READ_BYTES), *end, *at;
	struct journal_line line;
	bool skip = false;	/* within a line longer than any of ours */
	off_t next = *offset;
	ssize_t n;
	int rc = 0;

	if (chunk == NULL)
		return cic_err_set(err, CIC_EIO, "journal: out of memory");
	while ((n = pread(fd, chunk, READ_BYTES, next)) > 0) {
		for (at = chunk; (end = memchr(at, '\n',
		    (size_t)(chunk + n - at))) != NULL; at = end + 1) {
			if (!skip && parse_line(at, (size_t)(end - at), &line))
				visit(&line, arg);
			skip = false;
		}
		if (at != chunk)
			*offset = next + (at - chunk);
		if (at == chunk && n < READ_BYTES)
			break;		/* a line still being written */
		/* the offset stays before a long line until its end is there */
		skip = at == chunk;
		next += skip ? n : at - chunk;
	}
	if (n < 0)
		rc = cic_err_errno(err, "journal");
	free(chunk);
	return rc;
}
