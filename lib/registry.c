/* An image registry by its HTTP API; see registry.h. */
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "challenge.h"
#include "digest.h"
#include "image_name.h"
#include "json.h"
#include "oci.h"
#include "registry_http.h"

#define URL_MAX		1024
#define SMALL_MAX	(64u << 10)	/* bytes of a token service's answer */
#define TOKEN_MAX	(32u << 10)
#define DOCKER		"application/vnd.docker.distribution."
#define OCI_TYPE	"application/vnd.oci.image."
#define MANIFESTS	DOCKER "manifest.v2+json, " DOCKER \
    "manifest.list.v2+json, " OCI_TYPE "manifest.v1+json, " OCI_TYPE \
    "index.v1+json"

struct question {
	const struct cic_registry *registry;
	struct cic_registry_http *http;
	struct cic_image_name name;
	const char	*platform;
	bool		 chosen;	/* by its platform, in an index */
	bool		 proven;	/* we have said who we are, … */
	bool		 basic;		/* … so, … */
	char		*token;		/* … or with this */
};

/* A text of the registry that is not as it must be is not our caller's fault. */
static int
nonsense(struct cic_err *err, const char *what)
{
	err->code = CIC_EIO;
	return cic_err_wrap(err, "%s", what);
}

/* --- who we are --------------------------------------------------------- */

static int
read_token(struct question *q, const struct cic_buf *body, struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(body->data, body->len, err);
	const char *token = cic_json_get_string(json, "token");
	size_t len, i;
	int r = -1;

	if (json == NULL)
		/* The parser's message may show a piece of the text. */
		return cic_err_set(err, CIC_EIO, "the token service's answer is no "
		    "JSON");
	if (token == NULL)
		token = cic_json_get_string(json, "access_token");
	len = token == NULL ? 0 : strlen(token);
	for (i = 0; i < len && token[i] > ' ' && token[i] < 0x7f; i++)
		;
	if (len == 0 || len > TOKEN_MAX || i < len)
		cic_err_set(err, CIC_EIO, "the token service gave no token that "
		    "can be used");
	else if ((q->token = strdup(token)) == NULL)
		cic_err_set(err, CIC_EIO, "out of memory");
	else
		r = 0;
	cic_json_free(json);
	return r;
}

static int
token_refused(const struct question *q, long status, struct cic_err *err)
{
	if (status != 401 && status != 403)
		return cic_err_set(err, CIC_EIO, "the token service answers with "
		    "status %ld", status);
	if (*q->registry->user == '\0')
		return cic_err_set(err, CIC_EDENIED, "the token service gives "
		    "nothing to the nameless (status %ld): say the registry's user "
		    "and password", status);
	return cic_err_set(err, CIC_EDENIED, "the token service refuses user "
	    "\"%.100s\" (status %ld): check user and password", q->registry->user,
	    status);
}

static int
get_token(struct question *q, const struct cic_challenge *challenge,
    struct cic_err *err)
{
	char scope[CIC_IMAGE_PATH + 32];
	struct cic_registry_ask ask = { .max = SMALL_MAX,
	    .basic = *q->registry->user != '\0' };
	struct cic_registry_answer answer;
	char *url;
	int r;

	/* Asking to push makes services give a token for a repository that does
	 * not exist yet, which only then is not found instead of refused. */
	snprintf(scope, sizeof(scope), "repository:%s:pull%s", q->name.path,
	    q->registry->push ? ",push" : "");
	url = cic_registry_token_url(q->http, challenge->realm,
	    challenge->service, *challenge->scope != '\0' &&
	    !q->registry->push ? challenge->scope : scope, q->registry->user,
	    err);
	if (url == NULL)
		return -1;
	ask.url = url;
	r = cic_registry_http_ask(q->http, &ask, &answer, err);
	free(url);
	if (r == -1)
		return -1;
	r = answer.status == 200 ? read_token(q, &answer.body, err) :
	    token_refused(q, answer.status, err);
	cic_buf_release(&answer.body);
	return r;
}

