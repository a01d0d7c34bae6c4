/*
 * What a dead cic-build may have left behind: processes and containers.
 */
#ifndef CIC_SWEEP_H
#define CIC_SWEEP_H

struct cic_conf;

/* The worker's children that run this program, cic-build, are other builds
 * and spared.  The string must live on. */
void sweep_spare(const char *program);

/*
 * Kill every process whose environment says CIC_BUILD=<id>, every other child
 * of ours (what runs inside an image build has the image's environment; as
 * subreapers we get it when its client is killed), and all that descend from
 * these.  Never ourselves.
 *
 * Called by the worker when a cic-build is gone, and by cic-build when it is
 * done.  Returns when none is left, or after ten seconds.
 */
void sweep_processes(const char *id);

/* Of a build that lives, kill what the tools of its cic-build have started, and
 * spare these; but a converter, which takes its mount away, gets SIGTERM. */
void sweep_tools(const char *id);

/* Kill a build that lives: cic-build and all that descend from it.  They are
 * stopped first, so that none starts another one unseen. */
void sweep_build(const char *id);

/* Remove containers that carry the build's label. */
void sweep_containers(const struct cic_conf *conf, const char *id, int log_fd);

#endif
