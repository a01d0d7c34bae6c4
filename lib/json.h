/*
 * JSON: strict reading, and writing into a buffer.
 *
 * Reading refuses what RFC 8259 refuses and what makes two readers disagree:
 * text after the value, duplicate keys, NUL, invalid UTF-8, lone surrogates,
 * raw control bytes, more than 32 levels, more than 256 members in an object.
 * Keys are matched with their case.  The tree owns every string it hands out.
 */
#ifndef CIC_JSON_H
#define CIC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct cic_buf;
struct cic_json;	/* a value of any type */

enum cic_json_type {
	CIC_JSON_NULL,
	CIC_JSON_BOOL,
	CIC_JSON_NUMBER,
	CIC_JSON_STRING,
	CIC_JSON_ARRAY,
	CIC_JSON_OBJECT,
	CIC_JSON__MAX
};

/* Returns the tree, or NULL with CIC_EINVAL and "line L column C: …".
 * `len` bytes of `text` are read; free with cic_json_free. */
struct cic_json *cic_json_parse(const char *text, size_t len,
    struct cic_err *err);
void cic_json_free(struct cic_json *json);	/* takes NULL */

/* Is the text JSON?  As above, but for the number of members and for duplicate
 * keys: for texts that are only passed on. */
int cic_json_check_text(const char *text, size_t len, struct cic_err *err);

enum cic_json_type cic_json_type(const struct cic_json *json);
/* "a string", "an object" …, for messages; `json` NULL: "nothing". */
const char *cic_json_type_name(const struct cic_json *json);

/* Member of an object; NULL when absent or when `json` is no object. */
const struct cic_json *cic_json_get(const struct cic_json *json,
    const char *key);

/* Typed values; each is harmless on NULL and on another type. */
const char *cic_json_string(const struct cic_json *json);	/* or NULL */
bool cic_json_bool(const struct cic_json *json);		/* or false */
/* Whole numbers within ±2^53; anything else gives `otherwise`. */
int64_t cic_json_int(const struct cic_json *json, int64_t otherwise);

/* The shortest way to a string member: NULL when absent or not a string. */
const char *cic_json_get_string(const struct cic_json *json, const char *key);

/* Walk the children of an array or object; NULL has none, and none after it. */
const struct cic_json *cic_json_first(const struct cic_json *json);
const struct cic_json *cic_json_next(const struct cic_json *json);
const char *cic_json_key(const struct cic_json *json);

/* Print a value compactly, appended to `buf`. */
void cic_json_print(struct cic_buf *buf, const struct cic_json *json);

/* Append a quoted, escaped string; NULL becomes null.  Bytes that are not
 * valid UTF-8 become U+FFFD, so that the output is always JSON. */
void cic_json_quote(struct cic_buf *buf, const char *s);

#endif
