/*
 * A file as the answer: by the web server where it offers to send it, else
 * byte by byte from here.
 *
 * FastCGI parameter CIC_HANDOFF says how the web server is told:
 * X-Accel-Redirect (nginx, with an address that only it may ask for) or
 * X-Sendfile (Apache's mod_xsendfile, with the path).  Without it one range of
 * the file is served (206, 416), as long as it is now; a file that grows is
 * read on with another range.
 */
#ifndef CIC_FILE_H
#define CIC_FILE_H

#include "err.h"

struct app;
struct req;
struct resp;

struct file {
	const char	*path;
	const char	*address;	/* of nginx, below the prefix */
	const char	*type;		/* Content-Type */
	const char	*disposition;	/* Content-Disposition, or NULL */
};

/*
 * Fill `resp`; with 416 for a range past the end.
 * CIC_ENOENT: there is no such regular file; CIC_EDENIED: we may not read it.
 */
int file_answer(const struct app *app, const struct req *req,
    const struct file *file, struct resp *resp, struct cic_err *err);

#endif
