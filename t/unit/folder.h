/*
 * A folder of its own for every test, removed afterwards, and small helpers to
 * fill it.  Include after cmocka.h; use UNIT(f) in the table of tests.
 */
#ifndef UNIT_FOLDER_H
#define UNIT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "path.h"

#define UNIT(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];
static struct cic_err err;

static inline int
folder_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/cic-unit-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int
folder_remove(void **state)
{
	(void)state;
	return cic_remove_tree(folder, &err);
}

/* "<folder>/<name>", valid until the fourth call after this one. */
static inline const char *
in_folder(const char *name)
{
	static char paths[4][CIC_PATH_MAX];
	static int n;

	n = (n + 1) % 4;
	snprintf(paths[n], CIC_PATH_MAX, "%s/%s", folder, name);
	return paths[n];
}

/* Write a file of the folder; returns its path. */
static inline const char *
put_bytes(const char *name, const void *data, size_t len)
{
	const char *path = in_folder(name);
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		fail_msg("cannot write %s", path);
	return path;
}

static inline const char *
put_file(const char *name, const char *text)
{
	return put_bytes(name, text, strlen(text));
}

/* The whole of a file; the caller frees it. */
static inline char *
get_file(const char *path)
{
	struct cic_buf text;

	cic_buf_init(&text, 1 << 20);
	if (cic_read_file(path, &text, &err) != 0)
		fail_msg("%s", err.msg);
	return cic_buf_detach(&text);
}

static inline void
has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", what, text);
}

/* Run a shell command line for a test's own preparations. */
static inline void
sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

#endif
