/*
 * Can this machine build at all?  Asked before the first build, not in it.
 */
#ifndef CIC_TOOLS_H
#define CIC_TOOLS_H

#include <stdbool.h>

struct cic_conf;
struct cic_err;

/*
 * The templates can be read, git is installed, the engine answers, the limits
 * can be held to; and with `convert`, the converter is installed, too.
 * -1 with a message that names the line of the configuration to change.
 */
int tools_check(const struct cic_conf *conf, bool convert, int log_fd,
    struct cic_err *err);

#endif
