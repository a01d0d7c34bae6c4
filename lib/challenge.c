/* The header WWW-Authenticate; see challenge.h. */
#include "challenge.h"

#include <string.h>
#include <strings.h>

#define TOKEN	"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOKEN68	"-._~+/0123456789abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BLANK	" \t"

struct parser {
	const char	*at;
	struct cic_challenge *out;
	bool		 keep;		/* the Bearer challenge that counts */
	unsigned	 seen;		/* its parameters, one bit each */
};

static int
wrong(struct cic_err *err, const char *what)
{
	return cic_err_set(err, CIC_EIO, "WWW-Authenticate: %s", what);
}

static void
skip(struct parser *p, const char *bytes)
{
	p->at += strspn(p->at, bytes);
}

/* Is a parameter next, "name = value"?  Otherwise it is a scheme or, after a
 * scheme, a token68, which may end in '=' but has nothing after that. */
static bool
is_parameter(const char *at)
{
	size_t len = strspn(at, TOKEN);

	at += len;
	at += strspn(at, BLANK);
	if (len == 0 || *at++ != '=')
		return false;
	at += strspn(at, BLANK);
	return *at == '"' || (*at != '\0' && strchr(TOKEN, *at) != NULL);
}

/* A token or a quoted string, into `out` when that is not NULL. */
static int
read_value(struct parser *p, char *out, size_t size, struct cic_err *err)
{
	bool quoted = *p->at == '"';
	size_t n = 0;

	p->at += quoted;
	for (; quoted ? *p->at != '"' : *p->at != '\0' &&
	    strchr(TOKEN, *p->at) != NULL; p->at++) {
		if (quoted && *p->at == '\\')
			p->at++;
		if (*p->at == '\0')
			return wrong(err, "a quoted string does not end");
		if ((unsigned char)*p->at < 0x20 || *p->at == 0x7f)
			return wrong(err, "a control byte in a value");
		if (out != NULL && n + 1 >= size)
			return wrong(err, "a value is too long");
		if (out != NULL)
			out[n++] = *p->at;
	}
	p->at += quoted;
	if (out != NULL)
		out[n] = '\0';
	return 0;
}

static int
read_parameter(struct parser *p, struct cic_err *err)
{
	struct { const char *name; char *out; size_t size; } known[] = {
		{ "realm", p->out->realm, sizeof(p->out->realm) },
		{ "service", p->out->service, sizeof(p->out->service) },
		{ "scope", p->out->scope, sizeof(p->out->scope) },
	};
	size_t len = strspn(p->at, TOKEN), i, n = sizeof(known) / sizeof(known[0]);

	for (i = 0; i < n; i++) {
		if (strlen(known[i].name) == len &&
		    strncasecmp(known[i].name, p->at, len) == 0)
			break;
	}
	p->at += len;
	skip(p, BLANK);
	p->at++;	/* '=', as is_parameter saw */
	skip(p, BLANK);
	if (!p->keep || i == n)
		return read_value(p, NULL, 0, err);
	if ((p->seen & 1u << i) != 0)
		return wrong(err, "a parameter stands there twice");
	p->seen |= 1u << i;
	return read_value(p, known[i].out, known[i].size, err);
}

/* A scheme and, when it has one, its token68. */
static int
read_scheme(struct parser *p, struct cic_err *err)
{
	size_t len = strspn(p->at, TOKEN);

	if (len == 0)
		return wrong(err, "no challenge where one should be");
	p->keep = false;
	if (len == 5 && strncasecmp(p->at, "Basic", len) == 0)
		p->out->basic = true;
	if (len == 6 && strncasecmp(p->at, "Bearer", len) == 0) {
		p->keep = !p->out->bearer;
		p->out->bearer = true;
	}
	p->at += len;
	if (*p->at != '\0' && strchr(BLANK ",", *p->at) == NULL)
		return wrong(err, "no blank after a scheme");
	skip(p, BLANK);
	if (!is_parameter(p->at)) {
		skip(p, TOKEN68);
		skip(p, "=");
	}
	return 0;
}

int
cic_challenge_parse(const char *text, struct cic_challenge *challenge,
    struct cic_err *err)
{
	struct cic_challenge out = { .realm = "" };
	struct parser p = { .at = text, .out = &out };
	bool first = true;
	int r;

	for (skip(&p, BLANK ","); *p.at != '\0'; skip(&p, BLANK ",")) {
		bool parameter = is_parameter(p.at);

		if (parameter && first)
			return wrong(err, "a parameter without a scheme");
		r = parameter ? read_parameter(&p, err) : read_scheme(&p, err);
		if (r == -1)
			return -1;
		first = false;
		skip(&p, BLANK);
		/* After a scheme its first parameter comes without a comma. */
		if (*p.at != '\0' && *p.at != ',' && (parameter ||
		    !is_parameter(p.at)))
			return wrong(err, "no comma where one should be");
	}
	if (out.bearer && *out.realm == '\0')
		return wrong(err, "Bearer has no realm");
	*challenge = out;
	return 0;
}
