/*
 * The end of a run; see end.h.
 *
 * Order of publishing: the .sif is complete and synced under its temporary
 * name, and the journal with its digest is synced, before we come here.  Then
 * one transaction after which the build can be cancelled no more, the checksum,
 * both renames, the folder synced, and one transaction that ends the build.  A
 * crash anywhere in between leaves the journal to start over from.
 */
#include "end.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "log.h"
#include "publish.h"
#include "run.h"

/* Who asks again and again must not keep a build from ending. */
#define RERUNS_MAX 5

/* How the record changes; see apply_end. */
struct outcome {
	const struct worker		*worker;
	const struct run		*run;		/* NULL: never started */
	const struct journal_line	*line;		/* NULL: lost */
	enum cic_state			 state;
	enum cic_cause			 cause;
	const char			*message;
	int64_t				 published;	/* began, ms since 1970 */
	bool				 publishing;	/* found out: it may be */
};

static void
copy_result(struct cic_build *build, const struct journal_line *line)
{
	snprintf(build->image_id, sizeof(build->image_id), "%s",
	    line->image_id);
	snprintf(build->content_key, sizeof(build->content_key), "%s",
	    line->content_key);
	snprintf(build->workflow_commit, sizeof(build->workflow_commit), "%s",
	    line->workflow_commit);
	snprintf(build->catalog_commit, sizeof(build->catalog_commit), "%s",
	    line->catalog_commit);
	if (line->size > 0) {
		snprintf(build->sha256, sizeof(build->sha256), "%s",
		    line->sha256);
		build->size = line->size;
	}
}

/* What shows why; "" when it did not fail, or nobody said. */
static void
copy_failure(struct cic_build *build, const struct journal_line *line)
{
	bool failed = line != NULL && line->event == JOURNAL_FAILED;

	snprintf(build->excerpt, sizeof(build->excerpt), "%s",
	    failed ? line->excerpt : "");
	snprintf(build->package, sizeof(build->package), "%s",
	    failed ? line->package : "");
}

/* Whatever became of a build that was cancelled, this is its end. */
static bool
end_if_cancelled(struct cic_build *build, const struct outcome *o)
{
	if (build->cancel[0] == '\0')
		return false;
	if (o->run != NULL) {
		build->progress = o->run->progress;
		build->stages = o->run->stages;
	}
	cic_build_end_cancelled(build, build->cancel);
	return true;
}

/* Inside the store's transaction. */
static void
apply_end(struct cic_build *build, void *arg)
{
	const struct outcome *o = arg;

	if (end_if_cancelled(build, o))
		return;
	if (o->line != NULL && o->line->event == JOURNAL_FINISHED)
		copy_result(build, o->line);
	if (o->run != NULL) {
		build->progress = o->run->progress;
		build->stages = o->run->stages;
	}
	if (o->state == CIC_FINISHED)
		build->force_done = true;
	if (build->recheck && build->reruns < RERUNS_MAX &&
	    o->cause != CIC_CAUSE_TIMED_OUT && o->cause != CIC_CAUSE_STALLED) {
		/* somebody asked meanwhile, and may know newer commits */
		build->recheck = false;
		build->reruns++;
		build->state = CIC_PENDING;
		return;
	}
	build->state = o->state;
	build->cause = o->cause;
	snprintf(build->message, sizeof(build->message), "%s", o->message);
	copy_failure(build, o->line);
	build->ended = cic_now_ms();
}

static void
apply_lost(struct cic_build *build, void *arg)
{
	const struct outcome *o = arg;
	int limit = o->worker->conf->max_attempts;

	if (end_if_cancelled(build, o))
		return;
	build->state = CIC_PENDING;
	if (++build->lost < limit)
		return;
	build->state = CIC_FAILED;
	build->cause = CIC_CAUSE_LOST;
	build->ended = cic_now_ms();
	snprintf(build->message, sizeof(build->message),
	    "its processes died %d times without saying why "
	    "(limits.max_attempts); see the log", build->lost);
}

/* Write it.  A build that has moved on without us needs nothing: true. */
static bool
record(struct outcome *o, const struct run *run,
    void (*apply)(struct cic_build *, void *), const struct cic_image *image)
{
	struct cic_change change = { .id = run->id, .attempt = run->attempt,
	    .apply = apply, .arg = o, .image = image };
	struct cic_err err;

	if (cic_store_change(o->worker->store, &change, &err) == 0)
		return true;
	cic_log_warnx("build %s: %s", run->id, err.msg);
	return err.code == CIC_EEXIST || err.code == CIC_ENOENT;
}

static void
apply_publishing(struct cic_build *build, void *arg)
{
	struct outcome *o = arg;

	if (end_if_cancelled(build, o))
		return;
	build->stages = o->run->stages;
	cic_stages_begin(&build->stages, "publish", o->published);
	build->publishing = o->publishing = true;
}

