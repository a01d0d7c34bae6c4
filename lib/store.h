/*
 * The store: builds, queue and images in one LMDB environment.
 *
 *	status	build id (16 bytes)	revision (8 bytes, BE) and body of
 *					GET /build/<id>, ready to send
 *	builds	build id		the whole record, JSON (build.h)
 *	queue	sequence (8 bytes, BE)	build id, then the name of who counts it
 *				among what he has waiting, if anybody
 *	active	SHA-256 of the request	id of the build in flight, which who
 *					asks for the same joins
 *	dying	build id		nothing: it runs, and is to be ended
 *	trash	build id		nothing: its record is gone, its folder
 *					is to be removed
 *	names	output file name	what it stands for, builds that use it
 *	owners	owner, NUL, sequence	build id; the owner "" has all of them
 *	images	output file name	record of the published file, JSON
 *	meta	name			schema version, last sequence number
 *	catalog	name			what the registries hold (store_catalog.h)
 *	tokens	SHA-256 of the token	whose it is, JSON (store_token.h)
 *
 * Every change is one write transaction over all databases it touches, synced
 * before the call returns 0: what was reported as done survives a power cut.
 * Values are copied out; nothing points into the map after a call.
 *
 * One cic_store per process, opened after fork, never on a network file
 * system (LMDB's locks and map do not work there; refused).  A store may be
 * used from several threads at once, and by several processes of one host
 * that share a PID namespace.
 */
#ifndef CIC_STORE_H
#define CIC_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "build.h"
#include "err.h"

struct cic_buf;
struct cic_store;

/*
 * Open, creating the folder's files when they are missing (mode 0660).
 * `site` is used when records are read back; it must outlive the store.
 * Returns NULL with CIC_EIO, CIC_EDENIED or CIC_ENOENT.
 */
struct cic_store *cic_store_open(const char *folder,
    const struct cic_request_site *site, struct cic_err *err);
void cic_store_close(struct cic_store *store);	/* takes NULL */

/* Has LMDB given up (corrupt page, failed meta write)?  The process must end
 * and be started again: an environment cannot be opened twice in one. */
bool cic_store_is_broken(const struct cic_store *store);

struct cic_accept {
	const struct cic_request *request;
	const char	*owner;
	uint64_t	 min_free;	/* bytes below the folder */
	int		 pending_max;	/* builds that the owner may have waiting;
					 * 0: any number */
	bool		 uncounted;	/* takes no time worth counting: neither
					 * refused for that nor counted later */
};

/*
 * Accept a request: a new build in state PENDING, queued; or, when the same
 * canonical request is in flight, that build, the owner joining it.
 *
 * Refuses with CIC_ENOSPC when less than `min_free` bytes are free or LMDB has no
 * room, and with CIC_EQUOTA who has `pending_max` builds waiting and asks for
 * one more; nothing is half-written then.
 * A build counts for who it was made for as long as it waits for its first
 * start and he has not left it; joining never counts.
 * `id` is set on success; `joined` says which of the two it was.
 */
int cic_store_accept(struct cic_store *store, const struct cic_accept *accept,
    char id[CIC_ID_TEXT], bool *joined, struct cic_err *err);

/* The status body of a build, appended to `body` (NULL: not wanted), and its
 * revision, which counts the changes of this body alone.  CIC_ENOENT: no such
 * build. */
int cic_store_status(struct cic_store *store, const unsigned char id[16],
    uint64_t *rev, struct cic_buf *body, struct cic_err *err);

/* The revision of a build's record.  CIC_ENOENT: it has none. */
int cic_store_record_rev(struct cic_store *store, const unsigned char id[16],
    uint64_t *rev, struct cic_err *err);

/* A number that another one takes the place of with every change of the store,
 * whichever process makes it.  Costs no lock and no transaction. */
uint64_t cic_store_last_change(struct cic_store *store);

/* A build's record.  CIC_ENOENT: no such build; release with
 * cic_build_release. */
int cic_store_get(struct cic_store *store, const char *id,
    struct cic_build *build, struct cic_err *err);

/*
 * Take the oldest queued build: STARTED, attempt counted, one transaction.
 * Builds whose output file is in `busy` (`n` names) wait for their turn.
 * A record that cannot be read is ended as FAILED on the way.
 * CIC_ENOENT: nothing to do.
 */
int cic_store_claim(struct cic_store *store, const char *const *busy, size_t n,
    struct cic_build *build, struct cic_err *err);

/* What a published .sif is, kept under its file name.  Of the commits the newest
 * are kept whose content is the image's. */
struct cic_image {
	char		image_id[CIC_DIGEST_MAX];	/* it was made of */
	char		sha256[CIC_SHA256_HEX];
	uint64_t	size;
};

