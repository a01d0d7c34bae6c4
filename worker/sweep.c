/* What a dead cic-build may have left behind; see sweep.h. */
#include "sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "log.h"

#define ENVIRON_MAX	(128 * 1024)
#define ROUNDS		100	/* of 100 ms */
#define TORN_ROUNDS	3	/* more of them tell that parents are hidden
				 * from us (hidepid) */

/* What other builds run; set by sweep_spare. */
static const char *build_program = "";

struct process {
	pid_t	pid, parent;
	bool	ours;
};

struct table {
	struct process	*at;
	size_t		 count, room;
};

/* Read /proc/<pid>/<name>; returns the bytes, NUL-terminated in `out`. */
static ssize_t
read_proc(pid_t pid, const char *name, char *out, size_t size)
{
	size_t len = 0;
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (len < size - 1 &&
	    (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	out[len] = '\0';
	return (ssize_t)len;
}

/* The file it runs; -1 with ENOENT: it has left its memory, and is as good as
 * gone, though for a moment it looks like any other. */
static int
program_of(pid_t pid, char *out, size_t size)
{
	static const char deleted[] = " (deleted)";	/* by an upgrade */
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, out, size - 1);
	if (n < 0)
		return -1;
	out[n] = '\0';
	n -= (ssize_t)sizeof(deleted) - 1;
	if (n > 0 && strcmp(out + n, deleted) == 0)
		out[n] = '\0';
	return 0;
}

static bool
is_gone(pid_t pid)
{
	char path[4096];

	return program_of(pid, path, sizeof(path)) != 0 && errno == ENOENT;
}

/* Another build of the same worker, by the file it runs (its environment is for
 * anybody to choose), or one that left since we looked. */
static bool
is_spared(pid_t pid)
{
	char path[4096];

	if (program_of(pid, path, sizeof(path)) != 0)
		return errno == ENOENT;
	return strcmp(path, build_program) == 0;
}

/* Is it the build's, by its environment or as an orphan that came to us? */
static bool
is_ours(pid_t pid, pid_t parent, const char *marker, char *scratch)
{
	ssize_t len = read_proc(pid, "environ", scratch, ENVIRON_MAX);
	const char *p;

	for (p = scratch; len > 0 && p < scratch + len; p += strlen(p) + 1)
		if (strcmp(p, marker) == 0)
			return true;
	return parent == getpid() && !is_spared(pid);
}

/* The process that keeps a user's podman name space; all builds share it. */
static bool
is_pause(pid_t pid)
{
	char name[64];

	return read_proc(pid, "comm", name, sizeof(name)) > 0 &&
	    (strcmp(name, "catatonit\n") == 0 ||
	    strcmp(name, "podman pause\n") == 0);
}

/* "pid (name) S ppid …": the name may hold anything, so from its end. */
static pid_t
parent_of(pid_t pid)
{
	char text[1024], *end;
	char state;
	int parent;

	if (read_proc(pid, "stat", text, sizeof(text)) <= 0)
		return -1;
	end = strrchr(text, ')');
	if (end == NULL || sscanf(end + 1, " %c %d", &state, &parent) != 2)
		return -1;
	return state == 'Z' ? -1 : parent;	/* a zombie needs no killing */
}

static void
add(struct table *table, pid_t pid, pid_t parent, bool ours)
{
	struct process *more;

	if (table->count == table->room) {
		more = realloc(table->at,
		    (table->room + 256) * sizeof(*table->at));
		if (more == NULL)
			return;
		table->at = more;
		table->room += 256;
	}
	table->at[table->count++] = (struct process){ pid, parent, ours };
}

static void
read_table(struct table *table, const char *marker)
{
	char *scratch = malloc(ENVIRON_MAX);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t pid, parent;

	table->count = 0;
	while (scratch != NULL && proc != NULL &&
	    (entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)atol(entry->d_name);
		parent = parent_of(pid);
		if (parent >= 0 && pid != getpid() && !is_pause(pid) &&
		    !is_gone(pid))
			add(table, pid, parent,
			    is_ours(pid, parent, marker, scratch));
	}
	if (proc != NULL)
		closedir(proc);
	free(scratch);
}

/* Children of ours are ours, whatever their environment says. */
static void
mark_descendants(struct table *table)
{
	bool changed = true;
	size_t i, j;

	while (changed) {
		changed = false;
		for (i = 0; i < table->count; i++)
			for (j = 0; !table->at[i].ours && j < table->count; j++)
				if (table->at[j].ours &&
				    table->at[j].pid == table->at[i].parent)
					table->at[i].ours = changed = true;
	}
}

/* Did a parent die while we read?  Then its children, seen before it, belonged to
 * nobody we know of: they have to be looked at again. */
static bool
is_torn(const struct table *table)
{
	size_t i, j;

	for (i = 0; i < table->count; i++) {
		if (table->at[i].ours || table->at[i].parent == getpid() ||
		    table->at[i].parent <= 1)
			continue;
		for (j = 0; j < table->count; j++)
			if (table->at[j].pid == table->at[i].parent)
				break;
		if (j == table->count && !is_pause(table->at[i].parent))
			return true;
	}
	return false;
}

void
sweep_spare(const char *program)
{
	build_program = program;
}

void
sweep_processes(const char *id)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	struct table table = { .at = NULL };
	char marker[80];
	size_t i, killed;
	int round, torn = 0;

	snprintf(marker, sizeof(marker), "CIC_BUILD=%s", id);
	for (round = 0; round < ROUNDS; round++) {
		read_table(&table, marker);
		mark_descendants(&table);
		for (i = killed = 0; i < table.count; i++)
			if (table.at[i].ours) {
				kill(table.at[i].pid, SIGKILL);
				killed++;
			}
		if (killed == 0 && (!is_torn(&table) ||
		    ++torn == TORN_ROUNDS))
			break;
		if (killed > 0 && round == 0)
			cic_log_info("build %s: killed %zu processes it left",
			    id, killed);
		nanosleep(&pause, NULL);
	}
	free(table.at);
}

void
sweep_containers(const struct cic_conf *conf, const char *id, int log_fd)
{
	struct cic_engine engine = { .conf = conf, .build_id = id,
	    .log_fd = log_fd };

	cic_engine_clean(&engine);
}
