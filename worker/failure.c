/* From a log to a cause; see failure.h. */
#include "failure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "evidence.h"
#include "loglines.h"
#include "path.h"

#define KILLED_STATUS	137	/* 128 and SIGKILL: by the kernel, most often */
#define EXCERPT_TAIL	10	/* lines of a step that has no error lines */
#define PACKAGE_LOG_MAX	((size_t)8 << 20)	/* bytes */

/* What is said of it, from the most to the least certain. */
struct verdict {
	enum cic_cause	 cause;
	const char	*words;		/* what failed */
	const char	*why;		/* the line that says why, or NULL */
	const struct quote *quote;	/* lines that show it, or NULL */
	const struct tail *tail;	/* … where there are none */
	char		 text[2 * EVIDENCE_LINE];	/* for words, why */
	char		 why_text[2 * EVIDENCE_LINE];
};

/* --- words to look for ---------------------------------------------------- */

static const char *const disk_words[] = { "no space left on device", NULL };
/* said by tests of what is missing, too: at the very end only */
static const char *const memory_words[] = { "cannot allocate memory",
    "out of memory", "MemoryError", "std::bad_alloc", NULL };
static const char *const network_words[] = { "Temporary failure resolving",
    "Temporary failure in name resolution", "Could not resolve host",
    "Could not resolve '", "Failed to fetch ", "Connection timed out",
    "Connection refused", "Network is unreachable", "Could not connect to ",
    "Failed to establish a new connection", "All fetchers failed",
    "no such host", "i/o timeout", NULL };
/* what shells, make, compilers and Python say at a limit of processes */
static const char *const process_words[] = { "cannot fork",
    "fork: retry: Resource temporarily unavailable",
    "fork: Resource temporarily unavailable",
    "vfork: Resource temporarily unavailable",
    "posix_spawn: Resource temporarily unavailable",
    "pthread_create: Resource temporarily unavailable",
    "BlockingIOError: [Errno 11]", "can't start new thread", NULL };
static const char *const engine_words[] = { "Cannot connect to the Docker daemon",
    "error during connect", "code = Unavailable", "failed to dial gRPC",
    "Cannot connect to Podman", NULL };
static const char *const platform_words[] = { "no match for platform in manifest",
    "no matching manifest for ", "no image found in manifest list",
    "no image found in image index", NULL };

/* Where the first of the words begins, in any case of letters; NULL: none. */
static const char *
says(const char *text, const char *const *words)
{
	const char *first = NULL, *at;

	for (; text != NULL && *words != NULL; words++) {
		at = strcasestr(text, *words);
		if (at != NULL && (first == NULL || at < first))
			first = at;
	}
	return first;
}

/* The last of the tail's lines that says so, or NULL. */
static const char *
find(const struct tail *tail, const char *const *words)
{
	const char *line;
	unsigned i;

	for (i = 0; (line = tail_line(tail, i)) != NULL; i++)
		if (says(line, words) != NULL)
			return line;
	return NULL;
}

/* --- the failed step ------------------------------------------------------ */

/* "1. Cannot satisfy 'glib@:2.57'" without its number. */
static const char *
reason(const char *text)
{
	size_t digits;

	text += strspn(text, " ");
	digits = strspn(text, "0123456789");
	return digits > 0 && text[digits] == '.' ?
	    text + digits + 1 + strspn(text + digits + 1, " ") : text;
}

/* The first line of a quote, or the one after it where that ends in a colon. */
static const char *
first_of(const struct quote *quote, char out[2 * EVIDENCE_LINE])
{
	const char *next = strchr(quote->text, '\n');
	size_t len;

	if (next == NULL)
		return NULL;
	len = (size_t)(next - quote->text);
	if (len > 0 && next[-1] == ':' && next[1] != '\0') {
		next = reason(next + 1);
		len = strcspn(next, "\n");
	} else
		next = quote->text;
	snprintf(out, 2 * EVIDENCE_LINE, "%.*s", (int)len, next);
	return out;
}

