/*
 * The serving child; see serve.h.
 *
 * libfcgi's own shutdown has a window between its check and accept.  So each
 * thread polls the socket together with a pipe that the signal handler writes
 * to, and accepts without blocking: -EAGAIN means another thread was faster.
 * That needs fastcgi_keep_conn off, nginx's default.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "app.h"
#include "log.h"
#include "req.h"
#include "resp.h"
#include "route.h"

#define THREADS_MAX 64

static int stop_pipe[2];

static void
on_term(int sig)
{
	int e = errno;

	(void)sig;
	(void)!write(stop_pipe[1], "", 1);	/* never read: stays readable */
	errno = e;
}

struct server {
	struct app	app;
	int		fd;
};

static void
answer(struct server *server, FCGX_Request *fcgx)
{
	struct resp resp;
	struct req req;

	resp_init(&resp);
	if (req_read(&req, &server->app, fcgx, &resp) == 0)
		route(&server->app, &req, &resp);
	resp_send(&resp, req.head, fcgx);
	req_release(&req);
	resp_release(&resp);
}

static void *
work(void *arg)
{
	struct server *server = arg;
	struct pollfd pfd[2] = {
		{ .fd = server->fd, .events = POLLIN },
		{ .fd = stop_pipe[0], .events = POLLIN },
	};
	FCGX_Request fcgx;

	if (FCGX_InitRequest(&fcgx, server->fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return NULL;
	for (;;) {
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[1].revents != 0)
			break;
		if (FCGX_Accept_r(&fcgx) != 0)
			continue;
		answer(server, &fcgx);
		FCGX_Finish_r(&fcgx);
		if (server->app.store != NULL &&
		    cic_store_is_broken(server->app.store))
			on_term(0);	/* a fresh process may open it again */
	}
	FCGX_Free(&fcgx, 1);
	return NULL;
}

static int
set_up(struct server *server, const struct cic_conf *conf, int fd)
{
	struct sigaction term = { .sa_handler = on_term };
	struct cic_err err;

	server->fd = fd;
	if (app_init(&server->app, conf, &err) != 0) {
		cic_log_warnx("%s", err.msg);
		return -1;
	}
	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    FCGX_Init() != 0) {
		cic_log_warn("start");
		return -1;
	}
	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int
serve(const struct cic_conf *conf, int fd, int ready_fd)
{
	pthread_t threads[THREADS_MAX];
	struct server server;
	struct cic_err err;
	int n, started = 0, rc;

	if (set_up(&server, conf, fd) != 0)
		return 1;
	if (app_store(&server.app, &err) == NULL)
		cic_log_warnx("%s; answering 503 until it works", err.msg);
	for (n = 0; n < conf->threads; n++)
		if (pthread_create(&threads[started], NULL, work,
		    &server) == 0)
			started++;
	(void)!write(ready_fd, "", 1);
	close(ready_fd);
	for (n = 0; n < started; n++)
		pthread_join(threads[n], NULL);
	rc = started == 0 || (server.app.store != NULL &&
	    cic_store_is_broken(server.app.store));
	app_release(&server.app);
	close(stop_pipe[0]);
	close(stop_pipe[1]);
	return rc;
}
