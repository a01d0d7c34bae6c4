/*
 * What a build from an OCI image adds to it, from the image's configuration:
 * texts only; convert.c puts them into the tree and the SIF.
 *
 * The rules are those of `apptainer build` (facts/sif.md section 2), the texts
 * are ours.  Entrypoint, Cmd, Env and Labels count; User, WorkingDir, Volumes
 * and the rest are ignored by the runtimes and only stand in oci-config.json.
 * One thing is better than there: words given to `apptainer run` reach the
 * program as they are, whatever quotes or dollars are in them.
 */
#ifndef CIC_SIFMETA_H
#define CIC_SIFMETA_H

#include <stddef.h>
#include <stdint.h>

struct cic_err;

#define CIC_SIFMETA_INPUT	(4u << 20)	/* most bytes of config JSON */
#define CIC_SIFMETA_TEXT	(32u << 20)	/* most bytes of one text made */

struct cic_sifmeta {
	char		*arch;		/* "amd64"; "" when not given */
	uint32_t	 created;	/* Unix seconds; 0 when not given */
	char		*runscript;
	char		*env;		/* env/10-docker2singularity.sh */
	char		*labels;	/* labels.json */
	char		*definition;
	char		*inspect;	/* inspect-metadata.json */
	char		*oci;		/* oci-config.json */
};

/*
 * Make the texts.
 *
 * config_json   `image inspect`'s element [0] of docker or podman, NUL-
 *               terminated: Architecture, Created, Config { Entrypoint, Cmd,
 *               Env, Labels }; all may be absent or null, none may be of
 *               another type.  A program's word or variable cannot hold NUL.
 * scheme, reference   of the definition; a line break in them is refused
 * meta          set on success; release with cic_sifmeta_release
 *
 * An Env entry whose name is no shell name ([A-Za-z_][A-Za-z0-9_]*) is left
 * out, as runtimes do.
 *
 * Returns 0; -1 with err: CIC_EINVAL, the message names the field; CIC_EIO.
 */
int cic_sifmeta_make(const char *config_json, const char *scheme,
    const char *reference, struct cic_sifmeta *meta, struct cic_err *err);
void cic_sifmeta_release(struct cic_sifmeta *meta);	/* zeroed is fine */

/*
 * What goes into the root file system, in the order to add it: paths relative
 * to the root, everything owned by 0:0.
 */
enum cic_sifmeta_rule {
	CIC_META_DIR,		/* a directory, unless something is there */
	CIC_META_LINK,		/* a symbolic link, unless a non-link is there */
	CIC_META_NEW_LINK,	/* a symbolic link, unless a directory is there
				 * or the way there is none */
	CIC_META_FILE,		/* a file, whatever was there */
	CIC_META_MOUNT		/* an empty file for the runtime to mount on,
				 * unless the way there is no directory */
};

struct cic_sifmeta_item {
	enum cic_sifmeta_rule rule;
	uint32_t	 mode;		/* permissions */
	const char	*path;
	const char	*text;		/* file: content; link: target; or NULL */
};

/* The i-th, or NULL after the last; strings are the meta's or constant. */
const struct cic_sifmeta_item *cic_sifmeta_item(const struct cic_sifmeta *meta,
    size_t i, struct cic_sifmeta_item *item);

#endif
