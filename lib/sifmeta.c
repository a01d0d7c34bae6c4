/* Texts made from an image's configuration; see sifmeta.h. */
#include "sifmeta.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "sifmeta_files.h"

#define LABEL	"org.label-schema."

/* The parts of the configuration that are used; all borrowed from the tree,
 * NULL when absent. */
struct config {
	const struct cic_json *all;	/* the object Config */
	const struct cic_json *entrypoint, *cmd, *env, *labels;
	const char	*arch, *created;
};

/* --- reading ------------------------------------------------------------ */

/* A member that may be absent or null, but of no other type than `type`. */
static int
member(const struct cic_json *json, const char *key, enum cic_json_type type,
    const struct cic_json **out, struct cic_err *err)
{
	const struct cic_json *v = cic_json_get(json, key);

	*out = NULL;
	if (v == NULL || cic_json_type(v) == CIC_JSON_NULL)
		return 0;
	if (cic_json_type(v) != type)
		return cic_err_set(err, CIC_EINVAL, "image configuration: "
		    "%s is %s", key, cic_json_type_name(v));
	*out = v;
	return 0;
}

/* Every child of an array or object must be a string. */
static int
strings(const struct cic_json *json, const char *key, struct cic_err *err)
{
	const struct cic_json *v;

	for (v = cic_json_first(json); v != NULL; v = cic_json_next(v)) {
		if (cic_json_type(v) != CIC_JSON_STRING)
			return cic_err_set(err, CIC_EINVAL, "image configuration: "
			    "%s holds %s", key, cic_json_type_name(v));
	}
	return 0;
}

static int
string_list(const struct cic_json *json, const char *key,
    enum cic_json_type type, const struct cic_json **out, struct cic_err *err)
{
	if (member(json, key, type, out, err) == -1)
		return -1;
	return *out == NULL ? 0 : strings(*out, key, err);
}

static int
read_config(const struct cic_json *json, struct config *c, struct cic_err *err)
{
	const struct cic_json *arch, *created;

	*c = (struct config){ .all = NULL };
	if (cic_json_type(json) != CIC_JSON_OBJECT)
		return cic_err_set(err, CIC_EINVAL,
		    "image configuration: %s", cic_json_type_name(json));
	if (member(json, "Architecture", CIC_JSON_STRING, &arch, err) == -1 ||
	    member(json, "Created", CIC_JSON_STRING, &created, err) == -1 ||
	    member(json, "Config", CIC_JSON_OBJECT, &c->all, err) == -1)
		return -1;
	c->arch = cic_json_string(arch);
	c->created = cic_json_string(created);
	if (c->all == NULL)
		return 0;
	if (string_list(c->all, "Entrypoint", CIC_JSON_ARRAY, &c->entrypoint,
	    err) == -1 ||
	    string_list(c->all, "Cmd", CIC_JSON_ARRAY, &c->cmd, err) == -1 ||
	    string_list(c->all, "Env", CIC_JSON_ARRAY, &c->env, err) == -1)
		return -1;
	return string_list(c->all, "Labels", CIC_JSON_OBJECT, &c->labels, err);
}

/* RFC 3339: "2026-01-31T12:34:56[.fraction](Z|+hh:mm)", times outside 32 bits
 * moved in.  Engines write 0001-01-01 for "unknown". */
