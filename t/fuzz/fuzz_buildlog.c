/*
 * Fuzz target: a build's log, as its progress and as its failure.  The first
 * byte says in which pieces it comes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "buildlog.h"
#include "err.h"
#include "failure.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was read must come back from the record as it is. */
static void
check_progress(const struct cic_progress *p)
{
	struct cic_progress again;
	struct cic_json *json;
	struct cic_buf text;
	struct cic_err err;

	assert(p->step >= 0 && p->step <= p->steps);
	assert(p->packages_done >= 0 && p->packages_done <= p->packages);
	cic_buf_init(&text, 65536);
	cic_progress_print(&text, p);
	json = cic_json_parse(text.data, text.len, &err);
	assert(json != NULL);
	cic_progress_parse(json, &again);
	assert(!cic_progress_differs(&again, p));
	cic_json_free(json);
	cic_buf_release(&text);
}

/* Texts are valid, so that JSON makes them no longer. */
static void
check_text(const char *text, size_t size)
{
	struct cic_json *json;
	struct cic_buf quoted;
	struct cic_err err;

	assert(strlen(text) < size);
	cic_buf_init(&quoted, 65536);
	cic_json_quote(&quoted, text);
	json = cic_json_parse(quoted.data, quoted.len, &err);
	assert(json != NULL && strcmp(cic_json_string(json), text) == 0);
	cic_json_free(json);
	cic_buf_release(&quoted);
}

static void
check_failure(int fd, size_t size, off_t start)
{
	static struct failure f;
	struct cic_err err;

	failure_of_log(fd, start, "status 1", &f);
	assert(f.cause > CIC_CAUSE_NONE && f.cause < CIC_CAUSE__MAX);
	assert(f.sentence[0] != '\0');
	check_text(f.sentence, sizeof(f.sentence));
	check_text(f.excerpt, sizeof(f.excerpt));
	check_text(f.package, sizeof(f.package));
	assert(f.log_start >= 0 && f.log_start <= f.log_end &&
	    f.log_end <= (off_t)size);
	assert(f.log_start == 0 || f.package[0] != '\0');
	assert(failure_save_log(&f, fd, "/dev/null/none", &err) ==
	    (f.log_end > f.log_start && f.log_start != 0 ? -1 : 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct buildlog b;
	size_t piece, at, n;
	int fd;

	if (size == 0 || size > 1 << 20)
		return 0;
	piece = 1 + data[0];
	data++;
	size--;
	buildlog_init(&b, 0);
	buildlog_stage(&b, "build");
	for (at = 0; at < size; at += n) {
		n = size - at < piece ? size - at : piece;
		loglines_feed(&b.lines, (const char *)data + at, n);
	}
	loglines_end(&b.lines);
	check_progress(&b.progress);
	fd = memfd_create("log", MFD_CLOEXEC);
	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	check_failure(fd, size, 0);
	check_failure(fd, size, (off_t)size / 2);
	close(fd);
	return 0;
}
