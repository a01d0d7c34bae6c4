/*
 * How a build on one's own machine ended, for the person and for programs.
 */
#ifndef CIC_LIBRARY_REPORT_H
#define CIC_LIBRARY_REPORT_H

struct library;

/* A few lines on the terminal: the file and how to run it, or what failed, why,
 * and the lines that show it.  Success is not told to who wanted quiet. */
void library_report(const struct library *l);

/* One line on standard output: the .sif's path, or the image's name where no
 * .sif was asked for.  -1 when it cannot be written. */
int library_report_result(const struct library *l);

/* One JSON object on standard output, however it ended.  -1 likewise. */
int library_report_json(const struct library *l);

#endif
