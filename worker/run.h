/*
 * A build that runs: started by this worker, or taken up from one before it.
 *
 * Whether cic-build lives is told by the lock on its folder alone, so a build
 * of ours and one we found are followed in the same way.
 */
#ifndef CIC_RUN_H
#define CIC_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "build.h"
#include "conf.h"
#include "err.h"
#include "journal.h"
#include "path.h"
#include "store.h"

struct worker {
	const struct cic_conf	*conf;
	struct cic_store	*store;
	const char		*build_program;	/* path of cic-build */
	int			 null_fd;
};

struct run {
	struct run		*next;
	char			 id[CIC_ID_TEXT];
	char			 file[CIC_FILE_MAX];	/* output name */
	int			 attempt;
	char			 folder[CIC_PATH_MAX];
	char			 lock[CIC_PATH_MAX];
	int			 journal_fd;
	off_t			 journal_at;
	enum cic_state		 state;		/* these two as cic-build */
	struct cic_progress	 progress;	/* … told */
	struct cic_stages	 stages;
	bool			 told;		/* the store has them */
	int64_t			 told_at;	/* ms since 1970 */
	int64_t			 started;	/* ms since 1970 */
	bool			 overdue;	/* killed for its time */
	int64_t			 dying;		/* cancel.h; ms, 0: it is not */
	bool			 ended;		/* `last` is filled */
	bool			 publishing;	/* the store has it so */
	struct journal_line	 last;		/* how cic-build ended it */
};

/*
 * Start a claimed build: its folder, its lock, its journal, its process.
 * Returns NULL with err when that cannot be done (the build is still STARTED).
 */
struct run *run_start(const struct worker *worker,
    const struct cic_build *build, struct cic_err *err);

/* Take up a build that another worker started. */
struct run *run_adopt(const struct worker *worker,
    const struct cic_build *build, struct cic_err *err);

/*
 * Read news from the journal into the store.  When cic-build is gone, end the
 * build: publish, fail, or queue again.
 *
 * Returns true when the run is over and may be freed.
 */
bool run_follow(const struct worker *worker, struct run *run);

void run_free(struct run *run);

/* <data>/builds/<id> */
int run_folder(const struct cic_conf *conf, const char *id,
    char out[CIC_PATH_MAX], struct cic_err *err);

#endif
