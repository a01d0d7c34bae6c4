/* A ring buffer between two threads; see feed.h. */
#include "feed.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "input.h"

#define MOST	((size_t)1 << 20)	/* bytes of one read */

/* Neither side is woken for little: a switch of threads costs more than waiting
 * for a quarter of the buffer. */
#define QUARTER	(CIC_FEED_BYTES / 4)

struct cic_feed {
	struct cic_input input;		/* first: the reader's end */
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 filled, emptied;
	cic_feed_producer *producer;
	void		*arg;
	uint64_t	 in, out;	/* bytes ever put, and ever given back */
	size_t		 held;		/* bytes the reader looks at now */
	bool		 ended, stopped;
	int		 result;	/* the producer's, when it ended */
	struct cic_err	 err;
	unsigned char	 ring[CIC_FEED_BYTES];
};

static void *
produce(void *arg)
{
	struct cic_feed *feed = arg;
	int r = feed->producer(feed->arg, feed, &feed->err);

	pthread_mutex_lock(&feed->lock);
	feed->result = r;
	feed->ended = true;
	pthread_cond_signal(&feed->filled);
	pthread_mutex_unlock(&feed->lock);
	return NULL;
}

/* Wait for room; bytes of it that lie together, 0 when stopped. */
static size_t
wait_room(struct cic_feed *feed)
{
	size_t at, room;

	pthread_mutex_lock(&feed->lock);
	if (feed->in - feed->out == CIC_FEED_BYTES) {
		while (!feed->stopped &&
		    CIC_FEED_BYTES - (feed->in - feed->out) < QUARTER)
			pthread_cond_wait(&feed->emptied, &feed->lock);
	}
	at = (size_t)(feed->in % CIC_FEED_BYTES);
	room = CIC_FEED_BYTES - (size_t)(feed->in - feed->out);
	if (room > CIC_FEED_BYTES - at)
		room = CIC_FEED_BYTES - at;
	if (feed->stopped)
		room = 0;
	pthread_mutex_unlock(&feed->lock);
	return room;
}

int
cic_feed_put(struct cic_feed *feed, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = wait_room(feed);
		if (n == 0)
			return -1;
		if (n > len)
			n = len;
		memcpy(feed->ring + feed->in % CIC_FEED_BYTES, p, n);
		pthread_mutex_lock(&feed->lock);
		feed->in += n;
		if (feed->in - feed->out >= QUARTER)
			pthread_cond_signal(&feed->filled);
		pthread_mutex_unlock(&feed->lock);
	}
	return 0;
}

bool
cic_feed_stopped(struct cic_feed *feed)
{
	bool stopped;

	pthread_mutex_lock(&feed->lock);
	stopped = feed->stopped;
	pthread_mutex_unlock(&feed->lock);
	return stopped;
}

static ssize_t
feed_read(struct cic_input *input, const void **data, struct cic_err *err)
{
	struct cic_feed *feed = (struct cic_feed *)input;
	size_t at, n;
	int r;

	pthread_mutex_lock(&feed->lock);
	feed->out += feed->held;
	feed->held = 0;
	if (CIC_FEED_BYTES - (feed->in - feed->out) >= QUARTER)
		pthread_cond_signal(&feed->emptied);
	if (feed->in == feed->out) {
		while (!feed->ended && feed->in - feed->out < QUARTER)
			pthread_cond_wait(&feed->filled, &feed->lock);
	}
	at = (size_t)(feed->out % CIC_FEED_BYTES);
	n = (size_t)(feed->in - feed->out);
	if (n > CIC_FEED_BYTES - at)
		n = CIC_FEED_BYTES - at;
	if (n > MOST)
		n = MOST;
	feed->held = n;
	r = feed->result;
	pthread_mutex_unlock(&feed->lock);
	*data = feed->ring + at;
	if (n > 0)
		return (ssize_t)n;
	if (r == -1)
		*err = feed->err;
	return r;
}

static void
no_free(struct cic_input *input)
{
	(void)input;
}

struct cic_feed *
cic_feed_start(cic_feed_producer *producer, void *arg, struct cic_err *err)
{
	struct cic_feed *feed = malloc(sizeof(*feed));

	if (feed == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	memset(feed, 0, offsetof(struct cic_feed, ring));
	feed->input = (struct cic_input){ feed_read, NULL, no_free };
	feed->producer = producer;
	feed->arg = arg;
	pthread_mutex_init(&feed->lock, NULL);
	pthread_cond_init(&feed->filled, NULL);
	pthread_cond_init(&feed->emptied, NULL);
	if (pthread_create(&feed->thread, NULL, produce, feed) != 0) {
		cic_err_set(err, CIC_EIO, "no thread could be started");
		pthread_cond_destroy(&feed->filled);
		pthread_cond_destroy(&feed->emptied);
		pthread_mutex_destroy(&feed->lock);
		free(feed);
		return NULL;
	}
	return feed;
}

struct cic_input *
cic_feed_input(struct cic_feed *feed)
{
	return &feed->input;
}

void
cic_feed_free(struct cic_feed *feed)
{
	if (feed == NULL)
		return;
	pthread_mutex_lock(&feed->lock);
	feed->stopped = true;
	pthread_cond_signal(&feed->emptied);
	pthread_mutex_unlock(&feed->lock);
	pthread_join(feed->thread, NULL);
	pthread_cond_destroy(&feed->filled);
	pthread_cond_destroy(&feed->emptied);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}