/*
 * "…/src/zlib.c:12:3: error: unknown type name 'foo'" as
 * "error: unknown type name 'foo' (zlib.c:12)"; other lines as they are.
 */
static const char *
compiler_error(const char *line, char out[2 * EVIDENCE_LINE])
{
	const char *message = strstr(line, ": fatal error: "), *file, *number;
	const char *end;
	size_t digits;

	if (message == NULL)
		message = strstr(line, ": error: ");
	line += strspn(line, " ");
	if (message == NULL || message <= line)
		return line;
	end = memchr(line, ':', (size_t)(message - line));
	if (end == NULL)
		return line;
	number = end + 1;
	digits = strspn(number, "0123456789");
	if (digits == 0 || (number[digits] != ':'))
		return line;
	for (file = end; file > line && file[-1] != '/' && file[-1] != ' '; file--)
		;
	snprintf(out, 2 * EVIDENCE_LINE, "%s (%.*s:%.*s)", message + 2,
	    (int)(end - file), file, (int)digits, number);
	return out;
}

static void
judge_package(const struct evidence *e, struct verdict *v)
{
	v->cause = CIC_CAUSE_SPACK_PACKAGE;
	snprintf(v->text, sizeof(v->text), "Spack package %s does not build",
	    e->package);
	v->words = v->text;
	v->tail = e->log_tail.count > 0 ? &e->log_tail : &e->tail;
	v->quote = e->log_errors.lines > 0 ? &e->log_errors : NULL;
	if (e->log_error[0] != '\0')
		v->why = compiler_error(e->log_error, v->why_text);
	else if (e->log_tail.count > 0)
		v->why = tail_line(&e->log_tail, 0);
	else if (e->spack.lines > 0) {	/* it failed before it had a log */
		v->why = first_of(&e->spack, v->why_text);
		v->quote = &e->spack;
	}
}

static void
judge_spack(const struct evidence *e, struct verdict *v)
{
	bool concretize = e->concretize ||
	    strcasestr(e->spack.text, "concretiz") != NULL ||
	    strstr(e->spack.text, "is unsatisfiable") != NULL;

	v->cause = concretize ? CIC_CAUSE_SPACK_CONCRETIZE : CIC_CAUSE_SPACK;
	v->words = concretize ? "Spack cannot concretize the environment" :
	    "Spack failed";
	v->quote = e->spack.lines > 0 ? &e->spack : NULL;
	v->why = first_of(&e->spack, v->why_text);
	if (v->why == NULL)
		v->why = tail_line(&e->tail, 0);
}

static void
judge_step(const struct evidence *e, const char *fallback, struct verdict *v)
{
	v->tail = &e->tail;
	v->why = tail_line(&e->tail, 0);
	v->cause = CIC_CAUSE_IMAGE_BUILD;
	v->words = fallback;
	switch (e->step) {
	case STEP_APT:
		v->cause = CIC_CAUSE_APT;
		v->words = "installing the apt packages failed";
		v->quote = &e->apt;
		break;
	case STEP_PIP:
		v->cause = CIC_CAUSE_PIP;
		v->words = "installing the Python packages failed";
		v->quote = &e->pip;
		break;
	case STEP_SPACK:
		if (e->package[0] != '\0')
			judge_package(e, v);
		else
			judge_spack(e, v);
		return;
	case STEP_POST_INST:
		v->cause = CIC_CAUSE_POST_INST;
		v->words = "post_inst.sh failed";
		break;
	case STEP_PROFILE:
		v->words = "writing the login profile failed";
		break;
	case STEP_NONE:
		break;
	}
	if (v->quote != NULL && v->quote->lines == 0)
		v->quote = NULL;
	if (v->quote != NULL)
		v->why = first_of(v->quote, v->why_text);
	if (v->why == NULL && e->error[0] != '\0')
		v->why = e->error;
}

/* --- before any step ------------------------------------------------------ */

/* "FROM a/b:1 AS x", "load metadata for a/b:1" → the image, or NULL. */
static const char *
base_image(const struct evidence *e)
{
	const char *name = logline_after(e->header, "FROM ");

	if (name == NULL)
		name = logline_after(e->header, "load metadata for ");
	return name;
}

