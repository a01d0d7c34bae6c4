/* The content key; see content_key.h. */
#include "job.h"
#include "content_key.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "digest.h"
#include "path.h"

#define SCHEME		"2"	/* changes when the key's meaning does */
#define TEMPLATE_MAX	(1024 * 1024)

static const char *const part_names[CIC_KEYPART__MAX] = {
	[CIC_KEYPART_TEMPLATES] = "templates",
	[CIC_KEYPART_WORKFLOW] = "workflow",
	[CIC_KEYPART_CATALOG] = "catalog",
	[CIC_KEYPART_BASE] = "base",
	[CIC_KEYPART_MACHINE] = "machine",
};

static int
add_template(struct cic_digest *digest, const struct job *job,
    const char *name, struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	struct cic_buf text;
	int rc;

	if (cic_path_format(path, err, "%s/%s", job->conf->templates,
	    name) != 0)
		return -1;
	cic_buf_init(&text, TEMPLATE_MAX);
	rc = cic_read_file(path, &text, err);
	if (rc == 0)
		cic_digest_add_field(digest, text.data);
	else
		cic_err_wrap(err, "template (build.templates)");
	cic_buf_release(&text);
	return rc;
}

/* Feed a part's digest; returns 0 or -1 with err. */
static int
feed(struct cic_digest *digest, const struct job *job, int part,
    struct cic_err *err)
{
	const struct cic_request *r = &job->build.request;
	bool base = cic_request_is_base(r);

	cic_digest_add_field(digest, SCHEME);
	switch (part) {
	case CIC_KEYPART_TEMPLATES:
		if (base)
			return add_template(digest, job, "base/Dockerfile", err);
		cic_digest_add_field(digest, job->site_packages);
		return add_template(digest, job, "Dockerfile", err) != 0 ? -1 :
		    add_template(digest, job, "inner.sh", err);
	case CIC_KEYPART_WORKFLOW:
		cic_digest_add_field(digest, r->step);
		cic_digest_add_field(digest, job->workflow_tree);
		break;
	case CIC_KEYPART_CATALOG:
		cic_digest_add_field(digest, job->catalog_tree);
		break;
	case CIC_KEYPART_BASE:
		cic_digest_add_field(digest, job->base_id);
		break;
	case CIC_KEYPART_MACHINE:
		cic_digest_add_field(digest, r->platform);
		cic_digest_add_field(digest, base ? "" : r->target);
		cic_digest_add_field(digest, r->mpi);
		cic_digest_add_field(digest, r->gpu);
		break;
	}
	return 0;
}

int
content_key_make(struct job *job, struct cic_err *err)
{
	char hex[CIC_SHA256_HEX];
	struct cic_digest *digest;
	struct cic_buf text;
	int i, rc = 0;

	cic_buf_init(&text, CONTENT_PARTS_TEXT - 1);
	for (i = 0; rc == 0 && i < CIC_KEYPART__MAX; i++) {
		digest = cic_digest_begin();
		if (digest == NULL)
			rc = cic_err_set(err, CIC_EIO, "out of memory");
		else {
			rc = feed(digest, job, i, err);
			cic_digest_end(digest, hex);
			cic_buf_printf(&text, "%s%s=%.16s", i > 0 ? " " : "",
			    part_names[i], hex);
		}
	}
	if (rc == 0) {
		snprintf(job->parts, sizeof(job->parts), "%s", text.data);
		cic_digest_mem(text.data, text.len, job->content_key);
	}
	cic_buf_release(&text);
	return rc;
}

/* Where "name=" stands in a label, at its digits; "" when it does not. */
static const char *
digits_of(const char *parts, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = parts; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return p + len + 1;
	return "";
}

bool
content_key_fits(const struct job *job, const char *key, const char *parts,
    char *why, size_t size)
{
	struct cic_buf names;
	int i, moved = 0;

	if (key[0] == '\0') {
		snprintf(why, size, "it has no content key%s",
		    job->conf->adopt_unlabelled ? "" :
		    "; build.adopt_unlabelled would take it as it is");
		return job->conf->adopt_unlabelled;
	}
	cic_buf_init(&names, 256);
	for (i = 0; i < CIC_KEYPART__MAX; i++) {
		if ((job->conf->rebuild_on & 1 << i) == 0 ||
		    strncmp(digits_of(parts, part_names[i]),
		    digits_of(job->parts, part_names[i]),
		    CONTENT_PART_MAX - 1) == 0)
			continue;
		cic_buf_printf(&names, "%s%s", moved++ > 0 ? ", " : "",
		    part_names[i]);
	}
	snprintf(why, size, "changed since: %s", names.data);
	cic_buf_release(&names);
	return moved == 0;
}
