/*
 * What stands in /.singularity.d; see sifmeta.h.
 *
 * Present runtimes bring their own action scripts and use only the names of
 * these; Singularity up to 3.5 runs the ones in the image.  All source env/ in
 * the order of the names; users' variables (--env) are put in right after a
 * file called 99-base.sh, so there must be one.
 * dev/pts, dev/shm, etc/mtab and etc/hostname are what docker puts over an image
 * before it exports it (moby, daemon/initlayer): whatever the image had there
 * cannot be known, so every image gets the same.
 * Source: facts/sif.md section 2.1, 2.2 and 5.4.
 */
#include "sifmeta_files.h"

#include "sifmeta.h"

#define DOT_D	".singularity.d/"

#define SOURCE_ENV \
	"#!/bin/sh\n" \
	"for script in /.singularity.d/env/*.sh; do\n" \
	"\t[ ! -f \"$script\" ] || . \"$script\"\n" \
	"done\n"

static const char action_exec[] = SOURCE_ENV
    "exec \"$@\"\n";

static const char action_run[] = SOURCE_ENV
    "[ ! -x /.singularity.d/runscript ] || exec /.singularity.d/runscript \"$@\"\n"
    "exec /bin/sh \"$@\"\n";

static const char action_shell[] = SOURCE_ENV
    "for SHELL in \"${SINGULARITY_SHELL:-}\" /bin/bash /bin/sh; do\n"
    "\t[ -x \"$SHELL\" ] || continue\n"
    "\texport SHELL\n"
    "\t[ \"$SHELL\" != /bin/bash ] || set -- --norc \"$@\"\n"
    "\texec \"$SHELL\" \"$@\"\n"
    "done\n"
    "echo 'no shell in this image' >&2\n"
    "exit 1\n";

/* The signal tells the instance's first process that this one is up. */
static const char action_start[] =
    "#!/bin/sh\n"
    "kill -CONT 1\n"
    "for script in /.singularity.d/env/*.sh; do\n"
    "\t[ ! -f \"$script\" ] || . \"$script\"\n"
    "done\n"
    "[ ! -x /.singularity.d/startscript ] || exec /.singularity.d/startscript \"$@\"\n";

static const char action_test[] = SOURCE_ENV
    "[ ! -x /.singularity.d/test ] || exec /.singularity.d/test \"$@\"\n"
    "echo 'no test in this image'\n";

static const char env_base[] =
    "#!/bin/sh\n"
    "# Sourced first.\n";

const char cic_sifmeta_environment[] =
    "#!/bin/sh\n"
    "# Variables of your own go here.\n";

static const char env_apps[] =
    "#!/bin/sh\n"
    "# This image has no apps.\n";

/* The runtime mounts the host's GPU libraries there. */
static const char env_99_base[] =
    "#!/bin/sh\n"
    "LD_LIBRARY_PATH=\"${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs\"\n"
    "PS1='Singularity> '\n"
    "export LD_LIBRARY_PATH PS1\n";

/* Set by runtimes from SINGULARITYENV_PREPEND_PATH, _APPEND_PATH and _PATH. */
static const char env_99_runtime[] =
    "#!/bin/sh\n"
    "PATH=\"${SING_USER_DEFINED_PREPEND_PATH:+$SING_USER_DEFINED_PREPEND_PATH:}$PATH\"\n"
    "PATH=\"$PATH${SING_USER_DEFINED_APPEND_PATH:+:$SING_USER_DEFINED_APPEND_PATH}\"\n"
    "PATH=\"${SING_USER_DEFINED_PATH:-$PATH}\"\n"
    "unset SING_USER_DEFINED_PREPEND_PATH SING_USER_DEFINED_APPEND_PATH\n"
    "unset SING_USER_DEFINED_PATH\n"
    "export PATH\n";

const char cic_sifmeta_startscript[] =
    "#!/bin/sh\n";

