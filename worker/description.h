/*
 * A step's description, eflows4hpc.yaml: what its author asks for.
 */
#ifndef CIC_DESCRIPTION_H
#define CIC_DESCRIPTION_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

struct cic_yaml;

struct description {
	struct cic_buf	 apt, pip;	/* one entry a line */
	bool		 requirements;	/* install the step's requirements.txt */
	const struct cic_yaml *spack;	/* a mapping with keys; NULL: nothing */
	struct cic_yaml	*root;		/* owns what `spack` points to */
};

/*
 * Read the description in the step's folder `step_fd`.
 *
 * apt	every entry is a package name of Debian's, never an option
 * pip	every entry is a requirement as requirement.h has it, blanks behind it
 *	cut off.  `requirements` is set only where there is no key pip and the
 *	step has a requirements.txt, a regular file of at most 1 MiB that is no
 *	link.  A key pip without entries installs nothing, requirements.txt
 *	included: so it was in the original service.
 * spack	has passed spack_env_check, and has merge keys resolved.
 *
 * Plain entries of apt and pip are taken as they are written: `- yes` is the
 * package yes.  Keys we do not know are ignored, as in the original, but for
 * `Apt` and the like.
 *
 * Returns 0; -1 with CIC_EINVAL when the description cannot be built, and the
 * message has line and column.  description_release() in both cases.
 */
int description_read(int step_fd, struct description *d, struct cic_err *err);
void description_release(struct description *d);

#endif
