/*
 * The journal: how cic-build tells the worker what happens, as JSON lines in
 * a file, so that neither has to live while the other writes or reads.
 *
 *	{"event":"state","state":"BUILDING"}
 *	{"event":"finished","image_id":…,"content_key":…,"workflow_commit":…,
 *	 "catalog_commit":…,"message":…,"keep":bool,"sha256":…,"size":n}
 *	{"event":"failed","cause":…,"message":…,"excerpt":…,"package":…}
 *	{"event":"progress","progress":{…}}
 *
 * A finished or failed line ends a start; it is synced before cic-build ends.
 * A torn last line is no line.
 */
#ifndef CIC_JOURNAL_H
#define CIC_JOURNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "build.h"
#include "err.h"

struct failure;
struct job;

enum journal_event {
	JOURNAL_STATE, JOURNAL_FINISHED, JOURNAL_FAILED, JOURNAL_PROGRESS
};

/* One line, read back.  Fields that its event does not have are empty. */
struct journal_line {
	enum journal_event	event;
	enum cic_state		state;
	enum cic_cause		cause;
	struct cic_progress	progress;
	char			message[CIC_MESSAGE_MAX];
	char			excerpt[CIC_EXCERPT_MAX];
	char			package[CIC_PACKAGE_MAX];
	char			image_id[CIC_DIGEST_MAX];
	char			content_key[CIC_SHA256_HEX];
	char			workflow_commit[CIC_COMMIT_MAX];
	char			catalog_commit[CIC_COMMIT_MAX];
	bool			keep;	/* the published .sif stays */
	char			sha256[CIC_SHA256_HEX];
	uint64_t		size;	/* of a new .sif; 0: none */
};

/* cic-build's half.  Each call is one write. */
int journal_write_state(int fd, enum cic_state state, struct cic_err *err);
int journal_write_finished(int fd, const struct job *job, struct cic_err *err);
int journal_write_failed(int fd, const struct failure *failure,
    struct cic_err *err);
int journal_write_progress(int fd, const struct cic_progress *progress,
    struct cic_err *err);

/* The worker's half: call `visit` with every whole line from `*offset` on and
 * move it past them.  A line that is not understood is skipped. */
int journal_read(int fd, off_t *offset,
    void (*visit)(const struct journal_line *line, void *arg), void *arg,
    struct cic_err *err);

#endif
