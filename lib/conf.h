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
struct cic_profile;
struct cic_request_site;

#define CIC_CONF_LIST_MAX	64	/* entries of a list value */
#define CIC_CONF_HOST_MAX	320	/* a registry's host[:port] */

enum cic_engine_kind { CIC_ENGINE_DOCKER, CIC_ENGINE_PODMAN };
enum cic_converter { CIC_CONVERT_SINGULARITY, CIC_CONVERT_APPTAINER,
	CIC_CONVERT_BUILTIN };

/* What an image is made of; bits of rebuild_on. */
enum cic_keypart { CIC_KEYPART_TEMPLATES, CIC_KEYPART_WORKFLOW, CIC_KEYPART_CATALOG,
	CIC_KEYPART_BASE, CIC_KEYPART_MACHINE, CIC_KEYPART__MAX };

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
	struct cic_list admins;		/* user names */
	struct cic_list service_accounts;	/* users without a quota */
	struct cic_list long_poll_agents;	/* beginnings of User-Agents */
	int	 long_poll_seconds;	/* their status polls are held */
	char	*web_group;		/* may read logs of builds; "" is none */
	/* repositories */
	char	*workflow_repository;	/* git URL or folder */
	char	*software_repository;
	char	*git_user;		/* these four: "" is none */
	char	*git_token_file;
	char	*git_ssh_key;
	char	*git_known_hosts;
	int	 refresh;		/* of the catalog, seconds; 0: at start */
	/* registry */
	char	*registry_url;		/* "" is none; see _registry_host */
	char	*registry_user;
	char	*registry_token;	/* a secret; see _registry_token */
	char	*registry_token_file;
	char	*images_prefix;
	/* network: "" is none */
	char	*http_proxy;
	char	*https_proxy;
	char	*no_proxy;
	char	*ca_file;
	struct cic_list apt_mirrors;
	char	*pip_index;
	/* build */
	char	*base_image;
	char	*base_from;		/* what the base image is made from */
	char	*platform;
	struct cic_list platform_base_images;	/* see _for_platform */
	struct cic_list platform_builders;
	struct cic_list platform_contexts;
	char	*site_packages;		/* folder of site archives, or "" */
	char	*spack_mirror;		/* instead of the cache mount, or "" */
	int	 rebuild_on;		/* 1 << enum cic_keypart, … */
	int	 adopt_unlabelled;	/* bool */
	int	 jobs;			/* of one build; 0: its share of cores */
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
	int	 memory;		/* MiB of one build; 0: no limit */
	int	 processes;		/* of one build; 0: no limit */
	int	 pending_per_user;	/* builds that wait; 0: any number */
	int	 max_attempts;
	int	 min_free_space;	/* MiB */

	/* machines */
	struct cic_profile *machines;	/* by name; NULL without any */
	int	 machine_count;

	char	*path;			/* the file it was read from */
	char	*text;			/* what stood in it */
};

/*
 * Load and check.  Returns the configuration; NULL with one line per fault in
 * `faults` ("cic.yaml:12: build.engine: …").  Free with cic_conf_free.
 */
struct cic_conf *cic_conf_load(const char *path, struct cic_buf *faults);
void cic_conf_free(struct cic_conf *conf);	/* takes NULL */

/* Use these folders instead of service.data and build.images_location: for a
 * build without the service.  Before anybody else has seen `conf`. */
int cic_conf_set_folders(struct cic_conf *conf, const char *data,
    const char *images, struct cic_err *err);

/* Print what was understood, defaults included, as YAML (for -n). */
void cic_conf_print(const struct cic_conf *conf, FILE *out);

/* What request parsing wants to know of it; borrows its strings. */
struct cic_request_site cic_conf_site(const struct cic_conf *conf);

/* "registry.example.org:5000" of registry.url; "" when there is none. */
void cic_conf_registry_host(const struct cic_conf *conf,
    char out[CIC_CONF_HOST_MAX]);

/* Is it spoken to by http?  Only on this machine, unless its url says https. */
bool cic_conf_registry_is_plain(const struct cic_conf *conf);
/* Does the image's name say that it lives in our registry? */
bool cic_conf_is_of_registry(const struct cic_conf *conf, const char *image);

/* The registry's token, from its file or from registry.token, appended to
 * `token`, which the caller must not print. */
int cic_conf_registry_token(const struct cic_conf *conf, struct cic_buf *token,
    struct cic_err *err);

/* The word that a "platform=word" list has for a platform, or `otherwise`. */
const char *cic_conf_for_platform(const struct cic_list *list,
    const char *platform, const char *otherwise);

/* May this user do what only administrators may? */
bool cic_conf_is_admin(const struct cic_conf *conf, const char *user);

/* How many builds of this user may wait: limits.pending_per_user; 0, any number,
 * for administrators and service.service_accounts. */
int cic_conf_pending_max(const struct cic_conf *conf, const char *user);

#endif
