/* fcgi/park.h: what is parked comes out once, for the right reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../fcgi/park.h"

#define CARS	8
#define FOREVER	600000	/* ms */
#define PATIENCE 20000	/* ms, of the test */

static struct car {
	struct parked	parked;
	int		peer;		/* the other end */
	atomic_int	outs;
	atomic_int	why;
	atomic_bool	moved;
} cars[CARS];
static atomic_ullong changes, looks;
static int stop_pipe[2];
static struct park *park;

static uint64_t
change(void *arg)
{
	assert_ptr_equal(arg, cars);
	return changes;
}

static bool
moved(const struct parked *parked, void *arg)
{
	(void)arg;
	looks++;
	return ((const struct car *)(const void *)parked)->moved;
}

static void
out(struct parked *parked, enum park_end why, void *arg)
{
	struct car *car = (struct car *)(void *)parked;

	(void)arg;
	car->why = (int)why;
	car->outs++;
}

static int
setup(void **state)
{
	static const struct park_ops ops = { change, moved, out };
	static const char *const names[CARS] = { "a", "b", "c", "d", "e", "f",
	    "g", "h" };
	int i, pair[2];

	(void)state;
	changes = looks = 0;
	for (i = 0; i < CARS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			return -1;
		cars[i] = (struct car){ .parked = { .fd = pair[0],
		    .deadline = park_now() + FOREVER, .who = names[i] },
		    .peer = pair[1], .why = -1 };
	}
	if (pipe(stop_pipe) != 0)
		return -1;
	park = park_new(&ops, cars, CARS - 1, stop_pipe[0]);
	return park == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	int i;

	(void)state;
	if (write(stop_pipe[1], "", 1) != 1)
		return -1;
	park_free(park);
	for (i = 0; i < CARS; i++) {
		close(cars[i].parked.fd);
		if (cars[i].peer >= 0)
			close(cars[i].peer);
	}
	close(stop_pipe[0]);
	close(stop_pipe[1]);
	return 0;
}

/* It comes out, once, for that reason. */
static void
comes_out(int n, enum park_end why)
{
	int64_t give_up = park_now() + PATIENCE;

	while (cars[n].outs == 0 && park_now() < give_up)
		usleep(1000);
	assert_int_equal(cars[n].outs, 1);
	assert_int_equal(cars[n].why, why);
}

/* The thread has looked for changes at least once more. */
static void
another_look(void)
{
	unsigned long long before = looks;
	int64_t give_up = park_now() + PATIENCE;

	changes++;
	while (looks == before && park_now() < give_up)
		usleep(1000);
	assert_true(looks > before);
}

static void
a_change(void **state)
{
	(void)state;
	assert_true(park_add(park, &cars[0].parked));
	assert_true(park_add(park, &cars[1].parked));
	another_look();
	another_look();
	assert_int_equal(cars[0].outs + cars[1].outs, 0);
	cars[1].moved = true;
	changes++;
	comes_out(1, PARK_MOVED);
	assert_int_equal(cars[0].outs, 0);
}

/* What changed between its owner's look and ours is not missed. */
static void
a_change_before(void **state)
{
	(void)state;
	cars[0].moved = true;
	assert_true(park_add(park, &cars[0].parked));
	comes_out(0, PARK_MOVED);
}

/* Nobody is asked when nothing has changed. */
static void
no_change(void **state)
{
	(void)state;
	assert_true(park_add(park, &cars[0].parked));
	cars[1].parked.deadline = park_now() + 10 * PARK_TICK;
	assert_true(park_add(park, &cars[1].parked));
	comes_out(1, PARK_TIME);
	assert_true(park_now() >= cars[1].parked.deadline);
	assert_int_equal(looks, 2);
	assert_int_equal(cars[0].outs, 0);
}

static void
hung_up(void **state)
{
	(void)state;
	assert_true(park_add(park, &cars[0].parked));
	assert_true(park_add(park, &cars[1].parked));
	close(cars[1].peer);
	cars[1].peer = -1;
	comes_out(1, PARK_GONE);
	/* a peer that has only said all it has to say is still there */
	shutdown(cars[0].peer, SHUT_WR);
	another_look();
	assert_int_equal(cars[0].outs, 0);
}

static void
full(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < CARS - 1; i++)
		assert_true(park_add(park, &cars[i].parked));
	assert_false(park_add(park, &cars[CARS - 1].parked));
	cars[0].moved = true;
	changes++;
	comes_out(0, PARK_MOVED);
	assert_true(park_add(park, &cars[CARS - 1].parked));
	assert_int_equal(cars[CARS - 1].outs, 0);
}

/* One who waits for everything leaves some room for others. */
static void
greedy(void **state)
{
	int i, most = CARS - 1 - (CARS - 1) / 4;

	(void)state;
	for (i = 0; i < most + 1; i++)
		cars[i].parked.who = "greedy";
	for (i = 0; i < most; i++)
		assert_true(park_add(park, &cars[i].parked));
	assert_false(park_add(park, &cars[most].parked));
	assert_true(park_add(park, &cars[CARS - 1].parked));
	assert_false(park_add(park, &cars[most].parked));
	/* one of his goes, and he may have another */
	cars[0].moved = true;
	changes++;
	comes_out(0, PARK_MOVED);
	assert_true(park_add(park, &cars[most].parked));
}

static void
stopped(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true(park_add(park, &cars[i].parked));
	assert_int_equal(write(stop_pipe[1], "", 1), 1);
	for (i = 0; i < 3; i++)
		comes_out(i, PARK_STOP);
	assert_false(park_add(park, &cars[3].parked));
	assert_int_equal(cars[3].outs, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_change), T(a_change_before), T(no_change), T(hung_up),
		T(full), T(greedy), T(stopped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