/* Do as the registry's 401 asks. */
static int
prove(struct question *q, const char *text, struct cic_err *err)
{
	struct cic_challenge challenge;

	if (cic_challenge_parse(text, &challenge, err) == -1)
		return -1;
	q->proven = true;
	if (challenge.bearer)
		return get_token(q, &challenge, err);
	if (!challenge.basic)
		return cic_err_set(err, CIC_EDENIED, "the registry wants a proof of "
		    "who asks, and takes neither a token nor a password");
	if (*q->registry->user == '\0')
		return cic_err_set(err, CIC_EDENIED, "the registry wants a user and "
		    "a password: say them in the registry's settings");
	q->basic = true;
	return 0;
}

/* --- asking ------------------------------------------------------------- */

/* The registry's own word for what is wrong, " (WORD)", or "". */
static void
error_word(const struct cic_buf *body, char out[64])
{
	struct cic_err ignored;
	struct cic_json *json = cic_json_parse(body->data, body->len, &ignored);
	const char *code = cic_json_get_string(cic_json_first(cic_json_get(json,
	    "errors")), "code");

	*out = '\0';
	if (code != NULL && strlen(code) < 48 &&
	    strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(code))
		snprintf(out, 64, " (%s)", code);
	cic_json_free(json);
}

static int
bad_answer(const struct question *q, const struct cic_registry_answer *answer,
    const char *url, struct cic_err *err)
{
	long status = answer->status;
	char word[64];

	error_word(&answer->body, word);
	if (answer->elsewhere)
		return cic_err_set(err, CIC_EIO, "%s: the server that the registry "
		    "redirects to answers with status %ld", url, status);
	if (answer->html && status != 401 && status != 403)
		return cic_err_set(err, CIC_EIO, "%s: a web page with status %ld; "
		    "is that a registry?", url, status);
	if (status == 404)
		return cic_err_set(err, CIC_ENOENT, "the registry does not have it: "
		    "%s%s", url, word);
	if (status != 401 && status != 403)
		return cic_err_set(err, CIC_EIO, "%s: the registry answers with "
		    "status %ld%s", url, status, word);
	if (*q->registry->user == '\0')
		return cic_err_set(err, CIC_EDENIED, "the registry does not show it "
		    "to the nameless, status %ld%s: check whether the repository "
		    "exists, or say the registry's user and password", status, word);
	return cic_err_set(err, CIC_EDENIED, "the registry refuses user "
	    "\"%.100s\", status %ld%s: check user and password, whether the user "
	    "may pull, and whether the repository exists", q->registry->user,
	    status, word);
}

/* Ask; once more after proving who we are. */
static int
ask(struct question *q, struct cic_registry_ask *what,
    struct cic_registry_answer *answer, struct cic_err *err)
{
	for (;;) {
		what->token = q->token;
		what->basic = q->basic;
		if (cic_registry_http_ask(q->http, what, answer, err) == -1)
			return -1;
		if (answer->status != 401 || answer->elsewhere || q->proven)
			break;
		cic_buf_release(&answer->body);
		if (prove(q, answer->challenge, err) == -1)
			return -1;
	}
	if (answer->status == 200)
		return 0;
	bad_answer(q, answer, what->url, err);
	cic_buf_release(&answer->body);
	return -1;
}

/* The address of "manifests" or "blobs" `what`, a tag or digest. */
static void
set_url(const struct question *q, const char *kind, const char *what,
    char url[URL_MAX])
{
	const char *host = q->name.host;

	/* Docker Hub's name is not where its registry is. */
	if (strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0)
		host = "registry-1.docker.io";
	snprintf(url, URL_MAX, "%s://%s/v2/%s/%s/%s", q->name.loopback &&
	    *q->registry->ca_file == '\0' ? "http" : "https", host, q->name.path,
	    kind, what);
}

