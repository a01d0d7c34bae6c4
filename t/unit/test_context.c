/*
 * stage_context: what the engine is given for the sample descriptions, held
 * against t/data/contexts/.  With CIC_GOLDEN=write in the environment those files
 * are written: look at what git says has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <fts.h>

#include "folder.h"

#include "job.h"
#include "stages.h"

#define MACHINE(arch, more) "\"machine\":{\"architecture\":\"" arch "\"" more "}"

static const struct sample {
	const char *workflow, *step, *machine;
} samples[] = {
	{ "Caelestis_DT", "training", MACHINE("skylake_avx512", "") },
	{ "Pillar_II", "esm", MACHINE("skylake_avx512",
	    ",\"mpi\":\"openmpi@4\"") },
	{ "distributed_training", "blocks_shuffle", MACHINE("zen3", "") },
	{ "kaust", "exageostat", MACHINE("haswell", "") },
	{ "minimal_workflow", "wordcount", MACHINE("power9le",
	    ",\"platform\":\"linux/ppc64le\",\"gpu\":\"cuda@10.2\"") },
	{ "rom_pillar_I", "reduce_order_model", MACHINE("sandybridge", "") },
	{ "sentiment_analysis", "analyze", MACHINE("rome", "") },
	{ "tutorial", "HPC_AI_training", MACHINE("x86_64", "") },
	{ "tutorial", "lysozyme", MACHINE("x86_64_v3", "") },
	/* made by setup: whatever a step may hold */
	{ "made_up", "everything", MACHINE("x86_64", "") },
	{ "made_up", "nothing", MACHINE("x86_64", "") },
	{ "made_up", "own_environment", MACHINE("x86_64", "") },
};

static struct cic_conf *conf;
static struct job job;

/* The samples and some more as a workflow registry, a catalog, templates whose
 * inner.sh has no reason to change, and a site's archive. */
static void
make_repositories(void)
{
	char line[CIC_PATH_MAX];

	snprintf(line, sizeof(line), "set -e\n"
	    "cp -r t/data/descriptions '%s/registry'\n"
	    "mkdir '%s/site' && cp conf/image/Dockerfile '%s/site'\n"
	    "echo inner > '%s/site/inner.sh'\ncd '%s'\n", folder, folder,
	    folder, folder, folder);
	strcat(line, "mkdir packages && echo archive > packages/licensed.tar\n"
	    "cd registry && mkdir -p made_up/everything/src made_up/nothing "
	    "made_up/own_environment && cd made_up\n"
	    "printf 'apt: [hello]\\nspack: {specs: [zlib]}\\n' "
	    "> everything/eflows4hpc.yaml\n"
	    "echo numpy > everything/requirements.txt\n"
	    "echo 'cp -r /tmp/root/spack-stage/x .' > everything/post_inst.sh\n"
	    "echo 'spack: {specs: [no]}' > everything/spack.yaml\n"
	    "echo x > everything/src/x\n"
	    "echo '{}' > nothing/eflows4hpc.yaml\n"
	    "echo '{}' > own_environment/eflows4hpc.yaml\n"
	    "echo 'spack: {specs: [own]}' > own_environment/spack.yaml\n"
	    "cd ../..; mkdir -p catalog/cfg catalog/packages/one\n"
	    "echo config: > catalog/cfg/config.yaml\n"
	    "echo one > catalog/packages/one/package.py\n"
	    "export HOME=\"$PWD\" GIT_CONFIG_NOSYSTEM=1\n"
	    "for r in registry catalog; do (cd $r; git init -q -b main; "
	    "git add .; git -c user.name=n -c user.email=e@x commit -qm one)\n"
	    "done\n");
	sh(line);
}

