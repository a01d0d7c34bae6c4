/*
 * `cic-build --catalog`: look what the registries hold, for cic-worker.
 *
 * A process of its own, so that a registry that does not answer delays nobody.
 * The catalog (catalog.h) goes to standard output in one piece; when something
 * cannot be had it is one with nothing but `error`.  What git prints goes to
 * standard error, which must be a file.
 */
#ifndef CIC_CATALOG_COMMAND_H
#define CIC_CATALOG_COMMAND_H

/* Run it with the program's own words; returns the exit status. */
int catalog_command(int argc, char **argv);

#endif
