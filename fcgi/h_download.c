/*
 * /images/download/<file>, where the web server does not serve the folder by
 * itself: Apache has nobody else to ask whether a token is a live one.
 */
#include "route.h"

#include <string.h>

#include "app.h"
#include "file.h"
#include "log.h"
#include "req.h"
#include "resp.h"

/* *.sif or *.sif.sha256, as the worker publishes them; no temporary file. */
static bool
is_published(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	if (strspn(name, chars) != len || strchr("._-", name[0]) != NULL)
		return false;
	if (len > 7 && strcmp(name + len - 7, ".sha256") == 0)
		len -= 7;
	return len > 4 && strncmp(name + len - 4, ".sif", 4) == 0;
}

void
h_download(struct app *app, const struct req *req, const char *rest,
    struct resp *resp)
{
	char path[CIC_PATH_MAX];
	struct file file = { .path = path, .address = req->path,
	    .type = "application/octet-stream", .disposition = "attachment" };
	struct cic_err err = { .code = CIC_ENOENT };

	if (is_published(rest) && cic_path_format(path, &err, "%s/%s",
	    app->conf->images_location, rest) == 0 &&
	    file_answer(app, req, &file, resp, &err) == 0)
		return;
	if (err.code != CIC_ENOENT)
		cic_log_warnx("download of %s: %s", rest, err.msg);
	resp_problem(resp, err.code == CIC_ENOENT ? PROBLEM_NOT_FOUND :
	    PROBLEM_INTERNAL, "no such file");
}
