/*
 * The registry's login, for one build: a folder of the build's own in the format
 * of docker's configuration, so that neither user name nor token is in an
 * argument, in the environment or in anybody's home.
 */
#ifndef CIC_LOGIN_H
#define CIC_LOGIN_H

#include "conf.h"
#include "err.h"

/*
 * Make `folder` (mode 0700) with a config.json (mode 0600) that logs in to
 * registry.url as registry.user.
 *
 * What the user's own docker folder ($DOCKER_CONFIG, or ~/.docker) has of
 * contexts, builders and plugins stays in reach: as links, and its
 * currentContext, proxies and plugin folders are copied.
 */
int login_make(const struct cic_conf *conf, const char *folder,
    struct cic_err *err);

#endif
