/*
 * echo: as little FastCGI as there can be, for t/bench/poll.sh: threads in
 * FCGX_Accept_r that give every request an answer of the size and shape that a
 * status poll gets.
 *
 * usage: echo SOCKET THREADS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcgiapp.h>

#define BACKLOG		4096
#define THREADS_MAX	64

static const char body[] = "{\"filename\":null,\"image_id\":\"localhost/"
    "bench_step_x86_64_nompi_nogpu:latest\",\"message\":null,"
    "\"status\":\"PENDING\"}\n";

static void *
serve(void *arg)
{
	FCGX_Request request;

	if (FCGX_InitRequest(&request, *(int *)arg, 0) != 0)
		return NULL;
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_FPrintF(request.out, "Status: 200 OK\r\n"
		    "Content-Type: application/json\r\n"
		    "Content-Length: %lu\r\nCache-Control: no-store\r\n"
		    "ETag: \"1\"\r\n\r\n", (unsigned long)strlen(body));
		FCGX_PutStr(body, (int)strlen(body), request.out);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int fd, n, wanted = argc == 3 ? atoi(argv[2]) : 0;

	if (wanted < 1 || wanted > THREADS_MAX) {
		fputs("usage: echo SOCKET THREADS\n", stderr);
		return 2;
	}
	if (FCGX_Init() != 0 || (fd = FCGX_OpenSocket(argv[1], BACKLOG)) < 0) {
		fprintf(stderr, "echo: %s: no socket\n", argv[1]);
		return 1;
	}
	for (n = 0; n < wanted; n++)
		if (pthread_create(&threads[n], NULL, serve, &fd) != 0)
			return 1;
	pthread_join(threads[0], NULL);
	return 1;
}
