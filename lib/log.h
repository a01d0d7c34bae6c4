/*
 * One line per event on standard error: "<program>: <message>".
 *
 * Only programs log; lib/ returns errors.  Bytes outside printable ASCII and
 * UTF-8 letters are escaped as \xNN, so nothing from outside can forge a line
 * or drive a terminal.  errno is left as it was.  Safe from several threads:
 * each line is one write.
 */
#ifndef CIC_LOG_H
#define CIC_LOG_H

/* Name the program; the string must live on.  Call once at the start. */
void cic_log_open(const char *program);

/* log_warn adds ": <strerror(errno)>"; the x form does not. */
void cic_log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cic_log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cic_log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As cic_log_warnx, then exit(1). */
void cic_log_fatalx(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* Copy text with what could harm a terminal escaped, as in such a line: for
 * programs that print in other ways.  `out` has room for 4 x strlen(text) + 1. */
void cic_log_escape(char *out, const char *text);

#endif
