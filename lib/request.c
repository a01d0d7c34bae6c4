/* A build request; see request.h. */
#include "request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "json.h"

#define LETTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"
#define NAMED_PROFILES	10	/* in a message */

/* A set of bytes a field may hold, and what its first byte may be. */
struct grammar {
	const char *first, *rest, *words;
};

static const struct grammar name_grammar = {
	LETTERS DIGITS, LETTERS DIGITS "._-",
	"letters, digits, '.', '_' and '-', the first a letter or digit",
};
static const struct grammar word_grammar = {
	LETTERS DIGITS, LETTERS DIGITS "._-/",
	"letters, digits, '.', '_', '-' and '/'",
};
static const struct grammar version_grammar = {
	LETTERS DIGITS "_", LETTERS DIGITS "._-/+@#=,%!",
	"a git branch, tag or commit name",
};
static const struct grammar spec_grammar = {
	LETTERS, LETTERS DIGITS "._@+~=:,%^/ -",
	"one Spack spec: letters, digits and ._@+~=:,%^/ -, the first a letter",
};

static const char *const request_keys[] = { "machine", "workflow", "step_id",
	"version", "force", "push", "path", NULL };
static const char *const machine_keys[] = { "platform", "architecture",
	"container_engine", "mpi", "gpu", NULL };

static int
wrong_type(const char *field, const char *wanted, const struct cic_json *value,
    struct cic_err *err)
{
	if (value == NULL)
		return cic_err_set(err, CIC_EINVAL, "%s: missing; it must be %s",
		    field, wanted);
	return cic_err_set(err, CIC_EINVAL, "%s: must be %s, not %s", field,
	    wanted, cic_json_type_name(value));
}

static int
check_grammar(const char *field, const char *text, const struct grammar *g,
    struct cic_err *err)
{
	size_t ok = strspn(text, g->rest);

	if (text[0] != '\0' && strchr(g->first, text[0]) == NULL)
		ok = 0;
	if (text[ok] != '\0') {
		unsigned char c = (unsigned char)text[ok];

		if (c < 0x21 || c > 0x7e)
			return cic_err_set(err, CIC_EINVAL,
			    "%s: byte 0x%02x at position %zu is not allowed; "
			    "%s are", field, c, ok + 1, g->words);
		return cic_err_set(err, CIC_EINVAL,
		    "%s: '%c' at position %zu is not allowed; %s are", field, c,
		    ok + 1, g->words);
	}
	return 0;
}

/*
 * Read a string member into `out` of `size` bytes.  Absent, null and "" give
 * `otherwise`, or an error when that is NULL.
 */
static int
read_string(const struct cic_json *object, const char *key, const char *field,
    const struct grammar *g, const char *otherwise, char *out, size_t size,
    struct cic_err *err)
{
	const struct cic_json *value = cic_json_get(object, key);
	const char *text = cic_json_string(value);

	if (value != NULL && text == NULL &&
	    !(cic_json_type(value) == CIC_JSON_NULL && otherwise != NULL))
		return wrong_type(field, "a string", value, err);
	if (text == NULL || text[0] == '\0') {
		if (otherwise == NULL)
			return value == NULL ?
			    wrong_type(field, "a string", NULL, err) :
			    cic_err_set(err, CIC_EINVAL, "%s: is empty", field);
		text = otherwise;
	}
	if (strlen(text) >= size)
		return cic_err_set(err, CIC_EINVAL,
		    "%s: longer than %zu bytes", field, size - 1);
	if (check_grammar(field, text, g, err) != 0)
		return -1;
	snprintf(out, size, "%s", text);
	return 0;
}

