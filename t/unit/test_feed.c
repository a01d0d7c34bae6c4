/* feed.h: all bytes, in order, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "feed.h"
#include "input.h"

#define PERIOD	1000003u	/* prime, so no piece begins where another did */

static struct cic_err err;
static unsigned char pattern[PERIOD];

/* What a producer is to put: `total` bytes of the pattern over and over, in
 * pieces of these sizes in turn. */
struct job {
	size_t	 total;
	const size_t *piece;
	size_t	 pieces;
	bool	 fails;		/* in the end */
	_Atomic size_t put;	/* bytes */
	_Atomic bool refused;	/* a put failed */
};

static int
setup(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < PERIOD; i++) {
		seed = seed * 1664525u + 1013904223u;
		pattern[i] = (unsigned char)(seed >> 24);
	}
	return 0;
}

static int
produce(void *arg, struct cic_feed *feed, struct cic_err *er)
{
	static unsigned char piece[12 << 20];
	struct job *job = arg;
	size_t i, k, n;

	for (i = 0; job->put < job->total; i++) {
		n = job->piece[i % job->pieces];
		if (n > job->total - job->put)
			n = job->total - job->put;
		for (k = 0; k < n; k++)
			piece[k] = pattern[(job->put + k) % PERIOD];
		if (cic_feed_put(feed, piece, n) == -1) {
			job->refused = true;
			return cic_err_set(er, CIC_EIO, "nobody reads");
		}
		job->put += n;
	}
	return job->fails ? cic_err_set(er, CIC_EAGAIN, "the engine is gone") : 0;
}

static struct cic_feed *
start(struct job *job)
{
	struct cic_feed *feed = cic_feed_start(produce, job, &err);

	if (feed == NULL)
		fail_msg("%s", err.msg);
	return feed;
}

/* `n` bytes, the first of which was put as the at-th. */
static void
is_right(const unsigned char *data, size_t n, size_t at)
{
	size_t i;

	for (i = 0; i < n && data[i] == pattern[(at + i) % PERIOD]; i++)
		;
	if (i < n)
		fail_msg("wrong from byte %zu on", at + i);
}

/* Read to the end, compare; what the last read returned. */
static ssize_t
read_all(struct cic_feed *feed, size_t want)
{
	struct cic_input *input = cic_feed_input(feed);
	const void *data;
	size_t at = 0;
	ssize_t n;

	while ((n = input->read(input, &data, &err)) > 0) {
		assert_true(n <= 1 << 20);
		is_right(data, (size_t)n, at);
		at += (size_t)n;
	}
	assert_int_equal(at, want);
	return n;
}

/* From one byte to more than the buffer holds. */
static void
a_hundred_megabytes(void **state)
{
	static const size_t piece[] = { 1, 4097, 65536, 3, (size_t)9 << 20, 1 << 20,
	    (2 << 20) + 1, 0, 511, CIC_FEED_BYTES, CIC_FEED_BYTES - 1, 777777 };
	struct job job = { .total = 100000007, .piece = piece, .pieces = 12 };
	struct cic_feed *feed = start(&job);

	(void)state;
	assert_int_equal(read_all(feed, job.total), 0);
	assert_int_equal(job.put, job.total);
	cic_feed_free(feed);
}

static void
small_pieces(void **state)
{
	static const size_t piece[] = { 17, 1, 4096 };
	struct job job = { .total = (17 << 20) + 3, .piece = piece, .pieces = 3 };
	struct cic_feed *feed = start(&job);

	(void)state;
	assert_int_equal(read_all(feed, job.total), 0);
	cic_feed_free(feed);
}

/* Few bytes wake nobody, but their end does. */
static void
little(void **state)
{
	static const size_t piece[] = { 5 };
	struct job job = { .total = 12, .piece = piece, .pieces = 1 };
	struct cic_feed *feed = start(&job);

	(void)state;
	assert_int_equal(read_all(feed, 12), 0);
	assert_int_equal(read_all(feed, 0), 0);
	cic_feed_free(feed);
}