/* What the text's digest should be, by the header and by who named it. */
static int
check_digest(const struct cic_registry_answer *answer, const char *want,
    const char *have, struct cic_err *err)
{
	const char *says = answer->digest;

	if (*want != '\0' && strcmp(want, have) != 0)
		return cic_err_set(err, CIC_EIO, "the registry sent something else "
		    "for %s: its digest is %s", want, have);
	if (strncmp(says, "sha256:", 7) == 0 && strcmp(says, have) != 0)
		return cic_err_set(err, CIC_EIO, "the registry says the digest is "
		    "%s, and it is %s", says, have);
	return 0;
}

/*
 * Fetch a JSON text and check its digest.
 *
 * want     its digest, or "": whatever it is
 * digest   gets what it is
 * text     gets the text; release it, also after a failure
 */
static struct cic_json *
fetch(struct question *q, struct cic_registry_ask *what, const char *want,
    char digest[CIC_DIGEST_MAX], struct cic_buf *text, struct cic_err *err)
{
	struct cic_registry_answer answer;
	struct cic_json *json = NULL;
	char hex[CIC_SHA256_HEX];

	if (ask(q, what, &answer, err) == -1)
		return NULL;
	cic_digest_mem(answer.body.data, answer.body.len, hex);
	snprintf(digest, CIC_DIGEST_MAX, "sha256:%s", hex);
	if (check_digest(&answer, want, digest, err) == 0) {
		json = cic_json_parse(answer.body.data, answer.body.len, err);
		if (json == NULL)
			nonsense(err, what->url);
	}
	*text = answer.body;
	return json;
}

/* --- manifests ---------------------------------------------------------- */

/* The digest of the index's manifest for the platform. */
static int
choose(struct question *q, const struct cic_json *index,
    char digest[CIC_DIGEST_MAX], struct cic_err *err)
{
	struct cic_oci_want want = { .form = CIC_OCI_LAYOUT, .reference = "",
	    .platform = q->platform };
	const struct cic_json *list = cic_json_get(index, "manifests"), *found;
	char hex[CIC_SHA256_HEX];

	if (cic_json_type(list) != CIC_JSON_ARRAY)
		return cic_err_set(err, CIC_EIO, "the index's \"manifests\" is %s, "
		    "not an array", cic_json_type_name(list));
	found = cic_oci_choose(&want, list, false, err);
	if (found == NULL)
		return -1;
	if (cic_oci_digest(cic_json_get_string(found, "digest"), hex, err) == -1)
		return nonsense(err, "the index");
	snprintf(digest, CIC_DIGEST_MAX, "sha256:%s", hex);
	q->chosen = q->chosen || cic_json_get(found, "platform") != NULL;
	return 0;
}

/* The digest of the configuration that a manifest names. */
static int
read_manifest(const struct cic_json *manifest, char digest[CIC_DIGEST_MAX],
    struct cic_err *err)
{
	const struct cic_json *config = cic_json_get(manifest, "config");
	const char *type = cic_json_get_string(config, "mediaType");
	char hex[CIC_SHA256_HEX];

	if (cic_json_get(manifest, "fsLayers") != NULL)
		return cic_err_set(err, CIC_EIO, "an image of the old form (schema "
		    "1): push it again with a client of today");
	if (type != NULL && strcmp(type, OCI_TYPE "config.v1+json") != 0 &&
	    strcmp(type, "application/vnd.docker.container.image.v1+json") != 0)
		return cic_err_set(err, CIC_EIO, "that is no container image: its "
		    "configuration is of type %.100s", type);
	if (cic_oci_digest(cic_json_get_string(config, "digest"), hex, err) == -1)
		return nonsense(err, "the manifest's configuration");
	snprintf(digest, CIC_DIGEST_MAX, "sha256:%s", hex);
	return 0;
}

/* From the name, by way of indexes, to the manifest. */
static int
find_manifest(struct question *q, struct cic_registry_image *out,
    struct cic_err *err)
{
	char url[URL_MAX], want[CIC_DIGEST_MAX];
	struct cic_registry_ask what = { .url = url, .accept = MANIFESTS,
	    .max = CIC_REGISTRY_MANIFEST };
	bool by_name = *q->name.digest == '\0', more = true;
	unsigned depth;
	int r = 0;

