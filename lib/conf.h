/*
 * The configuration: one YAML file, conf/cic.yaml documents every key.
 *
 * Every fault in the file is reported, each with its line; an unknown key is
 * a fault.  The struct is read-only after loading.
 */
#ifndef CIC_CONF_H
#define CIC_CONF_H

#include <stdbool.h>
#include <stdio.h>

#include "err.h"

struct cic_buf;
struct cic_request_site;

#define CIC_CONF_LIST_MAX	64	/* entries of a list value */

enum cic_engine_kind { CIC_ENGINE_DOCKER, CIC_ENGINE_PODMAN };
enum cic_converter { CIC_CONVERT_SINGULARITY, CIC_CONVERT_APPTAINER,
	CIC_CONVERT_BUILTIN };

/* A list of words, NULL-terminated, ready to stand in an argument vector. */
struct cic_list {
	char	*item[CIC_CONF_LIST_MAX + 1];
	int	 count;
};

struct cic_conf {
	/* service */
	char	*prefix;		/* "/image_creation", no slash at the end */
	char	*data;			/* folder of db/, builds/, mirrors/ */
	int	 threads;		/* of cic.fcgi */
	/* repositories */
	char	*workflow_repository;	/* git URL or folder */
	char	*software_repository;
	/* registry */
	char	*images_prefix;
	/* build */
	char	*base_image;
	char	*platform;
	int	 engine;		/* enum cic_engine_kind */
	char	*engine_command;	/* "" is the engine's own name */
	struct cic_list engine_args;	/* after the command, before its verb */
	struct cic_list engine_build_args;	/* after `buildx build` */
	int	 converter;		/* enum cic_converter */
	char	*converter_command;	/* "" is the converter's own name */
	int	 converter_level;	/* builtin's: libdeflate's, 1..12 */
	int	 converter_threads;	/* builtin's; 0: as many as allowed */
	char	*images_location;	/* what the web server serves */
	char	*templates;		/* folder of Dockerfile and inner.sh */
	int	 max_concurrent_builds;
	/* limits */
	int	 git_timeout;		/* seconds */
	int	 build_timeout;
	int	 stall_timeout;
	int	 max_attempts;
	int	 min_free_space;	/* MiB */

	char	*path;			/* the file it was read from */
	char	*text;			/* what stood in it */
};

/*
 * Load and check.  Returns the configuration; NULL with one line per fault in
 * `faults` ("cic.yaml:12: build.engine: …").  Free with cic_conf_free.
 */
struct cic_conf *cic_conf_load(const char *path, struct cic_buf *faults);
void cic_conf_free(struct cic_conf *conf);	/* takes NULL */

/* Print what was understood, defaults included, as YAML (for -n). */
void cic_conf_print(const struct cic_conf *conf, FILE *out);

/* What request parsing wants to know of it; borrows its strings. */
struct cic_request_site cic_conf_site(const struct cic_conf *conf);

#endif
