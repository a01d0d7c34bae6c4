/*
 * The log of a failed image build, reduced to what may show why it failed; for
 * failure.c, which judges it.
 */
#ifndef CIC_EVIDENCE_H
#define CIC_EVIDENCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "build.h"

#define EVIDENCE_LINE	512	/* bytes of a line that are kept */
#define EVIDENCE_TAIL	20	/* lines */
#define EVIDENCE_QUOTE	12	/* lines */

enum evidence_engine { ENGINE_UNKNOWN, ENGINE_BUILDKIT, ENGINE_PODMAN };
enum evidence_step {
	STEP_NONE, STEP_APT, STEP_PIP, STEP_SPACK, STEP_POST_INST, STEP_PROFILE
};

/* The last lines of something, in a ring; see tail_line. */
struct tail {
	char		line[EVIDENCE_TAIL][EVIDENCE_LINE];
	unsigned	count;		/* lines ever added */
};

/* A few lines, each ended by \n; what does not fit is left out. */
struct quote {
	char		text[CIC_EXCERPT_MAX];
	size_t		len;
	int		lines;
};

struct evidence {
	/* by the engine */
	enum evidence_engine	 engine;
	int			 vertex;	/* that failed; -1: not known */
	off_t			 from;		/* where podman's step begins */
	char			 header[EVIDENCE_LINE];	/* "RUN …", "FROM …" */
	char			 error[EVIDENCE_LINE * 2];	/* its words */
	int			 status;	/* exit status, -1: not told */

	/* by the last step in it; nothing of what came before */
	enum evidence_step	 step;
	bool			 concretize;	/* Spack is choosing */
	struct tail		 tail;
	struct quote		 apt, pip, spack;	/* their error lines */

	/* by the Spack package that failed first */
	char			 package[CIC_PACKAGE_MAX];
	off_t			 log_start, log_end;
	struct tail		 log_tail;
	struct quote		 log_errors;
	char			 log_error[EVIDENCE_LINE];	/* the first */
	char			 log_killed[EVIDENCE_LINE];

	/* while reading */
	int			 last_vertex;
	bool			 in_log, keep_log, quoting;
};

/* Read the log from `start` to its end.  The caller frees it; NULL: no memory. */
struct evidence *evidence_read(int fd, off_t start);

/* The line `back` lines before the last (0: the last itself); NULL: none. */
const char *tail_line(const struct tail *tail, unsigned back);

void quote_add(struct quote *quote, const char *text);

/* Did the kernel kill a compiler?  These words come up for nothing else. */
bool evidence_says_killed(const char *text);

#endif
