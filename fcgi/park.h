/*
 * Requests that wait for something to change, without a thread each.
 *
 * One thread watches all of them: every PARK_TICK ms it asks whether anything
 * has changed at all, and if so, which of the parked it concerns.  A parked one
 * comes out for one of the reasons below, exactly once, in that thread; then it
 * is its owner's again.
 */
#ifndef CIC_PARK_H
#define CIC_PARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define PARK_TICK	50	/* ms */

enum park_end {
	PARK_MOVED,		/* what it waits for has happened */
	PARK_TIME,		/* its time is up */
	PARK_STOP,		/* the process is going to end */
	PARK_GONE		/* the other end of its connection has hung up */
};

/* Member of what is parked.  The first three are set before park_add. */
struct parked {
	int			 fd;		/* the connection */
	int64_t			 deadline;	/* by park_now */
	const char		*who;		/* waits, a user's name; it must
						 * live as long */
	bool			 fresh;		/* nobody has looked yet */
	TAILQ_ENTRY(parked)	 entry;
};

struct park_ops {
	/* A number that changes when anything may have. */
	uint64_t (*change)(void *arg);
	/* Has this one something to be told? */
	bool	 (*moved)(const struct parked *parked, void *arg);
	/* It comes out. */
	void	 (*out)(struct parked *parked, enum park_end why, void *arg);
};

struct park;

/*
 * Start the thread.  At most `max` are parked at once, three quarters of them
 * of one user: nobody keeps all others from being held.  When `stop_fd` gets
 * readable (it is not read), all come out and none is taken any more.
 * Returns NULL when there is no memory, descriptor or thread for it.
 */
struct park *park_new(const struct park_ops *ops, void *arg, int max,
    int stop_fd);
/* After stop_fd has become readable: wait for the thread, free.  Takes NULL. */
void park_free(struct park *park);

/* Park; from any thread.  Returns false when it is not taken (it stops, or is
 * full, or has too many of this user): the caller keeps it, `out` is not
 * called. */
bool park_add(struct park *park, struct parked *parked);

/* Milliseconds of a clock that nobody sets. */
int64_t park_now(void);

#endif
