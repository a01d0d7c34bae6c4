/* How far it is, from the log to the journal; see progress.h. */
#include "progress.h"

#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"

#define INTERVAL	1000	/* ms between lines */
#define READ_MAX	((off_t)4 << 20)

static off_t
size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

void
progress_begin(struct progress *p, int log_fd, int journal_fd)
{
	*p = (struct progress){ .log_fd = log_fd, .journal_fd = journal_fd };
	buildlog_init(&p->log, size_of(log_fd));
}

static void
look(struct progress *p)
{
	off_t before = p->log.lines.at;

	loglines_read(&p->log.lines, p->log_fd, READ_MAX);
	if (p->log.lines.at != before)
		p->log.progress.output = cic_now_ms();
}

static void
tell(struct progress *p)
{
	struct cic_err err;

	p->told = p->log.progress;
	p->told_at = cic_now_ms();
	if (journal_write_progress(p->journal_fd, &p->told, &err) != 0)
		cic_log_warnx("%s", err.msg);
}

void
progress_stage(struct progress *p, const char *name)
{
	look(p);
	buildlog_stage(&p->log, name);
	tell(p);
}

void
progress_end(struct progress *p)
{
	look(p);
	loglines_end(&p->log.lines);
	if (cic_progress_differs(&p->log.progress, &p->told))
		tell(p);
}

void
progress_tick(void *progress)
{
	struct progress *p = progress;
	int64_t age = cic_now_ms() - p->told_at;

	look(p);
	/* a clock set back must not silence us */
	if ((age >= INTERVAL || age < 0) &&
	    cic_progress_differs(&p->log.progress, &p->told))
		tell(p);
}
