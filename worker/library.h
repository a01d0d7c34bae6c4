/*
 * One build on one's own machine, without the service: what cic-worker does for
 * a build, for the one on the terminal.
 *
 * The stages run in a process of their own, with a journal and a log in a fresh
 * folder below $TMPDIR.  We follow both, show them, and publish the .sif.  A
 * signal (stop.h) ends that process and all it started.
 */
#ifndef CIC_LIBRARY_H
#define CIC_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "journal.h"
#include "path.h"
#include "request.h"

struct terminal;

struct library {
	/* told */
	const struct cic_conf	*conf;		/* with folders of our own:
						 * cic_conf_set_folders */
	struct cic_request	 request;
	struct cic_names	 names;
	bool			 keep;		/* the folder stays */
	struct terminal		*terminal;

	/* how it went */
	char			 folder[CIC_PATH_MAX];	/* "" when removed */
	struct cic_progress	 progress;	/* its last words */
	struct journal_line	 end;		/* finished or failed */
	int64_t			 seconds;	/* it took */
	int			 signal;	/* that ended it; 0: none did */
};

/*
 * Build, publish, clean up.
 *
 * Returns 0 with `end` set: JOURNAL_FINISHED and, where a .sif was asked for,
 * it and its .sha256 are in conf->images_location; or JOURNAL_FAILED, after a
 * signal as well, and nothing is left behind.  -1 with err: it could not begin.
 */
int library_run(struct library *l, struct cic_err *err);

#endif
