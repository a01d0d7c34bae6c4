/*
 * What a status poll may wait for: a build's status body or record to have
 * another revision than the one its client has.
 */
#ifndef CIC_WAIT_H
#define CIC_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct app;
struct req;
struct resp;

#define WAIT_MAX	25	/* seconds; old clients give up after 30 */

/* Member of an answer: it may be held back so long. */
struct wait {
	int64_t		 ms;		/* from now; 0: it may not */
	unsigned char	 id[16];
	bool		 record;	/* its record's revision, not the body's */
	uint64_t	 rev;		/* that the answer tells */
};

/* What a request asks for. */
struct wait_query {
	int64_t		 ms;		/* from now; 0 or less: nothing */
	bool		 has_since;
	uint64_t	 since;		/* the revision its client has */
};

/*
 * Read `wait` and `since`; without `wait`, what the configuration has for the
 * client's User-Agent.  The time counts from the request's arrival at the web
 * server, so that one that was sent on again is not held twice.
 * Returns 0, or -1 with `resp` filled.
 */
int wait_read(const struct req *req, const struct app *app,
    struct wait_query *query, struct resp *resp);

/* The revision an answer tells: into its header ETag, and into `resp->wait`
 * when it may wait for another one.  `wait.id` and `wait.record` are set. */
void wait_set(struct resp *resp, const struct wait_query *query,
    struct wait wait, bool ended);

/* Has the build another revision by now, or does nobody know? */
bool wait_is_over(struct app *app, const struct wait *wait);

#endif
