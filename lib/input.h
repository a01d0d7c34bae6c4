/*
 * Bytes that are read once, from start to end: from a descriptor, from a part
 * of a file, or (feed.h) from another thread.
 */
#ifndef CIC_INPUT_H
#define CIC_INPUT_H

#include <stdint.h>
#include <sys/types.h>

struct cic_err;

struct cic_input {
	/*
	 * The next bytes, however many there are, at most 1 MiB.
	 *
	 * data   set to them; good until the next call
	 *
	 * Returns their number, 0 at the end; -1 with err.
	 */
	ssize_t	(*read)(struct cic_input *input, const void **data,
		    struct cic_err *err);
	/* Leave out up to `n` bytes; returns how many.  NULL: reading them is
	 * the only way. */
	uint64_t (*skip)(struct cic_input *input, uint64_t n);
	void	(*free)(struct cic_input *input);
};

/* From a pipe, socket or file that stays the caller's; NULL with CIC_EIO. */
struct cic_input *cic_input_fd(int fd, struct cic_err *err);

/*
 * `size` bytes of the file `fd` (the caller's) from `offset` on; its position
 * is not used.
 *
 * name     what to call them in messages; borrowed
 * sha256   64 hex digits their digest must be, or NULL; borrowed
 *
 * At the end of the part, read returns -1 with CIC_EINVAL when the file was
 * shorter or the digest is another one.  NULL with CIC_EIO: no memory.
 */
struct cic_input *cic_input_part(int fd, uint64_t offset, uint64_t size,
    const char *name, const char *sha256, struct cic_err *err);

void cic_input_free(struct cic_input *input);	/* NULL is fine */

#endif