/* JSON bool, or that word as a string in any case, as old clients send it. */
static int
read_bool(const struct cic_json *object, const char *key, bool *out,
    bool *given, struct cic_err *err)
{
	const struct cic_json *value = cic_json_get(object, key);
	const char *text = cic_json_string(value);

	*out = false;
	*given = false;
	if (value == NULL || cic_json_type(value) == CIC_JSON_NULL ||
	    (text != NULL && text[0] == '\0'))
		return 0;
	*given = true;
	if (cic_json_type(value) == CIC_JSON_BOOL)
		*out = cic_json_bool(value);
	else if (text != NULL && strcasecmp(text, "true") == 0)
		*out = true;
	else if (text == NULL || strcasecmp(text, "false") != 0)
		return wrong_type(key, "true or false", value, err);
	return 0;
}

/* git's own rules for a ref name, as far as the grammar leaves them open. */
static int
check_version(const char *version, struct cic_err *err)
{
	size_t len = strlen(version);

	if (strstr(version, "..") != NULL || strstr(version, "//") != NULL ||
	    strstr(version, "@{") != NULL || strstr(version, "/.") != NULL ||
	    strstr(version, ".lock/") != NULL || version[len - 1] == '/' ||
	    version[len - 1] == '.' ||
	    (len >= 5 && strcmp(version + len - 5, ".lock") == 0))
		return cic_err_set(err, CIC_EINVAL,
		    "version: \"%s\" is not a git branch, tag or commit name",
		    version);
	return 0;
}

static int
read_container(const struct cic_json *machine, enum cic_container *out,
    struct cic_err *err)
{
	static const char *const known[] = { "singularity", "apptainer",
	    "docker", NULL };
	char word[CIC_ARCH_MAX];

	if (read_string(machine, "container_engine", "machine.container_engine",
	    &word_grammar, "singularity", word, sizeof(word), err) != 0)
		return -1;
	if (strcmp(word, "singularity") == 0 || strcmp(word, "apptainer") == 0)
		*out = CIC_SINGULARITY;
	else if (strcmp(word, "docker") == 0)
		*out = CIC_DOCKER;
	else
		return cic_unknown_word("machine.container_engine", word, known,
		    err);
	return 0;
}

/* "Version" is not `version`, yet its sender meant it: ignoring it would build
 * something else. */
static int
check_case(const struct cic_json *object, const char *prefix,
    const char *const *known, struct cic_err *err)
{
	const struct cic_json *member = cic_json_first(object);
	size_t i;

	for (; member != NULL; member = cic_json_next(member))
		for (i = 0; known[i] != NULL; i++)
			if (strcasecmp(cic_json_key(member), known[i]) == 0 &&
			    strcmp(cic_json_key(member), known[i]) != 0)
				return cic_err_set(err, CIC_EINVAL,
				    "%s%s: the key is written %s", prefix,
				    cic_json_key(member), known[i]);
	return 0;
}

static int
read_machine_object(const struct cic_json *machine,
    const struct cic_request_site *site, struct cic_request *r,
    struct cic_err *err)
{
	if (machine == NULL || cic_json_type(machine) != CIC_JSON_OBJECT)
		return wrong_type("machine", "an object", machine, err);
	if (check_case(machine, "machine.", machine_keys, err) != 0 ||
	    read_string(machine, "platform", "machine.platform", &word_grammar,
	    site->default_platform, r->platform, sizeof(r->platform), err) != 0 ||
	    cic_arch_check_platform(r->platform, err) != 0 ||
	    read_string(machine, "architecture", "machine.architecture",
	    &word_grammar, NULL, r->architecture, sizeof(r->architecture),
	    err) != 0 ||
	    cic_arch_check(r->architecture, err) != 0)
		return -1;
	snprintf(r->target, sizeof(r->target), "%s",
	    cic_arch_target(r->architecture));
	if (cic_arch_fits(r->target, r->platform, err) != 0)
		return -1;
	if (read_container(machine, &r->container, err) != 0 ||
	    read_string(machine, "mpi", "machine.mpi", &spec_grammar, "",
	    r->mpi, sizeof(r->mpi), err) != 0 ||
	    read_string(machine, "gpu", "machine.gpu", &spec_grammar, "",
	    r->gpu, sizeof(r->gpu), err) != 0)
		return -1;
	return 0;
}

