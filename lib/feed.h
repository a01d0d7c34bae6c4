/*
 * Bytes from one thread to another, through a buffer of fixed size: what
 * produces them goes on while what was produced is being worked on.
 */
#ifndef CIC_FEED_H
#define CIC_FEED_H

#include <stdbool.h>
#include <stddef.h>

struct cic_err;
struct cic_feed;
struct cic_input;

#define CIC_FEED_BYTES	((size_t)8 << 20)

/* Runs in a thread of its own and calls cic_feed_put; 0, or -1 with err. */
typedef int cic_feed_producer(void *arg, struct cic_feed *feed,
    struct cic_err *err);

/* Start the thread.  NULL with CIC_EIO.  Release with cic_feed_free. */
struct cic_feed *cic_feed_start(cic_feed_producer *producer, void *arg,
    struct cic_err *err);

/* The producer's: hand bytes over, waiting for room.  -1: nobody reads any
 * more, so produce no more. */
int cic_feed_put(struct cic_feed *feed, const void *data, size_t len);

/* The producer's: will the next put fail? */
bool cic_feed_stopped(struct cic_feed *feed);

/*
 * The reader's end.  Where the bytes end, its read returns 0 when the producer
 * returned 0, and -1 with the producer's err when it did not.  cic_feed_free
 * frees it; cic_input_free does nothing.
 */
struct cic_input *cic_feed_input(struct cic_feed *feed);

/* Read no more: the producer's next put fails.  Waits for its end. */
void cic_feed_free(struct cic_feed *feed);	/* NULL is fine */

#endif
