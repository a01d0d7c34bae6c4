/* Where an image of a platform is built; see platform.h. */
#include "platform.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "buf.h"
#include "path.h"

/* Platforms, uname's word for their processors, qemu's, and what else runs
 * them. */
static const struct processor {
	const char *platform, *machine, *qemu, *also;
} processors[] = {
	{ "linux/amd64", "x86_64", "x86_64", "" },
	{ "linux/386", "i686", "i386", "x86_64" },
	{ "linux/arm64", "aarch64", "aarch64", "" },
	{ "linux/ppc64le", "ppc64le", "ppc64le", "" },
	{ "linux/riscv64", "riscv64", "riscv64", "" },
	{ "linux/arm/v7", "armv7l", "arm", "" },
};

/* Is qemu's handler there, enabled, and opened once and for all (F), so that
 * it works inside a container, which has no qemu? */
static bool
is_emulated(const char *folder, const char *qemu)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct cic_buf text;
	const char *flags;
	bool yes = false;

	cic_buf_init(&text, 4096);
	if (cic_path_format(path, &ignored, "%s/qemu-%s", folder, qemu) == 0 &&
	    cic_read_file(path, &text, &ignored) == 0) {
		flags = strstr(text.data, "flags:");
		yes = strncmp(text.data, "enabled", 7) == 0 && flags != NULL &&
		    memchr(flags, 'F', strcspn(flags, "\n")) != NULL;
	}
	cic_buf_release(&text);
	return yes;
}

/* Builders are docker's alone. */
bool
platform_is_elsewhere(const struct cic_conf *conf, const char *platform)
{
	return cic_conf_for_platform(&conf->platform_contexts, platform,
	    NULL) != NULL || (conf->engine == CIC_ENGINE_DOCKER &&
	    cic_conf_for_platform(&conf->platform_builders, platform,
	    NULL) != NULL);
}

int
platform_check(const struct cic_conf *conf, const char *platform,
    const char *folder, bool *emulated, struct cic_err *err)
{
	const struct processor *p = NULL;
	struct utsname host;
	size_t i;

	*emulated = false;
	if (platform_is_elsewhere(conf, platform))
		return 0;
	for (i = 0; i < sizeof(processors) / sizeof(processors[0]); i++)
		if (strcmp(processors[i].platform, platform) == 0)
			p = &processors[i];
	if (uname(&host) != 0)
		return cic_err_errno(err, "uname");
	if (p != NULL && (strcmp(host.machine, p->machine) == 0 ||
	    strcmp(host.machine, p->also) == 0))
		return 0;
	*emulated = p != NULL && is_emulated(folder, p->qemu);
	if (*emulated)
		return 0;
	return cic_err_set(err, CIC_ENOENT, "the service's host (%s) cannot "
	    "run %s: its administrator can install qemu-user-static with "
	    "binfmt-support, or name a builder in build.platform_builders or "
	    "build.platform_contexts", host.machine, platform);
}
