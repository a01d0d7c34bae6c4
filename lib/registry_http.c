/* Requests to an image registry by libcurl; see registry_http.h. */
#include "registry_http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image_name.h"
#include "path.h"
#include "version.h"

#define TRIES		3	/* of one request that is told to wait */
#define REDIRECTS	5
#define CONNECT_MS	15000L
#define CA_MAX		(8u << 20)	/* bytes of all certificates */
#define PLACE_MAX	512

struct cic_registry_http {
	const struct cic_registry *registry;
	bool		 loopback;
	int64_t		 deadline;	/* on the clock of now_ms */
	struct cic_buf	 ca;		/* empty: the system's alone */
	CURL		*curl;
	char		 why[CURL_ERROR_SIZE];
};

/* Where a request goes: what of its address may be shown and compared. */
struct place {
	char	scheme[8];
	char	host[CIC_IMAGE_HOST];
	char	port[8];
	char	path[PLACE_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- opening ------------------------------------------------------------ */

/* libcurl takes one set of certificates: the system's and ours in one text. */
static int
read_certificates(struct cic_registry_http *http, struct cic_err *err)
{
	const char *file = http->registry->ca_file;
	struct cic_err ignored;
	char *system = NULL;

	if (cic_read_file(file, &http->ca, err) == -1) {
		/* of a setting: not "there is no such image" */
		err->code = CIC_EINVAL;
		return cic_err_wrap(err, "the registry's ca_file");
	}
	if (strstr(http->ca.data, "-----BEGIN CERTIFICATE-----") == NULL)
		return cic_err_set(err, CIC_EINVAL, "the registry's ca_file %s: "
		    "no certificate in PEM form", file);
	cic_buf_putc(&http->ca, '\n');
	/* A machine without certificates of its own trusts ours alone. */
	if (curl_easy_getinfo(http->curl, CURLINFO_CAINFO, &system) == CURLE_OK &&
	    system != NULL)
		cic_read_file(system, &http->ca, &ignored);
	if (http->ca.failed)
		return cic_err_set(err, CIC_EINVAL, "the registry's ca_file %s: "
		    "larger than %u MiB with the system's certificates", file,
		    CA_MAX >> 20);
	return 0;
}

struct cic_registry_http *
cic_registry_http_new(const struct cic_registry *registry, bool loopback,
    struct cic_err *err)
{
	struct cic_registry_http *http = calloc(1, sizeof(*http));

	if (http == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	pthread_once(&once, init);
	http->registry = registry;
	http->loopback = loopback;
	http->deadline = now_ms() + (int64_t)registry->timeout * 1000;
	cic_buf_init(&http->ca, CA_MAX);
	http->curl = curl_easy_init();
	if (http->curl == NULL)
		cic_err_set(err, CIC_EIO, "libcurl cannot be set up");
	else if (*registry->ca_file == '\0' || read_certificates(http, err) == 0)
		return http;
	cic_registry_http_free(http);
	return NULL;
}

void
cic_registry_http_free(struct cic_registry_http *http)
{
	if (http == NULL)
		return;
	if (http->curl != NULL)
		curl_easy_cleanup(http->curl);
	cic_buf_release(&http->ca);
	free(http);
}

/* --- addresses ---------------------------------------------------------- */

static bool
part(CURLU *u, CURLUPart which, char *out, size_t size)
{
	char *text = NULL;
	bool fits = curl_url_get(u, which, &text, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK && strlen(text) < size;

	if (fits)
		strcpy(out, text);
	curl_free(text);
	return fits;
}

/* May we go to this address, relative to `base` unless that is NULL?  `what` says
 * whose it is, for the message, in which no more of it stands than scheme and
 * host. */
static CURLU *
open_url(const struct cic_registry_http *http, const char *base,
    const char *url, const char *what, struct place *place, struct cic_err *err)
{
	CURLU *u = curl_url();

	if (u == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	/* A path is only shown: one that is too long need not be. */
	if ((base != NULL && curl_url_set(u, CURLUPART_URL, base, 0) !=
	    CURLUE_OK) ||
	    curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER |
	    CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    !part(u, CURLUPART_SCHEME, place->scheme, sizeof(place->scheme)) ||
	    !part(u, CURLUPART_HOST, place->host, sizeof(place->host)) ||
	    !part(u, CURLUPART_PORT, place->port, sizeof(place->port))) {
		cic_err_set(err, CIC_EIO, "%s is no address of a web server", what);
	} else if (strcmp(place->scheme, "https") != 0 &&
	    !(strcmp(place->scheme, "http") == 0 && http->loopback &&
	    cic_host_is_loopback(place->host))) {
		cic_err_set(err, CIC_EIO, "%s is %s://%s: only https is used%s",
		    what, place->scheme, place->host, http->loopback ?
		    ", and http on this machine" : "");
	} else {
		if (!part(u, CURLUPART_PATH, place->path, sizeof(place->path)))
			strcpy(place->path, "/…");
		return u;
	}
	curl_url_cleanup(u);
	return NULL;
}

static bool
same_origin(const struct place *a, const struct place *b)
{
	return strcmp(a->scheme, b->scheme) == 0 &&
	    strcasecmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

static bool
add_query(CURLU *u, const char *name, const char *value, size_t len)
{
	struct cic_buf b;
	bool ok;

	cic_buf_init(&b, 4096);
	cic_buf_printf(&b, "%s=%.*s", name, (int)len, value);
	ok = !b.failed && curl_url_set(u, CURLUPART_QUERY, b.data,
	    CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK;
	cic_buf_release(&b);
	return ok;
}

char *
cic_registry_token_url(const struct cic_registry_http *http,
    const char *realm, const char *service, const char *scope,
    const char *account, struct cic_err *err)
{
	struct place place;
	CURLU *u = open_url(http, NULL, realm, "the token service that the "
	    "registry names", &place, err);
	char *text = NULL, *copy = NULL;
	bool ok = true;
	size_t n;

	if (u == NULL)
		return NULL;
	if (*service != '\0')
		ok = add_query(u, "service", service, strlen(service));
	for (; ok && *(scope += strspn(scope, " ")) != '\0'; scope += n) {
		n = strcspn(scope, " ");
		ok = add_query(u, "scope", scope, n);
	}
	if (ok && *account != '\0')
		ok = add_query(u, "account", account, strlen(account));
	if (ok && curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		copy = strdup(text);
	curl_free(text);
	curl_url_cleanup(u);
	if (copy == NULL)
		cic_err_set(err, CIC_EIO, "the token service's address cannot be "
		    "made");
	return copy;
}

/* --- one request -------------------------------------------------------- */

struct call {
	struct cic_registry_http *http;
	const struct cic_registry_ask *ask;
	struct cic_registry_answer *answer;
	struct place	 place;
	bool		 elsewhere;
	char		 label[PLACE_MAX + CIC_IMAGE_HOST + 32];	/* "GET https://…" */
};

static size_t
take(char *data, size_t size, size_t n, void *arg)
{
	struct cic_buf *body = arg;

	cic_buf_add(body, data, size * n);
	return body->failed ? 0 : size * n;
}

/* Every place but the one that was asked first is a stranger. */
static bool
prepare_auth(const struct call *call)
{
	const struct cic_registry *r = call->http->registry;
	CURL *c = call->http->curl;

	if (call->elsewhere)
		return true;
	if (call->ask->token != NULL)
		return curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) ==
		    CURLE_OK && curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER,
		    call->ask->token) == CURLE_OK;
	if (call->ask->basic)
		return curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) ==
		    CURLE_OK && curl_easy_setopt(c, CURLOPT_USERNAME, r->user) ==
		    CURLE_OK && curl_easy_setopt(c, CURLOPT_PASSWORD,
		    r->password) == CURLE_OK;
	return true;
}

/* The proxy of this request, or "". */
static const char *
proxy_of(const struct call *call)
{
	const struct cic_registry *r = call->http->registry;

	if (cic_host_is_loopback(call->place.host))
		return "";
	return strcmp(call->place.scheme, "https") == 0 ? r->https_proxy :
	    r->http_proxy;
}

static bool
prepare_way(const struct call *call, int64_t left)
{
	const struct cic_registry *r = call->http->registry;
	struct curl_blob ca = { .data = call->http->ca.data,
	    .len = call->http->ca.len, .flags = CURL_BLOB_NOCOPY };
	CURL *c = call->http->curl;

	return (ca.len == 0 ||
	    curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK) &&
	    curl_easy_setopt(c, CURLOPT_PROXY, proxy_of(call)) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOPROXY, r->no_proxy) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)left) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
	    left < CONNECT_MS ? (long)left : CONNECT_MS) == CURLE_OK;
}

static bool
prepare(struct call *call, const char *url, struct curl_slist *headers,
    int64_t left)
{
	CURL *c = call->http->curl;

	curl_easy_reset(c);
	return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, call->http->why) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, call->place.scheme) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
	    call->place.scheme) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_USERAGENT, "cic/" CIC_VERSION) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOBODY, call->ask->head ? 1L : 0L) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, &call->answer->body) ==
	    CURLE_OK &&
	    prepare_way(call, left) && prepare_auth(call);
}

