/* JSON over cJSON, the only file that names it here; see json.h. */
#include "json.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "buf.h"
#include "json_strict.h"

#define MAX_MEMBERS	256	/* of one object; bounds the duplicate check */

static const cJSON *
in(const struct cic_json *json)
{
	return (const cJSON *)json;
}

static const struct cic_json *
out(const cJSON *json)
{
	return (const struct cic_json *)json;
}

/* The first key that an object anywhere in the tree has twice, or NULL. */
static const char *
duplicate_key(const cJSON *json)
{
	const cJSON *a, *b;
	const char *key;

	for (a = json->child; a != NULL; a = a->next) {
		if (cJSON_IsObject(json))
			for (b = a->next; b != NULL; b = b->next)
				if (strcmp(a->string, b->string) == 0)
					return a->string;
		key = duplicate_key(a);
		if (key != NULL)
			return key;
	}
	return NULL;
}

struct cic_json *
cic_json_parse(const char *text, size_t len, struct cic_err *err)
{
	const char *key;
	cJSON *json;

	if (cic_json_check(text, len, MAX_MEMBERS, err) != 0)
		return NULL;
	json = cJSON_ParseWithLength(text, len);
	if (json == NULL) {
		cic_err_set(err, CIC_EIO, "parse JSON: out of memory");
		return NULL;
	}
	key = duplicate_key(json);
	if (key != NULL) {
		cic_err_set(err, CIC_EINVAL, "key \"%.64s\" stands twice", key);
		cJSON_Delete(json);
		return NULL;
	}
	return (struct cic_json *)json;
}

int
cic_json_check_text(const char *text, size_t len, struct cic_err *err)
{
	return cic_json_check(text, len, UINT_MAX, err);
}

void
cic_json_free(struct cic_json *json)
{
	cJSON_Delete((cJSON *)json);
}

enum cic_json_type
cic_json_type(const struct cic_json *json)
{
	const cJSON *j = in(json);

	if (cJSON_IsObject(j))
		return CIC_JSON_OBJECT;
	if (cJSON_IsArray(j))
		return CIC_JSON_ARRAY;
	if (cJSON_IsString(j))
		return CIC_JSON_STRING;
	if (cJSON_IsNumber(j))
		return CIC_JSON_NUMBER;
	if (cJSON_IsBool(j))
		return CIC_JSON_BOOL;
	return CIC_JSON_NULL;
}

const char *
cic_json_type_name(const struct cic_json *json)
{
	static const char *const names[CIC_JSON__MAX] = {
		[CIC_JSON_NULL] = "null",
		[CIC_JSON_BOOL] = "a boolean",
		[CIC_JSON_NUMBER] = "a number",
		[CIC_JSON_STRING] = "a string",
		[CIC_JSON_ARRAY] = "an array",
		[CIC_JSON_OBJECT] = "an object",
	};

	return json == NULL ? "nothing" : names[cic_json_type(json)];
}

const struct cic_json *
cic_json_get(const struct cic_json *json, const char *key)
{
	return out(cJSON_GetObjectItemCaseSensitive(in(json), key));
}

const char *
cic_json_string(const struct cic_json *json)
{
	return cJSON_GetStringValue((cJSON *)in(json));
}

bool
cic_json_bool(const struct cic_json *json)
{
	return cJSON_IsTrue(in(json));
}

int64_t
cic_json_int(const struct cic_json *json, int64_t otherwise)
{
	double value;

	if (!cJSON_IsNumber(in(json)))
		return otherwise;
	value = in(json)->valuedouble;
	if (!(fabs(value) <= 9007199254740992.0) || value != floor(value))
		return otherwise;
	return (int64_t)value;
}

const char *
cic_json_get_string(const struct cic_json *json, const char *key)
{
	return cic_json_string(cic_json_get(json, key));
}

const struct cic_json *
cic_json_first(const struct cic_json *json)
{
	return json == NULL ? NULL : out(in(json)->child);
}

const struct cic_json *
cic_json_next(const struct cic_json *json)
{
	return json == NULL ? NULL : out(in(json)->next);
}

const char *
cic_json_key(const struct cic_json *json)
{
	return in(json)->string;
}

void
cic_json_print(struct cic_buf *buf, const struct cic_json *json)
{
	char *text = cJSON_PrintUnformatted(in(json));

	if (text == NULL)
		buf->failed = true;
	else
		cic_buf_puts(buf, text);
	free(text);
}

void
cic_json_quote(struct cic_buf *buf, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t left, len;

	if (s == NULL) {
		cic_buf_puts(buf, "null");
		return;
	}
	cic_buf_putc(buf, '"');
	for (left = strlen(s); left > 0; p += len, left -= len) {
		len = cic_utf8_length(p, left);
		if (len == 0) {
			cic_buf_puts(buf, "\xef\xbf\xbd");
			len = 1;
		} else if (*p == '"' || *p == '\\')
			cic_buf_printf(buf, "\\%c", *p);
		else if (*p == '\n')
			cic_buf_puts(buf, "\\n");
		else if (*p == '\t')
			cic_buf_puts(buf, "\\t");
		else if (*p < 0x20 || *p == 0x7f)
			cic_buf_printf(buf, "\\u%04x", *p);
		else
			cic_buf_add(buf, p, len);
	}
	cic_buf_putc(buf, '"');
}
