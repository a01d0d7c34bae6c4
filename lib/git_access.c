/*
 * Git and the network: credentials, keys, authorities, proxies, and what to say
 * when it does not work; see git.h and git_run.h.
 *
 * Sources: gitcredentials(7) for helpers and their scope, git-config(1) for
 * GIT_CONFIG_COUNT, ssh_config(5).
 */
#include "git_run.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "path.h"

#define OWNED		24
#define BUNDLE_MAX	(8 * 1024 * 1024)	/* of certificates */
#define TOKEN_MAX	4096
#define SAID_MAX	300			/* of what git said */

/* Run by git through a shell, for the one host whose name is in its key.  Only
 * builtins touch the password, so no process has it in its arguments. */
#define HELPER \
	"!f() { test \"$1\" = get || exit 0; " \
	"IFS= read -r word < \"$CIC_GIT_TOKEN_FILE\"; " \
	"printf 'username=%s\\npassword=%s\\n' \"$CIC_GIT_USER\" \"$word\"; }; f"

#define SSH	"GIT_SSH_COMMAND=ssh -oBatchMode=yes -oConnectTimeout=30"

static const char *const plain_env[] = {
	SSH,			/* first: add_ssh writes over it */
	"GIT_TERMINAL_PROMPT=0",
	"GIT_ASKPASS=/bin/false",
	"SSH_ASKPASS=/bin/false",
	"GIT_ALLOW_PROTOCOL=https:http:ssh:file",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_NO_LAZY_FETCH=1",
};
#define PLAIN	(sizeof(plain_env) / sizeof(plain_env[0]))

/* The environment of one git that speaks to a repository. */
struct access {
	const char	*env[CIC_GIT_ENV + OWNED + 1];
	char		*owned[OWNED];
	size_t		 count, owns;
	bool		 failed;	/* no memory */
};

size_t
cic_git_plain_env(const char **env)
{
	memcpy(env, plain_env, sizeof(plain_env));
	return PLAIN;
}

static void put(struct access *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
put(struct access *a, const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0 || a->owns == OWNED) {
		if (n >= 0)
			free(text);
		a->failed = true;
		return;
	}
	a->owned[a->owns++] = text;
	a->env[a->count++] = text;
	a->env[a->count] = NULL;
}

static void
release(struct access *a)
{
	while (a->owns > 0)
		free(a->owned[--a->owns]);
}

/* --- the password ------------------------------------------------------- */

/* Is there a password git can make use of?  It is not kept. */
static int
check_token(const char *path, struct cic_err *err)
{
	char bytes[TOKEN_MAX + 2];
	size_t n, len, i;
	bool bad;
	FILE *f;

	f = fopen(path, "re");
	if (f == NULL)
		return cic_err_errno(err, "repositories.git_token_file: %s",
		    path);
	n = fread(bytes, 1, sizeof(bytes) - 1, f);
	fclose(f);
	bytes[n] = '\0';
	len = strcspn(bytes, "\n");
	bad = len == 0 || len > TOKEN_MAX || (n > 0 && strlen(bytes) < n);
	for (i = 0; i < len; i++)
		bad |= iscntrl((unsigned char)bytes[i]) != 0;
	explicit_bzero(bytes, sizeof(bytes));
	if (bad)
		return cic_err_set(err, CIC_EINVAL,
		    "repositories.git_token_file: the first line of %s is no "
		    "password or token", path);
	return 0;
}

/* Other helpers of the user are put out of force: theirs is not the password
 * that was configured. */
static int
add_password(struct access *a, const struct cic_git_access *access,
    const char *url, struct cic_err *err)
{
	const char *host = url + strlen("https://");
	size_t len = strcspn(host, "/");
	const char *at = memchr(host, '@', len);

	if (access->token_file[0] == '\0' || strncmp(url, "https://", 8) != 0)
		return 0;
	if (check_token(access->token_file, err) != 0)
		return -1;
	if (at != NULL) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	put(a, "GIT_CONFIG_COUNT=2");
	put(a, "GIT_CONFIG_KEY_0=credential.helper");
	put(a, "GIT_CONFIG_VALUE_0=");
	put(a, "GIT_CONFIG_KEY_1=credential.https://%.*s.helper", (int)len,
	    host);
	put(a, "GIT_CONFIG_VALUE_1=%s", HELPER);
	put(a, "CIC_GIT_USER=%s",
	    access->user[0] != '\0' ? access->user : "git");
	put(a, "CIC_GIT_TOKEN_FILE=%s", access->token_file);
	return 0;
}

