/*
 * The content key: what an image is made of, as one digest.
 *
 * Its parts are digests of their own, which the image carries in a label, so
 * that a build can say what has moved and build.rebuild_on can leave some out.
 */
#ifndef CIC_CONTENT_KEY_H
#define CIC_CONTENT_KEY_H

#include "err.h"

struct job;

#define CONTENT_PART_MAX	17	/* 16 digits and the NUL */
#define CONTENT_PARTS_TEXT	512

/*
 * Fill job->content_key and job->parts ("templates=… workflow=… …") from what
 * resolve and check have found out.
 */
int content_key_make(struct job *job, struct cic_err *err);

/*
 * Is an image with these two labels ("" where it has none) up to date?  `why`
 * gets the parts that moved ("the workflow and the catalog have changed").
 */
bool content_key_fits(const struct job *job, const char *key,
    const char *parts, char *why, size_t size);

#endif