static int
setup(void **state)
{
	char text[2 * CIC_PATH_MAX];
	struct cic_buf faults;

	if (folder_make(state) != 0)
		return -1;
	make_repositories();
	snprintf(text, sizeof(text), "service:\n  data: %s\nrepositories:\n"
	    "  workflow_repository: %s/registry\n"
	    "  software_repository: %s/catalog\nbuild:\n  base_image: base\n  jobs: 3\n"
	    "  images_location: %s/images\n  templates: %s/site\n"
	    "  site_packages: %s/packages\nnetwork:\n"
	    "  pip_index: https://pip.example.org/simple\n"
	    "  apt_mirrors: [\"http://apt.example.org/debian\"]\n",
	    folder, folder, folder, folder, folder, folder);
	cic_buf_init(&faults, 4096);
	conf = cic_conf_load(put_file("cic.yaml", text), &faults);
	if (conf == NULL)
		fail_msg("%s", faults.data);
	cic_buf_release(&faults);
	return 0;
}

static int
teardown(void **state)
{
	cic_conf_free(conf);
	return folder_remove(state);
}

/* A job in a folder of its own, up to stage context. */
static void
make_job(const struct sample *sample)
{
	struct cic_request_site site = cic_conf_site(conf);
	char text[1024], work[CIC_PATH_MAX + 8];
	int n;

	memset(&job, 0, sizeof(job));
	job.conf = conf;
	n = snprintf(text, sizeof(text), "{%s,\"workflow\":\"%s\","
	    "\"step_id\":\"%s\"}", sample->machine, sample->workflow,
	    sample->step);
	if (cic_request_parse(text, (size_t)n, &site, &job.build.request,
	    &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	snprintf(job.folder, sizeof(job.folder), "%s/%s-%s", folder,
	    sample->workflow, sample->step);
	strcpy(job.build.id, "00000000-0000-4000-8000-000000000000");
	memcpy(job.base_id, "sha256:", 7);
	memset(job.base_id + 7, 'b', 64);
	assert_int_equal(mkdir(job.folder, 0755), 0);
	snprintf(work, sizeof(work), "%s/work", job.folder);
	assert_int_equal(mkdir(work, 0755), 0);
	job.log_fd = open(in_folder("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (stage_resolve(&job, &err) != 0 || stage_context(&job, &err) != 0)
		fail_msg("%s/%s: %s", sample->workflow, sample->step, err.msg);
	close(job.log_fd);
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Every path of the context; with the text of what we wrote. */
static void
add_paths(const char *work, struct cic_buf *out)
{
	char *paths[] = { (char *)(uintptr_t)work, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	char *text;

	assert_non_null(fts);
	while ((entry = fts_read(fts)) != NULL) {
		const char *below = entry->fts_path + strlen(work);

		if (entry->fts_info == FTS_D && entry->fts_level > 1)
			cic_buf_printf(out, "%s/\n", below);
		if (entry->fts_info != FTS_F)
			continue;
		cic_buf_printf(out, "%s\n", below);
		if (strncmp(below, "/context/.cic/", 14) != 0 ||
		    strcmp(entry->fts_name, "inner.sh") == 0)
			continue;
		text = get_file(entry->fts_path);
		cic_buf_printf(out, "---\n%s---\n", text);
		free(text);
	}
	fts_close(fts);
}

/* The Dockerfile without its comments. */
static void
add_dockerfile(const char *path, struct cic_buf *out)
{
	char *text = get_file(path), *line, *rest = text;

	cic_buf_puts(out, "---\n");
	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '#' && rest != NULL)
			cic_buf_printf(out, "%s\n", line);
	free(text);
}

static void
golden(void **state)
{
	char path[CIC_PATH_MAX], work[CIC_PATH_MAX];
	struct cic_buf text;
	char *want;

	(void)state;
	for (size_t i = 0; i < COUNT(samples); i++) {
		make_job(&samples[i]);
		cic_buf_init(&text, 1 << 16);
		assert_int_equal(job_path(&job, "context", work, &err), 0);
		*strrchr(work, '/') = '\0';
		add_paths(work, &text);
		strcat(work, "/Dockerfile");
		add_dockerfile(work, &text);
		assert_false(text.failed);
		snprintf(path, sizeof(path), "t/data/contexts/%s-%s",
		    samples[i].workflow, samples[i].step);
		if (getenv("CIC_GOLDEN") != NULL)
			assert_int_equal(cic_write_file(path, text.data,
			    text.len, 0644, &err), 0);
		want = get_file(path);
		assert_string_equal(text.data, want);
		free(want);
		cic_buf_release(&text);
	}
}

/* What makes engines run a part again: its own inputs, and force. */
static void
inputs(void **state)
{
	static const struct sample sample = { "made_up", "everything",
	    MACHINE("x86_64", "") };
	char before[JOB_PART__MAX][CIC_SHA256_HEX];
	char path[CIC_PATH_MAX];
	char *text;

	(void)state;
	make_job(&sample);
	for (int i = 0; i < JOB_PART__MAX; i++)
		strcpy(before[i], job.step[i].inputs);
	assert_int_equal(cic_remove_tree(job.folder, &err), 0);
	snprintf(path, sizeof(path), "cd %s/registry && echo 'apt: [ed]\n"
	    "spack: {specs: [zlib]}' > made_up/everything/eflows4hpc.yaml && "
	    "git -c user.name=n -c user.email=e@x commit -qam two", folder);
	sh(path);
	make_job(&sample);
	assert_string_not_equal(job.step[JOB_APT].inputs, before[JOB_APT]);
	for (int i = 0; i < JOB_PART__MAX; i++)
		if (i != JOB_APT)
			assert_string_equal(job.step[i].inputs, before[i]);
	/* by force: a word of this build in every line */
	job.build.request.force = true;
	assert_int_equal(job_path(&job, "", path, &err), 0);
	assert_int_equal(cic_remove_tree(path, &err), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	job.log_fd = open(in_folder("log"), O_WRONLY | O_APPEND);
	assert_int_equal(stage_context(&job, &err), 0);
	close(job.log_fd);
	strcat(path, "/Dockerfile");
	text = get_file(path);
	for (int i = 0; i < JOB_PART__MAX; i++) {
		snprintf(path, sizeof(path), " %.16s-%s\n", job.step[i].inputs,
		    job.build.id);
		has(text, path);
	}
	free(text);
}

/* Where an author's own code runs it is not told of the mirror that others take
 * packages from. */
static void
site_mirror(void **state)
{
	static const struct sample shared = { "made_up", "everything",
	    MACHINE("x86_64", "") };
	static const struct sample own = { "made_up", "own_environment",
	    MACHINE("x86_64", "") };
	char path[CIC_PATH_MAX];
	char *text;

	(void)state;
	free(conf->spack_mirror);
	conf->spack_mirror = strdup("s3://bucket");
	make_job(&shared);
	assert_int_equal(job_path(&job, "context/.cic/spack/mirror", path,
	    &err), 0);
	text = get_file(path);
	assert_string_equal(text, "s3://bucket\n");
	free(text);
	make_job(&own);
	assert_int_equal(job_path(&job, "context/.cic/spack/mirror", path,
	    &err), 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
set(char **field, const char *text)
{
	free(*field);
	*field = strdup(text);
}

/* The registry's password goes when the stages end, however they do. */
static void
no_login_stays(void **state)
{
	static const struct stages_caller caller = { .host = "here" };
	static const struct sample sample = { "made_up", "nothing",
	    MACHINE("x86_64", "") };
	char path[CIC_PATH_MAX];
	char *log;

	(void)state;
	set(&conf->registry_url, "registry.example.org");
	set(&conf->registry_user, "ann");
	set(&conf->registry_token, "word");
	set(&conf->images_prefix, "registry.example.org/");
	set(&conf->engine_command, "/bin/false");
	make_job(&sample);
	strcpy(job.build.names.image, "registry.example.org/x:latest");
	job.log_fd = open(in_folder("log"), O_RDWR | O_CREAT | O_APPEND, 0600);
	job.journal_fd = open(in_folder("journal"), O_RDWR | O_CREAT | O_APPEND,
	    0600);
	assert_int_equal(stages_run(&job, &caller), 0);
	close(job.journal_fd);
	close(job.log_fd);
	log = get_file(in_folder("log"));
	has(log, "failed at stage check");
	free(log);
	assert_int_equal(job_path(&job, "login", path, &err), 0);
	assert_string_equal(job.login, "");
	assert_int_not_equal(access(path, F_OK), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { CASE(golden), CASE(inputs), CASE(site_mirror),
	    CASE(no_login_stays) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
