/*
 * A file that has its name only when it is complete: until then it has none at
 * all (O_TMPFILE), so that whatever ends the program, even SIGKILL or a power
 * cut, leaves nothing.  Where the file system cannot do that (NFS), it has a
 * temporary name beside the real one, ".<name>.<6 characters>.part", which
 * cic_output_abandon removes.
 */
#ifndef CIC_OUTPUT_H
#define CIC_OUTPUT_H

#include <stdbool.h>

#include "path.h"

struct cic_output {
	int	fd;			/* read and write; -1 when not open */
	char	path[CIC_PATH_MAX];	/* the real name */
	char	part[CIC_PATH_MAX];	/* the temporary one, "" when none */
};

/* Make the file, mode 0644.  -1 with err: CIC_ENOENT no such folder, CIC_EINVAL
 * `path` names a folder, CIC_EDENIED, CIC_ENOSPC, CIC_EIO. */
int cic_output_open(struct cic_output *output, const char *path,
    struct cic_err *err);

/*
 * Sync the file, give it its name and sync the folder; closes it.
 *
 * replace   take the name even when something has it
 *
 * Returns 0; -1 with err: CIC_EEXIST the name is taken, CIC_EDENIED, CIC_ENOSPC,
 * CIC_EIO; the file is gone then, unless only the folder could not be synced.
 */
int cic_output_publish(struct cic_output *output, bool replace,
    struct cic_err *err);

/* Close it and leave nothing.  Closed already: fine. */
void cic_output_abandon(struct cic_output *output);

#endif
