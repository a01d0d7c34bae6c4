/* Requirements of pip; see requirement.h.  Each part below moves a cursor over
 * what it knows and says whether that was one. */
#include "requirement.h"

#include <string.h>

#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM	LETTERS "0123456789"

static void
skip_blanks(const char **at)
{
	*at += strspn(*at, " ");
}

static bool
skip_text(const char **at, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool
skip_name(const char **at)
{
	size_t len = strspn(*at, ALNUM "._-");
	bool ok = len > 0 && strchr("._-", (*at)[0]) == NULL &&
	    strchr("._-", (*at)[len - 1]) == NULL;

	*at += len;
	return ok;
}

/* "[a, b]", or nothing. */
static bool
skip_extras(const char **at)
{
	if (!skip_text(at, "["))
		return true;
	skip_blanks(at);
	if (skip_text(at, "]"))
		return true;
	do {
		skip_blanks(at);
		if (!skip_name(at))
			return false;
		skip_blanks(at);
	} while (skip_text(at, ","));
	return skip_text(at, "]");
}

static bool
skip_operator(const char **at)
{
	static const char *const operators[] = { "===", "==", ">=", "<=", "~=",
	    "!=", ">", "<" };
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (skip_text(at, operators[i]))
			return true;
	return false;
}

/* "==1.2, !=1.5". */
static bool
skip_versions(const char **at)
{
	size_t len;

	do {
		skip_blanks(at);
		if (!skip_operator(at))
			return false;
		skip_blanks(at);
		len = strspn(*at, ALNUM "._*+!-");
		if (len == 0 || strchr("._*+!-", (*at)[0]) != NULL)
			return false;
		*at += len;
		skip_blanks(at);
	} while (skip_text(at, ","));
	return true;
}

static bool
skip_url(const char **at)
{
	size_t len;

	if (!skip_text(at, "https://") && !skip_text(at, "git+https://"))
		return false;
	len = strspn(*at, ALNUM "._~:/?#[]@!$&'()*+,;=%-");
	*at += len;
	return len > 0;
}

static bool
skip_path(const char **at)
{
	if (**at != '/' && strncmp(*at, "./", 2) != 0)
		return false;
	*at += strspn(*at, ALNUM "._~:/@!+,=%-");
	return skip_extras(at);
}

/* "; python_version < '3.9'", or nothing.  pip judges it: here it may only not
 * begin anything else. */
static bool
skip_marker(const char **at)
{
	const char *begin;

	if (!skip_text(at, ";"))
		return true;
	skip_blanks(at);
	begin = *at;
	*at += strspn(*at, ALNUM " ._'\"<>=!~(),+*-");
	return *at > begin && *begin != '-' && strstr(begin, " -") == NULL;
}

static bool
skip_named(const char **at)
{
	if (!skip_name(at))
		return false;
	skip_blanks(at);
	if (!skip_extras(at))
		return false;
	skip_blanks(at);
	if (skip_text(at, "@")) {
		skip_blanks(at);
		return skip_url(at);
	}
	if (skip_text(at, "("))
		return skip_versions(at) && skip_text(at, ")");
	return **at == '\0' || **at == ';' || skip_versions(at);
}

bool
requirement_ok(const char *text)
{
	const char *at = text;

	if (strlen(text) > REQUIREMENT_MAX)
		return false;
	if (*at == '/' || *at == '.') {
		if (!skip_path(&at))
			return false;
	} else if (!skip_url(&at)) {
		at = text;
		if (!skip_named(&at))
			return false;
	}
	skip_blanks(&at);
	return skip_marker(&at) && *at == '\0';
}
