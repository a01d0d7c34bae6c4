/* A build that somebody wants ended; see cancel.h. */
#include "cancel.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "path.h"
#include "run.h"
#include "sweep.h"

#define GRACE	3000	/* ms for tools to clean up */

static int64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the tools say after this in the log is no fault of the build. */
static void
say_in_log(const struct run *run)
{
	static const char line[] = "cic: cancelled, ending it\n";
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	int fd;

	if (cic_path_format(path, &ignored, "%s/log", run->folder) != 0)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, line, sizeof(line) - 1);
	close(fd);
}

bool
cancel_look(const struct worker *worker, struct run *run)
{
	if (run->dying == 0) {
		if (!cic_store_is_dying(worker->store, run->id))
			return false;
		cic_log_info("build %s: cancelled, ending it", run->id);
		run->dying = monotonic_ms();
		say_in_log(run);
		/* podman, whose command is killed, takes its container away
		 * and fails; killed itself, it leaves both.  Only once: what
		 * it does then are processes, too */
		sweep_tools(run->id);
	} else if (monotonic_ms() - run->dying >= GRACE)
		sweep_build(run->id);
	return !cic_lock_is_held(run->lock);
}
