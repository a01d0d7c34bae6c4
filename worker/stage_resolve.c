/* Stage resolve: what the request's version means now, as commits and trees. */
#include "job.h"

#include <stdio.h>

/* Fetch one registry.  `what` names it for people. */
static int
resolve(struct job *job, const struct cic_git *git, const char *what,
    const char *url, const char *version, struct cic_git_commit *out,
    struct cic_err *err)
{
	enum cic_cause cause = CIC_CAUSE_INTERNAL;

	if (cic_git_resolve(git, url, version, out, &cause, err) != 0) {
		job_set_cause(job, cause, err);
		return cic_err_wrap(err, "%s", what);
	}
	job_say(job, "%s: %s is commit %s", what, version, out->commit);
	return 0;
}

int
stage_resolve(struct job *job, struct cic_err *err)
{
	const struct cic_request *r = &job->build.request;
	char mirrors[CIC_PATH_MAX], path[2 * CIC_NAME_MAX + 1];
	struct cic_git git = { .mirrors = mirrors, .log_fd = job->log_fd,
	    .timeout = (unsigned)job->conf->git_timeout };

	job->cause = CIC_CAUSE_INTERNAL;
	if (cic_path_format(mirrors, err, "%s/mirrors", job->conf->data) != 0)
		return -1;
	if (resolve(job, &git, "workflow registry",
	    job->conf->workflow_repository, r->version, &job->workflow,
	    err) != 0 ||
	    resolve(job, &git, "software catalog",
	    job->conf->software_repository, "latest", &job->catalog, err) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", r->workflow, r->step);
	if (cic_git_tree(&git, &job->workflow, path, job->workflow_tree,
	    err) != 0) {
		job_set_cause(job, CIC_CAUSE_NO_SUCH_WORKFLOW, err);
		return -1;
	}
	return cic_git_tree(&git, &job->catalog, "", job->catalog_tree, err);
}
