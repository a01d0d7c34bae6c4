/* Images in files: docker-archive, oci-archive, oci; see origin.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "err.h"
#include "origin_kinds.h"
#include "path.h"

static int
close_saved(struct cic_origin *origin, struct cic_err *err)
{
	(void)err;
	cic_bundle_free(origin->own);
	return 0;
}

static void
abort_saved(struct cic_origin *origin)
{
	(void)origin;	/* there is nothing of it outside this process */
}

/* "FILE:REFERENCE" where there is no file of the whole name: cut in two.
 * Returns the reference. */
static const char *
split(char *path)
{
	char *colon;

	if (access(path, F_OK) == 0)
		return "";
	/* a reference may hold a colon itself: name:tag */
	for (colon = strchr(path, ':'); colon != NULL;
	    colon = strchr(colon + 1, ':')) {
		*colon = '\0';
		if (access(path, F_OK) == 0)
			return colon + 1;
		*colon = ':';
	}
	return "";
}

int
cic_origin_saved(enum cic_oci_form form, const char *path,
    const struct cic_origin_options *options, struct cic_origin *origin,
    struct cic_err *err)
{
	struct cic_oci_want want = { .form = form, .platform = options->platform };
	char name[CIC_PATH_MAX];
	struct cic_bundle *bundle;

	if (cic_path_format(name, err, "%s", path) == -1)
		return -1;
	want.reference = split(name);
	bundle = cic_bundle_open(name, err);
	if (bundle == NULL)
		return -1;
	if (cic_oci_open(bundle, &want, &origin->oci, err) == -1) {
		cic_bundle_free(bundle);
		return cic_err_wrap(err, "%s", name);
	}
	origin->config = strdup(origin->oci.config);
	if (origin->config == NULL) {
		cic_bundle_free(bundle);
		return cic_err_set(err, CIC_EIO, "out of memory");
	}
	snprintf(origin->id, sizeof(origin->id), "sha256:%s", origin->oci.id);
	origin->own = bundle;
	origin->close = close_saved;
	origin->abort = abort_saved;
	return 0;
}
