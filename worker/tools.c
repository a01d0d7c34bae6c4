/* Can this machine build at all?  See tools.h. */
#include "tools.h"

#include <unistd.h>

#include "cgroup.h"
#include "conf.h"
#include "engine.h"
#include "path.h"
#include "spawn.h"

static int
check_converter(const struct cic_conf *conf, struct cic_err *err)
{
	static const char *const converters[] = { "singularity", "apptainer" };
	const char *program = conf->converter_command;

	if (conf->converter == CIC_CONVERT_BUILTIN)
		return 0;
	if (program[0] == '\0')
		program = converters[conf->converter];
	if (cic_program_exists(program))
		return 0;
	return cic_err_set(err, CIC_ENOENT, "build.converter: the program %s "
	    "is not installed; install it or set build.converter: builtin",
	    program);
}

int
tools_check(const struct cic_conf *conf, bool convert, int log_fd,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX];

	if (cic_path_format(path, err, "%s/Dockerfile", conf->templates) != 0)
		return -1;
	if (access(path, R_OK) != 0)
		return cic_err_errno(err, "build.templates: %s", path);
	if (!cic_program_exists("git"))
		return cic_err_set(err, CIC_ENOENT,
		    "the program git is not installed");
	if ((convert && check_converter(conf, err) != 0) ||
	    cic_engine_check(conf, log_fd, err) != 0)
		return -1;
	return cgroup_check(conf, log_fd, err);
}
