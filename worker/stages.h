/*
 * The stages of one build, in their order, as its journal tells of them.
 *
 * The same for the service, where cic-worker reads the journal, and for a build
 * on one's own machine (library.h).
 */
#ifndef CIC_STAGES_H
#define CIC_STAGES_H

struct job;

/* For whom they run. */
struct stages_caller {
	const char	*host;	/* in "the image is in the engine of …" */
	void		(*moved)(const struct job *job);	/* the journal has
				 * another state, or an end; NULL: nobody asks */
};

/*
 * Run those that the job wants, in an empty work folder, until one fails; end
 * what processes they left; write the journal's last line.  Sets the job's
 * progress and deadline, and makes us the parent of processes that lost theirs.
 *
 * Returns 0 when the journal tells how it ended, whatever that is.
 */
int stages_run(struct job *job, const struct stages_caller *caller);

#endif
