/*
 * /tokens: API tokens of who is asking; /whoami.
 */
#include "route.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "json.h"
#include "log.h"
#include "req.h"
#include "resp.h"
#include "store_token.h"

#define DAY_MS		((int64_t)24 * 3600 * 1000)
#define DAYS_MAX	365
#define DAYS_DEFAULT	90

/* `text`, the token itself, is NULL but when it is new. */
static void
print_token(struct cic_buf *out, const struct cic_token *token,
    const char *text)
{
	cic_buf_printf(out, "{\"id\":\"%s\",\"name\":", token->id);
	cic_json_quote(out, token->name);
	if (text != NULL)
		cic_buf_printf(out, ",\"token\":\"%s\"", text);
	cic_buf_printf(out, ",\"created\":%lld,\"expires\":%lld}",
	    (long long)token->created, (long long)token->expires);
}

/* C1 controls have two bytes in UTF-8. */
static bool
has_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

static int
read_name(const struct cic_json *json, struct cic_token *token,
    struct resp *resp)
{
	const char *name = cic_json_get_string(json, "name");

	if (name == NULL || name[0] == '\0')
		resp_problem_field(resp, "name", "must be a text, what the "
		    "token is for");
	else if (strlen(name) >= sizeof(token->name))
		resp_problem_field(resp, "name", "longer than %zu bytes",
		    sizeof(token->name) - 1);
	else if (has_control(name))
		resp_problem_field(resp, "name", "has a control character");
	else {
		memcpy(token->name, name, strlen(name) + 1);
		return 0;
	}
	return -1;
}

/* How long: no token makes one that outlives it, else a stolen one could be
 * kept alive for ever. */
static int
read_days(const struct req *req, const struct cic_json *json,
    struct cic_token *token, struct resp *resp)
{
	const struct cic_json *days = cic_json_get(json, "days");
	int64_t n = days == NULL ? DAYS_DEFAULT : cic_json_int(days, 0);

	if (n < 1 || n > DAYS_MAX) {
		resp_problem_field(resp, "days",
		    "must be a whole number, 1 to %d", DAYS_MAX);
		return -1;
	}
	token->expires = cic_now_ms() + n * DAY_MS;
	if (req->token_expires == 0 || token->expires <= req->token_expires)
		return 0;
	if (days == NULL) {
		token->expires = req->token_expires;
		return 0;
	}
	resp_problem(resp, PROBLEM_FORBIDDEN, "days: a token that is made with "
	    "a token may not outlive it; leave days out, or use the password");
	return -1;
}

static int
read_token(const struct req *req, struct cic_token *token, struct resp *resp)
{
	struct cic_json *json;
	struct cic_err err;
	int rc = -1;

	json = cic_json_parse(req->body, req->body_len, &err);
	if (json == NULL)
		resp_problem(resp, PROBLEM_BAD_REQUEST, "the body is not JSON: %s",
		    err.msg);
	else if (cic_json_type(json) != CIC_JSON_OBJECT)
		resp_problem(resp, PROBLEM_BAD_REQUEST,
		    "the body must be an object, not %s",
		    cic_json_type_name(json));
	else if (read_name(json, token, resp) == 0)
		rc = read_days(req, json, token, resp);
	memcpy(token->owner, req->owner, sizeof(token->owner));
	cic_json_free(json);
	return rc;
}

static void
refuse(const struct cic_err *err, struct resp *resp)
{
	if (err->code == CIC_EEXIST)
		resp_problem(resp, PROBLEM_CONFLICT, "%s", err->msg);
	else if (err->code == CIC_EINVAL)
		resp_problem(resp, PROBLEM_BAD_REQUEST, "%s", err->msg);
	else {
		cic_log_warnx("tokens: %s", err->msg);
		resp_store_failure(resp, err);
	}
}

void
h_tokens_post(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_token token = { .expires = 0 };
	char text[CIC_TOKEN_TEXT];
	struct cic_store *store;
	struct cic_err err;

	(void)rest;
	if (read_token(req, &token, resp) != 0)
		return;
	store = app_store(app, &err);
	if (store == NULL ||
	    cic_store_token_new(store, &token, text, &err) != 0) {
		refuse(&err, resp);
		return;
	}
	cic_log_info("token %s: made by %s", token.id, req->owner);
	resp->status = 201;
	print_token(&resp->body, &token, text);
	cic_buf_putc(&resp->body, '\n');
	explicit_bzero(text, sizeof(text));
}

void
h_tokens_get(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_token tokens[CIC_TOKENS_MAX];
	struct cic_store *store;
	struct cic_err err;
	int count, i;

	(void)rest;
	store = app_store(app, &err);
	if (store == NULL || cic_store_token_list(store, req->owner, tokens,
	    &count, &err) != 0) {
		refuse(&err, resp);
		return;
	}
	cic_buf_puts(&resp->body, "{\"tokens\":[");
	for (i = 0; i < count; i++) {
		if (i > 0)
			cic_buf_putc(&resp->body, ',');
		print_token(&resp->body, &tokens[i], NULL);
	}
	cic_buf_puts(&resp->body, "]}\n");
}

void
h_tokens_delete(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	struct cic_store *store;
	struct cic_err err;

	store = app_store(app, &err);
	if (store != NULL &&
	    cic_store_token_revoke(store, req->owner, rest, &err) == 0) {
		cic_log_info("token %s: revoked by %s", rest, req->owner);
		resp->status = 204;
	} else if (store != NULL && err.code == CIC_ENOENT)
		resp_problem(resp, PROBLEM_NOT_FOUND, "%s", err.msg);
	else
		refuse(&err, resp);
}

void
h_whoami(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	(void)rest;
	cic_buf_puts(&resp->body, "{\"user\":");
	cic_json_quote(&resp->body, req->owner);
	cic_buf_printf(&resp->body, ",\"admin\":%s,\"token\":%s}\n",
	    cic_conf_is_admin(app->conf, req->owner) ? "true" : "false",
	    req->token_expires != 0 ? "true" : "false");
}
