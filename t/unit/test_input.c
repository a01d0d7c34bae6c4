/* input.h: descriptors and parts of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest.h"
#include "err.h"
#include "folder.h"
#include "input.h"

#undef skip	/* cmocka's */

static struct cic_input *input;
static struct cic_buf got;

static int
setup(void **state)
{
	cic_buf_init(&got, 1 << 24);
	return folder_make(state);
}

static int
teardown(void **state)
{
	cic_input_free(input);
	input = NULL;
	cic_buf_release(&got);
	return folder_remove(state);
}

/* Everything into `got`; what the last read returned. */
static ssize_t
read_all(void)
{
	const void *data;
	ssize_t n;

	assert_non_null(input);
	while ((n = input->read(input, &data, &err)) > 0) {
		assert_true(n <= 1 << 20);
		cic_buf_add(&got, data, (size_t)n);
	}
	return n;
}

static int
file(const char *text)
{
	return open(put_file("f", text), O_RDONLY);
}

static void
from_a_pipe(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "one", 3), 3);
	input = cic_input_fd(p[0], &err);
	assert_null(input->skip);
	assert_int_equal(write(p[1], "two", 3), 3);
	close(p[1]);
	assert_int_equal(read_all(), 0);
	assert_string_equal(got.data, "onetwo");
	cic_input_free(input);
	input = NULL;
	assert_int_equal(close(p[0]), 0);	/* it is still ours */
}

static void
from_a_large_file(void **state)
{
	static char text[3 << 20];
	int fd;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	fd = file(text);
	input = cic_input_fd(fd, &err);
	assert_int_equal(read_all(), 0);
	assert_int_equal(got.len, sizeof(text) - 1);
	assert_memory_equal(got.data, text, got.len);
	close(fd);
}

static void
bad_descriptors(void **state)
{
	(void)state;
	input = cic_input_fd(-1, &err);
	assert_int_equal(read_all(), -1);
	assert_int_equal(err.code, CIC_EIO);
	cic_input_free(input);
	input = cic_input_part(-1, 0, 5, "the name", NULL, &err);
	assert_int_equal(read_all(), -1);
	assert_int_equal(err.code, CIC_EIO);
	has(err.msg, "the name: read");
	cic_input_free(NULL);
}

/* Several parts of one file, whose position is nobody's. */
static void
parts(void **state)
{
	static const struct { uint64_t offset, size; const char *want; } t[] = {
		{ 0, 10, "0123456789" }, { 0, 0, "" }, { 3, 4, "3456" },
		{ 9, 1, "9" }, { 10, 0, "" },
	};
	int fd = file("0123456789");

	(void)state;
	lseek(fd, 5, SEEK_SET);
	for (size_t i = 0; i < COUNT(t); i++) {
		cic_buf_reset(&got);
		input = cic_input_part(fd, t[i].offset, t[i].size, "f", NULL, &err);
		assert_int_equal(read_all(), 0);
		assert_string_equal(got.data, t[i].want);
		assert_int_equal(read_all(), 0);	/* still the end */
		cic_input_free(input);
		input = NULL;
	}
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
	close(fd);
}

static void
skipping(void **state)
{
	int fd = file("0123456789");

	(void)state;
	input = cic_input_part(fd, 2, 6, "f", NULL, &err);
	assert_int_equal(input->skip(input, 0), 0);
	assert_int_equal(input->skip(input, 3), 3);
	assert_int_equal(read_all(), 0);
	assert_string_equal(got.data, "567");
	assert_int_equal(input->skip(input, 3), 0);
	cic_input_free(input);
	input = cic_input_part(fd, 2, 6, "f", NULL, &err);
	assert_int_equal(input->skip(input, UINT64_MAX), 6);
	assert_int_equal(read_all(), 0);
	assert_string_equal(got.data, "567");
	close(fd);
}

static void
shorter_than_it_should_be(void **state)
{
	int fd = file("0123456789");

	(void)state;
	input = cic_input_part(fd, 4, 10, "layer 7", NULL, &err);
	assert_int_equal(read_all(), -1);
	assert_string_equal(got.data, "456789");
	assert_int_equal(err.code, CIC_EINVAL);
	assert_string_equal(err.msg, "layer 7: the file ends 4 bytes too early");
	close(fd);
}

static void
right_digest(void **state)
{
	static char text[3 << 20];
	char hex[CIC_SHA256_HEX];
	int fd;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	fd = file(text);
	cic_digest_mem(text + 1, sizeof(text) - 2, hex);
	input = cic_input_part(fd, 1, sizeof(text) - 2, "f", hex, &err);
	assert_null(input->skip);	/* all must be read */
	assert_int_equal(read_all(), 0);
	assert_int_equal(read_all(), 0);
	assert_int_equal(got.len, sizeof(text) - 2);
	close(fd);
	fd = file("");
	cic_digest_mem("", 0, hex);
	cic_input_free(input);
	input = cic_input_part(fd, 0, 0, "f", hex, &err);
	assert_int_equal(read_all(), 0);
	close(fd);
}

static void
wrong_digest(void **state)
{
	char hex[CIC_SHA256_HEX], other[CIC_SHA256_HEX];
	int fd = file("text");

	(void)state;
	cic_digest_mem("text", 4, hex);
	cic_digest_mem("Text", 4, other);
	input = cic_input_part(fd, 0, 4, "layer 7", other, &err);
	assert_int_equal(read_all(), -1);
	assert_string_equal(got.data, "text");
	assert_int_equal(err.code, CIC_EINVAL);
	has(err.msg, "layer 7: damaged");
	has(err.msg, hex);
	has(err.msg, other);
	close(fd);
}

/* Not read to its end: nothing is said, and nothing is leaked. */
static void
left_early(void **state)
{
	char hex[CIC_SHA256_HEX];
	const void *data;
	int fd = file("text");

	(void)state;
	cic_digest_mem("", 0, hex);
	input = cic_input_part(fd, 0, 4, "f", hex, &err);
	assert_int_equal(input->read(input, &data, &err), 4);
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(from_a_pipe), T(from_a_large_file), T(bad_descriptors), T(parts),
		T(skipping), T(shorter_than_it_should_be), T(right_digest),
		T(wrong_digest), T(left_early),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