static int
timed_out(const struct call *call, struct cic_err *err)
{
	return cic_err_set(err, CIC_EAGAIN, "%s: no whole answer within %u "
	    "seconds", call->label, call->http->registry->timeout);
}

/* libcurl's own words may have a proxy's address in them, and so its password. */
static int
bad_transfer(const struct call *call, CURLcode e, struct cic_err *err)
{
	const char *why = call->http->why;

	if (*why == '\0' || strchr(proxy_of(call), '@') != NULL)
		why = curl_easy_strerror(e);
	switch (e) {
	case CURLE_WRITE_ERROR:
		return cic_err_set(err, CIC_EIO, "%s: the answer is larger than "
		    "%zu KiB", call->label, call->ask->max >> 10);
	case CURLE_OPERATION_TIMEDOUT:
		return now_ms() >= call->http->deadline ? timed_out(call, err) :
		    cic_err_set(err, CIC_EAGAIN, "%s: no answer", call->label);
	case CURLE_PEER_FAILED_VERIFICATION:
		return cic_err_set(err, CIC_EIO, "%s: the server's certificate is "
		    "not trusted: %s; if an authority of your own signed it, say "
		    "its certificate as the registry's ca_file", call->label, why);
	case CURLE_SSL_CONNECT_ERROR:
		return cic_err_set(err, CIC_EIO, "%s: the server does not speak "
		    "https as we do: %s", call->label, why);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return cic_err_set(err, CIC_EAGAIN, "%s: %s", call->label, why);
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return cic_err_set(err, CIC_EAGAIN, "%s: %s", call->label,
		    curl_easy_strerror(e));
	default:
		return cic_err_set(err, CIC_EIO, "%s: %s", call->label,
		    curl_easy_strerror(e));
	}
}