static void
empty(void **state)
{
	struct job job = { .total = 0 };
	struct cic_feed *feed = start(&job);

	(void)state;
	assert_int_equal(read_all(feed, 0), 0);
	cic_feed_free(feed);
}

/* The error comes after the bytes, and stays. */
static void
producers_error(void **state)
{
	static const size_t piece[] = { 100001 };
	static const size_t total[] = { 0, 1, 3 << 20, 20 << 20 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct job job = { .total = total[i], .piece = piece, .pieces = 1,
		    .fails = true };
		struct cic_feed *feed = start(&job);

		for (int again = 0; again < 2; again++) {
			err = (struct cic_err){ CIC_OK, "" };
			assert_int_equal(read_all(feed, again ? 0 : total[i]), -1);
			assert_int_equal(err.code, CIC_EAGAIN);
			assert_string_equal(err.msg, "the engine is gone");
		}
		cic_feed_free(feed);
	}
}

/* Who stops reading is not waited for, whether there is room left or not. */
static void
reader_stops(void **state)
{
	static const size_t piece[] = { 100001, (size_t)9 << 20 };
	const void *data;

	(void)state;
	for (int reads = 0; reads < 12; reads += 3) {
		struct job job = { .total = SIZE_MAX, .piece = piece, .pieces = 2 };
		struct cic_feed *feed = start(&job);
		struct cic_input *input = cic_feed_input(feed);

		for (int i = 0; i < reads; i++)
			assert_true(input->read(input, &data, &err) > 0);
		cic_feed_free(feed);
		assert_true(job.refused);
	}
}

/* A producer that has nothing to put asks whether it is still wanted. */
static int
wait_for_the_end(void *arg, struct cic_feed *feed, struct cic_err *er)
{
	struct job *job = arg;

	(void)er;
	job->refused = cic_feed_stopped(feed);
	job->refused = job->refused || cic_feed_put(feed, "x", 1) == -1;
	job->put = 1;
	while (!cic_feed_stopped(feed))
		usleep(1000);
	return 0;
}

static void
stopped_is_told(void **state)
{
	struct job job = { .total = 1 };
	struct cic_feed *feed = cic_feed_start(wait_for_the_end, &job, &err);

	(void)state;
	assert_non_null(feed);
	while (job.put == 0)
		usleep(1000);
	cic_feed_free(feed);
	assert_false(job.refused);	/* not from the start */
}

static void
free_after_the_end(void **state)
{
	static const size_t piece[] = { 10 };
	struct job job = { .total = 10, .piece = piece, .pieces = 1 };
	struct cic_feed *feed = start(&job);

	(void)state;
	while (job.put < job.total)
		usleep(1000);
	cic_input_free(cic_feed_input(feed));	/* does nothing */
	assert_int_equal(read_all(feed, 10), 0);
	cic_feed_free(feed);
	assert_false(job.refused);
	cic_feed_free(NULL);
}

/* What the reader looks at is not written over, however far the producer is. */
static void
good_until_the_next_read(void **state)
{
	static const size_t piece[] = { 65536 };
	struct job job = { .total = 32 << 20, .piece = piece, .pieces = 1 };
	struct cic_feed *feed = start(&job);
	struct cic_input *input = cic_feed_input(feed);
	const void *data;
	ssize_t n;

	(void)state;
	n = input->read(input, &data, &err);
	assert_true(n > 0);
	while (job.put < CIC_FEED_BYTES)
		usleep(1000);
	usleep(20000);	/* if it goes on, it does so now */
	assert_int_equal(job.put, CIC_FEED_BYTES);
	is_right(data, (size_t)n, 0);
	cic_feed_free(feed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_megabytes), cmocka_unit_test(small_pieces),
		cmocka_unit_test(little), cmocka_unit_test(empty),
		cmocka_unit_test(producers_error), cmocka_unit_test(reader_stops),
		cmocka_unit_test(stopped_is_told),
		cmocka_unit_test(free_after_the_end),
		cmocka_unit_test(good_until_the_next_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
