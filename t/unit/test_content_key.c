/* content_key.h: what moves the key, and what an image's labels mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder.h"

#include "content_key.h"
#include "job.h"

static struct cic_conf conf;
static char templates[CIC_PATH_MAX];

static struct job
new_job(void)
{
	struct job job = { .conf = &conf,
	    .workflow_tree = "1111111111111111111111111111111111111111",
	    .catalog_tree = "2222222222222222222222222222222222222222",
	    .base_id = "sha256:33", .site_packages = "44" };

	put_file("Dockerfile", "FROM x\n");
	put_file("inner.sh", "true\n");
	snprintf(templates, sizeof(templates), "%s", folder);
	conf = (struct cic_conf){ .templates = templates,
	    .rebuild_on = (1 << CIC_KEYPART__MAX) - 1 };
	strcpy(job.build.request.step, "step");
	strcpy(job.build.request.platform, "linux/amd64");
	strcpy(job.build.request.target, "zen2");
	return job;
}

/* What an image of `before` says to a job that is like `job`; "" when it fits. */
static const char *
moved(struct job *job, const struct job *before)
{
	static char why[256];
	bool fits;

	assert_int_equal(content_key_make(job, &err), 0);
	fits = content_key_fits(job, before->content_key, before->parts, why,
	    sizeof(why));
	assert_true(fits == (strcmp(why, "changed since: ") == 0));
	return fits ? "" : why;
}

static void
parts(void **state)
{
	struct job before = new_job(), job;

	(void)state;
	assert_int_equal(content_key_make(&before, &err), 0);
	assert_int_equal(strlen(before.content_key), 64);
	job = new_job();
	assert_string_equal(moved(&job, &before), "");
	assert_string_equal(job.content_key, before.content_key);
	strcpy(job.build.request.version, "v2");	/* a name is no content */
	job.build.request.force = true;
	assert_string_equal(moved(&job, &before), "");
	job.workflow_tree[0] = '5';
	assert_string_equal(moved(&job, &before), "changed since: workflow");
	assert_string_not_equal(job.content_key, before.content_key);
	strcpy(job.build.request.mpi, "openmpi@4");
	assert_string_equal(moved(&job, &before),
	    "changed since: workflow, machine");
	job = new_job();
	strcpy(job.build.request.step, "other");
	assert_string_equal(moved(&job, &before), "changed since: workflow");
	job = new_job();
	job.catalog_tree[39] = '5';
	assert_string_equal(moved(&job, &before), "changed since: catalog");
	job = new_job();
	strcpy(job.base_id, "sha256:34");
	assert_string_equal(moved(&job, &before), "changed since: base");
	job = new_job();
	strcpy(job.site_packages, "45");
	assert_string_equal(moved(&job, &before), "changed since: templates");
	job = new_job();
	put_file("inner.sh", "false\n");
	assert_string_equal(moved(&job, &before), "changed since: templates");
	job = new_job();
	strcpy(job.build.request.target, "zen3");
	assert_string_equal(moved(&job, &before), "changed since: machine");
}

/* What stands side by side in a part is not one word. */
static void
fields(void **state)
{
	struct job a = new_job(), b = new_job();

	(void)state;
	strcpy(a.build.request.mpi, "ab");
	strcpy(b.build.request.mpi, "a");
	strcpy(b.build.request.gpu, "b");
	assert_int_equal(content_key_make(&a, &err), 0);
	assert_int_equal(content_key_make(&b, &err), 0);
	assert_string_not_equal(a.content_key, b.content_key);
}

static void
rebuild_on(void **state)
{
	struct job before = new_job(), job;

	(void)state;
	assert_int_equal(content_key_make(&before, &err), 0);
	job = new_job();
	job.workflow_tree[0] = job.catalog_tree[0] = '5';
	conf.rebuild_on = 1 << CIC_KEYPART_WORKFLOW;
	assert_string_equal(moved(&job, &before), "changed since: workflow");
	conf.rebuild_on = 1 << CIC_KEYPART_BASE;
	assert_string_equal(moved(&job, &before), "");
}

static void
labels(void **state)
{
	static const char key[] = "ab", broken[] = "workflow= catalogue=12 base";
	struct job job = new_job();
	char why[256];

	(void)state;
	assert_int_equal(content_key_make(&job, &err), 0);
	assert_false(content_key_fits(&job, "", "", why, sizeof(why)));
	assert_non_null(strstr(why, "build.adopt_unlabelled"));
	assert_false(content_key_fits(&job, key, broken, why, sizeof(why)));
	assert_string_equal(why,
	    "changed since: templates, workflow, catalog, base, machine");
	assert_false(content_key_fits(&job, key, "", why, sizeof(why)));
	conf.adopt_unlabelled = true;
	assert_true(content_key_fits(&job, "", "", why, sizeof(why)));
	assert_false(content_key_fits(&job, key, broken, why, sizeof(why)));
	assert_true(content_key_fits(&job, key, job.parts, why, sizeof(why)));
}

static void
no_template(void **state)
{
	struct job job = new_job();
	char missing[] = "/nonexistent";

	(void)state;
	conf.templates = missing;
	assert_int_equal(content_key_make(&job, &err), -1);
	assert_non_null(strstr(err.msg, "build.templates"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { UNIT(parts), UNIT(fields),
		UNIT(rebuild_on), UNIT(labels), UNIT(no_template) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
