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

/* The step's folder: of the registry, or in library mode of the local disk. */
static int
resolve_workflow(struct job *job, const struct cic_git *git,
    struct cic_err *err)
{
	const struct cic_request *r = &job->build.request;
	char path[2 * CIC_NAME_MAX + 1];

	if (r->path[0] != '\0') {
		if (cic_git_snapshot(git, r->path, &job->workflow, err) != 0)
			return cic_err_wrap(err, "path");
		job_say(job, "the step is the folder %s", r->path);
		return cic_git_tree(git, &job->workflow, "",
		    job->workflow_tree, err);
	}
	if (resolve(job, git, "workflow registry",
	    job->conf->workflow_repository, r->version, &job->workflow,
	    err) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", r->workflow, r->step);
	if (cic_git_tree(git, &job->workflow, path, job->workflow_tree,
	    err) != 0) {
		job_set_cause(job, CIC_CAUSE_NO_SUCH_WORKFLOW, err);
		return -1;
	}
	return 0;
}

/* cic.fcgi lets nobody else ask for it, but anybody who can write the store
 * could: its owners are looked at once more. */
static int
check_base(struct job *job, struct cic_err *err)
{
	int i;

	for (i = 0; i < job->build.owner_count; i++)
		if (!cic_conf_is_admin(job->conf, job->build.owners[i])) {
			job->cause = CIC_CAUSE_REQUEST;
			return cic_err_set(err, CIC_EDENIED, "the base image "
			    "is built for users of service.admins only");
		}
	return 0;
}

int
stage_resolve(struct job *job, struct cic_err *err)
{
	struct job_git git;

	job->cause = CIC_CAUSE_INTERNAL;
	if (cic_request_is_base(&job->build.request))
		return check_base(job, err);
	if (job_git(job, &git, err) != 0 ||
	    resolve_workflow(job, &git.git, err) != 0 ||
	    resolve(job, &git.git, "software catalog",
	    job->conf->software_repository, "latest", &job->catalog, err) != 0)
		return -1;
	return cic_git_tree(&git.git, &job->catalog, "", job->catalog_tree,
	    err);
}
