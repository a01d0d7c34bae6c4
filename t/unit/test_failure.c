/* failure.h: the end of a log, as docker and podman write it, to one cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "folder.h"

#include "failure.h"

static enum cic_cause
look(const char *text, size_t len, off_t start, char *sentence)
{
	enum cic_cause cause;
	int fd = open(put_bytes("log", text, len), O_RDONLY);

	assert_true(fd >= 0);
	cause = failure_of_log(fd, start, "exit status 1", sentence);
	close(fd);
	return cause;
}

#define L(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	enum cic_cause cause;
	const char *sentence;
} cases[] = {
	{ L(""), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("\n\n \r\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("no step\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1: no step" },
	{ L("#9 0.1 cic: step apt\n#9 2.5 E: Unable to locate package nix\n"
	    "#9 2.6 some more\n#9 ERROR: process \"/bin/sh\" did not complete\n"
	    "------\n > [2/3] RUN x:\n2.5 E: Unable\n------\n"
	    "Dockerfile:3\n--------------------\n   3 | >>> RUN x\n"
	    "ERROR: failed to solve: process\n"),
	    CIC_CAUSE_APT, "installing the apt packages failed: "
	    "E: Unable to locate package nix" },
	{ L("STEP 3/4: RUN x\ncic: step apt\nE: Unable to locate package nix\n"
	    "Error: building at STEP \"RUN x\": exit status 100\n"),
	    CIC_CAUSE_APT, "installing the apt packages failed: "
	    "E: Unable to locate package nix" },
	{ L("#9 0.1 cic: step apt\r\n#9 0.3 fine\r\n#9 0.4 cic: step post_inst\r\n"
	    "#9 1.0 make: *** [all] Error 2\r\n#9 ERROR: process\r\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: make: *** [all] Error 2" },
	/* an E: of an earlier step is not this one's */
	{ L("cic: step apt\nE: odd\ncic: step post_inst\nboom\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	{ L("cic: step apt\ncic: step profile\nhm\n"), CIC_CAUSE_IMAGE_BUILD,
	    "writing the login profile failed: hm" },
	{ L("cic: step unheard of\nx\n"), CIC_CAUSE_IMAGE_BUILD,
	    "exit status 1: x" },
	/* said by a program, in the middle of a line */
	{ L("echo cic: step apt\nx\n"), CIC_CAUSE_IMAGE_BUILD, "exit status 1: x" },
	{ L("#9 0.1 cic: step post_inst\n#9 1 cp: No space left on device\n"),
	    CIC_CAUSE_DISK, "the disk is full: post_inst.sh failed: "
	    "cp: No space left on device" },
	{ L("write /var/lib/x: no space left on device"), CIC_CAUSE_DISK,
	    "the disk is full: exit status 1: write /var/lib/x: no space" },
	/* bytes that are no text must not hide what follows them */
	{ L("cic: step post_inst\nbinary \0\0 bytes\nboom\n"),
	    CIC_CAUSE_POST_INST, "post_inst.sh failed: boom" },
	{ L("cic: step post_inst\n\0boom\n"), CIC_CAUSE_POST_INST,
	    "boom" },
	/* the engine alone has something to say (a line of podman, shortened) */
	{ L("Error: tag localhost/A/b:latest: invalid reference format: "
	    "repository name must be lowercase\n"), CIC_CAUSE_IMAGE_BUILD,
	    "exit status 1: Error: tag localhost/A/b:latest: invalid" },
	{ L("#"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 "), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 1.2"), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
	{ L("#9 1.2 "), CIC_CAUSE_IMAGE_BUILD, "exit status 1" },
};

static void
logs(void **state)
{
	char sentence[CIC_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum cic_cause cause = look(cases[i].text, cases[i].len, 0,
		    sentence);

		if (cause != cases[i].cause)
			fail_msg("%s: %s: %s", cases[i].text,
			    cic_cause_name(cause), sentence);
		has(sentence, cases[i].sentence);
	}
}

/* Only what this start wrote counts, and only the end of that. */
static void
parts(void **state)
{
	static const char old[] = "cic: step apt\nE: of the last attempt\n";
	static char big[600 * 1024];
	char sentence[CIC_MESSAGE_MAX], text[256];
	struct cic_buf b;
	size_t i;

	(void)state;
	snprintf(text, sizeof(text), "%sboom\n", old);
	assert_int_equal(look(text, strlen(text), sizeof(old) - 1, sentence),
	    CIC_CAUSE_IMAGE_BUILD);
	assert_string_equal(sentence, "exit status 1: boom");
	assert_int_equal(look(text, strlen(text), 9999, sentence),
	    CIC_CAUSE_IMAGE_BUILD);
	assert_string_equal(sentence, "exit status 1");
	cic_buf_init(&b, 1 << 20);
	cic_buf_puts(&b, "cic: step apt\n");
	while (b.len < 300 * 1024)
		cic_buf_puts(&b, "#9 1.0 progress\n");
	cic_buf_puts(&b, "cic: step post_inst\nboom\n");
	assert_int_equal(look(b.data, b.len, 0, sentence), CIC_CAUSE_POST_INST);
	has(sentence, "boom");
	cic_buf_release(&b);
	/* one line without an end: cut, and still a sentence */
	memset(big, 'x', sizeof(big));
	look(big, sizeof(big), 0, sentence);
	assert_true(strlen(sentence) < 700);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 2654435761U >> 13);
	look(big, sizeof(big), 0, sentence);
	assert_true(strlen(sentence) < CIC_MESSAGE_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(logs), UNIT(parts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