static int
no_such_profile(const char *name, const struct cic_request_site *site,
    struct cic_err *err)
{
	struct cic_buf names;
	int i;

	cic_buf_init(&names, 1000);
	for (i = 0; i < site->profile_count && i < NAMED_PROFILES; i++)
		cic_buf_printf(&names, "%s%s", i > 0 ? ", " : "",
		    site->profiles[i].name);
	if (i < site->profile_count)
		cic_buf_puts(&names, ", …");
	cic_err_set(err, CIC_EINVAL, "machine: there is no machine \"%.64s\"; "
	    "there %s %s", name, site->profile_count > 1 ? "are" : "is",
	    names.data);
	cic_buf_release(&names);
	return -1;
}

/* A machine by the name that the site gives it. */
static int
read_profile(const char *name, const struct cic_request_site *site,
    struct cic_request *r, struct cic_err *err)
{
	struct cic_json *machine;
	int i, rc;

	for (i = 0; i < site->profile_count; i++)
		if (strcmp(site->profiles[i].name, name) == 0)
			break;
	if (i == site->profile_count)
		return no_such_profile(name, site, err);
	machine = cic_json_parse(site->profiles[i].machine,
	    strlen(site->profiles[i].machine), err);
	rc = machine == NULL ? -1 : read_machine_object(machine, site, r, err);
	cic_json_free(machine);
	return rc;
}

static int
read_machine(const struct cic_json *machine,
    const struct cic_request_site *site, struct cic_request *r,
    struct cic_err *err)
{
	const char *name = cic_json_string(machine);

	return name != NULL && site->profile_count > 0 ?
	    read_profile(name, site, r, err) :
	    read_machine_object(machine, site, r, err);
}

/* Absent, an image is pushed where there is a registry, as it always was. */
static int
read_push(const struct cic_json *json, const struct cic_request_site *site,
    struct cic_request *r, struct cic_err *err)
{
	bool given;

	if (read_bool(json, "push", &r->push, &given, err) != 0)
		return -1;
	if (!given)
		r->push = site->has_registry;
	if (r->push && !site->has_registry)
		return cic_err_set(err, CIC_EINVAL,
		    "push: true, but this service has no container registry");
	return 0;
}

/* The local folder of a step. */
static int
read_path(const struct cic_json *json, const struct cic_request_site *site,
    struct cic_request *r, struct cic_err *err)
{
	const struct cic_json *value = cic_json_get(json, "path");
	const char *text = cic_json_string(value);

	if (value == NULL)
		return 0;
	if (!site->has_path)
		return cic_err_set(err, CIC_EINVAL,
		    "path: a local folder works with cic-build on your own "
		    "machine, not through the service");
	if (text == NULL)
		return wrong_type("path", "a string", value, err);
	if (text[0] == '\0' || strlen(text) >= sizeof(r->path))
		return cic_err_set(err, CIC_EINVAL,
		    "path: must have 1 to %zu bytes", sizeof(r->path) - 1);
	snprintf(r->path, sizeof(r->path), "%s", text);
	return 0;
}

static int
read_request(const struct cic_json *json, const struct cic_request_site *site,
    struct cic_request *r, struct cic_err *err)
{
	bool given;

	if (cic_json_type(json) != CIC_JSON_OBJECT)
		return cic_err_set(err, CIC_EINVAL,
		    "the body must be a JSON object, not %s",
		    cic_json_type_name(json));
	if (check_case(json, "", request_keys, err) != 0 ||
	    read_machine(cic_json_get(json, "machine"), site, r, err) != 0 ||
	    read_string(json, "workflow", "workflow", &name_grammar, NULL,
	    r->workflow, sizeof(r->workflow), err) != 0 ||
	    read_string(json, "step_id", "step_id", &name_grammar, NULL,
	    r->step, sizeof(r->step), err) != 0 ||
	    read_string(json, "version", "version", &version_grammar, "latest",
	    r->version, sizeof(r->version), err) != 0 ||
	    check_version(r->version, err) != 0 ||
	    read_bool(json, "force", &r->force, &given, err) != 0 ||
	    read_push(json, site, r, err) != 0 ||
	    read_path(json, site, r, err) != 0)
		return -1;
	return 0;
}

