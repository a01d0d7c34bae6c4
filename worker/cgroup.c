/* Memory and processes of one image build; see cgroup.h. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "engine.h"
#include "path.h"

#define ROOT		"/sys/fs/cgroup"
#define GROUP_DEPTH	4

/* The hierarchies a limit lives in, and its file in each. */
static const struct controller {
	const char	*name;			/* of version 1 */
	const char	*v1, *v2;		/* the limit's file */
} controllers[] = {
	{ "memory", "memory.limit_in_bytes", "memory.max" },
	{ "pids", "pids.max", "pids.max" },
};
#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

static bool
is_version_2(void)
{
	return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

/* Limits stand in the group cic-<id>; the engine gets one below it, which runc
 * removes after each command. */
static int
group_path(const struct controller *c, const char *id, char out[CIC_PATH_MAX],
    struct cic_err *err)
{
	return cic_path_format(out, err, ROOT "%s%s/cic-%s",
	    is_version_2() ? "" : "/", is_version_2() ? "" : c->name, id);
}

static int
write_limit(const char *group, const char *file, unsigned long long value,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX], text[32];
	int fd, len = snprintf(text, sizeof(text), "%llu", value), rc = 0;

	if (cic_path_format(path, err, "%s/%s", group, file) != 0)
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cic_err_errno(err, "%s", path);
	if (write(fd, text, (size_t)len) != len)
		rc = cic_err_errno(err, "%s", path);
	close(fd);
	return rc;
}

/* Before Linux 5.11, version 1 counts what is below a group only when told. */
static void
count_below(const char *group)
{
	struct cic_err ignored;

	if (!is_version_2())
		write_limit(group, "memory.use_hierarchy", 1, &ignored);
}

/* Make the group for one controller and set its limit; 0 is none. */
static int
make_group(const struct controller *c, const char *id,
    unsigned long long value, struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (value == 0)
		return 0;
	if (group_path(c, id, path, err) != 0)
		return -1;
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return cic_err_errno(err, "make control group %s", path);
	count_below(path);
	return write_limit(path, is_version_2() ? c->v2 : c->v1, value, err);
}

int
cgroup_begin(const struct cic_conf *conf, const char *id,
    char name[CGROUP_NAME_MAX], struct cic_err *err)
{
	const unsigned long long values[CONTROLLERS] = {
		(unsigned long long)conf->memory << 20,
		(unsigned long long)conf->processes,
	};
	size_t i;

	name[0] = '\0';
	if (conf->memory == 0 && conf->processes == 0)
		return 0;
	for (i = 0; i < CONTROLLERS; i++)
		if (make_group(&controllers[i], id, values[i], err) != 0) {
			cgroup_end(id);
			return cic_err_wrap(err, "limits.%s", i == 0 ?
			    "memory" : "processes");
		}
	snprintf(name, CGROUP_NAME_MAX, "/cic-%s/run", id);
	return 0;
}

/* Only folders can be removed in there, and only those that nobody is in. */
static void
remove_group(const char *path, int depth)
{
	DIR *dir = depth > 0 ? opendir(path) : NULL;
	char below[CIC_PATH_MAX];
	struct cic_err ignored;
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    cic_path_format(below, &ignored, "%s/%s", path,
		    entry->d_name) == 0)
			remove_group(below, depth - 1);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

void
cgroup_end(const char *id)
{
	DIR *root = is_version_2() ? NULL : opendir(ROOT);
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct dirent *entry;

	if (is_version_2() &&
	    cic_path_format(path, &ignored, ROOT "/cic-%s", id) == 0)
		remove_group(path, GROUP_DEPTH);
	/* engines make one in every hierarchy */
	while (root != NULL && (entry = readdir(root)) != NULL)
		if (entry->d_name[0] != '.' && cic_path_format(path, &ignored,
		    ROOT "/%s/cic-%s", entry->d_name, id) == 0)
			remove_group(path, GROUP_DEPTH);
	if (root != NULL)
		closedir(root);
}

/* Docker's builder hears of control groups since BuildKit 0.9; docker 23 is the
 * first release with a newer one. */
static int
check_docker(const struct cic_conf *conf, int log_fd, struct cic_err *err)
{
	const char *const words[] = { "version", "--format",
	    "{{.Server.Version}}", NULL };
	struct cic_engine engine = { .conf = conf, .build_id = "-",
	    .log_fd = log_fd };
	struct cic_buf text;
	int rc;

	cic_buf_init(&text, 4096);
	rc = cic_engine_ask(&engine, words, &text, err);
	if (rc == 0 && strtol(text.data, NULL, 10) < 23)
		rc = cic_err_set(err, CIC_EINVAL, "docker %.*s does not hold "
		    "image builds to limits; docker 23 and newer do",
		    (int)strcspn(text.data, "\n"), text.data);
	cic_buf_release(&text);
	return rc;
}

/* With isolation chroot podman makes no group and says nothing. */
static int
check_podman(const struct cic_conf *conf, struct cic_err *err)
{
	char *const *word = conf->engine_build_args.item;
	const char *isolation = getenv("BUILDAH_ISOLATION");

	for (; *word != NULL; word++)
		if (strncmp(*word, "--isolation=", 12) == 0)
			isolation = *word + 12;
		else if (strcmp(*word, "--isolation") == 0 && word[1] != NULL)
			isolation = word[1];
	return isolation == NULL || strcmp(isolation, "oci") == 0 ? 0 :
	    cic_err_set(err, CIC_EINVAL, "podman does not hold image builds to "
	    "limits with --isolation %.32s, only with oci", isolation);
}

int
cgroup_check(const struct cic_conf *conf, int log_fd, struct cic_err *err)
{
	char name[CGROUP_NAME_MAX], id[32];
	int rc;

	/* others may be looking, too */
	snprintf(id, sizeof(id), "check-%ld", (long)getpid());
	rc = cgroup_begin(conf, id, name, err);

	if (rc != 0)
		return cic_err_wrap(err, "this worker cannot hold image builds "
		    "to limits (it takes root and a writable /sys/fs/cgroup)");
	if (name[0] == '\0')
		return 0;
	cgroup_end(id);
	if ((conf->engine == CIC_ENGINE_DOCKER ? check_docker(conf, log_fd, err) :
	    check_podman(conf, err)) != 0)
		return cic_err_wrap(err, "limits.memory, limits.processes");
	return 0;
}
