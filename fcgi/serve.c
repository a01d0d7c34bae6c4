/*
 * The serving child; see serve.h.
 *
 * libfcgi's own shutdown has a window between its check and accept.  So each
 * thread polls the socket together with a pipe that the signal handler writes
 * to, and accepts without blocking: -EAGAIN means another thread was faster.
 * That needs fastcgi_keep_conn off, nginx's default.
 *
 * A status poll that may wait for news is parked (park.h) and holds no thread.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "app.h"
#include "log.h"
#include "park.h"
#include "req.h"
#include "resp.h"
#include "route.h"

#define THREADS_MAX	64
#define PARKED_MAX	4096	/* requests */
#define FILES_SPARE	256	/* descriptors for all but parked requests */

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
	struct app	 app;
	int		 fd;
	struct park	*park;		/* NULL: nothing is parked */
};

/* A request from its accept to its end; kept on the heap because it may be
 * parked. */
struct held {
	FCGX_Request	fcgx;
	struct wait	wait;
	char		who[CIC_OWNER_MAX];
	struct parked	parked;
};
#define HELD(member) ((struct held *)(void *)((char *)(uintptr_t)(member) - \
	offsetof(struct held, parked)))

static struct held *
held_new(const struct server *server)
{
	struct held *held = calloc(1, sizeof(*held));

	if (held != NULL && FCGX_InitRequest(&held->fcgx, server->fd,
	    FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
		free(held);
		return NULL;
	}
	return held;
}

static void
held_free(struct held *held)
{
	if (held == NULL)
		return;
	FCGX_Free(&held->fcgx, 1);
	free(held);
}

/* Park it if the answer may wait, and we can. */
static bool
park(struct server *server, struct held *held, const struct resp *resp)
{
	const struct wait *wait = &resp->wait;
	char rest;

	if (wait->ms <= 0 || server->park == NULL)
		return false;
	/* what was sent must be read, or closing would look like a fault */
	while (FCGX_GetStr(&rest, 1, held->fcgx.in) == 1)
		;
	held->wait = *wait;
	snprintf(held->who, sizeof(held->who), "%s", resp->owner);
	held->parked.who = held->who;
	held->parked.fd = held->fcgx.ipcFd;
	held->parked.deadline = park_now() + wait->ms;
	return park_add(server->park, &held->parked);
}

/* Answer a request.  Returns false when it has been parked instead. */
static bool
answer(struct server *server, struct held *held, bool may_park)
{
	struct resp resp;
	struct req req;
	bool parked;

	resp_init(&resp);
	if (req_read(&req, &server->app, &held->fcgx, &resp) == 0)
		route(&server->app, &req, &resp);
	req_release(&req);
	parked = may_park && park(server, held, &resp);
	if (!parked) {
		resp_send(&resp, req.head, &held->fcgx);
		FCGX_Finish_r(&held->fcgx);
	}
	resp_release(&resp);
	return !parked;
}

/* A fresh process may open a broken store again. */
static void
check_store(const struct server *server)
{
	if (server->app.store != NULL && cic_store_is_broken(server->app.store))
		on_term(0);
}

static uint64_t
store_change(void *arg)
{
	const struct server *server = arg;

	return server->app.store != NULL ?
	    cic_store_last_change(server->app.store) : 0;
}

static bool
has_moved(const struct parked *parked, void *arg)
{
	const struct held *held = HELD(parked);
	struct server *server = arg;

	return wait_is_over(&server->app, &held->wait);
}

/* A parked request comes out: the present state is its answer. */
static void
unpark(struct parked *parked, enum park_end why, void *arg)
{
	struct held *held = HELD(parked);
	struct server *server = arg;

	if (why != PARK_GONE) {
		/* all is read: no need to linger when closing, which would
		 * keep the others waiting */
		FCGX_Detach(&held->fcgx);
		answer(server, held, false);
		check_store(server);
	}
	held_free(held);
}

static void *
work(void *arg)
{
	struct server *server = arg;
	struct pollfd pfd[2] = {
		{ .fd = server->fd, .events = POLLIN },
		{ .fd = stop_pipe[0], .events = POLLIN },
	};
	struct held *held = held_new(server), *spare = NULL;

	while (held != NULL) {
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[1].revents != 0)
			break;
		if (FCGX_Accept_r(&held->fcgx) != 0)
			continue;
		/* without memory for another one, this one is not parked */
		if (spare == NULL)
			spare = held_new(server);
		if (!answer(server, held, spare != NULL)) {
			held = spare;
			spare = NULL;
		}
		check_store(server);
	}
	held_free(held);
	held_free(spare);
	return NULL;
}

/* A parked request holds a descriptor: have as many as we may, and leave some
 * for all else.  Returns how many requests may be parked. */
static int
parked_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 0;
	if (files.rlim_cur < PARKED_MAX + FILES_SPARE &&
	    files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max < PARKED_MAX + FILES_SPARE ?
		    files.rlim_max : PARKED_MAX + FILES_SPARE;
		setrlimit(RLIMIT_NOFILE, &files);
		getrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur >= PARKED_MAX + FILES_SPARE)
		return PARKED_MAX;
	return files.rlim_cur > FILES_SPARE ?
	    (int)(files.rlim_cur - FILES_SPARE) : 0;
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
	static const struct park_ops ops = { .change = store_change,
	    .moved = has_moved, .out = unpark };
	int n, started = 0, rc;

	if (set_up(&server, conf, fd) != 0)
		return 1;
	if (app_store(&server.app, &err) == NULL)
		cic_log_warnx("%s; answering 503 until it works", err.msg);
	server.park = park_new(&ops, &server, parked_max(), stop_pipe[0]);
	if (server.park == NULL)
		cic_log_warnx("no room to hold polls; all are answered at once");
	for (n = 0; n < conf->threads; n++)
		if (pthread_create(&threads[started], NULL, work,
		    &server) == 0)
			started++;
	(void)!write(ready_fd, "", 1);
	close(ready_fd);
	for (n = 0; n < started; n++)
		pthread_join(threads[n], NULL);
	on_term(0);	/* also when no thread has started */
	park_free(server.park);
	rc = started == 0 || (server.app.store != NULL &&
	    cic_store_is_broken(server.app.store));
	app_release(&server.app);
	close(stop_pipe[0]);
	close(stop_pipe[1]);
	return rc;
}
