/* description.h: real descriptions, odd ones, and ones that would do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "folder.h"

#include "description.h"
#include "yaml.h"

static struct description d;

static int
read_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY), rc;

	assert_true(fd >= 0);
	description_release(&d);
	rc = description_read(fd, &d, &err);
	close(fd);
	return rc;
}

static int
setup(void **state)
{
	d = (struct description){ .root = NULL };
	return folder_make(state);
}

static int
teardown(void **state)
{
	description_release(&d);
	return folder_remove(state);
}

/* `list`: the packages, or what is said against it. */
struct one { const char *text; bool good; const char *list; };

static const struct one apt_cases[] = {
	{ "apt:\n  - gcc-8\n  - g++-8\n", true, "gcc-8\ng++-8\n" },
	{ "apt: [libc6:amd64, hello=2.10-3, vim/bookworm, \"x1=1.*\"]", true,
	    "libc6:amd64\nhello=2.10-3\nvim/bookworm\nx1=1.*\n" },
	{ "apt: [libstdc++6, g++, 7zip, python3.11]", true,
	    "libstdc++6\ng++\n7zip\npython3.11\n" },
	{ "", true, "" }, { "# nothing\n", true, "" }, { "{}", true, "" },
	{ "apt:\n", true, "" }, { "apt: []", true, "" }, { "apt: ~", true, "" },
	{ "spack:\npip: []\n", true, "" }, { "other: [x]\napt: [gcc]", true, "gcc\n" },
	{ "apt: [yes, '7z', 1.5-x]", true, "yes\n7z\n1.5-x\n" },
	{ "apt: ['gcc  ']", true, "gcc\n" },
	{ "a: &a {apt: [gcc]}\n<<: *a\n", true, "gcc\n" },
	{ "apt: &a [gcc]\nother: *a\n", true, "gcc\n" },
	{ "\xef\xbb\xbf" "apt:\r\n  - gcc\r\n", true, "gcc\n" },
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
	{ "apt: [~]", false, "line 1 column 7: not a package name" },
	{ "apt: [null]", false, "not a package name: \"null\"" },
	{ "apt: !!str gcc", false, "line 1 column 6: a tag" },
	{ "x: 1\nApt: [gcc]", false, "line 2 column 1: the key is written apt" },
	{ "PIP: [x]", false, "the key is written pip" },
	{ "x: y\n<<: [a]\n", false, "line 2 column 6: what follows <<" },
};

static const struct one pip_cases[] = {
	{ "pip: [numpy]", true, "numpy\n" },
	{ "pip:\n- fastkml==0.12\n- a>=1,<2\n- b ~= 1.4.2\n- c!=1.*\n- d===1.0-x\n",
	    true, "fastkml==0.12\na>=1,<2\nb ~= 1.4.2\nc!=1.*\nd===1.0-x\n" },
	{ "pip: ['a[x, y]>1', 'b[]', c (>=1), 'd  ']", true,
	    "a[x, y]>1\nb[]\nc (>=1)\nd\n" },
	{ "pip: [\"a ; python_version < '3.9'\", \"b==1;os_name=='nt'\"]", true,
	    "a ; python_version < '3.9'\nb==1;os_name=='nt'\n" },
	{ "pip:\n- a @ https://x.y/a-1.whl\n- a @ git+https://x.y/a.git@v1#egg=a\n"
	    "- git+https://x.y/a.git@main\n- https://x.y/a.zip ; os_name=='posix'\n",
	    true, "a @ https://x.y/a-1.whl\na @ git+https://x.y/a.git@v1#egg=a\n"
	    "git+https://x.y/a.git@main\nhttps://x.y/a.zip ; os_name=='posix'\n" },
	{ "pip: [./src, '/packages/a-1.0+cu12-py3.whl', './src[all]']", true,
	    "./src\n/packages/a-1.0+cu12-py3.whl\n./src[all]\n" },
	{ "pip: [yes, 3.10, '7']", true, "yes\n3.10\n7\n" },
	{ "pip:", true, "" }, { "pip: []", true, "" },
	{ "pip: numpy", false, "line 1 column 6: pip must be a list" },
	{ "pip: {numpy: 1}", false, "pip must be a list" },
	{ "pip:\n- numpy: 1\n", false, "line 2 column 3: a pip entry must be" },
	{ "pip:\n- [numpy]\n", false, "a pip entry must be" },
	{ "pip: [~]", false, "line 1 column 7: not a requirement" },
	{ "pip: ['']", false, "not a requirement" },
	{ "pip: [numpy, -r, x.txt]", false, "line 1 column 14: not a req" },
	{ "pip: [\"--index-url=https://x.y\"]", false, "not a requirement" },
	{ "pip: [\"numpy --pre\"]", false, "not a requirement" },
	{ "pip: [\"numpy; os_name=='x' --hash=sha256:a\"]", false, "not a req" },
	{ "pip: [\"numpy; os_name=='x' --pre\"]", false, "not a req" },
	{ "pip: [null]", false, "not a requirement" },
	{ "pip: [\"numpy; --pre\"]", false, "not a requirement" },
	{ "pip: [\"numpy;\"]", false, "not a requirement" },
	{ "pip: [\"numpy>= -1\"]", false, "not a requirement" },
	{ "pip: [numpy pandas]", false, "not a requirement" },
	{ "pip: [\"numpy\\npandas\"]", false, "not a requirement" },
	{ "pip: [\"numpy\\tx\"]", false, "not a requirement" },
	{ "pip: ['numpy # x']", false, "not a requirement" },
	{ "pip: ['numpy \\']", false, "not a requirement" },
	{ "pip: ['https://${HOME}/x']", false, "not a requirement" },
	{ "pip: ['numpy=1']", false, "not a requirement" },
	{ "pip: ['numpy==']", false, "not a requirement" },
	{ "pip: ['numpy==1,']", false, "not a requirement" },
	{ "pip: ['numpy[x']", false, "not a requirement" },
	{ "pip: ['numpy (==1']", false, "not a requirement" },
	{ "pip: ['.numpy']", false, "not a requirement" },
	{ "pip: ['numpy-']", false, "not a requirement" },
	{ "pip: ['http://x.y/a.zip']", false, "not a requirement" },
	{ "pip: ['file:///etc']", false, "not a requirement" },
	{ "pip: ['git+ssh://x.y/z']", false, "not a requirement" },
	{ "pip: ['https://']", false, "not a requirement" },
	{ "pip: ['a @ x']", false, "not a requirement" },
	{ "pip: ['./a b']", false, "not a requirement" },
	{ "pip: [\"b\xc3\xa4r\"]", false, "not a requirement" },
};

