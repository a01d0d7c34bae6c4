/*
 * What the registries hold: versions, workflows and their steps, as they were
 * when somebody looked last.
 *
 * Names that no request could say are not in it.  The text is GET /catalog's:
 *
 *	{"updated":ms|null,"error":…|null,"workflow_commit":…,"catalog_commit":…,
 *	 "versions":[{"name","kind":"branch"|"tag","commit"}],
 *	 "workflows":[{"name","steps":[…]}]}
 */
#ifndef CIC_CATALOG_H
#define CIC_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "build.h"
#include "err.h"

struct cic_buf;

#define CIC_CATALOG_ENTRIES	10000	/* versions, and steps; more are left out */
#define CIC_CATALOG_TEXT	(4 * 1024 * 1024)

struct cic_catalog_version {
	char	name[CIC_VERSION_MAX];
	bool	tag;				/* else a branch */
	char	commit[CIC_COMMIT_MAX];
};

struct cic_catalog_step {
	char	workflow[CIC_NAME_MAX];
	char	name[CIC_NAME_MAX];
};

struct cic_catalog {
	int64_t	updated;			/* ms since 1970; 0: never */
	char	error[CIC_MESSAGE_MAX];		/* why the last look failed; "" */
	char	workflow_commit[CIC_COMMIT_MAX];	/* what "latest" is */
	char	catalog_commit[CIC_COMMIT_MAX];
	struct cic_catalog_version *versions;	/* heap */
	size_t	version_count;
	struct cic_catalog_step *steps;		/* heap; workflow by workflow */
	size_t	step_count;
};

/* Free what it holds; empty after. */
void cic_catalog_release(struct cic_catalog *catalog);

/* Add one, unless a request could not say it, it is there already, or there are
 * enough.  A branch has its name before a tag: branches are added first, in
 * order.  Returns 0, also then; -1: out of memory. */
int cic_catalog_add_version(struct cic_catalog *catalog, const char *name,
    bool tag, const char *commit, struct cic_err *err);
/* Steps of a workflow are added one after another. */
int cic_catalog_add_step(struct cic_catalog *catalog, const char *workflow,
    const char *name, struct cic_err *err);

/* Append the text. */
void cic_catalog_print(struct cic_buf *buf, const struct cic_catalog *catalog);

/* Read it back, whoever wrote it: CIC_EINVAL when it is not of that form.
 * `catalog` is empty before. */
int cic_catalog_parse(const char *text, size_t len, struct cic_catalog *catalog,
    struct cic_err *err);

#endif
