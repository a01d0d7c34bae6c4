/*
 * The strict half of json.h: grammar and encoding.  Used by json.c.
 */
#ifndef CIC_JSON_STRICT_H
#define CIC_JSON_STRICT_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Is the text one JSON value as RFC 8259 has it, at most 32 levels deep, with at
 * most `members` members in an object?  0, or -1 with CIC_EINVAL and "line L
 * column C: …".  Duplicate keys are not seen here: two spellings of one key only
 * meet once they are decoded. */
int cic_json_check(const char *text, size_t len, unsigned members,
    struct cic_err *err);

/* Bytes of the UTF-8 character at `p`, of which `left` > 0 bytes may be read;
 * 0 when it is not valid (RFC 3629). */
size_t cic_utf8_length(const unsigned char *p, size_t left);

#endif
