/* platform.h: what this machine can run, what it emulates, what is elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/utsname.h>

#include "conf.h"
#include "folder.h"
#include "platform.h"

/* As the kernel writes it; the flag F is what counts. */
#define HANDLER(state, flags) state "\ninterpreter /usr/bin/qemu\nflags: " \
	flags "\noffset 0\nmagic 7f454c46\nmask ffffffff\n"

static struct cic_conf
site(int engine)
{
	return (struct cic_conf){ .engine = engine };
}

static struct cic_list
list_of(const char *text)
{
	return (struct cic_list){ .item = { (char *)(uintptr_t)text },
	    .count = 1 };
}

/* A platform that this machine does not run by itself. */
static const char *
foreign(const char **qemu)
{
	struct utsname host;

	assert_int_equal(uname(&host), 0);
	*qemu = strcmp(host.machine, "riscv64") == 0 ? "ppc64le" : "riscv64";
	return strcmp(host.machine, "riscv64") == 0 ? "linux/ppc64le" :
	    "linux/riscv64";
}

static void
own(void **state)
{
	static const char *const names[][2] = { { "x86_64", "linux/amd64" },
		{ "x86_64", "linux/386" }, { "aarch64", "linux/arm64" },
		{ "ppc64le", "linux/ppc64le" }, { "riscv64", "linux/riscv64" } };
	struct cic_conf conf = site(CIC_ENGINE_PODMAN);
	struct utsname host;
	bool emulated = true;

	(void)state;
	assert_int_equal(uname(&host), 0);
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i][0], host.machine) == 0) {
			assert_int_equal(platform_check(&conf, names[i][1],
			    folder, &emulated, &err), 0);
			assert_false(emulated);
		}
}

static void
emulation(void **state)
{
	struct cic_conf conf = site(CIC_ENGINE_PODMAN);
	const char *qemu, *platform = foreign(&qemu);
	char name[32];
	bool emulated;

	(void)state;
	snprintf(name, sizeof(name), "qemu-%s", qemu);
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, platform);
	has(err.msg, "qemu-user-static");
	has(err.msg, "build.platform_contexts");
	assert_int_equal(platform_check(&conf, platform, "/nonexistent",
	    &emulated, &err), -1);

	put_file(name, HANDLER("enabled", "POF"));
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), 0);
	assert_true(emulated);
	/* switched off; would look for qemu inside the container; neither */
	put_file(name, HANDLER("disabled", "POF"));
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), -1);
	put_file(name, HANDLER("enabled", "PO"));
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), -1);
	put_file(name, "");
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), -1);
	assert_false(emulated);
}

static void
elsewhere(void **state)
{
	struct cic_conf conf = site(CIC_ENGINE_DOCKER);
	const char *qemu, *platform = foreign(&qemu);
	char entry[64];
	bool emulated = true;

	(void)state;
	snprintf(entry, sizeof(entry), "%s=farm", platform);
	conf.platform_builders = list_of(entry);
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), 0);
	assert_false(emulated);
	/* podman has none, whatever stands there */
	conf.engine = CIC_ENGINE_PODMAN;
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), -1);
	conf.platform_contexts = conf.platform_builders;
	assert_int_equal(platform_check(&conf, platform, folder, &emulated,
	    &err), 0);
	/* for that platform only */
	assert_int_equal(platform_check(&conf, "linux/arm/v7", folder,
	    &emulated, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { UNIT(own), UNIT(emulation),
		UNIT(elsewhere) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