/* --- ssh ---------------------------------------------------------------- */

/* git hands the command to a shell, and ssh reads "%", "~" and spaces in names
 * of files: there is nothing to quote in what is let through. */
static int
check_ssh_file(const char *key, const char *path, struct cic_err *err)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789._/+-@,:";

	if (path[0] == '\0')
		return 0;
	if (path[0] != '/' || path[strspn(path, plain)] != '\0')
		return cic_err_set(err, CIC_EINVAL, "%s: %s: use an absolute "
		    "path of letters, digits and ._/+-@,: only", key, path);
	if (access(path, R_OK) != 0)
		return cic_err_errno(err, "%s: %s", key, path);
	return 0;
}

static int
add_ssh(struct access *a, const struct cic_git_access *access,
    struct cic_err *err)
{
	const char *key = access->ssh_key, *hosts = access->known_hosts;

	if (key[0] == '\0' && hosts[0] == '\0')
		return 0;
	if (check_ssh_file("repositories.git_ssh_key", key, err) != 0 ||
	    check_ssh_file("repositories.git_known_hosts", hosts, err) != 0)
		return -1;
	put(a, SSH " -oStrictHostKeyChecking=yes%s%s%s%s",
	    key[0] != '\0' ? " -oIdentitiesOnly=yes -i " : "", key,
	    hosts[0] != '\0' ? " -oUserKnownHostsFile=" : "", hosts);
	if (!a->failed) {
		a->env[0] = a->env[--a->count];
		a->env[a->count] = NULL;
	}
	return 0;
}

/* --- authorities -------------------------------------------------------- */

