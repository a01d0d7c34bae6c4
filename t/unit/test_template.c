/* template.h: conditions, values, odd ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder.h"

#include "template.h"

static const struct template_value values[] = {
	{ "A", "one" }, { "A_B", "two" }, { "EMPTY", "" },
};
static const struct template_part parts[] = {
	{ "apt", true }, { "pip", false }, { "post_inst", true },
};

static int
render(const char *text, struct cic_buf *out)
{
	return template_render(text, values, COUNT(values), parts,
	    COUNT(parts), out, &err);
}

static const struct { const char *text, *wanted; } good[] = {
	{ "", "" },
	{ "\n", "\n" },
	{ "plain\n\nlines\n", "plain\n\nlines\n" },
	{ "no newline", "no newline\n" },
	{ "@A@", "one\n" },
	{ "@A@@A_B@@EMPTY@.\n", "onetwo.\n" },
	{ "x@A@y @A_B@\n", "xoney two\n" },
	/* a value's name is a whole word between two @ */
	{ "@A\n@A_@ @B@ a@b.org @ @@ @\n", "@A\n@A_@ @B@ a@b.org @ @@ @\n" },
	{ "@A_B\n", "@A_B\n" },
	{ "@", "@\n" },
	{ "@@A@@", "@one@\n" },
	{ "A@A\n@", "A@A\n@\n" },
	/* conditions */
	{ "@IF apt@ RUN @A@\n", "RUN one\n" },
	{ "@IF apt@RUN\n@IF apt@   RUN\n", "RUN\nRUN\n" },
	{ "@IF pip@ RUN\nEND\n", "END\n" },
	{ "@IF pip@ RUN", "" },
	{ "@IF apt@", "\n" },
	{ "@IF apt@ ", "\n" },
	{ "@IF post_inst@ x\n@IF pip@ y\nz", "x\nz\n" },
	/* in the middle of a line, or without its blank, it is no condition */
	{ "# @IF nothing@ x\n @IF pip@ y\n@IFpip@\n",
	    "# @IF nothing@ x\n @IF pip@ y\n@IFpip@\n" },
};

static void
renders(void **state)
{
	struct cic_buf out;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		cic_buf_init(&out, 1 << 12);
		if (render(good[i].text, &out) != 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_string_equal(out.len > 0 ? out.data : "",
		    good[i].wanted);
		cic_buf_release(&out);
	}
}

static const struct { const char *text, *line; } bad[] = {
	{ "@IF nothing@ x\n", "line 1: " },
	{ "x\n\n@IF Apt@ x\n", "line 3: " },
	{ "@IF ap@ x\n", "line 1: " },
	{ "@IF apts@ x\n", "line 1: " },
	{ "@IF  apt@ x\n", "line 1: " },
	{ "@IF @ x\n", "line 1: " },
	{ "@IF apt\n@ x\n", "line 1: " },
	{ "@IF apt", "line 1: " },
	{ "@IF ", "line 1: " },
	{ "@IF pip@ x\n@IF pip x\n", "line 2: " },
};

static void
refuses(void **state)
{
	struct cic_buf out;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		cic_buf_init(&out, 1 << 12);
		if (render(bad[i].text, &out) == 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(err.code, CIC_EINVAL);
		has(err.msg, bad[i].line);
		has(err.msg, "apt, spack, post_inst or pip");
		cic_buf_release(&out);
	}
}

static void
too_long(void **state)
{
	struct cic_buf out;

	(void)state;
	cic_buf_init(&out, 8);
	assert_int_equal(render("@A@@A@@A@@A@\n", &out), -1);
	has(err.msg, "too long");
	cic_buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(renders), UNIT(refuses), UNIT(too_long),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
