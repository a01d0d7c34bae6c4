/*
 * `cic-build --convert`: the built-in converter as a command, for people and for
 * stage_convert.
 *
 * Words, exit status and output: cic-build(1).
 */
#ifndef CIC_CONVERT_COMMAND_H
#define CIC_CONVERT_COMMAND_H

/* Run it with the program's own words; returns the exit status. */
int convert_command(int argc, char **argv);

#endif
