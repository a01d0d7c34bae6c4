/*
 * The container engine: docker with buildx, or podman, by their programs.
 *
 * The two take nearly the same words; engine.c holds what differs.  Image ids
 * are always "sha256:<64 digits>".  Whatever the engine prints goes to the
 * log.  Containers made here carry the label cic.build=<id>, by which
 * cic_engine_clean finds them again.
 */
#ifndef CIC_ENGINE_H
#define CIC_ENGINE_H

#include <sys/types.h>

#include "build.h"
#include "conf.h"
#include "err.h"
#include "path.h"

struct cic_buf;

/* Labels of an image: its content key, and the digests that go into it. */
#define CIC_KEY_LABEL	"org.eflows4hpc.cic.key"
#define CIC_PARTS_LABEL	"org.eflows4hpc.cic.parts"

struct cic_engine {
	const struct cic_conf	*conf;
	const char		*build_id;	/* for labels */
	const char		*platform;	/* of the image; NULL or one that
						 * build.platform_contexts may have
						 * another engine for */
	const char		*login;		/* folder of config.json, docker's
						 * format, for images of our
						 * registry; NULL, and for all
						 * others: the user's own */
	const char		*certs;		/* folder of *.crt that podman trusts
						 * beside the system's, or NULL;
						 * docker's daemon has its own */
	int			 log_fd;
	void			(*tick)(void *arg);	/* while the engine works;
							 * see spawn.h */
	void			*tick_arg;
};

/* Does the engine answer, and can it `buildx build`?  -1 with a message that
 * names the configuration line to change. */
int cic_engine_check(const struct cic_conf *conf, int log_fd,
    struct cic_err *err);

/* Run the engine's program with these words and append what it prints to
 * `output`.  -1 also when its exit status is not 0. */
int cic_engine_ask(const struct cic_engine *engine, const char *const *words,
    struct cic_buf *output, struct cic_err *err);

/* `image inspect`: the image's JSON object, appended to `json`.
 * CIC_ENOENT: the engine has no such image; CIC_EAGAIN: it does not answer. */
int cic_engine_inspect(const struct cic_engine *engine, const char *image,
    struct cic_buf *json, struct cic_err *err);

/* The same, taken apart. */
struct cic_engine_image {
	char	id[CIC_DIGEST_MAX];
	char	platform[CIC_ARCH_MAX];		/* "linux/amd64" */
	char	key[CIC_SHA256_HEX];		/* label CIC_KEY_LABEL, or "" */
	char	parts[512];			/* label CIC_PARTS_LABEL, or "" */
};
int cic_engine_image(const struct cic_engine *engine, const char *image,
    struct cic_engine_image *out, struct cic_err *err);
/* Several in one call, which is what takes the time: those of a list that ends
 * in NULL, into as many of `out`; all of them, or -1. */
#define CIC_ENGINE_IMAGES	2
int cic_engine_images(const struct cic_engine *engine,
    const char *const *names, struct cic_engine_image *out,
    struct cic_err *err);

/* Get an image from its registry, or give it there. */
int cic_engine_pull(const struct cic_engine *engine, const char *image,
    const char *platform, struct cic_err *err);
int cic_engine_push(const struct cic_engine *engine, const char *image,
    unsigned timeout, unsigned stall, struct cic_err *err);

struct cic_engine_build {
	const char		*context;	/* folder */
	const char		*dockerfile;	/* file */
	const char		*platform;
	const char		*tag;
	const char		*base;		/* the image that it starts from */
	const char		*iidfile;	/* the image id is written here */
	const char *const	*options;	/* "--build-arg", "A=b", … */
	const char		*cgroup;	/* its commands run in, or "" */
	unsigned		 timeout, stall;	/* seconds */
};

/* Build; `id` is the new image's.  CIC_EAGAIN a limit was hit, CIC_EIO the
 * build failed (the log says why). */
int cic_engine_build(const struct cic_engine *engine,
    const struct cic_engine_build *build, char id[CIC_DIGEST_MAX],
    struct cic_err *err);

/*
 * Stream an image's root file system as tar.
 *
 * Start makes a container of the image and a process whose output is `fd`;
 * read it to its end, then call cic_engine_export_end, which closes it, waits,
 * and removes the container.  -1 from the end means what was read is
 * not complete.
 */
struct cic_engine_export {
	char	container[128];
	int	fd;
	pid_t	pid;
};
int cic_engine_export_start(const struct cic_engine *engine,
    const char *image_id, struct cic_engine_export *export,
    struct cic_err *err);
int cic_engine_export_end(const struct cic_engine *engine,
    struct cic_engine_export *export, struct cic_err *err);

/* Podman: mount an image's root file system, read-only; its folder is appended to
 * `folder`.  Images are mounted as often as this is called, and stay so until
 * unmounted as often. */
int cic_engine_mount(const struct cic_engine *engine, const char *image_id,
    struct cic_buf *folder, struct cic_err *err);
int cic_engine_unmount(const struct cic_engine *engine, const char *image_id,
    struct cic_err *err);

/* Docker: the Unix socket its client would use, context and DOCKER_HOST counted.
 * False when it is none (tcp, ssh). */
bool cic_engine_socket(const struct cic_engine *engine, char path[CIC_PATH_MAX]);

/* Write the image as a docker-archive file. */
int cic_engine_save(const struct cic_engine *engine, const char *image_id,
    const char *file, struct cic_err *err);

/* Give an image another name; take a name away (other names stay). */
int cic_engine_tag(const struct cic_engine *engine, const char *image_id,
    const char *name, struct cic_err *err);
int cic_engine_untag(const struct cic_engine *engine, const char *name,
    struct cic_err *err);

/* A name that only this build gives an image: "cic-build:<id>". */
void cic_engine_scratch_name(const struct cic_engine *engine, char *name,
    size_t size);

/* Remove what a dead cic-build of this id left behind: containers and the
 * scratch name. */
void cic_engine_clean(const struct cic_engine *engine);

#endif