static void
read_headers(struct call *call)
{
	struct cic_registry_answer *answer = call->answer;
	CURL *c = call->http->curl;
	struct curl_header *h;
	char *type = NULL;
	size_t i, n = 0;

	*answer->digest = *answer->challenge = '\0';
	if (curl_easy_header(c, "Docker-Content-Digest", 0, CURLH_HEADER, -1, &h)
	    == CURLHE_OK)
		snprintf(answer->digest, sizeof(answer->digest), "%s", h->value);
	for (i = 0; n < sizeof(answer->challenge) && curl_easy_header(c,
	    "WWW-Authenticate", i, CURLH_HEADER, -1, &h) == CURLHE_OK; i++)
		n += (size_t)snprintf(answer->challenge + n,
		    sizeof(answer->challenge) - n, "%s%s", i > 0 ? ", " : "",
		    h->value);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	answer->html = type != NULL && strncasecmp(type, "text/html", 9) == 0;
	answer->elsewhere = call->elsewhere;
}

/* Ask once; whatever the status is. */
static int
perform(struct call *call, const char *url, struct cic_err *err)
{
	struct cic_registry_http *http = call->http;
	int64_t left = http->deadline - now_ms();
	struct curl_slist *headers = NULL;
	char accept[512];
	CURLcode e;

	if (left <= 0)
		return timed_out(call, err);
	cic_buf_reset(&call->answer->body);
	*http->why = '\0';
	if (call->ask->accept != NULL) {
		snprintf(accept, sizeof(accept), "Accept: %s", call->ask->accept);
		headers = curl_slist_append(NULL, accept);
	}
	if ((call->ask->accept != NULL && headers == NULL) ||
	    !prepare(call, url, headers, left)) {
		curl_slist_free_all(headers);
		return cic_err_set(err, CIC_EIO, "%s: libcurl cannot be set up",
		    call->label);
	}
	e = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE,
	    &call->answer->status);
	if (e == CURLE_OK)
		read_headers(call);
	curl_slist_free_all(headers);
	if (http->registry->log_fd >= 0)
		dprintf(http->registry->log_fd, "registry: %s: %s %ld\n",
		    call->label, e == CURLE_OK ? "status" : "no answer, error",
		    e == CURLE_OK ? call->answer->status : (long)e);
	return e == CURLE_OK ? 0 : bad_transfer(call, e, err);
}

