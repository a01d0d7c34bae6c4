/*
 * A build's record: what is kept about one accepted request from PENDING to
 * its end, and the two JSON texts made of it.
 */
#ifndef CIC_BUILD_H
#define CIC_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "id.h"
#include "request.h"

struct cic_buf;
struct cic_json;

/* The order is the order of a build's life. */
enum cic_state {
	CIC_PENDING,		/* accepted, waits in the queue */
	CIC_STARTED,		/* a worker has it: registries, existing image */
	CIC_BUILDING,		/* the engine builds the image */
	CIC_CONVERTING,		/* image to .sif, and its publication */
	CIC_FINISHED,
	CIC_FAILED,
	CIC_STATE__MAX
};

/* Why a build failed, for programs; cic_cause_name has the words. */
enum cic_cause {
	CIC_CAUSE_NONE,
	CIC_CAUSE_REQUEST,		/* the stored request is not valid */
	CIC_CAUSE_GIT_UNREACHABLE,
	CIC_CAUSE_NO_SUCH_WORKFLOW,
	CIC_CAUSE_NO_SUCH_VERSION,
	CIC_CAUSE_BAD_ENTRY,		/* the registry's description is wrong */
	CIC_CAUSE_APT,
	CIC_CAUSE_PIP,
	CIC_CAUSE_SPACK_CONCRETIZE,	/* no way to choose the packages */
	CIC_CAUSE_SPACK_PACKAGE,	/* one of them does not build */
	CIC_CAUSE_SPACK,		/* anything else Spack says */
	CIC_CAUSE_POST_INST,
	CIC_CAUSE_BASE_IMAGE,
	CIC_CAUSE_IMAGE_BUILD,		/* the engine failed in another step */
	CIC_CAUSE_PLATFORM,		/* this host cannot run that platform */
	CIC_CAUSE_ENGINE,		/* the engine does not answer */
	CIC_CAUSE_REGISTRY,		/* it does not answer, or nonsense */
	CIC_CAUSE_PUSH,			/* refused by the registry */
	CIC_CAUSE_CONVERT,
	CIC_CAUSE_DISK,			/* out of disk */
	CIC_CAUSE_MEMORY,		/* out of memory */
	CIC_CAUSE_CANCELLED,
	CIC_CAUSE_STALLED,		/* no output for limits.stall_timeout */
	CIC_CAUSE_TIMED_OUT,
	CIC_CAUSE_LOST,			/* its processes died, too often */
	CIC_CAUSE_INTERNAL,
	CIC_CAUSE__MAX
};

#define CIC_MESSAGE_MAX	1024
#define CIC_EXCERPT_MAX	4096
#define CIC_PACKAGE_MAX	128	/* a Spack package, "zlib@1.3.1" */
#define CIC_COMMIT_MAX	65	/* a git object id: 40 or 64 digits */
#define CIC_OWNER_MAX	256
#define CIC_OWNERS_MAX	64	/* later askers still get the id */
#define CIC_DIGEST_MAX	80	/* "sha256:" and 64 digits */

/* How far a build has come, for people.  "" and 0 are not known. */
struct cic_progress {
	char		stage[16];		/* resolve, check, build … */
	int		step, steps;		/* of the image build, from 1 */
	char		step_name[64];		/* apt, spack …, or what it does */
	char		package[CIC_PACKAGE_MAX];	/* Spack builds now */
	int		packages_done, packages;
	int64_t		output;			/* last output, ms since 1970 */
};
#define CIC_PROGRESS_COUNT_MAX	99999	/* of steps and packages */

/* When each stage of the present start began, in their order. */
#define CIC_STAGES_MAX	16
struct cic_stages {
	int		count;
	struct {
		char	name[16];
		int64_t	began;			/* ms since 1970 */
	} at[CIC_STAGES_MAX];
};