/* The longest that is taken, and one byte more. */
static void
long_requirement(void **state)
{
	char text[1100] = "pip: [";

	(void)state;
	memset(text + 6, 'a', 1000);
	strcpy(text + 1006, "]");
	put_file("eflows4hpc.yaml", text);
	assert_int_equal(read_dir(folder), 0);
	assert_int_equal(d.pip.len, 1001);
	strcpy(text + 1006, "a]");
	put_file("eflows4hpc.yaml", text);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "not a requirement");
}

static void
check_one(const struct one *one, const struct cic_buf *list)
{
	int rc;

	put_file("eflows4hpc.yaml", one->text);
	rc = read_dir(folder);
	if ((rc == 0) != one->good)
		fail_msg("%s: %s", one->text, rc ? err.msg : "accepted");
	if (rc == 0) {
		assert_string_equal(list->data, one->list);
		assert_null(d.spack);
		assert_false(d.requirements);
		return;
	}
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "eflows4hpc.yaml");
	has(err.msg, one->list);
}

static void
apt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(apt_cases); i++)
		check_one(&apt_cases[i], &d.apt);
}

static void
pip(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pip_cases); i++)
		check_one(&pip_cases[i], &d.pip);
}

static void
spack(void **state)
{
	(void)state;
	put_file("eflows4hpc.yaml", "apt: [gcc]\nspack:\n  specs:\n  - x \n");
	assert_int_equal(read_dir(folder), 0);
	assert_string_equal(d.apt.data, "gcc\n");
	assert_string_equal(cic_yaml_get(d.spack, "specs")->first->text, "x");
	put_file("eflows4hpc.yaml", "x: &x {view: true}\nspack:\n  <<: *x\n");
	assert_int_equal(read_dir(folder), 0);
	assert_string_equal(cic_yaml_get(d.spack, "view")->text, "true");
	put_file("eflows4hpc.yaml", "spack: {}\n");
	assert_int_equal(read_dir(folder), 0);
	assert_null(d.spack);
	put_file("eflows4hpc.yaml", "spack: [x]\n");
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "eflows4hpc.yaml: line 1 column 8: spack must be a mapping");
	put_file("eflows4hpc.yaml", "spack:\n  specs: x\n");
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "line 2 column 10: specs must be a list");
	assert_int_equal(err.code, CIC_EINVAL);
}

static void
requirements(void **state)
{
	(void)state;
	put_file("eflows4hpc.yaml", "apt: [gcc]\n");
	put_file("requirements.txt", "numpy\n-r other.txt\n");
	assert_int_equal(read_dir(folder), 0);
	assert_true(d.requirements);
	/* a key pip, be it empty, is in its place */
	put_file("eflows4hpc.yaml", "pip:\n");
	assert_int_equal(read_dir(folder), 0);
	assert_false(d.requirements);
	put_file("eflows4hpc.yaml", "");
	assert_int_equal(read_dir(folder), 0);
	assert_true(d.requirements);
	put_bytes("requirements.txt", "num\0py", 6);
	assert_int_equal(read_dir(folder), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "requirements.txt holds a NUL byte");
	assert_int_equal(truncate(in_folder("requirements.txt"), (1 << 20) + 1), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "requirements.txt is larger than");
	unlink(in_folder("requirements.txt"));
	assert_int_equal(symlink("eflows4hpc.yaml", in_folder("requirements.txt")), 0);
	assert_int_equal(read_dir(folder), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "requirements.txt is or passes a symbolic link");
	unlink(in_folder("requirements.txt"));
	assert_int_equal(mkfifo(in_folder("requirements.txt"), 0644), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "requirements.txt is not a regular file");
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
	assert_int_equal(truncate(in_folder("eflows4hpc.yaml"), (1 << 20) + 1), 0);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "larger than");
}

static void
long_list(void **state)
{
	struct cic_buf text;

	(void)state;
	cic_buf_init(&text, 1 << 20);
	cic_buf_puts(&text, "apt:\n");
	while (text.len < 400000)
		cic_buf_puts(&text, "  - some-package\n");
	put_bytes("eflows4hpc.yaml", text.data, text.len);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "line 2 column 3: the apt list is too long");
	memcpy(text.data, "pip", 3);
	put_bytes("eflows4hpc.yaml", text.data, text.len);
	assert_int_equal(read_dir(folder), -1);
	has(err.msg, "line 2 column 3: the pip list is too long");
	cic_buf_release(&text);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(apt), CASE(pip), CASE(long_requirement), CASE(spack),
		CASE(requirements), CASE(hostile_folders), CASE(long_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
