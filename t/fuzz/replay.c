/*
 * The main of a fuzz target where there is no fuzzer: feed it every file of a
 * folder and print TAP.  A bad input ends the process, and the plan stays
 * unfulfilled.
 *
 * usage: fuzz_<name> [folder]	by default t/fuzz/corpus/<name>
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *folder, const char *name)
{
	char path[4096 + 256];
	uint8_t *data;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL)
		return -1;
	/* Exactly as long as the file, so that a sanitizer sees one byte more. */
	fseek(f, 0, SEEK_END);
	len = (size_t)ftell(f);
	rewind(f);
	data = malloc(len > 0 ? len : 1);
	if (data == NULL || fread(data, 1, len, f) != len)
		len = 0;
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

static int
is_input(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	struct dirent **list;
	char folder[4096];
	int n, i, bad = 0;

	name = name == NULL ? argv[0] : name + 1;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	if (argc > 1)
		snprintf(folder, sizeof(folder), "%s", argv[1]);
	else
		snprintf(folder, sizeof(folder), "t/fuzz/corpus/%s", name);
	n = scandir(folder, &list, is_input, alphasort);
	if (n <= 0) {
		printf("Bail out! no inputs in %s\n", folder);
		return 1;
	}
	printf("1..%d\n", n);
	for (i = 0; i < n; i++) {
		int r = replay(folder, list[i]->d_name);

		printf("%sok %d - %s\n", r == 0 ? "" : "not ", i + 1, list[i]->d_name);
		fflush(stdout);
		bad |= r;
		free(list[i]);
	}
	free(list);
	return bad == 0 ? 0 : 1;
}
