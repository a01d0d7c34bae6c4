/* Who may read logs; see share.h. */
#include "share.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"

/* The worker has one thread, so getgrnam will do. */
int
share_check(const struct cic_conf *conf, struct cic_err *err)
{
	if (conf->web_group[0] == '\0')
		return 0;
	errno = 0;
	if (getgrnam(conf->web_group) != NULL)
		return 0;
	return cic_err_set(err, CIC_EINVAL, "service.web_group: %s: %s",
	    conf->web_group, errno != 0 ? strerror(errno) :
	    "there is no such group");
}

void
share_log(const struct cic_conf *conf, int fd, const char *id)
{
	struct group *group;

	if (fchmod(fd, 0640) != 0)
		cic_log_warn("build %s: mode of its log", id);
	if (conf->web_group[0] == '\0')
		return;
	group = getgrnam(conf->web_group);
	if (group == NULL)
		cic_log_warnx("build %s: no group %s for its log", id,
		    conf->web_group);
	else if (fchown(fd, (uid_t)-1, group->gr_gid) != 0)
		cic_log_warn("build %s: its log to the group %s", id,
		    conf->web_group);
}
