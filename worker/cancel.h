/*
 * A build that somebody wants ended while it runs.
 */
#ifndef CIC_CANCEL_H
#define CIC_CANCEL_H

#include <stdbool.h>

struct run;
struct worker;

/*
 * Called at every look at a `run` whose cic-build lives.  When the store has it
 * as dying: first sweep_tools(), so that its tools fail and clean up after
 * themselves; three seconds later all of it is killed.
 *
 * Returns true when cic-build is gone by this.
 */
bool cancel_look(const struct worker *worker, struct run *run);

#endif
