/*
 * A build's log is for the web server's eyes, too: its group is
 * service.web_group.
 */
#ifndef SHARE_H
#define SHARE_H

#include "err.h"

struct cic_conf;

/* Is the configured group there, or none configured?  Asked at start. */
int share_check(const struct cic_conf *conf, struct cic_err *err);

/* Mode 0640 and the group for the open log of the build `id`.  What cannot be
 * done is logged: no build fails because its log cannot be seen. */
void share_log(const struct cic_conf *conf, int fd, const char *id);

#endif
