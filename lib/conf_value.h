/*
 * What a value of the configuration may be, for lib/conf.c alone: kinds of values
 * and what is wrong with a text of that kind.
 */
#ifndef CIC_CONF_VALUE_H
#define CIC_CONF_VALUE_H

#include <stdbool.h>

enum cic_value {
	TEXT,		/* any text without control bytes */
	WORD,		/* for an argument: TEXT that does not begin with '-' */
	ABS_PATH,	/* begins with '/' */
	URL_PATH,	/* of the service: "/a/b", or "" for the root */
	REPOSITORY,	/* git URL or folder */
	IMAGE_PREFIX,	/* begins a Docker image name */
	PLATFORM,	/* one that arch.h knows */
	OPT_PATH,	/* absolute, or "" for none */
	WEB_ADDRESS,	/* http or https without a password, or "" */
	REGISTRY,	/* a container registry's host, or "" */
	SECRET,		/* never printed */
	NUMBER,
	CHOICE,
	LIST,
	PLATFORM_LIST,	/* of "linux/arm64=word" */
	ADDRESS_LIST,	/* of WEB_ADDRESSes */
	SET,		/* of choices, a bit each; empty is all */
};

/* What is wrong with a text of that kind, as the end of a sentence that begins
 * with the key; NULL: nothing.  `must`: it may not be empty. */
const char *cic_value_fault(enum cic_value kind, const char *text, bool must);

/* The same for an entry of a list of that kind. */
const char *cic_entry_fault(enum cic_value kind, const char *text);

#endif