static int
parse_time(const char *s, uint32_t *out, struct cic_err *err)
{
	struct tm tm = { .tm_isdst = 0 };
	int hours = 0, minutes = 0;
	char sign = 'Z';
	const char *p;
	int64_t t;

	p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (p != NULL && *p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (p != NULL && (*p == '+' || *p == '-')) {
		sign = *p;
		if (sscanf(p + 1, "%2d:%2d", &hours, &minutes) != 2 ||
		    strlen(p) != 6)
			p = NULL;
	} else if (p != NULL && strcmp(p, "Z") != 0)
		p = NULL;
	if (p == NULL)
		return cic_err_set(err, CIC_EINVAL,
		    "image configuration: Created is not a time of RFC 3339");
	t = (int64_t)timegm(&tm);
	t -= (sign == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
	*out = t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
	return 0;
}

/* --- shell -------------------------------------------------------------- */

/* What means something inside double quotes gets a backslash. */
static void
add_quoted(struct cic_buf *b, const char *s)
{
	cic_buf_putc(b, '"');
	for (; *s != '\0'; s++) {
		if (strchr("\\\"`$", *s) != NULL)
			cic_buf_putc(b, '\\');
		cic_buf_putc(b, *s);
	}
	cic_buf_putc(b, '"');
}

/* 'text', with its own quotes as '"'"'. */
static void
add_literal(struct cic_buf *b, const char *text)
{
	cic_buf_putc(b, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			cic_buf_puts(b, "'\"'\"'");
		else
			cic_buf_putc(b, *text);
	}
	cic_buf_putc(b, '\'');
}

/* NAME='"word" "word"': each word quoted once for eval, all of them once more
 * for the assignment. */
static void
add_words(struct cic_buf *b, const char *name, const struct cic_json *list)
{
	const struct cic_json *v;
	struct cic_buf words;

	cic_buf_init(&words, CIC_SIFMETA_TEXT);
	for (v = cic_json_first(list); v != NULL; v = cic_json_next(v)) {
		if (words.len > 0)
			cic_buf_putc(&words, ' ');
		add_quoted(&words, cic_json_string(v));
	}
	cic_buf_printf(b, "%s=", name);
	add_literal(b, words.data);
	cic_buf_putc(b, '\n');
	b->failed = b->failed || words.failed;
	cic_buf_release(&words);
}

/* The words of a list after what stands there, each as it is. */
static void
add_literals(struct cic_buf *b, const struct cic_json *list)
{
	const struct cic_json *v;

	for (v = cic_json_first(list); v != NULL; v = cic_json_next(v)) {
		cic_buf_putc(b, ' ');
		add_literal(b, cic_json_string(v));
	}
}

/* What SINGULARITY_NO_EVAL asks for: no word is looked at by a shell again. */
static void
add_no_eval(struct cic_buf *b, const struct config *c)
{
	cic_buf_puts(b, "if [ -n \"$SINGULARITY_NO_EVAL\" ]; then\n"
	    "\tif [ $# -gt 0 ]; then\n\t\tset --");
	add_literals(b, c->entrypoint);
	cic_buf_puts(b, " \"$@\"\n\telse\n\t\tset --");
	add_literals(b, c->entrypoint);
	add_literals(b, c->cmd);
	cic_buf_puts(b, "\n\tfi\n"
	    "\t[ $# -gt 0 ] || set -- /bin/sh\n"
	    "\texec \"$@\"\n"
	    "fi\n");
}

/*
 * Words given replace Cmd.  As in the runtimes' own images they are evaluated
 * once more ("$HOME" is the container's), which people rely on.
 *
 * The last two lines are what runtimes recognise: they then run the script in
 * a shell of their own, so that it works in images without one.
 */
static void
make_runscript(struct cic_buf *b, const struct config *c)
{
	cic_buf_puts(b, "#!/bin/sh\n");
	add_words(b, "OCI_ENTRYPOINT", c->entrypoint);
	add_words(b, "OCI_CMD", c->cmd);
	add_no_eval(b, c);
	cic_buf_puts(b,
	    "CMDLINE_ARGS=''\n"
	    "for arg in \"$@\"; do\n"
	    "\tCMDLINE_ARGS=\"${CMDLINE_ARGS} \\\"$arg\\\"\"\n"
	    "done\n"
	    "if [ $# -gt 0 ]; then\n"
	    "\tSINGULARITY_OCI_RUN=\"-- ${OCI_ENTRYPOINT} ${CMDLINE_ARGS}\"\n"
	    "elif [ -n \"${OCI_ENTRYPOINT}${OCI_CMD}\" ]; then\n"
	    "\tSINGULARITY_OCI_RUN=\"-- ${OCI_ENTRYPOINT} ${OCI_CMD}\"\n"
	    "else\n"
	    "\tSINGULARITY_OCI_RUN=\"-- /bin/sh\"\n"
	    "fi\n"
	    "eval \"set ${SINGULARITY_OCI_RUN}\"\n"
	    "exec \"$@\"\n");
}

/* Bytes of the shell name that `s` begins with, 0 if it begins with none. */
static size_t
shell_name(const char *s)
{
	static const char letters[] = "_abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strspn(s, letters);

	return *s >= '0' && *s <= '9' ? 0 : n;
}

static void
add_export(struct cic_buf *b, const char *entry)
{
	size_t len = shell_name(entry);
	int n = (int)len;

	if (len == 0 || len > 65536 || (entry[len] != '=' && entry[len] != '\0'))
		return;
	if (entry[len] == '\0') {
		cic_buf_printf(b, "export %.*s=\"${%.*s:-}\"\n", n, entry, n, entry);
		return;
	}
	if (len == 4 && memcmp(entry, "PATH", 4) == 0)
		cic_buf_puts(b, "export PATH=");
	else
		cic_buf_printf(b, "export %.*s=\"${%.*s:-", n, entry, n, entry);
	add_quoted(b, entry + len + 1);
	cic_buf_puts(b, len == 4 && memcmp(entry, "PATH", 4) == 0 ? "\n" : "}\"\n");
}

static void
make_env(struct cic_buf *b, const struct config *c)
{
	const struct cic_json *v;

	cic_buf_puts(b, "#!/bin/sh\n");
	for (v = cic_json_first(c->env); v != NULL; v = cic_json_next(v))
		add_export(b, cic_json_string(v));
}

/* --- JSON --------------------------------------------------------------- */

struct label {
	const char	*key, *value;
};

static void
add_pair(struct cic_buf *b, const char *key, const char *value)
{
	if (b->len > 0 && b->data[b->len - 1] != '{')
		cic_buf_putc(b, ',');
	cic_json_quote(b, key);
	cic_buf_putc(b, ':');
	cic_json_quote(b, value);
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(cic_json_key(*(const struct cic_json *const *)a),
	    cic_json_key(*(const struct cic_json *const *)b));
}

/* The members of an object sorted by name, as every engine shows them in the
 * end; *n of them, to be freed.  NULL when out of memory. */
static const struct cic_json **
sorted(const struct cic_json *object, size_t *n)
{
	const struct cic_json *v, **list;
	size_t i = 0;

	*n = 0;
	for (v = cic_json_first(object); v != NULL; v = cic_json_next(v))
		++*n;
	list = malloc((*n + 1) * sizeof(*list));
	if (list == NULL)
		return NULL;
	for (v = cic_json_first(object); v != NULL; v = cic_json_next(v))
		list[i++] = v;
	qsort(list, *n, sizeof(*list), by_key);
	return list;
}

/* The image's labels and the build's; of two equal ones the build's. */
static void
make_labels(struct cic_buf *b, const struct config *c, const char *scheme,
    const char *reference)
{
	const struct label ours[] = {
		{ LABEL "build-arch", c->arch },
		{ LABEL "build-date", c->created },
		{ LABEL "schema-version", "1.0" },
		{ LABEL "usage.singularity.deffile.bootstrap", scheme },
		{ LABEL "usage.singularity.deffile.from", reference },
	};
	const size_t n = sizeof(ours) / sizeof(ours[0]);
	const struct cic_json **label;
	size_t i, k, count;

	label = sorted(c->labels, &count);
	b->failed = b->failed || label == NULL;
	cic_buf_putc(b, '{');
	for (k = 0; label != NULL && k < count; k++) {
		for (i = 0; i < n; i++) {
			if (strcmp(cic_json_key(label[k]), ours[i].key) == 0)
				break;
		}
		if (i == n)
			add_pair(b, cic_json_key(label[k]),
			    cic_json_string(label[k]));
	}
	for (i = 0; i < n; i++) {
		if (ours[i].value != NULL)
			add_pair(b, ours[i].key, ours[i].value);
	}
	cic_buf_putc(b, '}');
	free(label);
}

/* A value with the members of its objects sorted.  As deep as json.h allows. */
static void
print_sorted(struct cic_buf *b, const struct cic_json *json)
{
	const struct cic_json **member;
	size_t i, n;

	if (cic_json_type(json) != CIC_JSON_OBJECT) {
		cic_json_print(b, json);
		return;
	}
	member = sorted(json, &n);
	b->failed = b->failed || member == NULL;
	cic_buf_putc(b, '{');
	for (i = 0; member != NULL && i < n; i++) {
		cic_buf_puts(b, i > 0 ? "," : "");
		cic_json_quote(b, cic_json_key(member[i]));
		cic_buf_putc(b, ':');
		print_sorted(b, member[i]);
	}
	cic_buf_putc(b, '}');
	free(member);
}

static bool
is_empty(const struct cic_json *json)
{
	switch (json == NULL ? CIC_JSON_NULL : cic_json_type(json)) {
	case CIC_JSON_NULL:
		return true;
	case CIC_JSON_BOOL:
		return !cic_json_bool(json);
	case CIC_JSON_STRING:
		return *cic_json_string(json) == '\0';
	case CIC_JSON_ARRAY:
	case CIC_JSON_OBJECT:
		return cic_json_first(json) == NULL;
	default:
		return false;
	}
}

/*
 * The image's configuration as the OCI image specification (config.md) has it,
 * in the order of its Go type, empty members left out: engines show members of
 * their own, and not the same ones.
 */
static void
make_oci(struct cic_buf *b, const struct cic_json *config)
{
	static const char *const known[] = { "User", "ExposedPorts", "Env",
	    "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
	    "ArgsEscaped" };
	const struct cic_json *v;
	size_t i, n = 0;

	cic_buf_putc(b, '{');
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		v = cic_json_get(config, known[i]);
		if (is_empty(v))
			continue;
		cic_buf_printf(b, "%s\"%s\":", n++ > 0 ? "," : "", known[i]);
		print_sorted(b, v);
	}
	cic_buf_putc(b, '}');
}

/* `inspect` prints the end of the last line itself. */
static void
add_text(struct cic_buf *b, const char *key, const char *text)
{
	size_t len = strlen(text);
	char *cut;

	while (len > 0 && text[len - 1] == '\n')
		len--;
	cut = strndup(text, len);
	if (cut == NULL)
		b->failed = true;
	else
		add_pair(b, key, cut);
	free(cut);
}

static void
make_inspect(struct cic_buf *b, const struct cic_sifmeta *meta)
{
	cic_buf_puts(b, "{\"data\":{\"attributes\":{\"environment\":{");
	add_text(b, "/" CIC_META_ENV, meta->env);
	add_text(b, "/.singularity.d/env/90-environment.sh", cic_sifmeta_environment);
	cic_buf_printf(b, "},\"labels\":%s", meta->labels);
	add_text(b, "runscript", meta->runscript);
	add_text(b, "deffile", meta->definition);
	add_text(b, "startscript", cic_sifmeta_startscript);
	cic_buf_puts(b, "}},\"type\":\"container\"}");
}

/* --- all of it ---------------------------------------------------------- */

/* What was built in `b`, handed out; the buffer is empty after. */
static int
take(struct cic_buf *b, char **out, struct cic_err *err)
{
	*out = cic_buf_detach(b);
	if (*out == NULL)
		return cic_err_set(err, CIC_EINVAL, "image configuration: "
		    "its texts need more than %u MiB", CIC_SIFMETA_TEXT >> 20);
	return 0;
}

static int
make_texts(const struct config *c, const char *scheme, const char *reference,
    struct cic_sifmeta *m, struct cic_err *err)
{
	struct cic_buf b;
	int r = -1;

	cic_buf_init(&b, CIC_SIFMETA_TEXT);
	cic_buf_puts(&b, c->arch == NULL ? "" : c->arch);
	if (take(&b, &m->arch, err) == -1)
		goto out;
	make_runscript(&b, c);
	if (take(&b, &m->runscript, err) == -1)
		goto out;
	make_env(&b, c);
	if (take(&b, &m->env, err) == -1)
		goto out;
	make_labels(&b, c, scheme, reference);
	if (take(&b, &m->labels, err) == -1)
		goto out;
	cic_buf_printf(&b, "bootstrap: %s\nfrom: %s\n\n", scheme, reference);
	if (take(&b, &m->definition, err) == -1)
		goto out;
	make_inspect(&b, m);
	if (take(&b, &m->inspect, err) == -1)
		goto out;
	make_oci(&b, c->all);
	r = take(&b, &m->oci, err);
out:
	cic_buf_release(&b);
	return r;
}

static int
check_line(const char *what, const char *s, struct cic_err *err)
{
	const char *p;

	for (p = s; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			break;
	}
	if (*s == '\0' || *p != '\0')
		return cic_err_set(err, CIC_EINVAL, "the image's %s is empty or "
		    "holds a control character", what);
	return 0;
}

int
cic_sifmeta_make(const char *config_json, const char *scheme,
    const char *reference, struct cic_sifmeta *meta, struct cic_err *err)
{
	struct cic_sifmeta m = { .created = 0 };
	struct cic_json *json;
	struct config c;
	int r = -1;

	if (check_line("scheme", scheme, err) == -1 ||
	    check_line("reference", reference, err) == -1)
		return -1;
	if (strlen(config_json) > CIC_SIFMETA_INPUT)
		return cic_err_set(err, CIC_EINVAL, "image configuration: over "
		    "%u MiB", CIC_SIFMETA_INPUT >> 20);
	json = cic_json_parse(config_json, strlen(config_json), err);
	if (json == NULL)
		return cic_err_wrap(err, "image configuration");
	if (read_config(json, &c, err) == 0 &&
	    (c.created == NULL || parse_time(c.created, &m.created, err) == 0))
		r = make_texts(&c, scheme, reference, &m, err);
	cic_json_free(json);
	if (r == 0)
		*meta = m;
	else
		cic_sifmeta_release(&m);
	return r;
}

void
cic_sifmeta_release(struct cic_sifmeta *meta)
{
	free(meta->arch);
	free(meta->runscript);
	free(meta->env);
	free(meta->labels);
	free(meta->definition);
	free(meta->inspect);
	free(meta->oci);
	*meta = (struct cic_sifmeta){ .created = 0 };
}
