/*
 * The group `machines:` of the configuration, for lib/conf.c alone: machines of
 * the site by name, each a mapping of the words that a request's machine has and
 * a description.
 */
#ifndef CIC_CONF_MACHINES_H
#define CIC_CONF_MACHINES_H

#include <stdio.h>

struct cic_buf;
struct cic_conf;
struct cic_yaml;

/* Read the group into conf->machines; the other keys have been read.  Each fault
 * is a line in `faults`. */
void cic_conf_machines_load(struct cic_conf *conf,
    const struct cic_yaml *group, const char *path, struct cic_buf *faults);
void cic_conf_machines_free(struct cic_conf *conf);

/* As YAML that loads again. */
void cic_conf_machines_print(const struct cic_conf *conf, FILE *out);

#endif