static int
read_bundles(const char *extra, struct cic_buf *text, struct cic_err *err)
{
	/* Debian, Fedora, SUSE */
	static const char *const system[] = {
	    "/etc/ssl/certs/ca-certificates.crt",
	    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem" };
	size_t i, before;

	for (i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		if (access(system[i], R_OK) == 0) {
			if (cic_read_file(system[i], text, err) != 0)
				return -1;
			break;
		}
	cic_buf_putc(text, '\n');
	before = text->len;
	if (cic_read_file(extra, text, err) != 0)
		return cic_err_wrap(err, "network.ca_file");
	if (strstr(text->data + before, "-----BEGIN CERTIFICATE-----") == NULL)
		return cic_err_set(err, CIC_EINVAL,
		    "network.ca_file: %s holds no certificate in PEM form",
		    extra);
	return 0;
}

/* git knows one file of authorities: the system's and ours in one, written again
 * when one of them has changed. */
static int
add_authorities(struct access *a, const struct cic_git *git,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	struct cic_buf want, have;
	struct cic_err ignored;
	int rc = -1;

	if (git->access->ca_file[0] == '\0')
		return 0;
	cic_buf_init(&want, BUNDLE_MAX);
	cic_buf_init(&have, BUNDLE_MAX);
	if (cic_path_format(path, err, "%s/authorities.pem", git->mirrors) ==
	    0 && read_bundles(git->access->ca_file, &want, err) == 0)
		rc = cic_read_file(path, &have, &ignored) == 0 &&
		    have.len == want.len &&
		    memcmp(have.data, want.data, want.len) == 0 ? 0 :
		    cic_write_file(path, want.data, want.len, 0600, err);
	if (rc == 0)
		put(a, "GIT_SSL_CAINFO=%s", path);
	cic_buf_release(&want);
	cic_buf_release(&have);
	return rc;
}

/* --- proxies ------------------------------------------------------------ */

static void
add_proxy(struct access *a, const char *lower, const char *upper,
    const char *value)
{
	if (value[0] == '\0')
		return;
	put(a, "%s=%s", lower, value);
	put(a, "%s=%s", upper, value);
}

static int
open_access(const struct cic_git *git, const char *url, struct access *a,
    struct cic_err *err)
{
	const struct cic_git_access *access = git->access;

	*a = (struct access){ .owns = 0 };
	a->count = cic_git_plain_env(a->env);
	if (access != NULL) {
		if (add_ssh(a, access, err) != 0 ||
		    add_password(a, access, url, err) != 0 ||
		    (strncmp(url, "http", 4) == 0 &&
		    add_authorities(a, git, err) != 0))
			return -1;
		add_proxy(a, "http_proxy", "HTTP_PROXY", access->http_proxy);
		add_proxy(a, "https_proxy", "HTTPS_PROXY", access->https_proxy);
		add_proxy(a, "no_proxy", "NO_PROXY", access->no_proxy);
	}
	if (a->failed)
		return cic_err_set(err, CIC_EIO, "out of memory");
	return 0;
}

/* --- what git said ------------------------------------------------------ */

/* What to do, by what git, curl and ssh say; the first that fits. */
static const struct { const char *said, *advice; } advices[] = {
	{ "could not read Username", "the server asks for a password: see "
	    "repositories.git_token_file, which is used over https only" },
	{ "could not read Password", "the server asks for a password: see "
	    "repositories.git_token_file, which is used over https only" },
	{ "Authentication failed", "the server refuses the password: see "
	    "repositories.git_user and repositories.git_token_file" },
	{ "proxy", "see network.http_proxy, network.https_proxy and "
	    "network.no_proxy" },
	{ "CONNECT tunnel", "see network.http_proxy, network.https_proxy and "
	    "network.no_proxy" },
	{ "error: 403", "the user of repositories.git_token_file may not read "
	    "it" },
	{ "ertificate", "the certificate of its authority belongs into "
	    "network.ca_file" },
	{ "Host key verification failed", "the key of that host belongs into "
	    "repositories.git_known_hosts" },
	{ "Permission denied (", "the server does not take the key: see "
	    "repositories.git_ssh_key" },
};

static const char *
advice(const char *said)
{
	size_t i;

	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (strstr(said, advices[i].said) != NULL)
			return advices[i].advice;
	return NULL;
}

/* Past "fatal: unable to access '<url>': ", which the caller says. */
static const char *
core_of(const char *line)
{
	static const char unable[] = "unable to access '";
	const char *p = strncmp(line, "fatal: ", 7) == 0 ? line + 7 : line;
	const char *end = strncmp(p, unable, sizeof(unable) - 1) == 0 ?
	    strstr(p, "': ") : NULL;

	return end != NULL ? end + 3 : p;
}

/* Copy a line: plain characters, no user in front of a host. */
static void
copy_line(char out[SAID_MAX], const char *line)
{
	const char *at, *p = core_of(line);
	size_t n = 0;

	while (*p != '\0' && n + 4 < SAID_MAX) {
		if (strncmp(p, "://", 3) == 0) {
			memcpy(out + n, "://", 3);
			n += 3;
			p += 3;
			at = p + strcspn(p, "@/ '");
			if (*at == '@')
				p = at + 1;
			continue;
		}
		out[n++] = *p >= ' ' && *p < 0x7f ? *p : '?';
		p++;
	}
	while (n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '))
		n--;
	out[n] = '\0';
}

/*
 * The line that tells why: git's last "fatal:", or, when that only says that the
 * other side has gone, what the other side or ssh said before.
 */
static void
decisive_line(char *text, char out[SAID_MAX])
{
	char *line, *save = NULL, *best = NULL;

	for (line = strtok_r(text, "\r\n", &save); line != NULL;
	    line = strtok_r(NULL, "\r\n", &save)) {
		if (strncmp(line, "fatal: Could not read from remote", 33) == 0)
			break;
		if (best == NULL || strncmp(best, "fatal: ", 7) != 0 ||
		    strncmp(line, "fatal: ", 7) == 0)
			best = line;
	}
	copy_line(out, best != NULL ? best : "git said nothing");
}

static off_t
end_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* The end of what the log has got since `from`. */
static int
explain(int log_fd, off_t from, struct cic_err *err)
{
	char text[8192], said[SAID_MAX];
	off_t end = end_of(log_fd);
	const char *what;
	ssize_t n;

	if (end - from > (off_t)sizeof(text) - 1)
		from = end - (off_t)sizeof(text) + 1;
	n = end > from ? pread(log_fd, text, sizeof(text) - 1, from) : 0;
	text[n > 0 ? n : 0] = '\0';
	decisive_line(text, said);
	what = advice(said);
	cic_err_set(err, CIC_EAGAIN, "%s%s%s", said, what != NULL ? "; " : "",
	    what != NULL ? what : "");
	return 1;
}

int
cic_git_talk(const struct cic_git *git, const struct cic_argv *argv,
    const char *url, struct cic_buf *output, struct cic_err *err)
{
	struct access a;
	struct cic_spawn spawn = { .argv = argv, .env = a.env,
	    .log_fd = git->log_fd, .output = output, .timeout = git->timeout };
	off_t from = end_of(git->log_fd);
	int status, rc;

	rc = open_access(git, url, &a, err);
	if (rc == 0)
		rc = cic_spawn(&spawn, &status, err);
	release(&a);
	if (rc == 0 && status != 0)
		rc = explain(git->log_fd, from, err);
	return rc;
}
