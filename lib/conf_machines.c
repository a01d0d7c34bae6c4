/* Machines of the site; see conf_machines.h. */
#include "conf_machines.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "conf.h"
#include "conf_value.h"
#include "json.h"
#include "request.h"
#include "yaml.h"

#define MACHINES_MAX	256
#define NAME_MAX_BYTES	64
#define MACHINE_TEXT	4096	/* of one, as JSON */

#define LOWER	"abcdefghijklmnopqrstuvwxyz0123456789"

static const char *const keys[] = { "platform", "architecture",
	"container_engine", "mpi", "gpu", NULL };

struct load {
	struct cic_conf	*conf;
	const char	*path;
	struct cic_buf	*faults;
};

static void
fault(const struct load *load, unsigned line, const char *machine,
    const char *key, const char *what)
{
	cic_buf_printf(load->faults, "%s:%u: machines.%.64s%s%.64s: %s\n",
	    load->path, line, machine, key[0] != '\0' ? "." : "", key, what);
}

static bool
is_known(const char *key)
{
	size_t i;

	for (i = 0; keys[i] != NULL; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return strcmp(key, "description") == 0;
}

/* Every key is one we know, with a single value.  Returns whether it is so. */
static bool
check_keys(const struct load *load, const struct cic_yaml *machine)
{
	const struct cic_yaml *node;
	const char *what;
	bool good = true;

	if (machine->type != CIC_YAML_MAPPING) {
		fault(load, machine->line, machine->key, "",
		    "must hold keys, each on a line of its own");
		return false;
	}
	for (node = machine->first; node != NULL; node = node->next) {
		what = !is_known(node->key) ? "unknown key" :
		    node->type != CIC_YAML_SCALAR ? "must be a single value" :
		    cic_value_fault(TEXT, node->text, false);
		if (what == NULL)
			continue;
		fault(load, node->key_line, machine->key, node->key, what);
		good = false;
	}
	return good;
}

/* What a request would say, as JSON. */
static void
print_words(const struct cic_yaml *machine, struct cic_buf *out)
{
	const struct cic_yaml *node;
	size_t i;

	cic_buf_putc(out, '{');
	for (i = 0; keys[i] != NULL; i++) {
		node = cic_yaml_get(machine, keys[i]);
		if (node == NULL || cic_yaml_is_null(node))
			continue;
		cic_buf_puts(out, out->len > 1 ? "," : "");
		cic_json_quote(out, keys[i]);
		cic_buf_putc(out, ':');
		cic_json_quote(out, node->text);
	}
	cic_buf_putc(out, '}');
}

/* "machine.mpi: what" of a request, with the line where it stands here. */
static void
translate(const struct load *load, const struct cic_yaml *machine,
    const struct cic_err *err)
{
	const char *field = strncmp(err->msg, "machine.", 8) == 0 ?
	    err->msg + 8 : "";
	const char *colon = strstr(field, ": ");
	const struct cic_yaml *node = NULL;
	char key[32] = "";

	if (colon != NULL && (size_t)(colon - field) < sizeof(key)) {
		memcpy(key, field, (size_t)(colon - field));
		node = cic_yaml_get(machine, key);
	}
	fault(load, node != NULL ? node->key_line : machine->key_line,
	    machine->key, key, colon != NULL ? colon + 2 : err->msg);
}

static void
add(struct load *load, const struct cic_yaml *machine, const char *canonical)
{
	const struct cic_yaml *words = cic_yaml_get(machine, "description");
	struct cic_profile *profile =
	    &load->conf->machines[load->conf->machine_count++];

	*profile = (struct cic_profile){
		.name = strdup(machine->key),
		.description = strdup(words != NULL && !cic_yaml_is_null(words) ?
		    words->text : ""),
		.machine = strdup(canonical),
	};
	if (profile->name == NULL || profile->description == NULL ||
	    profile->machine == NULL)
		fault(load, machine->key_line, machine->key, "",
		    "out of memory");
}

static void
load_machine(struct load *load, const struct cic_yaml *machine)
{
	struct cic_request_site site = cic_conf_site(load->conf);
	struct cic_buf words, canonical;
	size_t len = strlen(machine->key);
	struct cic_err err;

	if (len == 0 || len > NAME_MAX_BYTES ||
	    strspn(machine->key, LOWER "._-") != len ||
	    strchr("._-", machine->key[0]) != NULL) {
		fault(load, machine->key_line, machine->key, "", "a name has 1 "
		    "to 64 lower-case letters, digits and ._-, the first a "
		    "letter or digit");
		return;
	}
	if (!check_keys(load, machine))
		return;
	cic_buf_init(&words, MACHINE_TEXT);
	cic_buf_init(&canonical, MACHINE_TEXT);
	print_words(machine, &words);
	if (words.failed)
		fault(load, machine->key_line, machine->key, "",
		    "longer than 4096 bytes");
	else if (cic_request_check_machine(words.data, words.len, &site,
	    &canonical, &err) != 0)
		translate(load, machine, &err);
	else
		add(load, machine, canonical.data);
	cic_buf_release(&words);
	cic_buf_release(&canonical);
}

void
cic_conf_machines_load(struct cic_conf *conf, const struct cic_yaml *group,
    const char *path, struct cic_buf *faults)
{
	struct load load = { .conf = conf, .path = path, .faults = faults };
	const struct cic_yaml *machine;
	int count = 0;

	if (cic_yaml_is_null(group))
		return;
	if (group->type != CIC_YAML_MAPPING) {
		cic_buf_printf(faults, "%s:%u: machines must hold names, each "
		    "on a line of its own\n", path, group->line);
		return;
	}
	conf->machines = calloc(MACHINES_MAX, sizeof(*conf->machines));
	if (conf->machines == NULL) {
		cic_buf_puts(faults, "out of memory\n");
		return;
	}
	for (machine = group->first; machine != NULL; machine = machine->next)
		if (count++ < MACHINES_MAX)
			load_machine(&load, machine);
		else {
			fault(&load, machine->key_line, machine->key, "",
			    "more than 256 machines");
			return;
		}
}

void
cic_conf_machines_free(struct cic_conf *conf)
{
	int i;

	for (i = 0; i < conf->machine_count; i++) {
		free(conf->machines[i].name);
		free(conf->machines[i].description);
		free(conf->machines[i].machine);
	}
	free(conf->machines);
}

static void
print_pair(const char *key, const char *text, FILE *out)
{
	struct cic_buf quoted;

	/* a JSON string is a YAML one, too */
	cic_buf_init(&quoted, 8192);
	cic_json_quote(&quoted, text);
	fprintf(out, "    %s: %s\n", key, quoted.data);
	cic_buf_release(&quoted);
}

static void
print_machine(const struct cic_profile *profile, FILE *out)
{
	struct cic_err ignored;
	struct cic_json *json = cic_json_parse(profile->machine,
	    strlen(profile->machine), &ignored);
	const struct cic_json *word;

	fprintf(out, "  \"%s\":\n", profile->name);
	print_pair("description", profile->description, out);
	for (word = cic_json_first(json); word != NULL;
	    word = cic_json_next(word))
		print_pair(cic_json_key(word), cic_json_string(word), out);
	cic_json_free(json);
}

void
cic_conf_machines_print(const struct cic_conf *conf, FILE *out)
{
	int i;

	fputs(conf->machine_count == 0 ? "machines: {}\n" : "machines:\n", out);
	for (i = 0; i < conf->machine_count; i++)
		print_machine(&conf->machines[i], out);
}
