/*
 * What a failed image build says about itself: from its log to one cause, one
 * sentence, and the few lines that show it.
 *
 * Asked only after the engine has failed: no word in a log is a failure by
 * itself.  What counts is what the failing instruction printed last, as docker's
 * BuildKit and podman tell it, from its last "cic: step" marker on (buildlog.h
 * has the markers).
 */
#ifndef CIC_FAILURE_H
#define CIC_FAILURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "build.h"
#include "err.h"

struct failure {
	enum cic_cause	 cause;
	char		 sentence[CIC_MESSAGE_MAX];
	char		 excerpt[CIC_EXCERPT_MAX];	/* lines; "" for none */
	char		 package[CIC_PACKAGE_MAX];	/* Spack's, or "" */
	/* the tail of that package's own build log, as bytes of the log;
	 * start 0: there is none */
	off_t		 log_start, log_end;
	int		 vertex;	/* that printed it; -1: any */
	bool		 no_process;	/* a new process could not be had */
};

/*
 * Read all of the log `fd` from `start` on, in bounded memory, and fill
 * `failure`.  Always finds a sentence; the cause is CIC_CAUSE_IMAGE_BUILD when
 * the log names none.
 *
 * fallback   what is known without the log
 */
void failure_of_log(int fd, off_t start, const char *fallback,
    struct failure *failure);

/* The same for a push or a pull that the engine could not do; `cause` where the
 * log names none. */
void failure_of_transfer(int fd, off_t start, const char *fallback,
    enum cic_cause cause, struct failure *failure);

/* A push: refused (CIC_CAUSE_PUSH) or broken off (CIC_CAUSE_REGISTRY). */
void failure_of_push(int fd, off_t start, const char *fallback,
    struct failure *failure);

/* Write the package's own log, readable, to `path`, anew; when there is none,
 * there is no such file afterwards.  Lines are cut as loglines.h says. */
int failure_save_log(const struct failure *failure, int fd, const char *path,
    struct cic_err *err);

#endif
