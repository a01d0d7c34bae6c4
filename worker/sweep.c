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
#define STOP_ROUNDS	50	/* of 20 ms */
#define TORN_ROUNDS	3	/* more of them tell that parents are hidden
				 * from us (hidepid) */

/* What other builds run; set by sweep_spare. */
static const char *build_program = "";

struct process {
	pid_t	pid, parent;
	bool	ours;
	bool	stopped;	/* and starts no other */
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

/* "pid (name) S ppid …": the name may hold anything, so from its end.  False when
 * there is none, or a zombie, which needs no killing. */
static bool
read_stat(struct process *process)
{
	char text[1024], *end;
	char state;
	int parent;

	if (read_proc(process->pid, "stat", text, sizeof(text)) <= 0)
		return false;
	end = strrchr(text, ')');
	if (end == NULL || sscanf(end + 1, " %c %d", &state, &parent) != 2)
		return false;
	process->parent = parent;
	process->stopped = state == 'T';
	return state != 'Z';
}

static void
add(struct table *table, const struct process *process)
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
	table->at[table->count++] = *process;
}

static void
read_table(struct table *table, const char *marker)
{
	char *scratch = malloc(ENVIRON_MAX);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct process p = { .ours = false };

	table->count = 0;
	while (scratch != NULL && proc != NULL &&
	    (entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		p.pid = (pid_t)atol(entry->d_name);
		if (!read_stat(&p) || p.pid == getpid() || is_pause(p.pid) ||
		    is_gone(p.pid))
			continue;
		p.ours = is_ours(p.pid, p.parent, marker, scratch);
		add(table, &p);
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

static void
read_build(struct table *table, const char *id)
{
	char marker[80];

	snprintf(marker, sizeof(marker), "CIC_BUILD=%s", id);
	read_table(table, marker);
	mark_descendants(table);
}

/* The youngest first: if we are killed meanwhile, what is left still descends
 * from the oldest.  Returns how many there were. */
static size_t
kill_ours(const struct table *table)
{
	size_t i, killed = 0;

	for (i = table->count; i-- > 0;)
		if (table->at[i].ours) {
			kill(table->at[i].pid, SIGKILL);
			killed++;
		}
	return killed;
}

static const struct process *
find(const struct table *table, pid_t pid)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		if (table->at[i].pid == pid)
			return &table->at[i];
	return NULL;
}

/* The parent, if it is the build's own, too. */
static const struct process *
parent_in(const struct table *table, const struct process *p)
{
	const struct process *parent = find(table, p->parent);

	return parent != NULL && parent->ours ? parent : NULL;
}

/* A converter: another cic-build than the one that runs the build. */
static bool
is_converter(const struct table *table, const struct process *p)
{
	char path[4096];

	return parent_in(table, p) != NULL &&
	    program_of(p->pid, path, sizeof(path)) == 0 &&
	    strcmp(path, build_program) == 0;
}

/* What a tool has started; of a converter that is its own business. */
static bool
is_of_tool(const struct table *table, const struct process *p)
{
	int depth = -1;

	for (; p != NULL; p = parent_in(table, p), depth++)
		if (is_converter(table, p))
			return false;
	return depth >= 2;
}

void
sweep_tools(const char *id)
{
	struct table table = { .at = NULL };
	const struct process *p;
	size_t i;

	read_build(&table, id);
	for (i = 0; i < table.count; i++) {
		p = &table.at[i];
		if (p->ours && is_converter(&table, p))
			kill(p->pid, SIGTERM);
		else if (p->ours && is_of_tool(&table, p))
			kill(p->pid, SIGKILL);
	}
	free(table.at);
}

void
sweep_build(const char *id)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct table table = { .at = NULL };
	size_t i, moving;
	int round, quiet = 0;

	/* twice: the environment of one that is becoming another program cannot
	 * be read for a moment */
	for (round = 0; round < STOP_ROUNDS && quiet < 2; round++) {
		if (round > 0)
			nanosleep(&pause, NULL);
		read_build(&table, id);
		moving = is_torn(&table);
		for (i = 0; i < table.count; i++)
			if (table.at[i].ours && !table.at[i].stopped) {
				kill(table.at[i].pid, SIGSTOP);
				moving++;
			}
		quiet = moving > 0 ? 0 : quiet + 1;
	}
	for (round = 0; kill_ours(&table) > 0 && round < STOP_ROUNDS; round++) {
		nanosleep(&pause, NULL);
		read_build(&table, id);
	}
	free(table.at);
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
	size_t killed;
	int round, torn = 0;

	for (round = 0; round < ROUNDS; round++) {
		read_build(&table, id);
		killed = kill_ours(&table);
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