/* The seconds to wait that the server asks for, or our own. */
static int64_t
pause_ms(const struct call *call, unsigned try)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(call->http->curl, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds <= 0 || seconds > INT32_MAX)
		seconds = seconds <= 0 ? (curl_off_t)1 << try : INT32_MAX;
	return (int64_t)seconds * 1000;
}

/* Ask, and again as long as the server says "later" and there is time. */
static int
perform_patiently(struct call *call, const char *url, struct cic_err *err)
{
	struct cic_registry_http *http = call->http;
	unsigned try;

	for (try = 0;; try++) {
		int64_t ms;
		long status;

		if (perform(call, url, err) == -1)
			return -1;
		status = call->answer->status;
		if (status != 429 && status != 503)
			break;
		ms = pause_ms(call, try);
		if (try + 1 == TRIES || now_ms() + ms >= http->deadline)
			return cic_err_set(err, CIC_EAGAIN, "%s: status %ld: the "
			    "server is busy (%u tries)", call->label, status,
			    try + 1);
		nanosleep(&(struct timespec){ .tv_sec = ms / 1000,
		    .tv_nsec = ms % 1000 * 1000000 }, NULL);
	}
	if (call->answer->status >= 500)
		return cic_err_set(err, CIC_EAGAIN, "%s: the server failed with "
		    "status %ld", call->label, call->answer->status);
	return 0;
}

/* --- a question --------------------------------------------------------- */

static bool
is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 ||
	    status == 307 || status == 308;
}

static void
set_label(struct call *call)
{
	const struct place *p = &call->place;

	/* A stranger's path may be a secret of its own. */
	snprintf(call->label, sizeof(call->label), "%s %s://%s:%s%s",
	    call->ask->head ? "HEAD" : "GET", p->scheme, p->host, p->port,
	    call->elsewhere ? "" : p->path);
}

/* Go where the answer sends us: `url` is replaced. */
static int
follow(struct call *call, const struct place *first, char **url,
    struct cic_err *err)
{
	struct curl_header *to;
	char *text = NULL;
	CURLU *u;

	/* libcurl's own CURLINFO_REDIRECT_URL has user and password in it. */
	if (curl_easy_header(call->http->curl, "Location", 0, CURLH_HEADER, -1,
	    &to) != CURLHE_OK)
		return cic_err_set(err, CIC_EIO, "%s: status %ld without a "
		    "Location", call->label, call->answer->status);
	u = open_url(call->http, *url, to->value, "where it redirects to",
	    &call->place, err);
	if (u == NULL)
		return cic_err_wrap(err, "%s", call->label);
	free(*url);
	*url = curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK ?
	    strdup(text) : NULL;
	curl_free(text);
	curl_url_cleanup(u);
	if (*url == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	call->elsewhere = call->elsewhere || !same_origin(first, &call->place);
	set_label(call);
	return 0;
}

static int
ask_all(struct call *call, char **url, struct cic_err *err)
{
	struct place first;
	unsigned hops;
	CURLU *u = open_url(call->http, NULL, *url,
	    "the registry's address", &call->place, err);

	if (u == NULL)
		return -1;
	curl_url_cleanup(u);
	first = call->place;
	set_label(call);
	for (hops = 0;; hops++) {
		if (perform_patiently(call, *url, err) == -1)
			return -1;
		if (!is_redirect(call->answer->status))
			break;
		if (hops == REDIRECTS)
			return cic_err_set(err, CIC_EIO, "%s: more than %d "
			    "redirects", call->label, REDIRECTS);
		if (follow(call, &first, url, err) == -1)
			return -1;
	}
	if (call->answer->status / 100 != 2 && call->answer->status / 100 != 4)
		return cic_err_set(err, CIC_EIO, "%s: status %ld, which means "
		    "nothing here", call->label, call->answer->status);
	return 0;
}

int
cic_registry_http_ask(struct cic_registry_http *http,
    const struct cic_registry_ask *ask, struct cic_registry_answer *answer,
    struct cic_err *err)
{
	struct cic_registry_answer out = { .status = 0 };
	struct call call = { .http = http, .ask = ask, .answer = &out };
	char *url = strdup(ask->url);
	int r;

	cic_buf_init(&out.body, ask->max);
	r = url == NULL ? cic_err_set(err, CIC_EIO, "out of memory") :
	    ask_all(&call, &url, err);
	free(url);
	if (r == 0)
		*answer = out;
	else
		cic_buf_release(&out.body);
	return r;
}
