/* What would come of a request; see outlook.h. */
#include "outlook.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "path.h"

const char *
cic_would_name(enum cic_would would)
{
	static const char *const names[] = { [CIC_WOULD_ATTACH] = "attach",
	    [CIC_WOULD_NOTHING] = "nothing", [CIC_WOULD_BUILD] = "build" };

	return names[would];
}

static void say(struct cic_outlook *outlook, enum cic_would would,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void
say(struct cic_outlook *outlook, enum cic_would would, const char *fmt, ...)
{
	va_list ap;

	outlook->would = would;
	va_start(ap, fmt);
	vsnprintf(outlook->reason, sizeof(outlook->reason), fmt, ap);
	va_end(ap);
}

static bool
file_is_there(const struct cic_conf *conf, const struct cic_prospect *known)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct stat st;

	return cic_path_format(path, &ignored, "%s/%s", conf->images_location,
	    known->names.file) == 0 && stat(path, &st) == 0 &&
	    S_ISREG(st.st_mode) && (uint64_t)st.st_size == known->image.size;
}

/* Have the commits moved since?  Says so. */
static bool
has_moved(struct cic_outlook *outlook)
{
	const struct cic_prospect *known = &outlook->known;

	if (known->workflow_commit[0] == '\0' ||
	    known->catalog_commit[0] == '\0')
		say(outlook, CIC_WOULD_BUILD, "the commits are not known yet");
	else if (known->image_workflow[0] == '\0' ||
	    known->image_catalog[0] == '\0')
		say(outlook, CIC_WOULD_BUILD, "it is not known of which commits "
		    "the image is");
	else if (strcmp(known->workflow_commit, known->image_workflow) != 0)
		say(outlook, CIC_WOULD_BUILD, "the workflow has moved from "
		    "%.12s to %.12s", known->image_workflow,
		    known->workflow_commit);
	else if (strcmp(known->catalog_commit, known->image_catalog) != 0)
		say(outlook, CIC_WOULD_BUILD, "the software catalog has moved "
		    "from %.12s to %.12s", known->image_catalog,
		    known->catalog_commit);
	else
		return false;
	return true;
}

static void
say_exists(struct cic_outlook *outlook)
{
	time_t made = (time_t)(outlook->known.image_made / 1000);
	char date[32] = "a while ago";
	struct tm tm;

	if (gmtime_r(&made, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	say(outlook, CIC_WOULD_NOTHING, "this image exists since %s and nothing "
	    "has changed", date);
}

static void
judge(struct cic_outlook *outlook, const struct cic_conf *conf,
    const struct cic_request *request)
{
	const struct cic_prospect *known = &outlook->known;

	if (known->active[0] != '\0')
		say(outlook, CIC_WOULD_ATTACH, "the same request is in flight");
	else if (request->force)
		say(outlook, CIC_WOULD_BUILD, "force is set");
	else if (!known->has_image && request->container == CIC_DOCKER)
		say(outlook, CIC_WOULD_BUILD, "no such image yet, unless the "
		    "engine or the registry has it");
	else if (!known->has_image)
		say(outlook, CIC_WOULD_BUILD, "no such image yet");
	else if (cic_request_is_base(request))
		say(outlook, CIC_WOULD_BUILD, "what the base image is made of is "
		    "looked at each time");
	else if (!file_is_there(conf, known))
		say(outlook, CIC_WOULD_BUILD, "the image's file is gone");
	else if (request->push && !known->image_pushed)
		say(outlook, CIC_WOULD_BUILD, "the image was not pushed to the "
		    "registry yet");
	else if (!has_moved(outlook))
		say_exists(outlook);
}

int
cic_outlook(struct cic_store *store, const struct cic_conf *conf,
    const struct cic_request *request, struct cic_outlook *outlook,
    struct cic_err *err)
{
	if (cic_store_look(store, request, &outlook->known, err) != 0)
		return -1;
	judge(outlook, conf, request);
	return 0;
}
