/* description.h: real descriptions, odd ones, and ones that would do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>

#include "folder.h"

#include "description.h"

static struct cic_buf apt;

static int
read_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY), rc;

	assert_true(fd >= 0);
	cic_buf_init(&apt, 1 << 16);
	rc = description_read(fd, &apt, &err);
	close(fd);
	return rc;
}

/* `list`: the packages, or what is said against it. */
static const struct { const char *text; bool good; const char *list; } cases[] = {
	{ "apt:\n  - gcc-8\n  - g++-8\n", true, "gcc-8\ng++-8\n" },
	{ "apt: [libc6:amd64, hello=2.10-3, vim/bookworm, \"x1=1.*\"]", true,
	    "libc6:amd64\nhello=2.10-3\nvim/bookworm\nx1=1.*\n" },
	{ "apt: [libstdc++6, g++, 7zip, python3.11]", true,
	    "libstdc++6\ng++\n7zip\npython3.11\n" },
	{ "", true, "" }, { "# nothing\n", true, "" }, { "{}", true, "" },
	{ "apt:\n", true, "" }, { "apt: []", true, "" }, { "apt: ~", true, "" },
	{ "spack:\npip: []\n", true, "" }, { "other: [x]\napt: [gcc]", true, "gcc\n" },
	{ "apt: gcc", false, "line 1 column 6: apt must be a list" },
	{ "apt: {gcc: 1}", false, "apt must be a list" },
	{ "apt:\n  - [gcc]\n", false, "line 2 column 5: an apt entry must" },
	{ "apt:\n  - gcc: 8\n", false, "an apt entry must be one word" },
	{ "apt:\n  - gcc\n  -\n", false, "line 3 column 4: not a package name" },
	{ "apt: [\"\"]", false, "not a package name" },
	{ "apt: [\"gcc vim\"]", false, "not a package name: \"gcc vim\"" },
	{ "apt: [\"gcc\\nvim\"]", false, "not a package name" },
	{ "apt: [\"--allow-unauthenticated\"]", false, "not a package name" },
	{ "apt: [\"-y\"]", false, "not a package name" },
	{ "apt: [Gcc]", false, "not a package name" },
	{ "apt: [a]", false, "not a package name" },
	{ "apt: [./local.deb]", false, "not a package name" },
	{ "apt: [/tmp/local.deb]", false, "not a package name" },
	{ "apt: [\"$(id)\"]", false, "not a package name" },
	{ "apt: [\"gcc;id\"]", false, "not a package name" },
	{ "apt: [\"b\xc3\xa4r\"]", false, "not a package name" },
	/* apt-get takes a minus at the very end as "remove", version or not */
	{ "apt: [bash-]", false, "not a package name" },
	{ "apt: [\"bash=1-\"]", false, "not a package name" },
	{ "apt: [\"bash/bookworm-\"]", false, "not a package name" },
	{ "apt: [\"bash:amd64-\"]", false, "not a package name" },
	{ "apt: [\"libc6:\"]", false, "not a package name" },
	{ "apt: [\"libc6=\"]", false, "not a package name" },
	{ "apt: [\"libc6/\"]", false, "not a package name" },
	{ "apt: [\"libc6=1/2\"]", false, "not a package name" },
	{ "apt: [\"libc6:=1\"]", false, "not a package name" },
	{ "[gcc]", false, "line 1 column 1: must hold keys" },
	{ "gcc", false, "must hold keys" },
	{ "apt: [gcc]\napt: [vim]", false, "line 2 column 1: key \"apt\"" },
	{ "apt: [gcc\n", false, "line 2" }, { "apt:\n\t- gcc\n", false, "line 2" },
	{ "apt: [gcc]\n---\n{}", false, "second document" },
	{ "spack:\n  specs: [x]\n", false, "line 2 column 3" },
	{ "pip: [x]\napt: [gcc]", false, "\"pip\"" },
	{ "pip: x", false, "\"pip\"" },
};

static void
odd(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int rc;

		put_file("eflows4hpc.yaml", cases[i].text);
		rc = read_dir(folder);
		if ((rc == 0) != cases[i].good)
			fail_msg("%s: %s", cases[i].text, rc ? err.msg : "accepted");
		if (rc == 0)
			assert_string_equal(apt.data, cases[i].list);
		else {
			assert_int_equal(err.code, CIC_EINVAL);
			has(err.msg, "eflows4hpc.yaml");
			has(err.msg, cases[i].list);
		}
		cic_buf_release(&apt);
	}
}

static void
hostile_folders(void **state)
{
	(void)state;
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "the step has no file eflows4hpc.yaml");
	assert_int_equal(err.code, CIC_EINVAL);
	put_file("real", "apt: [gcc]\n");
	assert_int_equal(symlink("real", in_folder("eflows4hpc.yaml")), 0);
	assert_int_equal(read_dir(folder), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "symbolic link");
	unlink(in_folder("eflows4hpc.yaml"));
	assert_int_equal(mkdir(in_folder("eflows4hpc.yaml"), 0755), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "not a regular file");
	rmdir(in_folder("eflows4hpc.yaml"));
	assert_int_equal(mkfifo(in_folder("eflows4hpc.yaml"), 0644), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "not a regular file");
	unlink(in_folder("eflows4hpc.yaml"));
	put_file("eflows4hpc.yaml", "apt: [gcc]\n");
	assert_int_equal(symlink("/nowhere", in_folder("requirements.txt")), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "requirements.txt");
	assert_int_equal(truncate(in_folder("eflows4hpc.yaml"), (1 << 20) + 1), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "larger than");
	cic_buf_release(&apt);
}

static void
long_list(void **state)
{
	struct cic_buf text;

	(void)state;
	cic_buf_init(&text, 1 << 20);
	cic_buf_puts(&text, "apt:\n");
	while (text.len < 90000)
		cic_buf_puts(&text, "  - some-package\n");
	put_bytes("eflows4hpc.yaml", text.data, text.len);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "the apt list is too long");
	cic_buf_release(&apt);
	cic_buf_release(&text);
}

/* Every description of the real registry: read, or refused for what it asks. */
static void
samples(void **state)
{
	glob_t found;

	(void)state;
	/* eflows4hpc/workflow-registry at dd1cef4 */
	assert_int_equal(glob("t/data/descriptions/*/*/eflows4hpc.yaml", 0,
	    NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 9);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		*strrchr(found.gl_pathv[i], '/') = '\0';
		if (read_dir(found.gl_pathv[i]) != 0)
			has(err.msg, "this service does not install packages");
		cic_buf_release(&apt);
	}
	globfree(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(odd), UNIT(hostile_folders), UNIT(long_list),
		cmocka_unit_test(samples),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
