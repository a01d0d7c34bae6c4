/* Docker's engine by libcurl; see docker_api.h. */
#include "docker_api.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "feed.h"
#include "json.h"

#define ANSWER_MAX	(8u << 20)	/* bytes of an answer that is kept */
#define ADDRESS_MAX	1024
#define SECONDS		120		/* for what takes the engine moments */
#define SILENCE		600		/* of an engine that sends nothing more */
#define CHUNK		(512L << 10)	/* bytes read at a time */

struct call {
	const char	*method;
	const char	*body;		/* JSON, or NULL */
	char		 path[ADDRESS_MAX];
	const char	*what;		/* for messages: "inspect image x" */
	struct cic_feed	*feed;		/* a good answer goes here, … */
	struct cic_buf	 answer;	/* … or here, as a bad one does */
	CURL		*curl;
	long		 status;
	bool		 gone;		/* the feed's reader */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
init(void)
{
	curl_global_init(CURL_GLOBAL_NOTHING);
}

static size_t
take(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;

	if (call->status == 0)
		curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE,
		    &call->status);
	if (call->feed == NULL || call->status != 200) {
		cic_buf_add(&call->answer, data, size * n);
		return call->answer.failed ? 0 : size * n;
	}
	call->gone = cic_feed_put(call->feed, data, size * n) == -1;
	return call->gone ? 0 : size * n;
}

/* About once a second, also when the engine sends nothing. */
static int
go_on(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct call *call = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	call->gone = call->gone || (call->feed != NULL &&
	    cic_feed_stopped(call->feed));
	return call->gone;
}

static bool
prepare(const struct cic_docker *docker, struct call *call, char *url,
    struct curl_slist *headers)
{
	CURL *c = call->curl;

	return curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, docker->socket) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method) ==
	    CURLE_OK &&
	    (call->body == NULL ||
	    (curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK)) &&
	    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, CHUNK) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_TIMEOUT,
	    call->feed == NULL ? (long)SECONDS : 0L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SILENCE) ==
	    CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, go_on) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_XFERINFODATA, call) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, call) == CURLE_OK;
}

/* What the engine says is wrong, in one line of printable text. */
static int
bad_status(const struct call *call, struct cic_err *err)
{
	struct cic_err ignored;
	struct cic_json *json = cic_json_parse(call->answer.data,
	    call->answer.len, &ignored);
	const char *message = cic_json_get_string(json, "message");
	enum cic_code code = call->status == 404 ? CIC_ENOENT : CIC_EIO;

	if (message != NULL)
		cic_err_set(err, code, "%s: docker says: %s", call->what, message);
	else
		cic_err_set(err, code, "%s: docker answers with status %ld",
		    call->what, call->status);
	cic_json_free(json);
	return -1;
}

static int
bad_transfer(const struct cic_docker *docker, const struct call *call,
    CURLcode e, struct cic_err *err)
{
	long number = 0;

	curl_easy_getinfo(call->curl, CURLINFO_OS_ERRNO, &number);
	if (call->gone)
		return cic_err_set(err, CIC_EIO, "%s: given up", call->what);
	if (e == CURLE_COULDNT_CONNECT)
		return cic_err_set(err, number == EACCES ? CIC_EDENIED :
		    CIC_EAGAIN, "%s: no connection to docker at %s: %s; does its "
		    "daemon run, and may this user reach it?", call->what,
		    docker->socket, number != 0 ? strerror((int)number) :
		    curl_easy_strerror(e));
	return cic_err_set(err, CIC_EIO, "%s: docker ended the connection: %s",
	    call->what, curl_easy_strerror(e));
}

/* Do one call; 0 when the status is `good`. */
static int
perform(const struct cic_docker *docker, struct call *call, long good,
    struct cic_err *err)
{
	struct curl_slist *headers;
	char url[ADDRESS_MAX + 16];
	CURLcode e;
	int r = -1;

	pthread_once(&once, init);
	snprintf(url, sizeof(url), "http://docker%s", call->path);
	call->curl = curl_easy_init();
	headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (call->curl == NULL || headers == NULL ||
	    !prepare(docker, call, url, headers)) {
		cic_err_set(err, CIC_EIO, "%s: libcurl cannot be set up",
		    call->what);
		goto out;
	}
	e = curl_easy_perform(call->curl);
	curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &call->status);
	if (e != CURLE_OK)
		bad_transfer(docker, call, e, err);
	else if (call->status != good)
		bad_status(call, err);
	else
		r = 0;
out:
	curl_slist_free_all(headers);
	if (call->curl != NULL)
		curl_easy_cleanup(call->curl);
	return r;
}

