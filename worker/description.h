/*
 * A step's description, eflows4hpc.yaml: what its author asks for.
 */
#ifndef CIC_DESCRIPTION_H
#define CIC_DESCRIPTION_H

#include "err.h"

struct cic_buf;

/*
 * Read the description in the step's folder `step_fd` and append the packages
 * of its `apt:` list to `apt`, one a line.
 *
 * Every entry is checked against the grammar of package names, so that none
 * can be taken for an option.  CIC_EINVAL: the description cannot be built;
 * the message has line and column.
 */
int description_read(int step_fd, struct cic_buf *apt, struct cic_err *err);

#endif
