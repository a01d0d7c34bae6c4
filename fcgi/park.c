/* Requests that wait; see park.h. */
#include "park.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64

TAILQ_HEAD(parked_list, parked);

struct park {
	struct park_ops		 ops;
	void			*arg;
	int			 max;
	int			 epoll_fd;
	pthread_t		 thread;
	uint64_t		 last;		/* change the thread has seen */
	pthread_mutex_t		 lock;		/* over all below */
	struct parked_list	 list;
	int			 count;
	bool			 stopping;
};

int64_t
park_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With the lock: from the list to another one. */
static void
take(struct park *park, struct parked *parked, struct parked_list *to)
{
	TAILQ_REMOVE(&park->list, parked, entry);
	park->count--;
	epoll_ctl(park->epoll_fd, EPOLL_CTL_DEL, parked->fd, NULL);
	TAILQ_INSERT_TAIL(to, parked, entry);
}

/* Without the lock, for it may take a while. */
static void
let_out(struct park *park, struct parked_list *list, enum park_end why)
{
	struct parked *parked;

	while ((parked = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, parked, entry);
		park->ops.out(parked, why, park->arg);
	}
}

/* Those that have something to be told, and those whose time is up. */
static void
look(struct park *park)
{
	struct parked_list moved = TAILQ_HEAD_INITIALIZER(moved);
	struct parked_list late = TAILQ_HEAD_INITIALIZER(late);
	/* read first: a change after this is seen at the next look */
	uint64_t change = park->ops.change(park->arg);
	bool changed = change != park->last;
	struct parked *parked, *next;
	int64_t now = park_now();

	park->last = change;
	pthread_mutex_lock(&park->lock);
	for (parked = TAILQ_FIRST(&park->list); parked != NULL; parked = next) {
		next = TAILQ_NEXT(parked, entry);
		if ((changed || parked->fresh) &&
		    park->ops.moved(parked, park->arg))
			take(park, parked, &moved);
		else if (parked->deadline <= now)
			take(park, parked, &late);
		else
			parked->fresh = false;
	}
	pthread_mutex_unlock(&park->lock);
	let_out(park, &moved, PARK_MOVED);
	let_out(park, &late, PARK_TIME);
}

static void
stop(struct park *park)
{
	struct parked_list all = TAILQ_HEAD_INITIALIZER(all);

	pthread_mutex_lock(&park->lock);
	park->stopping = true;
	while (!TAILQ_EMPTY(&park->list))
		take(park, TAILQ_FIRST(&park->list), &all);
	pthread_mutex_unlock(&park->lock);
	let_out(park, &all, PARK_STOP);
}

/* Only this thread takes any out, so what an event names is still there. */
static void
hung_up(struct park *park, struct parked *parked)
{
	struct parked_list gone = TAILQ_HEAD_INITIALIZER(gone);

	pthread_mutex_lock(&park->lock);
	take(park, parked, &gone);
	pthread_mutex_unlock(&park->lock);
	let_out(park, &gone, PARK_GONE);
}

static void *
watch(void *arg)
{
	struct epoll_event events[EVENTS_MAX];
	struct park *park = arg;
	int64_t next = 0, left;
	int i, n;

	for (;;) {
		left = next - park_now();
		n = epoll_wait(park->epoll_fd, events, EVENTS_MAX,
		    left > 0 ? (int)left : 0);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL) {
				stop(park);
				return NULL;
			}
			hung_up(park, events[i].data.ptr);
		}
		if (park_now() < next)
			continue;
		look(park);
		next = park_now() + PARK_TICK;
	}
}

struct park *
park_new(const struct park_ops *ops, void *arg, int max, int stop_fd)
{
	struct epoll_event stop_event = { .events = EPOLLIN };
	struct park *park = calloc(1, sizeof(*park));

	if (park == NULL)
		return NULL;
	park->ops = *ops;
	park->arg = arg;
	park->max = max;
	TAILQ_INIT(&park->list);
	pthread_mutex_init(&park->lock, NULL);
	park->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (park->epoll_fd >= 0 && epoll_ctl(park->epoll_fd, EPOLL_CTL_ADD,
	    stop_fd, &stop_event) == 0 &&
	    pthread_create(&park->thread, NULL, watch, park) == 0)
		return park;
	if (park->epoll_fd >= 0)
		close(park->epoll_fd);
	pthread_mutex_destroy(&park->lock);
	free(park);
	return NULL;
}

void
park_free(struct park *park)
{
	if (park == NULL)
		return;
	pthread_join(park->thread, NULL);
	close(park->epoll_fd);
	pthread_mutex_destroy(&park->lock);
	free(park);
}

/* With the lock: may there be one more, and of this user? */
static bool
has_room(const struct park *park, const char *who)
{
	int most = park->max - park->max / 4, own = 0;
	const struct parked *parked;

	if (park->count < most)
		return true;
	TAILQ_FOREACH(parked, &park->list, entry)
		own += strcmp(parked->who, who) == 0;
	return park->count < park->max && own < most;
}

bool
park_add(struct park *park, struct parked *parked)
{
	/* EPOLLHUP, a closed connection, is told without being asked for */
	struct epoll_event event = { .data.ptr = parked };
	bool taken;

	pthread_mutex_lock(&park->lock);
	taken = !park->stopping && has_room(park, parked->who) &&
	    epoll_ctl(park->epoll_fd, EPOLL_CTL_ADD, parked->fd, &event) == 0;
	if (taken) {
		parked->fresh = true;
		TAILQ_INSERT_TAIL(&park->list, parked, entry);
		park->count++;
	}
	pthread_mutex_unlock(&park->lock);
	return taken;
}
