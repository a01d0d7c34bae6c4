/*
 * One requirement, as an author writes it behind `pip:`.
 */
#ifndef CIC_REQUIREMENT_H
#define CIC_REQUIREMENT_H

#include <stdbool.h>

#define REQUIREMENT_MAX	1000	/* bytes */

/*
 * True for
 *	name[extra, …] ==1.2, >=1, !=1.5 ; marker	(versions also in ())
 *	name[extra, …] @ https://… ; marker		(also git+https://)
 *	https://… ; marker				(also git+https://)
 *	./folder-or-file[extra] ; marker		(also /absolute)
 * where all but the name may be missing.
 *
 * None of them is an option or holds one, whether pip reads it as an argument
 * or as a line of a requirements file: no part begins with '-', and there is
 * no control byte, backslash, "${" or " #" in it.
 * Source: packaging.python.org, Dependency specifiers; pip, Requirements File
 * Format.
 */
bool requirement_ok(const char *text);

#endif
