/*
 * The serving child: threads that answer requests until SIGTERM.
 */
#ifndef CIC_SERVE_H
#define CIC_SERVE_H

struct cic_conf;

/*
 * Serve requests from the listening socket `fd` (made non-blocking) with
 * conf->threads threads.  `ready_fd` gets one byte and is closed when requests
 * are being taken.
 *
 * Returns the exit status: 0 after SIGTERM, requests in flight answered;
 * 1 when the store is broken or nothing could be started, so that the master
 * starts another child.
 */
int serve(const struct cic_conf *conf, int fd, int ready_fd);

#endif