/*
 * Change a build that is not ended: `apply` edits the record inside the
 * transaction (it must not call the store).  The state may move to any other
 * one; an end takes the build out of `active`, PENDING queues it again at its
 * old place.  `image`, when not NULL, is written with it; a build that ends as
 * FINISHED without one leaves its commits in the record of the file that it found
 * to be right.
 *
 * `attempt` must be the record's (-1: any): late news of an earlier try is
 * refused with CIC_EEXIST, as is a build that has ended.
 */
struct cic_change {
	const char		*id;
	int			 attempt;
	void			(*apply)(struct cic_build *build, void *arg);
	void			*arg;
	const struct cic_image	*image;
};
int cic_store_change(struct cic_store *store, const struct cic_change *change,
    struct cic_err *err);

/* Call `visit` with every build that a worker has and that has not ended
 * (STARTED, BUILDING, CONVERTING).  `visit` may call the store.  A record that
 * cannot be read is shown as FAILED from then on. */
int cic_store_each_running(struct cic_store *store,
    void (*visit)(const struct cic_build *build, void *arg), void *arg,
    struct cic_err *err);

/* What came of wanting a build ended. */
enum cic_cancelled {
	CIC_LEFT,		/* others want it still */
	CIC_CANCELLED,		/* it waited: FAILED now */
	CIC_CANCELLING		/* it runs: a worker is to end it */
};

/*
 * `user` wants the build no more.  One of several owners leaves; the last one,
 * and whoever is `admin`, ends it: one that waits is FAILED at once, "cancelled
 * by USER"; the record of one that runs says so in `cancel`, and whatever
 * becomes of it (cic_store_change, cic_build_end_cancelled) must be that.  Who
 * asks for the same from then on gets a new build.
 *
 * CIC_ENOENT: no such build, or not of this user.  CIC_EEXIST: it has ended, or
 * its file is being published.
 */
int cic_store_cancel(struct cic_store *store, const char *id,
    const char *user, bool admin, enum cic_cancelled *result,
    struct cic_err *err);

/* Does somebody want this build, which runs, ended?  A look-up, for every tick;
 * false when it cannot be found out. */
bool cic_store_is_dying(struct cic_store *store, const char *id);

/*
 * Take an ended build out of `user`'s list.  When nobody else has it there, or
 * `user` is an `admin` who has it not, the record goes and its folder is trash;
 * the status stays.  CIC_ENOENT as above, CIC_EEXIST: it has not ended.
 */
int cic_store_hide(struct cic_store *store, const char *id, const char *user,
    bool admin, struct cic_err *err);

/* A build whose folder is to be removed, and that this has been done.
 * CIC_ENOENT: there is none. */
int cic_store_trash(struct cic_store *store, char id[CIC_ID_TEXT],
    struct cic_err *err);
int cic_store_trash_removed(struct cic_store *store, const char *id,
    struct cic_err *err);

/* The build's place in the queue, from 1; 0 when it does not wait. */
int cic_store_queue_position(struct cic_store *store,
    const struct cic_build *build, size_t *position, struct cic_err *err);

/* The record of a published file.  CIC_ENOENT when there is none. */
int cic_store_image(struct cic_store *store, const char *file,
    struct cic_image *image, struct cic_err *err);

/* Which builds to list; what is "" or 0 does not matter. */
struct cic_build_query {
	const char	*owner;		/* NULL: everybody's */
	unsigned	 states;	/* 1 << enum cic_state, … */
	const char	*workflow, *step;
	uint64_t	 before;	/* only older ones: by `seq` */
};

/*
 * Call `visit` with builds, newest first, until it returns false (it does not
 * want the one it got) or the oldest is seen.  `visit` must not write to the
 * store.  After many that do not fit the query the walk stops, too.
 * `next` is the `before` to go on with, 0 at the end: builds that are added
 * meanwhile change nothing about what is older.
 */
int cic_store_list_builds(struct cic_store *store,
    const struct cic_build_query *query,
    bool (*visit)(const struct cic_build *build, void *arg), void *arg,
    uint64_t *next, struct cic_err *err);

/* Likewise the records of published files (JSON, as cic_store_change wrote
 * them) in the order of their names, from `from` on ("": the first), or what
 * comes next when there is none of that name. */
int cic_store_list_images(struct cic_store *store, const char *from,
    bool (*visit)(const char *file, const char *json, size_t len, void *arg),
    void *arg, struct cic_err *err);

/* What the store holds, counted. */
struct cic_store_counts {
	size_t	builds, queued, running, images;
};
int cic_store_count(struct cic_store *store, struct cic_store_counts *counts,
    struct cic_err *err);

/* Builds waiting in the queue. */
int cic_store_queue_length(struct cic_store *store, size_t *length,
    struct cic_err *err);

/* Free reader slots of dead processes (the worker's tick). */
void cic_store_check_readers(struct cic_store *store);

#endif