/* Only what names and ids are made of: nothing that means something in an
 * address. */
static int
check_word(const char *word, const char *what, struct cic_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";
	size_t len = strlen(word);

	if (len == 0 || len > 512 || strspn(word, allowed) != len ||
	    strstr(word, "..") != NULL || *word == '/')
		return cic_err_set(err, CIC_EINVAL, "\"%.64s\" is no %s", word,
		    what);
	return 0;
}

/* A GET whose answer is a JSON text, appended to `json`. */
static int
get(const struct cic_docker *docker, struct call *call, struct cic_buf *json,
    struct cic_err *err)
{
	int r;

	call->method = "GET";
	cic_buf_init(&call->answer, ANSWER_MAX);
	r = perform(docker, call, 200, err);
	if (r == 0)
		cic_buf_add(json, call->answer.data, call->answer.len);
	cic_buf_release(&call->answer);
	return r;
}

int
cic_docker_inspect(const struct cic_docker *docker, const char *image,
    struct cic_buf *json, struct cic_err *err)
{
	char what[ADDRESS_MAX];
	struct call call = { .what = what };

	if (check_word(image, "image name", err) == -1)
		return -1;
	snprintf(what, sizeof(what), "image %s", image);
	snprintf(call.path, sizeof(call.path), "/images/%s/json", image);
	return get(docker, &call, json, err);
}

int
cic_docker_info(const struct cic_docker *docker, struct cic_buf *json,
    struct cic_err *err)
{
	struct call call = { .path = "/info", .what = "info" };

	return get(docker, &call, json, err);
}

static int
read_id(const struct cic_buf *answer, char container[CIC_DOCKER_CONTAINER],
    struct cic_err *err)
{
	struct cic_json *json = cic_json_parse(answer->data, answer->len, err);
	const char *id = cic_json_get_string(json, "Id");
	int r = -1;

	if (id != NULL && strlen(id) == CIC_DOCKER_CONTAINER - 1 &&
	    strspn(id, "0123456789abcdef") == CIC_DOCKER_CONTAINER - 1) {
		memcpy(container, id, CIC_DOCKER_CONTAINER);
		r = 0;
	} else
		cic_err_set(err, CIC_EIO, "docker gave no container id");
	cic_json_free(json);
	return r;
}

int
cic_docker_create(const struct cic_docker *docker, const char *image_id,
    const char *label, char container[CIC_DOCKER_CONTAINER],
    struct cic_err *err)
{
	struct call call = { .method = "POST", .path = "/containers/create",
	    .what = "create a container" };
	struct cic_buf body;
	int r = -1;

	cic_buf_init(&body, 4096);
	cic_buf_init(&call.answer, ANSWER_MAX);
	cic_buf_puts(&body, "{\"Image\":");
	cic_json_quote(&body, image_id);
	cic_buf_puts(&body, ",\"Labels\":{\"cic.build\":");
	cic_json_quote(&body, label);
	/* Without a command of its own an image cannot be created from. */
	cic_buf_puts(&body, "},\"Entrypoint\":[],\"Cmd\":[\"/never-started\"],"
	    "\"WorkingDir\":\"/\",\"HostConfig\":{\"NetworkMode\":\"none\"}}");
	call.body = body.data;
	if (body.failed)
		cic_err_set(err, CIC_EIO, "create a container: out of memory");
	else if (perform(docker, &call, 201, err) == 0)
		r = read_id(&call.answer, container, err);
	cic_buf_release(&body);
	cic_buf_release(&call.answer);
	return r;
}

int
cic_docker_export(const struct cic_docker *docker, const char *container,
    struct cic_feed *feed, struct cic_err *err)
{
	struct call call = { .method = "GET", .what = "export", .feed = feed };
	int r;

	if (check_word(container, "container", err) == -1)
		return -1;
	snprintf(call.path, sizeof(call.path), "/containers/%s/export", container);
	cic_buf_init(&call.answer, ANSWER_MAX);
	r = perform(docker, &call, 200, err);
	cic_buf_release(&call.answer);
	return r;
}

int
cic_docker_remove(const struct cic_docker *docker, const char *container,
    struct cic_err *err)
{
	struct call call = { .method = "DELETE", .what = "remove a container" };
	int r;

	if (check_word(container, "container", err) == -1)
		return -1;
	snprintf(call.path, sizeof(call.path), "/containers/%s?force=1&v=1",
	    container);
	cic_buf_init(&call.answer, ANSWER_MAX);
	r = perform(docker, &call, 204, err);
	cic_buf_release(&call.answer);
	return r;
}
