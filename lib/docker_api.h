/*
 * Docker's engine by its HTTP API over a Unix socket: what the converter needs
 * of it.  The docker client as a relay costs a second in every three.
 *
 * Addresses carry no version: the engine then speaks its own.  Every message
 * says what the engine said.
 *
 * Source: docker's "Engine API" reference: ImageInspect, ContainerCreate,
 * ContainerExport, ContainerDelete, SystemInfo.
 */
#ifndef CIC_DOCKER_API_H
#define CIC_DOCKER_API_H

struct cic_buf;
struct cic_err;
struct cic_feed;

#define CIC_DOCKER_CONTAINER	65	/* a container's id: 64 digits and NUL */

struct cic_docker {
	const char	*socket;	/* its path, at most 107 bytes */
};

/*
 * `image inspect`'s object, appended to `json`.
 * Returns 0; -1 with err: CIC_ENOENT there is no such image, CIC_EINVAL that is
 * no image name, CIC_EAGAIN nobody answers at the socket, CIC_EDENIED we may
 * not use it, CIC_EIO.
 */
int cic_docker_inspect(const struct cic_docker *docker, const char *image,
    struct cic_buf *json, struct cic_err *err);

/* What the engine says of itself (`docker info`), appended to `json`. */
int cic_docker_info(const struct cic_docker *docker, struct cic_buf *json,
    struct cic_err *err);

/*
 * Make a container of an image, never to be started: it holds the image and can
 * be exported.  It carries the label cic.build=<label>.
 */
int cic_docker_create(const struct cic_docker *docker, const char *image_id,
    const char *label, char container[CIC_DOCKER_CONTAINER],
    struct cic_err *err);

/* Put the container's files, a tar, into `feed`; returns at their end.  -1
 * also when the feed's reader has gone. */
int cic_docker_export(const struct cic_docker *docker, const char *container,
    struct cic_feed *feed, struct cic_err *err);

/* Remove the container and its unnamed volumes. */
int cic_docker_remove(const struct cic_docker *docker, const char *container,
    struct cic_err *err);

#endif