struct cic_build {
	char			 id[CIC_ID_TEXT];
	uint64_t		 seq;		/* order of acceptance, from 1 */
	uint64_t		 rev;		/* counts every change */
	enum cic_state		 state;
	int			 attempt;	/* counts its starts */
	int			 lost;		/* starts that died on the way */
	bool			 recheck;	/* joined late: resolve once more */
	int			 reruns;	/* times that was done */
	bool			 force_done;	/* force has been honoured */
	bool			 publishing;	/* its file gets its name now: too
						 * late to cancel it */
	char			 cancel[CIC_OWNER_MAX];	/* who wants it ended; "" */
	struct cic_request	 request;
	struct cic_names	 names;		/* of image and file */
	char			*owners[CIC_OWNERS_MAX];	/* heap */
	int			 owner_count;
	int64_t			 created, started, ended;	/* ms, 0: not yet */

	/* how it ended, or what is known so far; "" is nothing yet */
	enum cic_cause		 cause;
	char			 message[CIC_MESSAGE_MAX];
	char			 excerpt[CIC_EXCERPT_MAX];	/* of the log:
							 * lines that show why */
	char			 package[CIC_PACKAGE_MAX];	/* that failed; it has
							 * a log of its own */
	struct cic_progress	 progress;
	struct cic_stages	 stages;
	char			 image_id[CIC_DIGEST_MAX];	/* of the engine */
	char			 content_key[CIC_SHA256_HEX];
	char			 workflow_commit[CIC_COMMIT_MAX];
	char			 catalog_commit[CIC_COMMIT_MAX];
	char			 sha256[CIC_SHA256_HEX];	/* of the .sif */
	uint64_t		 size;				/* of the .sif */
};

/* Free what the record holds; the struct is empty after. */
void cic_build_release(struct cic_build *build);

/* Add an owner unless there already.  Returns whether the record changed. */
bool cic_build_add_owner(struct cic_build *build, const char *owner);

/* Take an owner away.  Returns whether it was one. */
bool cic_build_remove_owner(struct cic_build *build, const char *owner);
bool cic_build_has_owner(const struct cic_build *build, const char *owner);

/* FAILED, "cancelled by NAME", now. */
void cic_build_end_cancelled(struct cic_build *build, const char *name);

static inline bool
cic_state_is_end(enum cic_state state)
{
	return state == CIC_FINISHED || state == CIC_FAILED;
}

const char *cic_state_name(enum cic_state state);	/* "PENDING" … */
/* The state of that name, or CIC_STATE__MAX. */
enum cic_state cic_state_parse(const char *name);

const char *cic_cause_name(enum cic_cause cause);	/* "git unreachable" … */
enum cic_cause cic_cause_parse(const char *name);	/* or CIC_CAUSE__MAX */

/* A JSON object, and back: what does not fit or is no number in bounds is read
 * as not known; `json` NULL gives nothing at all. */
void cic_progress_print(struct cic_buf *buf, const struct cic_progress *p);
void cic_progress_parse(const struct cic_json *json, struct cic_progress *p);

/* Is there anything in it to tell people that `b` does not have?  The time of
 * the last output alone counts only when it is ten seconds newer. */
bool cic_progress_differs(const struct cic_progress *a,
    const struct cic_progress *b);

/* A stage begins.  One that has begun already, or is one too many, changes
 * nothing. */
void cic_stages_begin(struct cic_stages *stages, const char *name, int64_t ms);
/* {"resolve":ms,…}, and back, as above. */
void cic_stages_print(struct cic_buf *buf, const struct cic_stages *stages);
void cic_stages_parse(const struct cic_json *json, struct cic_stages *stages);

/* Milliseconds since 1970, UTC. */
int64_t cic_now_ms(void);

/* The whole record as JSON, with its schema version. */
void cic_build_print(struct cic_buf *buf, const struct cic_build *build);
/* The same with its place in the queue, from 1; 0 is null. */
void cic_build_print_placed(struct cic_buf *buf, const struct cic_build *build,
    size_t position);

/*
 * Read a record back.  The request inside is checked again by
 * cic_request_parse: who can write the store cannot make the worker run
 * something the API would refuse.  CIC_EINVAL when anything is not right.
 */
int cic_build_parse(const char *text, size_t len,
    const struct cic_request_site *site, struct cic_build *build,
    struct cic_err *err);

/* The body of GET /build/<id>: four keys in the order old clients print. */
void cic_build_print_status(struct cic_buf *buf, const struct cic_build *build);

/* Does such a body say that the build has ended? */
bool cic_status_is_end(const char *body, size_t len);

#endif