static const struct cic_sifmeta_item fixed[] = {
	{ CIC_META_DIR, 0755, ".singularity.d", 0 },
	{ CIC_META_DIR, 0755, DOT_D "libs", 0 },
	{ CIC_META_DIR, 0755, DOT_D "actions", 0 },
	{ CIC_META_DIR, 0755, DOT_D "env", 0 },
	{ CIC_META_DIR, 0755, "dev", 0 },
	{ CIC_META_DIR, 0755, "dev/pts", 0 },
	{ CIC_META_DIR, 0755, "dev/shm", 0 },
	{ CIC_META_DIR, 0755, "proc", 0 },
	{ CIC_META_DIR, 0755, "root", 0 },
	{ CIC_META_DIR, 0755, "var", 0 },
	{ CIC_META_DIR, 0755, "var/tmp", 0 },
	{ CIC_META_DIR, 0755, "tmp", 0 },
	{ CIC_META_DIR, 0755, "etc", 0 },
	{ CIC_META_DIR, 0755, "sys", 0 },
	{ CIC_META_DIR, 0755, "home", 0 },
	{ CIC_META_LINK, 0777, "singularity", DOT_D "runscript" },
	{ CIC_META_LINK, 0777, ".run", DOT_D "actions/run" },
	{ CIC_META_LINK, 0777, ".exec", DOT_D "actions/exec" },
	{ CIC_META_LINK, 0777, ".test", DOT_D "actions/test" },
	{ CIC_META_LINK, 0777, ".shell", DOT_D "actions/shell" },
	{ CIC_META_LINK, 0777, "environment", DOT_D "env/90-environment.sh" },
	{ CIC_META_NEW_LINK, 0777, "etc/mtab", "/proc/mounts" },
	{ CIC_META_MOUNT, 0644, "etc/hostname", 0 },
	{ CIC_META_MOUNT, 0644, "etc/hosts", 0 },
	{ CIC_META_MOUNT, 0644, "etc/resolv.conf", 0 },
	{ CIC_META_FILE, 0755, DOT_D "actions/exec", action_exec },
	{ CIC_META_FILE, 0755, DOT_D "actions/run", action_run },
	{ CIC_META_FILE, 0755, DOT_D "actions/shell", action_shell },
	{ CIC_META_FILE, 0755, DOT_D "actions/start", action_start },
	{ CIC_META_FILE, 0755, DOT_D "actions/test", action_test },
	{ CIC_META_FILE, 0755, DOT_D "env/01-base.sh", env_base },
	{ CIC_META_FILE, 0755, DOT_D "env/90-environment.sh", cic_sifmeta_environment },
	{ CIC_META_FILE, 0755, DOT_D "env/95-apps.sh", env_apps },
	{ CIC_META_FILE, 0755, DOT_D "env/99-base.sh", env_99_base },
	{ CIC_META_FILE, 0755, DOT_D "env/99-runtimevars.sh", env_99_runtime },
	{ CIC_META_FILE, 0755, DOT_D "startscript", cic_sifmeta_startscript },
};

#define NFIXED	(sizeof(fixed) / sizeof(fixed[0]))

const struct cic_sifmeta_item *
cic_sifmeta_item(const struct cic_sifmeta *meta, size_t i,
    struct cic_sifmeta_item *item)
{
	const struct cic_sifmeta_item made[] = {
		{ CIC_META_FILE, 0755, DOT_D "runscript", meta->runscript },
		{ CIC_META_FILE, 0755, CIC_META_ENV, meta->env },
		{ CIC_META_FILE, 0644, DOT_D "labels.json", meta->labels },
		{ CIC_META_FILE, 0644, DOT_D "Singularity", meta->definition },
	};

	if (i < NFIXED)
		*item = fixed[i];
	else if (i - NFIXED < sizeof(made) / sizeof(made[0]))
		*item = made[i - NFIXED];
	else
		return 0;
	return item;
}
