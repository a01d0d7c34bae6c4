/*
 * The layers of an image that an engine keeps for the kernel's overlay file
 * system, mounted once more for us alone, read-only.
 *
 * The mount is made in a mount name space of its own and has no place in any
 * folder by the time this returns: it goes away with the descriptor, whatever ends
 * the process.  Overlays may share lower layers; that is how every
 * container is made (Linux, Documentation/filesystems/overlayfs).
 */
#ifndef CIC_OVERLAY_H
#define CIC_OVERLAY_H

#include <stddef.h>

struct cic_err;

/*
 * Mount.
 *
 * layer   absolute paths of folders, the topmost first, all in one folder's
 *         subfolders: <folder>/<id>/diff
 * count   at least 1
 *
 * Needs CAP_SYS_ADMIN.  Returns a descriptor of the root folder, to be closed by
 * the caller; -1 with err: CIC_EINVAL the layers are not as above or too many for
 * the kernel (about 55), CIC_EDENIED, CIC_ENOENT, CIC_EIO.
 */
int cic_overlay_mount(const char *const *layer, size_t count,
    struct cic_err *err);

#endif