int
cic_request_parse(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_request *request,
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(text, len, err);
	struct cic_request r = { .force = false };
	int rc;

	if (json == NULL)
		return cic_err_wrap(err, "the body is not JSON");
	rc = read_request(json, site, &r, err);
	cic_json_free(json);
	if (rc == 0)
		*request = r;
	return rc;
}

static void
print_machine(struct cic_buf *buf, const struct cic_request *r)
{
	cic_buf_puts(buf, "{\"platform\":");
	cic_json_quote(buf, r->platform);
	cic_buf_puts(buf, ",\"architecture\":");
	cic_json_quote(buf, r->architecture);
	cic_buf_puts(buf, ",\"container_engine\":");
	cic_json_quote(buf,
	    r->container == CIC_DOCKER ? "docker" : "singularity");
	cic_buf_puts(buf, ",\"mpi\":");
	cic_json_quote(buf, r->mpi);
	cic_buf_puts(buf, ",\"gpu\":");
	cic_json_quote(buf, r->gpu);
	cic_buf_putc(buf, '}');
}

int
cic_request_check_machine(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_buf *canonical,
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(text, len, err);
	struct cic_request r = { .force = false };
	int rc;

	if (json == NULL)
		return -1;
	rc = read_machine_object(json, site, &r, err);
	cic_json_free(json);
	if (rc == 0)
		print_machine(canonical, &r);
	return rc;
}

bool
cic_request_is_name(const char *text)
{
	struct cic_err ignored;

	return text[0] != '\0' && strlen(text) < CIC_NAME_MAX &&
	    check_grammar("", text, &name_grammar, &ignored) == 0;
}

bool
cic_request_is_version(const char *text)
{
	struct cic_err ignored;

	return text[0] != '\0' && strlen(text) < CIC_VERSION_MAX &&
	    check_grammar("", text, &version_grammar, &ignored) == 0 &&
	    check_version(text, &ignored) == 0;
}

void
cic_request_print(struct cic_buf *buf, const struct cic_request *r)
{
	cic_buf_puts(buf, "{\"workflow\":");
	cic_json_quote(buf, r->workflow);
	cic_buf_puts(buf, ",\"step_id\":");
	cic_json_quote(buf, r->step);
	cic_buf_puts(buf, ",\"version\":");
	cic_json_quote(buf, r->version);
	cic_buf_puts(buf, ",\"machine\":");
	print_machine(buf, r);
	cic_buf_printf(buf, ",\"force\":%s,\"push\":%s}",
	    r->force ? "true" : "false", r->push ? "true" : "false");
}

bool
cic_request_is_base(const struct cic_request *request)
{
	return strcmp(request->workflow, "BASE") == 0 &&
	    strcmp(request->step, "BASE") == 0;
}

void
cic_request_key(const struct cic_request *request, unsigned char key[32])
{
	struct cic_buf text;

	cic_buf_init(&text, 8192);
	cic_request_print(&text, request);
	cic_digest_raw(text.data, text.len, key);
	cic_buf_release(&text);
}

void
cic_request_identity(const struct cic_request *r, unsigned char identity[32])
{
	const char *fields[] = { r->workflow, r->step, r->version, r->platform,
	    r->architecture, r->mpi, r->gpu };
	struct cic_buf text;
	size_t i;

	cic_buf_init(&text, 8192);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		cic_buf_add(&text, fields[i], strlen(fields[i]) + 1);
	cic_digest_raw(text.data, text.len, identity);
	cic_buf_release(&text);
}