static bool
judge_base(const struct evidence *e, struct verdict *v)
{
	const char *name = base_image(e);
	const char *why = e->error[0] != '\0' ? e->error :
	    tail_line(&e->tail, 0);

	if (name == NULL || why == NULL)
		return false;
	v->tail = &e->tail;
	v->why = logline_after(why, "Error: ");
	if (v->why == NULL)
		v->why = why;
	v->cause = says(why, platform_words) != NULL ? CIC_CAUSE_PLATFORM :
	    CIC_CAUSE_BASE_IMAGE;
	snprintf(v->text, sizeof(v->text), v->cause == CIC_CAUSE_PLATFORM ?
	    "the base image %.*s is not there for this platform" :
	    "the base image %.*s cannot be had", (int)strcspn(name, " "), name);
	v->words = v->text;
	return true;
}

static bool
judge_engine(const struct evidence *e, struct verdict *v)
{
	const char *why = says(e->error, engine_words) != NULL ? e->error :
	    e->engine == ENGINE_UNKNOWN ? find(&e->tail, engine_words) : NULL;

	if (why == NULL)
		return false;
	v->cause = CIC_CAUSE_ENGINE;
	v->words = "the container engine does not answer";
	v->why = why;
	v->tail = &e->tail;
	return true;
}

/* Not even our script's first line was run. */
static bool
judge_platform(const struct evidence *e, struct verdict *v)
{
	static const char *const words[] = { "exec format error", NULL };
	const char *why = e->step != STEP_NONE ? NULL :
	    says(e->error, words) != NULL ? e->error : find(&e->tail, words);

	if (why == NULL)
		return false;
	v->cause = CIC_CAUSE_PLATFORM;
	v->words = "this host cannot run programs of that platform";
	v->why = why;
	v->tail = &e->tail;
	return true;
}

/* --- what lies behind it -------------------------------------------------- */

/* The line by which the decisive output says so, or NULL. */
static const char *
decisive(const struct evidence *e, const struct verdict *v,
    const char *const *words)
{
	if (says(e->error, words) != NULL)
		return e->error;
	if (says(v->why, words) != NULL)
		return v->why;
	return v->tail != NULL ? find(v->tail, words) : NULL;
}

static const char *
killed_line(const struct evidence *e, const struct verdict *v)
{
	const char *line;
	unsigned i;

	if (e->log_killed[0] != '\0' && v->cause == CIC_CAUSE_SPACK_PACKAGE)
		return e->log_killed;
	for (i = 0; v->tail != NULL && (line = tail_line(v->tail, i)) != NULL;
	    i++)
		if (evidence_says_killed(line))
			return line;
	line = decisive(e, v, memory_words);
	if (line == NULL && e->status == KILLED_STATUS)
		line = v->why != NULL ? v->why : e->error;
	return line;
}

/* --- words for people ----------------------------------------------------- */

static void
say(struct failure *f, const char *prefix, const struct verdict *v,
    const char *suffix)
{
	char text[CIC_MESSAGE_MAX * 4];

	snprintf(text, sizeof(text), "%s%s%s%.600s%s", prefix, v->words,
	    v->why != NULL && v->why[0] != '\0' ? ": " : "",
	    v->why != NULL ? v->why : "", suffix);
	logline_copy(f->sentence, sizeof(f->sentence), text);
}

static void
show(struct failure *f, const struct verdict *v)
{
	struct quote lines = { .len = 0 };
	const char *line;
	unsigned i;

	if (v->quote != NULL)
		lines = *v->quote;
	for (i = EXCERPT_TAIL; v->quote == NULL && v->tail != NULL && i-- > 0;)
		if ((line = tail_line(v->tail, i)) != NULL)
			quote_add(&lines, line);
	if (lines.lines == 0 && v->why != NULL)
		quote_add(&lines, v->why);
	memcpy(f->excerpt, lines.text, lines.len + 1);
}