	strcpy(want, q->name.digest);
	for (depth = 0; r == 0 && more; depth++) {
		struct cic_json *json;
		struct cic_buf text = { .cap = 0 };

		if (depth > CIC_OCI_NESTED)
			return cic_err_set(err, CIC_EIO, "indexes in indexes, more "
			    "than %d deep", CIC_OCI_NESTED);
		set_url(q, "manifests", by_name && depth == 0 ? q->name.tag : want,
		    url);
		json = fetch(q, &what, want, out->digest, &text, err);
		more = cic_json_get(json, "manifests") != NULL;
		r = json == NULL ? -1 : more ? choose(q, json, want, err) :
		    read_manifest(json, out->image_id, err);
		cic_json_free(json);
		cic_buf_release(&text);
	}
	return r;
}

static int
find_config(struct question *q, const char *digest, struct cic_buf *config,
    struct cic_err *err)
{
	char url[URL_MAX], have[CIC_DIGEST_MAX];
	struct cic_registry_ask what = { .url = url, .max = CIC_REGISTRY_CONFIG };
	struct cic_buf text = { .cap = 0 };
	struct cic_json *json;
	int r = -1;

	set_url(q, "blobs", digest, url);
	json = fetch(q, &what, digest, have, &text, err);
	if (json != NULL && cic_json_type(json) != CIC_JSON_OBJECT)
		cic_err_set(err, CIC_EIO, "the image's configuration is %s, not an "
		    "object", cic_json_type_name(json));
	else if (json != NULL)
		r = q->chosen ? 0 : cic_oci_check_platform(json, q->platform, err);
	if (r == 0 && config != NULL) {
		cic_buf_add(config, text.data, text.len);
		if (config->failed)
			r = cic_err_set(err, CIC_EIO, "the image's configuration has "
			    "%zu bytes, more than there is room for", text.len);
	}
	cic_json_free(json);
	cic_buf_release(&text);
	return r;
}

/* --- the whole ---------------------------------------------------------- */

/* Is it there?  Asked with HEAD first, which registries count and limit less. */
static int
exists(struct question *q, struct cic_err *err)
{
	char url[URL_MAX];
	struct cic_registry_ask what = { .url = url, .accept = MANIFESTS,
	    .head = true, .max = SMALL_MAX };
	struct cic_registry_answer answer;

	set_url(q, "manifests", *q->name.digest != '\0' ? q->name.digest :
	    q->name.tag, url);
	if (ask(q, &what, &answer, err) == -1)
		return -1;
	cic_buf_release(&answer.body);
	return 0;
}

static int
find(struct question *q, struct cic_registry_image *out, struct cic_err *err)
{
	struct cic_registry_image found = { .config = out->config };

	if (exists(q, err) == -1 || find_manifest(q, &found, err) == -1 ||
	    find_config(q, found.image_id, found.config, err) == -1)
		return -1;
	*out = found;
	return 0;
}

int
cic_registry_find(const struct cic_registry *registry, const char *image,
    const char *platform, struct cic_registry_image *out, struct cic_err *err)
{
	struct question q = { .registry = registry, .platform = platform };
	int r = -1;

	if (cic_image_name_parse(image, &q.name, err) == -1)
		return -1;
	if (strchr(registry->user, ':') != NULL)
		return cic_err_set(err, CIC_EINVAL, "the registry's user has a "
		    "colon in it, which HTTP's Basic authentication cannot say");
	q.http = cic_registry_http_new(registry, q.name.loopback, err);
	if (q.http != NULL)
		r = find(&q, out, err);
	cic_registry_http_free(q.http);
	if (q.token != NULL)
		explicit_bzero(q.token, strlen(q.token));
	free(q.token);
	return r == 0 ? 0 : cic_err_wrap(err, "image %.300s", image);
}

bool
cic_registry_is_image(const struct cic_registry_image *image, const char *id)
{
	return strcmp(image->image_id, id) == 0 ||
	    strcmp(image->digest, id) == 0;
}
