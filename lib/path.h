/*
 * Files and folders: names put together with a bound, files replaced whole,
 * trees removed without following a link.
 */
#ifndef CIC_PATH_H
#define CIC_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct cic_buf;

#define CIC_PATH_MAX	4096

/* printf into `out`; CIC_EINVAL when it does not fit. */
int cic_path_format(char out[CIC_PATH_MAX], struct cic_err *err,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Make the folder and its missing parents.  There already: fine. */
int cic_mkdir_p(const char *path, mode_t mode, struct cic_err *err);

/* Remove a file or a whole tree; links are removed, never followed.
 * Not there: fine. */
int cic_remove_tree(const char *path, struct cic_err *err);

/* Read a regular file of at most `buf->max` bytes into `buf` (appended). */
int cic_read_file(const char *path, struct cic_buf *buf, struct cic_err *err);

/* As cic_read_file, below the folder `dirfd` and through no symbolic link
 * anywhere: for folders whose content somebody else wrote. */
int cic_read_file_beneath(int dirfd, const char *path, struct cic_buf *buf,
    struct cic_err *err);

/* Write a file that others may read: a temporary name beside it, synced,
 * renamed, the folder synced.  Readers see the old bytes or the new ones. */
int cic_write_file(const char *path, const void *data, size_t len, mode_t mode,
    struct cic_err *err);

/* Write a file that must not exist yet, for a folder of our own. */
int cic_write_new_file(const char *path, const void *data, size_t len,
    mode_t mode, struct cic_err *err);

/* Make names created, renamed or removed in this folder durable. */
int cic_sync_dir(const char *path, struct cic_err *err);

/* Bytes an unprivileged user may still write where `path` lies. */
int cic_free_bytes(const char *path, uint64_t *bytes, struct cic_err *err);

/* Whole-file lock (an open file description lock: shared by processes that
 * inherit the descriptor, gone when the last of them ends).
 * Creates the file.  Returns the descriptor; -1 with CIC_EEXIST when somebody
 * else holds it. */
int cic_lock_file(const char *path, mode_t mode, struct cic_err *err);

/* Is the lock held?  Takes nothing, so it disturbs nobody.
 * True when it cannot be found out, but for a file that is not there. */
bool cic_lock_is_held(const char *path);

#endif
