/*
 * A .sif gets its name, and its checksum stands beside it.
 */
#ifndef CIC_PUBLISH_H
#define CIC_PUBLISH_H

#include <stdint.h>

struct cic_err;

/* A .sif that is complete and synced under a temporary name. */
struct publish {
	const char	*folder;	/* of both names */
	const char	*tmp;		/* with its folder */
	const char	*file;		/* the name to be; an old one is replaced */
	const char	*sha256;
	uint64_t	 size;
};

enum published { PUBLISHED, NOT_PUBLISHED, TRY_AGAIN };

/*
 * Rename it, write <file>.sha256 as `sha256sum -c` reads it, sync the folder.
 * May be repeated after a crash at any point: a file that has its name already
 * is known by its digest.  The checksum is written before the first rename, so
 * that a full disk cannot leave new bytes beside an old checksum; once the file
 * has its name, whatever fails is TRY_AGAIN.
 */
enum published publish(const struct publish *p, struct cic_err *err);

#endif
