/*
 * Errors as values: a code the caller may act on and a sentence for people.
 *
 * The caller owns the struct (usually on its stack); nothing is allocated and
 * nothing has to be freed.  Functions return 0, or -1 with the last argument
 * filled in, so that failing is one line:
 *
 *	return cic_err_set(err, CIC_EIO, "open %s: %s", path, strerror(errno));
 */
#ifndef CIC_ERR_H
#define CIC_ERR_H

enum cic_code {
	CIC_OK = 0,
	CIC_EINVAL,	/* input is not what it must be; the message names it */
	CIC_ENOENT,	/* what was asked for does not exist */
	CIC_EEXIST,	/* it is there already, or somebody else holds it */
	CIC_ENOSPC,	/* no room on disk or in the store */
	CIC_EAGAIN,	/* may work later: busy, down, timed out */
	CIC_EDENIED,	/* the asker may not do that */
	CIC_EQUOTA,	/* the asker has enough of it already */
	CIC_EIO,	/* everything else that failed */
	CIC_CODE__MAX
};

struct cic_err {
	enum cic_code	code;
	char		msg[1024];
};

/* Set code and message (truncated to fit).  Returns -1, always. */
int cic_err_set(struct cic_err *err, enum cic_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same from errno: "<what>: <strerror>", the code derived from errno. */
int cic_err_errno(struct cic_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put context in front of the message: "<what>: <old message>".  Returns -1. */
int cic_err_wrap(struct cic_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
