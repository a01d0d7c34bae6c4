/* Prints its arguments, the variables that begin with "T_", PATH and the working folder, each in brackets; also for
 * images without a shell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
main(int argc, char **argv)
{
	char cwd[4096];
	size_t i, n = 0;

	for (i = 1; i < (size_t)argc; i++)
		printf("[%s]\n", argv[i]);
	while (environ[n] != NULL)
		n++;
	qsort(environ, n, sizeof(*environ), by_name);
	for (i = 0; i < n; i++) {
		if (strncmp(environ[i], "T_", 2) == 0 ||
		    strncmp(environ[i], "PATH=", 5) == 0)
			printf("{%s}\n", environ[i]);
	}
	printf("in %s\n", getcwd(cwd, sizeof(cwd)) == NULL ? "?" : cwd);
	return 0;
}
