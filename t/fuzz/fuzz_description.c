/* description.h, spack_env.h: no bytes make a list with anything in it but
 * packages, and every environment that is taken is written as YAML with our
 * settings in it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "description.h"
#include "request.h"
#include "spack_env.h"
#include "yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/cic-fuzz-XXXXXX";

static const struct cic_request request = { .target = "zen2",
    .mpi = "openmpi@4" };

static void
remove_folder(void)
{
	char path[64];

	strcpy(path, folder);
	unlink(strcat(path, "/eflows4hpc.yaml"));
	rmdir(folder);
}

/* Every line of the list holds these bytes alone, does not end so, and is no
 * option. */
static void
check_list(const struct cic_buf *list, const char *bytes, char no_end)
{
	char *line, *save = NULL;

	if (list->failed || strlen(list->data) != list->len)
		abort();
	for (line = strtok_r(list->data, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save))
		if (strspn(line, bytes) != strlen(line) || line[0] == '-' ||
		    line[0] == ' ' || line[strlen(line) - 1] == no_end ||
		    strstr(line, " -") != NULL || strstr(line, " #") != NULL)
			abort();
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* The child with or without Spack's second colon; it must be there once. */
static const struct cic_yaml *
only(const struct cic_yaml *mapping, const char *name)
{
	const struct cic_yaml *child, *found = NULL;
	size_t len = strlen(name);

	if (mapping == NULL || mapping->type != CIC_YAML_MAPPING)
		abort();
	for (child = mapping->first; child != NULL; child = child->next)
		if (strncmp(child->key, name, len) == 0 &&
		    (child->key[len] == '\0' || !strcmp(child->key + len, ":"))) {
			if (found != NULL)
				abort();
			found = child;
		}
	if (found == NULL)
		abort();
	return found;
}

static void
check_env(const struct cic_yaml *body)
{
	struct cic_yaml *root;
	const struct cic_yaml *env, *last;
	struct cic_err err;
	struct cic_buf out;

	cic_buf_init(&out, 256 << 20);
	if (spack_env_write(body, &request, &out, &err) != 0)
		abort();
	root = cic_yaml_parse(out.data, out.len, &err);
	if (root == NULL)
		abort();
	env = only(root, "spack");
	if (strcmp(only(env, "view")->text, "/opt/view") != 0 ||
	    strcmp(only(only(only(env, "packages"), "all"), "target")
	    ->first->text, "zen2") != 0 ||
	    only(only(only(env, "concretizer"), "targets"), "host_compatible")
	    == NULL ||
	    only(only(only(env, "config"), "shared_linking"), "type") == NULL)
		abort();
	for (last = only(env, "specs")->first; last->next != NULL;)
		last = last->next;
	if (strcmp(last->text, "openmpi@4") != 0 || last->plain)
		abort();
	cic_yaml_free(root);
	cic_buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	struct description d;
	struct cic_err err;
	int fd;

	if (dir < 0) {
		if (mkdtemp(folder) == NULL)
			abort();
		atexit(remove_folder);
		dir = open(folder, O_RDONLY | O_DIRECTORY);
	}
	fd = openat(dir, "eflows4hpc.yaml", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	if (description_read(dir, &d, &err) == 0) {
		if (d.spack != NULL) {
			check_env(d.spack);
			spack_env_is_shared(d.spack, &request, dir);
		}
		check_list(&d.apt, ALNUM "+.-~:_*=/", '-');
		check_list(&d.pip, ALNUM " ._-+*!~=<>,;:'\"()[]@/?#$&%", ' ');
	} else if (err.code != CIC_EINVAL)
		abort();
	description_release(&d);
	return 0;
}
