/* registry.h against a web server that answers as each test says
 * (registry_server.pl): every answer a registry, its token service and what is
 * between may give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "folder.h"

#include "digest.h"
#include "err.h"
#include "registry.h"

#define USER	"someone"
#define SECRET	"s3cret"
#define TOKEN	"t0ken.abc-def"
/* someone:s3cret */
#define BASIC	"Basic c29tZW9uZTpzM2NyZXQ="
#define BEARER	"Bearer " TOKEN

#define DOCKER	"application/vnd.docker.distribution.manifest.v2+json"
#define OCI	"application/vnd.oci.image.manifest.v1+json"
#define INDEX	"application/vnd.oci.image.index.v1+json"
#define CONFIG	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":" \
    "{\"Labels\":{\"a\":\"b\"}},\"rootfs\":{}}"
#define NAME	"/v2/team/prog/"
#define TAG	NAME "manifests/v1"
#define ANYONE	"*"

static struct cic_registry registry;
static struct cic_registry_image image;
static struct cic_buf config;
static pid_t server;
static int port, rules;

/* --- the server --------------------------------------------------------- */

/* printf; good until the 64th call after this one. */
static char * __attribute__((format(printf, 1, 2)))
format(const char *fmt, ...)
{
	static char *texts[64];
	static size_t n;
	va_list ap;
	char *p;

	va_start(ap, fmt);
	assert_true(vasprintf(&p, fmt, ap) != -1);
	va_end(ap);
	n = (n + 1) % 64;
	free(texts[n]);
	return texts[n] = p;
}

