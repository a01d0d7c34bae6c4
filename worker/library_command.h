/*
 * `cic-build --request`: build an image on one's own machine, without the
 * service.
 *
 * Words, exit status and output: cic-build(1).
 */
#ifndef CIC_LIBRARY_COMMAND_H
#define CIC_LIBRARY_COMMAND_H

/* Run it with the program's own words; returns the exit status. */
int library_command(int argc, char **argv);

#endif