static void
conclude(const struct evidence *e, struct verdict *v, struct failure *f)
{
	const char *line, *prefix = "", *suffix = "";
	char text[EVIDENCE_LINE * 2];

	f->cause = v->cause;
	show(f, v);
	if ((line = decisive(e, v, disk_words)) != NULL) {
		f->cause = CIC_CAUSE_DISK;
		prefix = "the disk is full: ";
		v->why = line;
	} else if ((line = killed_line(e, v)) != NULL) {
		f->cause = CIC_CAUSE_MEMORY;
		prefix = "out of memory: ";
		v->why = line;
	} else if ((line = decisive(e, v, network_words)) != NULL &&
	    strstr(line, " 404 ") == NULL) {
		snprintf(text, sizeof(text), line == v->why ?
		    " (a server could not be reached)" :
		    " (a server could not be reached: %.200s)",
		    says(line, network_words));
		suffix = text;
	}
	f->no_process = decisive(e, v, process_words) != NULL;
	say(f, prefix, v, suffix);
}

void
failure_of_log(int fd, off_t start, const char *fallback, struct failure *f)
{
	struct evidence *e = evidence_read(fd, start);
	struct verdict v = { .cause = CIC_CAUSE_IMAGE_BUILD };

	*f = (struct failure){ .cause = v.cause, .vertex = -1 };
	snprintf(f->sentence, sizeof(f->sentence), "%s", fallback);
	if (e == NULL)
		return;
	if (judge_engine(e, &v)) {
		f->cause = v.cause;
		show(f, &v);
		say(f, "", &v, "");
	} else {
		if (!judge_base(e, &v) && !judge_platform(e, &v))
			judge_step(e, fallback, &v);
		conclude(e, &v, f);
	}
	if (e->step == STEP_SPACK) {
		strcpy(f->package, e->package);
		f->log_start = e->log_start;
		f->log_end = e->log_end;
		f->vertex = e->vertex;
	}
	free(e);
}

void
failure_of_transfer(int fd, off_t start, const char *fallback,
    enum cic_cause cause, struct failure *f)
{
	failure_of_log(fd, start, fallback, f);
	if (f->cause == CIC_CAUSE_IMAGE_BUILD)
		f->cause = cause;
}

void
failure_of_push(int fd, off_t start, const char *fallback, struct failure *f)
{
	/* what registries say through docker and podman */
	static const char *const refusals[] = { "denied", "unauthorized",
	    "authentication", "auth credentials", "invalid username/password",
	    "orbidden", ": 401 ", ": 403 ", NULL };
	size_t i;

	failure_of_transfer(fd, start, fallback, CIC_CAUSE_REGISTRY, f);
	for (i = 0; f->cause == CIC_CAUSE_REGISTRY && refusals[i] != NULL; i++)
		if (strstr(f->sentence, refusals[i]) != NULL)
			f->cause = CIC_CAUSE_PUSH;
}

/* --- the package's own log ------------------------------------------------ */

struct saved {
	struct cic_buf	text;
	int		vertex;
};

static void
save_line(const struct logline *line, void *arg)
{
	struct saved *s = arg;

	if (line->event || (s->vertex >= 0 && line->vertex != s->vertex))
		return;
	cic_buf_puts(&s->text, line->text);
	cic_buf_putc(&s->text, '\n');
}

int
failure_save_log(const struct failure *f, int fd, const char *path,
    struct cic_err *err)
{
	struct saved s = { .vertex = f->vertex };
	struct loglines *lines;
	int rc;

	unlink(path);	/* of an earlier start */
	if (f->log_start == 0 || f->log_end <= f->log_start)
		return 0;
	lines = malloc(sizeof(*lines));
	if (lines == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	cic_buf_init(&s.text, PACKAGE_LOG_MAX);
	loglines_init(lines, f->log_start, save_line, &s);
	loglines_read(lines, fd, f->log_end - f->log_start);
	loglines_end(lines);
	free(lines);
	/* what is longer than that is still in the build's log */
	rc = cic_write_new_file(path, s.text.data, s.text.len, 0640, err);
	cic_buf_release(&s.text);
	return rc;
}