static void
start(const char *certificate, const char *key)
{
	int out[2];
	FILE *f;

	assert_int_equal(pipe(out), 0);
	server = fork();
	if (server == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl("t/unit/registry_server.pl", "registry_server.pl", folder,
		    certificate, key, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	if (server < 0 || f == NULL || fscanf(f, "%d", &port) != 1)
		fail_msg("the server does not start");
	fclose(f);
}

static void
stop(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
}

static int
setup_alone(void **state)
{
	if (folder_make(state) != 0)
		return -1;
	rules = 0;
	cic_buf_init(&config, 16 << 20);
	image = (struct cic_registry_image){ .config = &config };
	registry = (struct cic_registry){ .user = "", .password = "",
	    .ca_file = "", .https_proxy = "", .http_proxy = "",
	    .no_proxy = "", .timeout = 20, .log_fd = open(in_folder("log"),
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) };
	return registry.log_fd >= 0 ? 0 : -1;
}

static int
setup(void **state)
{
	if (setup_alone(state) != 0)
		return -1;
	start(NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	stop();
	close(registry.log_fd);
	cic_buf_release(&config);
	return folder_remove(state);
}

/* To this request, `times` of it ("*": all), this answer; the first rule that
 * fits counts. */
static void
rule(const char *method, const char *path, const char *auth, const char *times,
    const char *answer)
{
	put_file(format("rule.%d", rules++), format("%s|%s|%s|%s\n%s", method,
	    path, auth, times, answer));
}

/* A whole answer; `headers` are lines that end in \r\n. */
static const char *
reply(int status, const char *headers, const char *body)
{
	return format("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
	    strlen(body), headers, body);
}

static const char *
digest_of(const char *text)
{
	char hex[CIC_SHA256_HEX];

	cic_digest_mem(text, strlen(text), hex);
	return format("sha256:%s", hex);
}

static const char *
manifest(const char *type, const char *config_digest)
{
	return format("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{"
	    "\"mediaType\":\"application/vnd.%s.v1+json\",\"digest\":\"%s\"},"
	    "\"layers\":[]}", type, strcmp(type, OCI) == 0 ? "oci.image.config" :
	    "docker.container.image", config_digest);
}

/* What a registry sends for `what`, to whoever has this authorization. */
static void
serve(const char *what, const char *type, const char *text, const char *auth)
{
	rule("*", format(NAME "%s", what), auth, "*", reply(200,
	    format("Content-Type: %s\r\nDocker-Content-Digest: %s\r\n", type,
	    digest_of(text)), text));
}

static void
serve_config(const char *text, const char *auth)
{
	rule("GET", format(NAME "blobs/%s", digest_of(text)), auth, "*",
	    reply(200, "", text));
}

/* An ordinary image, for linux/amd64. */
static void
serve_image(const char *auth)
{
	serve("manifests/v1", DOCKER, manifest(DOCKER, digest_of(CONFIG)), auth);
	serve_config(CONFIG, auth);
}

/* How many requests had this in their line "METHOD PATH HOST AUTHORIZATION"? */
static int
seen(const char *what)
{
	char *text, *line, *next;
	int n = 0;

	if (access(in_folder("seen"), F_OK) != 0)
		return 0;
	text = get_file(in_folder("seen"));
	for (line = text; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		*next++ = '\0';
		n += strstr(line, what) != NULL;
	}
	free(text);
	return n;
}

/* --- asking ------------------------------------------------------------- */

static void
no_secrets(const char *text)
{
	static const char *const secret[] = { SECRET, TOKEN, BASIC + 6,
	    "signature" };
	size_t i;

	for (i = 0; i < COUNT(secret); i++) {
		if (strstr(text, secret[i]) != NULL)
			fail_msg("%s stands in: %s", secret[i], text);
	}
}

static int
ask(const char *rest, const char *platform)
{
	char *log;
	int r;

	memset(&err, 0, sizeof(err));
	r = cic_registry_find(&registry, format("127.0.0.1:%d/%s", port, rest),
	    platform, &image, &err);
	log = get_file(in_folder("log"));
	no_secrets(log);
	no_secrets(err.msg);
	free(log);
	return r;
}

static void
finds(const char *manifest_text, const char *config_text)
{
	if (ask("team/prog:v1", "linux/amd64") != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(image.digest, digest_of(manifest_text));
	assert_string_equal(image.image_id, digest_of(config_text));
	assert_string_equal(config.data, config_text);
	cic_buf_reset(&config);
}

static void
finds_image(void)
{
	finds(manifest(DOCKER, digest_of(CONFIG)), CONFIG);
}

static void
fails(enum cic_code code, const char *words)
{
	image.digest[0] = '\0';
	if (ask("team/prog:v1", "linux/amd64") == 0)
		fail_msg("found, and should not be: %s", words);
	has(err.msg, words);
	if (err.code != code)
		fail_msg("code %d, not %d: %s", err.code, code, err.msg);
	assert_string_equal(image.digest, "");
	assert_int_equal(config.len, 0);
}

/* Forget the rules and the requests. */
static void
afresh(void)
{
	stop();
	while (rules > 0)
		unlink(in_folder(format("rule.%d", --rules)));
	unlink(in_folder("seen"));
	start(NULL, NULL);
}

static void
as_user(void)
{
	registry.user = USER;
	registry.password = SECRET;
}

static void
as_nobody(void)
{
	registry.user = registry.password = "";
}

/* --- images ------------------------------------------------------------- */

static void
single(void **state)
{
	const char *text = manifest(OCI, digest_of(CONFIG));

	(void)state;
	serve_image(ANYONE);
	serve(format("manifests/%s", digest_of(text)), OCI, text, ANYONE);
	finds_image();
	assert_int_equal(seen("HEAD " TAG), 1);
	assert_int_equal(seen("GET " TAG), 1);
	assert_int_equal(seen(" none"), 3);
	/* by digest, a tag beside it does not count */
	assert_int_equal(ask(format("team/prog@%s", digest_of(text)),
	    "linux/amd64"), 0);
	assert_string_equal(image.digest, digest_of(text));
	assert_int_equal(ask(format("team/prog:v1@%s", digest_of(text)), ""), 0);
	assert_string_equal(image.digest, digest_of(text));
	/* nobody wants the text */
	image.config = NULL;
	assert_int_equal(ask("team/prog:v1", "linux/amd64"), 0);
	image.config = &config;
	cic_buf_reset(&config);
	assert_int_equal(ask("team/prog:v1", "linux/arm64"), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, "linux/amd64, not for linux/arm64");
}

static const char *
entry(const char *text, const char *arch)
{
	return format("{\"digest\":\"%s\",\"platform\":{\"os\":\"%s\","
	    "\"architecture\":\"%s\"}}", digest_of(text),
	    strcmp(arch, "unknown") == 0 ? arch : "linux", arch);
}

static const char *
index_of(const char *entries)
{
	return format("{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\","
	    "\"manifests\":[%s]}", entries);
}

static void
indexes(void **state)
{
	const char *amd = manifest(OCI, digest_of(CONFIG));
	const char *outer;

	(void)state;
	serve(format("manifests/%s", digest_of(amd)), OCI, amd, ANYONE);
	serve_config(CONFIG, ANYONE);
	outer = index_of(format("%s,%s,%s", entry("no text", "arm64"),
	    entry(amd, "amd64"), entry("attestation", "unknown")));
	serve("manifests/v1", INDEX, outer, ANYONE);
	finds(amd, CONFIG);
	assert_int_equal(ask("team/prog:v1", "linux/riscv64"), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, "no image for linux/riscv64; there are: linux/arm64, "
	    "linux/amd64");
	/* listed, and not there */
	rule("GET", "*", ANYONE, "*", reply(404, "", ""));
	assert_int_equal(ask("team/prog:v1", "linux/arm64"), -1);
	assert_int_equal(err.code, CIC_ENOENT);
	has(err.msg, "does not have it");
}

static void
nested_indexes(void **state)
{
	const char *text = manifest(OCI, digest_of(CONFIG));
	int depth;

	(void)state;
	serve_config(CONFIG, ANYONE);
	serve(format("manifests/%s", digest_of(text)), OCI, text, ANYONE);
	for (depth = 1; depth <= 4; depth++) {
		text = index_of(format("{\"digest\":\"%s\"}", digest_of(text)));
		serve(format("manifests/%s", digest_of(text)), INDEX, text, ANYONE);
	}
	assert_int_equal(ask(format("team/prog@%s", digest_of(text)),
	    "linux/amd64"), 0);
	text = index_of(format("{\"digest\":\"%s\"}", digest_of(text)));
	cic_buf_reset(&config);
	serve("manifests/v1", INDEX, text, ANYONE);
	fails(CIC_EIO, "more than 4 deep");
}

static void
missing(void **state)
{
	const char *error = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\","
	    "\"message\":\"" SECRET "\"}]}";

	(void)state;
	rule("HEAD", TAG, ANYONE, "*", reply(404, "", error));
	fails(CIC_ENOENT, "does not have it");
	assert_int_equal(seen("GET"), 0);
	/* gone between the two questions */
	afresh();
	rule("HEAD", TAG, ANYONE, "*", reply(200, "", ""));
	rule("GET", TAG, ANYONE, "*", reply(404, "", error));
	fails(CIC_ENOENT, "(MANIFEST_UNKNOWN)");
	/* no registry at all */
	afresh();
	rule("*", "*", ANYONE, "*", reply(404,
	    "Content-Type: text/html; charset=utf-8\r\n", "<html>"));
	fails(CIC_EIO, "is that a registry?");
	/* the manifest is there, the configuration is not */
	afresh();
	serve("manifests/v1", DOCKER, manifest(DOCKER, digest_of(CONFIG)), ANYONE);
	rule("GET", "*", ANYONE, "*", reply(404, "",
	    "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\"}]}"));
	fails(CIC_ENOENT, "(BLOB_UNKNOWN)");
}

/* --- who asks ----------------------------------------------------------- */

static const char *
unauthorized(const char *challenge)
{
	return reply(401, format("WWW-Authenticate: %s\r\n", challenge), "{}");
}

static void
basic(void **state)
{
	(void)state;
	serve_image(BASIC);
	rule("*", "*", ANYONE, "*", unauthorized("Basic realm=\"x\""));
	as_user();
	finds_image();
	/* nothing is said unasked */
	assert_int_equal(seen("HEAD " TAG " 127.0.0.1:"), 2);
	assert_int_equal(seen(" none"), 1);
	assert_int_equal(seen(BASIC), 3);
	registry.password = "wrong" SECRET;
	fails(CIC_EDENIED, "refuses user \"" USER "\", status 401");
	assert_int_equal(seen("HEAD "), 4);
	as_nobody();
	fails(CIC_EDENIED, "wants a user and a password");
	registry.user = "a:b";
	fails(CIC_EINVAL, "colon");
}

/* A token service at /token, and a registry that names it. */
static void
serve_token(const char *query, const char *auth, const char *answer)
{
	rule("GET", format("/token?%s", query), auth, "*", answer);
}

static void
want_token(const char *more)
{
	rule("*", "*", "none", "*", unauthorized(format("Bearer realm="
	    "\"http://127.0.0.1:%d/token\"%s", port, more)));
}

static void
bearer(void **state)
{
	(void)state;
	serve_image(BEARER);
	serve_token("service=the+registry&scope=repository%3ateam%2fprog%3apull"
	    "&scope=x%3dy", "none", reply(200, "", "{\"token\":\"" TOKEN "\"}"));
	want_token(",service=\"the registry\","
	    "scope=\"repository:team/prog:pull x=y\"");
	finds_image();
	assert_int_equal(seen("/token"), 1);
	assert_int_equal(seen(BEARER), 3);
	/* a user; an own scope where the registry says none; the other name */
	afresh();
	serve_image(BEARER);
	serve_token("old=1&scope=repository%3ateam%2fprog%3apull&account=" USER,
	    BASIC, reply(200, "", "{\"access_token\":\"" TOKEN "\"}"));
	rule("*", "*", "none", "*", unauthorized(format("Basic realm=\"x\", "
	    "Bearer realm=\"http://127.0.0.1:%d/token?old=1\"", port)));
	as_user();
	finds_image();
	assert_int_equal(seen(BASIC), 1);
}

/* Who will push says so, whatever the registry's own scope is: only then is a
 * repository that does not exist yet not found. */
static void
bearer_to_push(void **state)
{
	(void)state;
	registry.push = true;
	serve_image(BEARER);
	serve_token("service=a&scope=repository%3ateam%2fprog%3apull%2cpush",
	    "none", reply(200, "", "{\"token\":\"" TOKEN "\"}"));
	want_token(",service=\"a\",scope=\"repository:team/prog:pull\"");
	finds_image();
	registry.push = false;
}

static void
same_image(void **state)
{
	const struct cic_registry_image found = { .digest = "sha256:aa",
	    .image_id = "sha256:bb" };

	(void)state;
	assert_true(cic_registry_is_image(&found, "sha256:aa"));
	assert_true(cic_registry_is_image(&found, "sha256:bb"));
	assert_false(cic_registry_is_image(&found, "sha256:cc"));
	assert_false(cic_registry_is_image(&found, ""));
}

static void
bearer_refused(void **state)
{
	(void)state;
	want_token("");
	fails(CIC_EDENIED, "nothing to the nameless");
	as_user();
	rule("GET", "*", BASIC, "*", reply(401, "", TOKEN));
	fails(CIC_EDENIED, "the token service refuses user \"" USER "\"");
	/* a token, and it is worth nothing: as for what does not exist */
	afresh();
	rule("GET", "/token?scope=repository%3ateam%2fprog%3apull&account=" USER,
	    ANYONE, "*", reply(200, "", "{\"token\":\"" TOKEN "\"}"));
	want_token("");
	rule("*", TAG, BEARER, "*", unauthorized("Bearer realm=\"x\","
	    "error=\"insufficient_scope\""));
	fails(CIC_EDENIED, "whether the repository exists");
	assert_int_equal(seen("/token"), 1);
	as_nobody();
	afresh();
	rule("*", "*", ANYONE, "*", reply(403, "Content-Type: text/html\r\n", ""));
	fails(CIC_EDENIED, "whether the repository exists");
	assert_int_equal(seen(""), 1);
}

static void
bad_tokens(void **state)
{
	static const struct { const char *answer, *words; } bad[] = {
		{ "{\"token\":\"\"}", "no token" },
		{ "{\"token\":\"" TOKEN "\\r\\nX: y\"}", "no token" },
		{ "{\"token\":\"" TOKEN " \"}", "no token" },
		{ "{\"token\":7}", "no token" }, { "[]", "no token" },
		{ "{\"token\":\"" TOKEN "\"", "no JSON" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		afresh();
		rule("GET", "/token?scope=repository%3ateam%2fprog%3apull", ANYONE,
		    "*", reply(200, "", bad[i].answer));
		want_token("");
		fails(CIC_EIO, bad[i].words);
	}
	afresh();
	rule("GET", "/token?scope=repository%3ateam%2fprog%3apull", ANYONE, "*",
	    reply(500, "", TOKEN));
	want_token("");
	fails(CIC_EAGAIN, "status 500");
}

static void
bad_challenges(void **state)
{
	static const struct {
		enum cic_code code;
		const char *challenge, *words;
	} bad[] = {
		{ CIC_EIO, "Bearer realm=\"x", "does not end" },
		{ CIC_EIO, "Bearer service=\"x\"", "no realm" },
		{ CIC_EIO, "<html>", "WWW-Authenticate" },
		{ CIC_EIO, "Bearer realm=\"nonsense of \\\" it\"", "no address" },
		{ CIC_EIO, "Bearer realm=\"http://auth.example/\"", "only https" },
		{ CIC_EIO, "Bearer realm=\"file:///etc/passwd\"",
		    "no address" },
		{ CIC_EIO, "Bearer realm=\"ftp://127.0.0.1/\"", "only https" },
		{ CIC_EIO, "Bearer realm=\"https://u:" SECRET "@127.0.0.1/\"",
		    "no address" },
		{ CIC_EDENIED, "Negotiate", "neither" },
	};
	size_t i;

	(void)state;
	as_user();
	for (i = 0; i < COUNT(bad); i++) {
		afresh();
		rule("*", "*", ANYONE, "*", unauthorized(bad[i].challenge));
		fails(bad[i].code, bad[i].words);
		assert_int_equal(seen(""), 1);
	}
	afresh();
	rule("*", "*", ANYONE, "*", reply(401, "", ""));
	fails(CIC_EDENIED, "neither");
}

/* --- redirects ---------------------------------------------------------- */

static const char *
moved(const char *to)
{
	return reply(307, format("Location: %s\r\n", to), "");
}

static void
redirects(void **state)
{
	const char *blob = format(NAME "blobs/%s", digest_of(CONFIG));

	(void)state;
	as_user();
	serve("manifests/v1", DOCKER, manifest(DOCKER, digest_of(CONFIG)), BASIC);
	rule("GET", blob, BASIC, "*", moved("/near"));
	/* another name, and so another host; and from there to the first */
	rule("GET", "/near", BASIC, "*", moved(format(
	    "http://localhost:%d/signature?signature=x", port)));
	rule("GET", "/signature?signature=x", "none", "*", moved(format(
	    "http://127.0.0.1:%d/back", port)));
	rule("GET", "/back", "none", "*", reply(200, "", CONFIG));
	rule("*", "*", "none", "*", unauthorized("Basic realm=\"x\""));
	finds_image();
	assert_int_equal(seen("/signature"), 1);
	assert_int_equal(seen(format("/near 127.0.0.1:%d " BASIC, port)), 1);
}

/* Who we are sent to is told nothing, whatever it asks. */
static void
redirected_challenge(void **state)
{
	(void)state;
	as_user();
	rule("*", TAG, ANYONE, "*", moved(format("http://localhost:%d/x", port)));
	rule("*", "/x", ANYONE, "*", unauthorized("Basic realm=\"x\""));
	fails(CIC_EIO, "redirects to answers with status 401");
	assert_int_equal(seen("/x"), 1);
	assert_int_equal(seen(BASIC), 0);
}

static void
bad_redirects(void **state)
{
	static const struct { const char *to, *words; } bad[] = {
		{ TAG, "more than 5 redirects" },
		{ "http://files.example/?signature=x",
		    "is http://files.example: only https" },
		{ "ftp://127.0.0.1/signature", "only https" },
		{ "file:///etc/passwd", "no address" },
		{ "http://u:" SECRET "@127.0.0.1/", "no address" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		afresh();
		rule("*", "*", ANYONE, "*", moved(bad[i].to));
		fails(CIC_EIO, bad[i].words);
		assert_int_equal(seen(""), i == 0 ? 6 : 1);
	}
	afresh();
	rule("*", "*", ANYONE, "*", reply(302, "", ""));
	fails(CIC_EIO, "without a Location");
}

/* --- busy, broken ------------------------------------------------------- */

static const char *
later(int status, const char *when)
{
	return reply(status, format("Retry-After: %s\r\n", when), "{}");
}

static void
busy(void **state)
{
	char date[64];
	time_t at = time(NULL) + 1;
	struct tm tm;

	(void)state;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
	    gmtime_r(&at, &tm));
	rule("HEAD", TAG, ANYONE, "1", later(429, "1"));
	rule("GET", TAG, ANYONE, "1", later(503, date));
	serve_image(ANYONE);
	finds_image();
	assert_int_equal(seen(TAG), 4);
}

static void
busy_for_long(void **state)
{
	time_t began;

	(void)state;
	rule("*", "*", ANYONE, "*", later(429, "1"));
	fails(CIC_EAGAIN, "status 429: the server is busy (3 tries)");
	assert_int_equal(seen(""), 3);
	/* longer than we have */
	afresh();
	rule("*", "*", ANYONE, "*", later(503, "3600"));
	began = time(NULL);
	fails(CIC_EAGAIN, "(1 tries)");
	assert_true(time(NULL) - began < 10);
}

static void
broken(void **state)
{
	static const struct { const char *answer; enum cic_code code;
	    const char *words; } bad[] = {
		{ "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", CIC_EAGAIN,
		    "failed with status 500" },
		{ "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", CIC_EAGAIN,
		    "status 502" },
		{ "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", CIC_EIO,
		    "status 400" },
		{ "HTTP/1.1 206 X\r\nContent-Length: 0\r\n\r\n", CIC_EIO,
		    "status 206" },
		{ "HTTP/1.1 304 X\r\n\r\n", CIC_EIO, "means nothing" },
		{ "SSH-2.0-OpenSSH\r\n\r\n", CIC_EIO, "127.0.0.1" },
		{ "", CIC_EAGAIN, "mpty reply" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		afresh();
		rule("*", "*", ANYONE, "*", bad[i].answer);
		fails(bad[i].code, bad[i].words);
		assert_int_equal(seen(""), 1);
	}
}

static void
silent(void **state)
{
	time_t began = time(NULL);

	(void)state;
	registry.timeout = 1;
	rule("*", "*", ANYONE, "*", "HANG");
	fails(CIC_EAGAIN, "no whole answer within 1 seconds");
	/* the whole question, not each request */
	afresh();
	rule("HEAD", TAG, ANYONE, "*", reply(200, "", ""));
	rule("GET", TAG, ANYONE, "*", "HANG");
	fails(CIC_EAGAIN, "no whole answer within 1 seconds");
	assert_true(time(NULL) - began < 10);
}

/* A port that nobody listens on; it stays ours meanwhile. */
static void
nobody_there(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	port = ntohs(at.sin_port);
	fails(CIC_EAGAIN, "Couldn't connect");
	close(fd);
}

/* --- texts -------------------------------------------------------------- */

static void
wrong_digests(void **state)
{
	const char *text = manifest(DOCKER, digest_of(CONFIG));

	(void)state;
	rule("HEAD", "*", ANYONE, "*", reply(200, "", ""));
	rule("GET", TAG, ANYONE, "*", reply(200, format(
	    "Docker-Content-Digest: %s\r\n", digest_of("other")), text));
	fails(CIC_EIO, "says the digest is");
	rule("GET", format(NAME "manifests/%s", digest_of("other")), ANYONE, "*",
	    reply(200, "", text));
	assert_int_equal(ask(format("team/prog@%s", digest_of("other")), ""), -1);
	assert_int_equal(err.code, CIC_EIO);
	has(err.msg, "sent something else");
	/* the configuration; a digest of another kind is nobody's fault */
	afresh();
	rule("*", TAG, ANYONE, "*", reply(200,
	    "Docker-Content-Digest: sha512:00\r\n", text));
	rule("GET", "*", ANYONE, "*", reply(200, "", "{}"));
	fails(CIC_EIO, "sent something else");
}

static void
bad_manifests(void **state)
{
	static const struct { const char *text, *words; } bad[] = {
		{ "{", "line 1" }, { "", "line 1" }, { "[]", "digest \"\"" },
		{ "{\"config\":{\"digest\":\"sha256:12\"}}", "sha256:12" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
		{ "{\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config."
		    "v1+json\"}}", "no container image" },
		{ "{\"manifests\":{}}", "not an array" },
		{ "{\"manifests\":[{\"digest\":\"../../x\"}]}", "../../x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		afresh();
		rule("*", "*", ANYONE, "*", reply(200, "", bad[i].text));
		fails(CIC_EIO, bad[i].words);
	}
	afresh();
	rule("*", TAG, ANYONE, "*", reply(200, "", manifest(OCI,
	    digest_of("[]"))));
	serve_config("[]", ANYONE);
	fails(CIC_EIO, "not an object");
}

static void
truncated(void **state)
{
	(void)state;
	rule("HEAD", TAG, ANYONE, "*", reply(200, "", ""));
	rule("GET", TAG, ANYONE, "*",
	    "HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{}");
	fails(CIC_EAGAIN, "127.0.0.1");
}

/* `size` bytes of JSON, blanks mostly. */
static char *
large(const char *text, size_t size)
{
	return format("%s%*s", text, (int)(size - strlen(text)), "");
}

static void
sizes(void **state)
{
	const char *text;

	(void)state;
	text = large(CONFIG, CIC_REGISTRY_CONFIG);
	serve("manifests/v1", DOCKER, large(manifest(DOCKER, digest_of(text)),
	    CIC_REGISTRY_MANIFEST), ANYONE);
	serve_config(text, ANYONE);
	assert_int_equal(ask("team/prog:v1", ""), 0);
	assert_int_equal(config.len, CIC_REGISTRY_CONFIG);
	cic_buf_release(&config);
	cic_buf_init(&config, 100);
	assert_int_equal(ask("team/prog:v1", ""), -1);
	has(err.msg, "than there is room for");
	cic_buf_init(&config, 16 << 20);
	afresh();
	text = large(CONFIG, CIC_REGISTRY_CONFIG + 1);
	serve("manifests/v1", DOCKER, manifest(DOCKER, digest_of(text)), ANYONE);
	serve_config(text, ANYONE);
	fails(CIC_EIO, "larger than 8192 KiB");
	afresh();
	serve("manifests/v1", DOCKER, large("{}", CIC_REGISTRY_MANIFEST + 1),
	    ANYONE);
	fails(CIC_EIO, "larger than 4096 KiB");
}

/* --- ways --------------------------------------------------------------- */

static void
proxies(void **state)
{
	struct cic_err e;

	(void)state;
	serve_image(ANYONE);
	/* this machine, directly */
	registry.http_proxy = "http://127.0.0.1:1/";
	finds_image();
	/* another, by the proxy, which refuses; 0.0.0.0 counts as one */
	rule("CONNECT", "*", ANYONE, "*", reply(403, "", ""));
	registry.https_proxy = format("http://" USER ":" SECRET "@127.0.0.1:%d",
	    port);
	assert_int_equal(cic_registry_find(&registry,
	    "registry.example/team/prog:v1", "", &image, &e), -1);
	no_secrets(e.msg);
	assert_int_equal(e.code, CIC_EAGAIN);
	assert_int_equal(seen("CONNECT registry.example:443"), 1);
	assert_int_equal(seen(BASIC), 1);
	registry.no_proxy = "0.0.0.0";
	registry.timeout = 1;	/* no TLS is spoken there */
	assert_int_equal(cic_registry_find(&registry, format(
	    "0.0.0.0:%d/team/prog:v1", port), "", &image, &e), -1);
	assert_int_equal(seen("CONNECT"), 1);
	registry.https_proxy = "nonsense://" USER ":" SECRET "@127.0.0.1:1";
	assert_int_equal(cic_registry_find(&registry,
	    "registry.example/team/prog:v1", "", &image, &e), -1);
	no_secrets(e.msg);
}

static void
certificates(void **state)
{
	(void)state;
	sh(format("cd %s && exec >/dev/null 2>&1 && openssl req -x509 -newkey "
	    "ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key "
	    "-out ca.pem -subj /CN=authority -days 2 && openssl req -newkey ec "
	    "-pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out csr "
	    "-subj /CN=registry && printf 'subjectAltName=IP:127.0.0.1\\n' > ext "
	    "&& openssl x509 -req -in csr -CA ca.pem -CAkey ca.key "
	    "-CAcreateserial -extfile ext -days 2 -out cert && openssl req -x509 "
	    "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "
	    "other.key -out other.pem -subj /CN=other -days 2", folder));
	start(in_folder("cert"), in_folder("key"));
	serve_image(ANYONE);
	registry.ca_file = in_folder("ca.pem");
	finds_image();
	registry.ca_file = format("%s/other.pem", folder);
	fails(CIC_EIO, "certificate is not trusted");
	registry.ca_file = format("%s/ext", folder);
	fails(CIC_EINVAL, "no certificate in PEM form");
	registry.ca_file = format("%s/none", folder);
	fails(CIC_EINVAL, "the registry's ca_file");
	/* the system's alone: of a host that is not this machine */
	registry.ca_file = "";
	assert_int_equal(cic_registry_find(&registry, format(
	    "0.0.0.0:%d/team/prog:v1", port), "", &image, &err), -1);
	assert_int_equal(err.code, CIC_EIO);
	has(err.msg, "certificate is not trusted");
	/* plain http to a server that speaks TLS */
	assert_int_equal(ask("team/prog:v1", ""), -1);
}

/* Before anything is asked. */
static void
names(void **state)
{
	(void)state;
	assert_int_equal(cic_registry_find(&registry, "team/prog:v1", "", &image,
	    &err), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(ask("team/../prog:v1", ""), -1);
	assert_int_equal(err.code, CIC_EINVAL);
	assert_int_equal(seen(""), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ALONE(f) cmocka_unit_test_setup_teardown(f, setup_alone, teardown)
	const struct CMUnitTest tests[] = {
		T(single), T(indexes), T(nested_indexes), T(missing), T(basic),
		T(bearer), T(bearer_to_push), T(same_image),
		T(bearer_refused), T(bad_tokens), T(bad_challenges),
		T(redirects), T(redirected_challenge), T(bad_redirects), T(busy),
		T(busy_for_long), T(broken), T(silent), ALONE(nobody_there),
		T(wrong_digests), T(bad_manifests), T(truncated), T(sizes),
		T(proxies), ALONE(certificates), T(names),
	};

	/* A proxy of the environment would make every test fail. */
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("https_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
