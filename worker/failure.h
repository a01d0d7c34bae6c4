/*
 * What a failed image build says about itself: from the end of its log to one
 * cause and one sentence.
 */
#ifndef CIC_FAILURE_H
#define CIC_FAILURE_H

#include <sys/types.h>

#include "build.h"
#include "err.h"

/*
 * Read the log `fd` from `start` on (its last 256 KiB at most) and find the
 * step that failed and the line that says why.
 *
 * sentence   at least CIC_MESSAGE_MAX bytes; set always
 * Returns the cause; CIC_CAUSE_IMAGE_BUILD when the log names no step.
 */
enum cic_cause failure_of_log(int fd, off_t start, const char *fallback,
    char sentence[CIC_MESSAGE_MAX]);

#endif