/* From here on the build cannot be cancelled.  False when it has been, and has
 * ended, or when the store does not answer: then `over` is false, too. */
static bool
begin_publishing(const struct worker *worker, struct run *run, bool *over)
{
	struct outcome o = { .worker = worker, .run = run,
	    .published = cic_now_ms() };

	if (run->publishing)
		return true;
	*over = record(&o, run, apply_publishing, NULL);
	run->publishing = *over && o.publishing;
	if (run->publishing)
		cic_stages_begin(&run->stages, "publish", o.published);
	return run->publishing;
}

/* Give the file of a run its name. */
static enum published
publish_run(const struct worker *worker, const struct run *run,
    struct cic_err *err)
{
	struct cic_build name = { .attempt = run->attempt };
	char tmp[CIC_PATH_MAX];

	snprintf(name.id, sizeof(name.id), "%s", run->id);
	if (job_temporary(worker->conf, &name, tmp, err) != 0)
		return NOT_PUBLISHED;
	return publish(&(struct publish){
		.folder = worker->conf->images_location, .tmp = tmp,
		.file = run->file, .sha256 = run->last.sha256,
		.size = run->last.size }, err);
}

static bool
end_finished(const struct worker *worker, struct run *run)
{
	struct outcome o = { .worker = worker, .run = run, .line = &run->last,
	    .state = CIC_FINISHED, .message = run->last.message };
	struct cic_image image = { .size = run->last.size };
	enum published how;
	struct cic_err err;
	bool over;

	if (run->last.size == 0)	/* docker only, or the .sif was right */
		return record(&o, run, apply_end, NULL);
	if (!begin_publishing(worker, run, &over))
		return over;
	how = publish_run(worker, run, &err);
	if (how != PUBLISHED)
		cic_log_warnx("build %s: publish: %s", run->id, err.msg);
	if (how == TRY_AGAIN)
		return false;
	if (how == NOT_PUBLISHED) {
		o.state = CIC_FAILED;
		o.cause = err.code == CIC_ENOSPC ? CIC_CAUSE_DISK :
		    CIC_CAUSE_INTERNAL;
		o.message = err.msg;
		return record(&o, run, apply_end, NULL);
	}
	snprintf(image.image_id, sizeof(image.image_id), "%s",
	    run->last.image_id);
	snprintf(image.sha256, sizeof(image.sha256), "%s", run->last.sha256);
	return record(&o, run, apply_end, &image);
}

/* The context is big and of no use any more; log and journal stay. */
static void
clean_up(const struct worker *worker, const struct run *run)
{
	struct cic_build name = { .attempt = run->attempt };
	char path[CIC_PATH_MAX];
	struct cic_err err;

	snprintf(name.id, sizeof(name.id), "%s", run->id);
	if (job_temporary(worker->conf, &name, path, &err) == 0)
		unlink(path);
	if (cic_path_format(path, &err, "%s/work", run->folder) != 0 ||
	    cic_remove_tree(path, &err) != 0)
		cic_log_warnx("build %s: %s", run->id, err.msg);
}

bool
end_run(const struct worker *worker, struct run *run)
{
	struct outcome o = { .worker = worker, .run = run };
	const char *said = "";
	bool done;

	if (run->ended && run->last.event == JOURNAL_FINISHED) {
		done = end_finished(worker, run);
	} else if (run->ended) {
		o.state = CIC_FAILED;
		o.line = &run->last;
		o.cause = run->last.cause;
		o.message = run->last.message;
		done = record(&o, run, apply_end, NULL);
	} else if (run->overdue) {
		o.state = CIC_FAILED;
		o.cause = CIC_CAUSE_TIMED_OUT;
		o.message = "it took longer than limits.build_timeout and "
		    "was ended";
		done = record(&o, run, apply_end, NULL);
	} else {
		if (run->dying == 0)
			cic_log_warnx("build %s: its processes died", run->id);
		done = record(&o, run, apply_lost, NULL);
	}
	if (done) {
		if (run->dying != 0)
			said = "cancelled";
		else if (run->ended)
			said = run->last.message;
		cic_log_info("build %s: attempt %d over%s%.200s", run->id,
		    run->attempt, said[0] != '\0' ? ": " : "", said);
		clean_up(worker, run);
	}
	return done;
}

bool
end_unstarted(const struct worker *worker, const char *id, int attempt,
    const struct cic_err *why)
{
	struct outcome o = { .worker = worker, .state = CIC_FAILED,
	    .cause = why->code == CIC_ENOSPC ? CIC_CAUSE_DISK :
	    CIC_CAUSE_INTERNAL, .message = why->msg };
	struct run run = { .attempt = attempt };

	snprintf(run.id, sizeof(run.id), "%s", id);
	return record(&o, &run, apply_end, NULL);
}
