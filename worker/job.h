/*
 * One build as cic-build sees it: what it was told, where it works, what its
 * stages have found out so far.
 *
 * The folder of a build, <data>/builds/<id>/:
 *	job.json	what the worker wrote for this start
 *	cic.yaml	the configuration the worker had then
 *	lock		locked as long as cic-build lives
 *	log		everything the tools print, for people
 *	package.log	the end of the log of the Spack package that failed
 *	journal-<n>	JSON lines of start n, for the worker (journal.h)
 *	work/		build context and scratch; emptied at every start
 */
#ifndef CIC_JOB_H
#define CIC_JOB_H

#include <stdbool.h>
#include <time.h>

#include "build.h"
#include "conf.h"
#include "content_key.h"
#include "engine.h"
#include "err.h"
#include "failure.h"
#include "git.h"
#include "path.h"
#include "progress.h"
#include "registry.h"
#include "store.h"

/* Parts of an image build; each is a step of the Dockerfile and a folder of
 * the context. */
enum job_part { JOB_APT, JOB_SPACK, JOB_POST_INST, JOB_PIP, JOB_PART__MAX };

struct job_step {
	bool	wanted;				/* the description asks for it */
	bool	private_cache;			/* its author's code runs in it */
	char	inputs[CIC_SHA256_HEX];		/* digest of its folder */
};

struct job {
	/* told */
	const struct cic_conf	*conf;
	char			 folder[CIC_PATH_MAX];
	struct cic_build	 build;		/* id, attempt, request, names */
	struct cic_image	 known;		/* the .sif published under that
						 * name; size 0: none */
	int			 log_fd;
	int			 journal_fd;
	struct progress		*progress;	/* NULL: nobody is told */
	time_t			 deadline;	/* CLOCK_MONOTONIC seconds */

	/* found out, in the order of the stages */
	struct cic_git_commit	 workflow, catalog;
	char			 workflow_tree[CIC_COMMIT_MAX];
	char			 catalog_tree[CIC_COMMIT_MAX];
	char			 base_id[CIC_DIGEST_MAX];
	char			 site_packages[CIC_SHA256_HEX];
	char			 content_key[CIC_SHA256_HEX];
	char			 parts[CONTENT_PARTS_TEXT];	/* content_key.h */
	char			 image_id[CIC_DIGEST_MAX];	/* "" until built */
	bool			 in_engine, in_registry;	/* the image is */
	bool			 push;		/* asked for, and its name is one
						 * of the registry's */
	char			 registry_digest[CIC_DIGEST_MAX];
	bool			 keep_file;	/* the known .sif is right */
	char			 login[CIC_PATH_MAX];	/* login.h; "" for none */
	char			 certs[CIC_PATH_MAX];	/* engine.h; "" for none */
	struct job_step		 step[JOB_PART__MAX];
	struct cic_image	 made;		/* the new .sif; size 0: none */
	enum cic_cause		 cause;		/* of the failure */
	struct failure		 failure;	/* … its excerpt and package, if any */
	char			 message[CIC_MESSAGE_MAX];	/* for success */
};

/* git as this job uses it; `git` points into the rest. */
struct job_git {
	struct cic_git		 git;
	struct cic_git_access	 access;
	char			 mirrors[CIC_PATH_MAX];
};

/* A stage: does its part, or fails with err->msg fit for people and
 * job->cause set.  May run again after a crash: clears what it left. */
typedef int (*stage_fn)(struct job *job, struct cic_err *err);

int stage_resolve(struct job *job, struct cic_err *err);
int stage_check(struct job *job, struct cic_err *err);
int stage_context(struct job *job, struct cic_err *err);
int stage_build(struct job *job, struct cic_err *err);
int stage_pull(struct job *job, struct cic_err *err);
int stage_push(struct job *job, struct cic_err *err);
int stage_convert(struct job *job, struct cic_err *err);

/* After stage_check: what is still to be made? */
static inline bool
job_wants_image(const struct job *job)
{
	return job->image_id[0] == '\0';
}

static inline bool
job_wants_file(const struct job *job)
{
	return !job->keep_file &&
	    job->build.request.container == CIC_SINGULARITY;
}

/* A .sif is made of what the engine has. */
static inline bool
job_wants_pull(const struct job *job)
{
	return !job->in_engine && job_wants_file(job);
}

static inline bool
job_wants_push(const struct job *job)
{
	return job->push && !job->in_registry;
}

/* Write job.json for a start of `build`; `known` may have size 0. */
int job_write(const char *folder, const struct cic_build *build,
    const struct cic_image *known, struct cic_err *err);
/* Read it back; `job->conf` and `job->folder` are set.  Checked like the
 * store's records. */
int job_read(struct job *job, struct cic_err *err);

/* A name in the build's scratch folder; "" for that folder itself. */
int job_path(const struct job *job, const char *name, char out[CIC_PATH_MAX],
    struct cic_err *err);

/* <images>/.<id>-<attempt>.tmp: where a .sif grows before it is published.
 * The web server serves no name that begins with a dot. */
int job_temporary(const struct cic_conf *conf, const struct cic_build *build,
    char out[CIC_PATH_MAX], struct cic_err *err);

/* A line for people in the build's log. */
void job_say(const struct job *job, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Seconds left until the deadline, at least 1. */
unsigned job_seconds_left(const struct job *job);

/* The engine as this job uses it, with login and certificates. */
struct cic_engine job_engine(const struct job *job);

/* git, and the registry, likewise.  The registry's token is in `token`, an
 * empty buffer of the caller's, to be released after use. */
int job_git(const struct job *job, struct job_git *out, struct cic_err *err);
int job_registry(const struct job *job, struct cic_registry *out,
    struct cic_buf *token, struct cic_err *err);

/* The image that the step's image starts from; for BASE what that one is. */
const char *job_base_image(const struct job *job);

const char *job_part_name(enum job_part part);	/* "apt", "spack", … */

/* err->code and a full disk tell more than the stage's own cause. */
void job_set_cause(struct job *job, enum cic_cause cause,
    const struct cic_err *err);

/* The cause of what lib/registry.h failed with, and which settings to look at. */
void job_registry_failed(struct job *job, struct cic_err *err);

#endif
