/* Saved images; see oci.h. */
#include "oci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "json.h"

#define REF_NAME	"org.opencontainers.image.ref.name"

struct search {
	struct cic_bundle *bundle;
	const struct cic_oci_want *want;
	struct cic_oci	*oci;
	char		 digest[CIC_SHA256_HEX];	/* of the last text read */
	bool		 chosen;	/* by its platform, in an index */
};

/* --- texts -------------------------------------------------------------- */

/* Parse a file of the bundle; `sha256` is what its digest must be, or NULL. */
static struct cic_json *
read_json(struct search *s, const char *name, const char *sha256,
    struct cic_err *err)
{
	struct cic_json *json = NULL;
	struct cic_buf text;

	cic_buf_init(&text, CIC_OCI_TEXT);
	if (cic_bundle_read(s->bundle, name, &text, err) == -1)
		goto out;
	cic_digest_mem(text.data, text.len, s->digest);
	if (sha256 != NULL && strcmp(s->digest, sha256) != 0) {
		cic_err_set(err, CIC_EINVAL, "%.200s: damaged: its sha256 is %s",
		    name, s->digest);
		goto out;
	}
	json = cic_json_parse(text.data, text.len, err);
	if (json == NULL)
		cic_err_wrap(err, "%.200s", name);
out:
	cic_buf_release(&text);
	return json;
}

/* "sha256:<64 digits>" -> the digits. */
int
cic_oci_digest(const char *text, char hex[CIC_SHA256_HEX], struct cic_err *err)
{
	if (text == NULL || strncmp(text, "sha256:", 7) != 0 ||
	    strlen(text) != 71 || strspn(text + 7, "0123456789abcdef") != 64)
		return cic_err_set(err, CIC_EINVAL, "digest \"%.100s\" is no "
		    "sha256:<64 digits>", text == NULL ? "" : text);
	memcpy(hex, text + 7, CIC_SHA256_HEX);
	return 0;
}

static void
blob_name(const char *hex, char name[CIC_OCI_NAME])
{
	snprintf(name, CIC_OCI_NAME, "blobs/sha256/%s", hex);
}

/* The member of an object that must be an array. */
static const struct cic_json *
array(const struct cic_json *json, const char *key, struct cic_err *err)
{
	const struct cic_json *v = cic_json_get(json, key);

	if (v != NULL && cic_json_type(v) == CIC_JSON_ARRAY)
		return v;
	cic_err_set(err, CIC_EINVAL, "\"%s\" is %s, not an array", key,
	    cic_json_type_name(v));
	return NULL;
}

/* --- configuration ------------------------------------------------------ */

/* The configuration in the words of `image inspect`. */
static int
set_config(struct search *s, const struct cic_json *json, struct cic_err *err)
{
	static const char *const key[][2] = {
		{ "architecture", "Architecture" }, { "created", "Created" },
		{ "config", "Config" },
	};
	struct cic_buf b;
	size_t i, n = 0;

	if (cic_json_type(cic_json_get(json, "rootfs")) != CIC_JSON_OBJECT)
		return cic_err_set(err, CIC_EINVAL, "the configuration has no "
		    "\"rootfs\": this is no container image");
	cic_buf_init(&b, CIC_OCI_TEXT);
	cic_buf_putc(&b, '{');
	for (i = 0; i < sizeof(key) / sizeof(key[0]); i++) {
		const struct cic_json *v = cic_json_get(json, key[i][0]);

		if (v == NULL)
			continue;
		cic_buf_printf(&b, "%s\"%s\":", n++ > 0 ? "," : "", key[i][1]);
		cic_json_print(&b, v);
	}
	cic_buf_putc(&b, '}');
	s->oci->config = cic_buf_detach(&b);
	cic_buf_release(&b);
	if (s->oci->config == NULL)
		return cic_err_set(err, CIC_EINVAL, "the configuration is larger "
		    "than %u MiB", CIC_OCI_TEXT >> 20);
	return 0;
}

/* "os/arch[/variant]" of a configuration or an index's platform object. */
static void
platform_of(const struct cic_json *json, char out[128])
{
	const char *os = cic_json_get_string(json, "os");
	const char *arch = cic_json_get_string(json, "architecture");
	const char *variant = cic_json_get_string(json, "variant");

	snprintf(out, 128, "%.40s/%.40s%s%.40s", os == NULL ? "linux" : os,
	    arch == NULL ? "unknown" : arch, variant == NULL ? "" : "/",
	    variant == NULL ? "" : variant);
}

/* "linux/arm64" means "linux/arm64/v8" too. */
static bool
same_platform(const char *want, const char *have)
{
	size_t len = strlen(want);

	return strncmp(want, have, len) == 0 &&
	    (have[len] == '\0' || have[len] == '/');
}

/* A platform that was asked for must be the image's. */
int
cic_oci_check_platform(const struct cic_json *config, const char *platform,
    struct cic_err *err)
{
	char have[128];

	platform_of(config, have);
	if (*platform == '\0' || same_platform(platform, have))
		return 0;
	return cic_err_set(err, CIC_ENOENT, "the image is for %s, not for %s",
	    have, platform);
}

/* --- layers ------------------------------------------------------------- */

static struct cic_oci_layer *
new_layer(struct search *s, const char *name, struct cic_err *err)
{
	struct cic_oci_layer *layer;

	if (s->oci->count == CIC_OCI_LAYERS) {
		cic_err_set(err, CIC_EINVAL, "over %u layers", CIC_OCI_LAYERS);
		return NULL;
	}
	if (strlen(name) >= CIC_OCI_NAME) {
		cic_err_set(err, CIC_EINVAL, "layer name of %zu bytes", strlen(name));
		return NULL;
	}
	if (s->oci->layer == NULL)
		s->oci->layer = calloc(CIC_OCI_LAYERS, sizeof(*layer));
	if (s->oci->layer == NULL) {
		cic_err_set(err, CIC_EIO, "out of memory");
		return NULL;
	}
	layer = &s->oci->layer[s->oci->count++];
	strcpy(layer->name, name);
	return cic_bundle_find(s->bundle, name, &layer->part, err) == 0 ? layer :
	    NULL;
}

/* A descriptor's size, where it says one, must be the file's. */
static int
check_size(const struct cic_json *descriptor, const char *name, uint64_t have,
    struct cic_err *err)
{
	int64_t size = cic_json_int(cic_json_get(descriptor, "size"), -1);

	if (size < 0 || (uint64_t)size == have)
		return 0;
	return cic_err_set(err, CIC_EINVAL, "%.200s: %llu bytes, and should be "
	    "%lld", name, (unsigned long long)have, (long long)size);
}

static int
oci_layer(struct search *s, const struct cic_json *descriptor,
    struct cic_err *err)
{
	const char *type = cic_json_get_string(descriptor, "mediaType");
	char hex[CIC_SHA256_HEX], name[CIC_OCI_NAME];
	struct cic_oci_layer *layer;

	if (type != NULL && strstr(type, "encrypted") != NULL)
		return cic_err_set(err, CIC_EINVAL, "a layer is encrypted");
	if (cic_oci_digest(cic_json_get_string(descriptor, "digest"), hex, err) == -1)
		return -1;
	blob_name(hex, name);
	layer = new_layer(s, name, err);
	if (layer == NULL)
		return -1;
	memcpy(layer->sha256, hex, sizeof(hex));
	return check_size(descriptor, name, layer->part.size, err);
}

/* --- OCI layout --------------------------------------------------------- */

static int read_blob(struct search *s, const struct cic_json *descriptor,
    int depth, struct cic_err *err);

/* A manifest or an index says which it is, and is not both. */
static bool
is_index(const struct cic_json *json)
{
	return cic_json_get(json, "manifests") != NULL;
}

static int
read_manifest(struct search *s, const struct cic_json *json, struct cic_err *err)
{
	const struct cic_json *descriptor = cic_json_get(json, "config"), *v;
	const struct cic_json *layers = array(json, "layers", err);
	char name[CIC_OCI_NAME];
	struct cic_json *config;
	int r;

	if (layers == NULL || cic_oci_digest(cic_json_get_string(descriptor,
	    "digest"), s->oci->id, err) == -1)
		return -1;
	blob_name(s->oci->id, name);
	config = read_json(s, name, s->oci->id, err);
	if (config == NULL)
		return -1;
	r = s->chosen ? 0 : cic_oci_check_platform(config, s->want->platform, err);
	if (r == 0)
		r = set_config(s, config, err);
	cic_json_free(config);
	for (v = cic_json_first(layers); r == 0 && v != NULL; v = cic_json_next(v))
		r = oci_layer(s, v, err);
	return r;
}

/* What an index lists, for people who have to choose. */
static void
list_one(struct cic_buf *list, const struct cic_json *descriptor)
{
	const struct cic_json *platform = cic_json_get(descriptor, "platform");
	const char *ref = cic_json_get_string(cic_json_get(descriptor,
	    "annotations"), REF_NAME);
	char text[128];

	cic_buf_puts(list, list->len > 0 ? ", " : "");
	if (ref != NULL)
		cic_buf_printf(list, "%.100s", ref);
	if (platform != NULL) {
		platform_of(platform, text);
		cic_buf_printf(list, "%s%s", ref != NULL ? " for " : "", text);
	}
	if (ref == NULL && platform == NULL)
		cic_buf_printf(list, "%.20s", cic_json_get_string(descriptor,
		    "digest") == NULL ? "?" : cic_json_get_string(descriptor,
		    "digest"));
}

/* Is it one of those we look for?  The reference counts at the top only. */
static bool
matches(const struct cic_oci_want *want, const struct cic_json *descriptor,
    const char *platform, bool top)
{
	const struct cic_json *p = cic_json_get(descriptor, "platform");
	const char *ref = cic_json_get_string(cic_json_get(descriptor,
	    "annotations"), REF_NAME);
	char have[128];

	if (top && *want->reference != '\0' &&
	    (ref == NULL || strcmp(ref, want->reference) != 0))
		return false;
	platform_of(p, have);
	/* attestations: no image, whatever is asked for */
	if (strcmp(have, "unknown/unknown") == 0)
		return false;
	return *platform == '\0' || p == NULL || same_platform(platform, have);
}

/* The one descriptor of an index that is meant; NULL with err. */
const struct cic_json *
cic_oci_choose(const struct cic_oci_want *want,
    const struct cic_json *manifests, bool top, struct cic_err *err)
{
	const char *platform[] = { *want->platform != '\0' ? want->platform :
	    "", *want->platform != '\0' ? want->platform :
	    cic_oci_host_platform() };
	const struct cic_json *v, *found = NULL;
	unsigned tries, n = 0;
	struct cic_buf list;

	/* First without a platform nobody asked for: one image is taken
	 * whatever it is for. */
	for (tries = 0; tries < 2 && n != 1; tries++) {
		n = 0;
		for (v = cic_json_first(manifests); v != NULL; v = cic_json_next(v)) {
			if (!matches(want, v, platform[tries], top))
				continue;
			found = v;
			n++;
		}
	}
	if (n == 1)
		return found;
	cic_buf_init(&list, 600);
	for (v = cic_json_first(manifests); v != NULL; v = cic_json_next(v)) {
		if (matches(want, v, "", false))
			list_one(&list, v);
	}
	cic_err_set(err, CIC_ENOENT, "%s image%s%s for %s; there %s: %s",
	    n == 0 ? "no" : "more than one", *want->reference != '\0' && top ?
	    " " : "", top ? want->reference : "", platform[1],
	    cic_json_first(manifests) == NULL ? "is none" : "are",
	    list.data);
	cic_buf_release(&list);
	return NULL;
}

static int
read_index(struct search *s, const struct cic_json *json, int depth,
    struct cic_err *err)
{
	const struct cic_json *manifests = array(json, "manifests", err);
	const struct cic_json *descriptor;

	if (manifests == NULL)
		return -1;
	if (cic_json_get(json, "layers") != NULL)
		return cic_err_set(err, CIC_EINVAL,
		    "both an index and a manifest");
	if (depth == CIC_OCI_NESTED)
		return cic_err_set(err, CIC_EINVAL, "indexes in indexes, more "
		    "than %d deep", CIC_OCI_NESTED);
	descriptor = cic_oci_choose(s->want, manifests, depth == 0, err);
	if (descriptor == NULL)
		return -1;
	if (cic_json_get(descriptor, "platform") != NULL)
		s->chosen = true;
	return read_blob(s, descriptor, depth + 1, err);
}

static int
read_blob(struct search *s, const struct cic_json *descriptor, int depth,
    struct cic_err *err)
{
	char hex[CIC_SHA256_HEX], name[CIC_OCI_NAME];
	struct cic_json *json;
	int r;

	if (cic_oci_digest(cic_json_get_string(descriptor, "digest"), hex, err) == -1)
		return -1;
	blob_name(hex, name);
	json = read_json(s, name, hex, err);
	if (json == NULL)
		return -1;
	r = is_index(json) ? read_index(s, json, depth, err) :
	    read_manifest(s, json, err);
	cic_json_free(json);
	return r == 0 ? 0 : cic_err_wrap(err, "%.27s", name);
}

static int
open_layout(struct search *s, struct cic_err *err)
{
	struct cic_json *json = read_json(s, "index.json", NULL, err);
	int r;

	if (json == NULL)
		return cic_err_wrap(err, "this is no OCI layout");
	r = read_index(s, json, 0, err);
	cic_json_free(json);
	return r == 0 ? 0 : cic_err_wrap(err, "index.json");
}

/* --- docker save -------------------------------------------------------- */

static bool
has_tag(const struct cic_json *image, const char *reference)
{
	const struct cic_json *v = cic_json_first(cic_json_get(image, "RepoTags"));

	for (; v != NULL; v = cic_json_next(v)) {
		if (cic_json_string(v) != NULL &&
		    strcmp(cic_json_string(v), reference) == 0)
			return true;
	}
	return false;
}

static const struct cic_json *
choose_tag(const struct search *s, const struct cic_json *manifest,
    struct cic_err *err)
{
	const struct cic_json *v, *found = NULL;
	struct cic_buf list;
	unsigned n = 0;

	cic_buf_init(&list, 600);
	for (v = cic_json_first(manifest); v != NULL; v = cic_json_next(v)) {
		cic_buf_puts(&list, list.len > 0 ? ", " : "");
		if (cic_json_get(v, "RepoTags") != NULL)
			cic_json_print(&list, cic_json_get(v, "RepoTags"));
		if (*s->want->reference != '\0' && !has_tag(v, s->want->reference))
			continue;
		found = v;
		n++;
	}
	if (n != 1) {
		cic_err_set(err, CIC_ENOENT, "%s image%s%s; there are: %s",
		    n == 0 ? "no" : "more than one", *s->want->reference != '\0' ?
		    " " : "", s->want->reference, list.data);
		found = NULL;
	}
	cic_buf_release(&list);
	return found;
}

/* "blobs/sha256/<digits>" names its own digest; true when it does. */
static bool
digest_in_name(const char *name, char hex[CIC_SHA256_HEX])
{
	if (strncmp(name, "blobs/sha256/", 13) != 0 || strlen(name) != 77 ||
	    strspn(name + 13, "0123456789abcdef") != 64)
		return false;
	memcpy(hex, name + 13, CIC_SHA256_HEX);
	return true;
}

static bool
is_compressed(const struct cic_part *part)
{
	unsigned char magic[4] = { 0 };

	return pread(part->fd, magic, sizeof(magic), (off_t)part->offset) == 4 &&
	    (memcmp(magic, "\x1f\x8b", 2) == 0 ||
	    memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0);
}

/* A layer, "<id>/layer.tar".  The configuration has the digests of them all, as
 * they are when they are not compressed. */
static int
docker_layer(struct search *s, const struct cic_json *name,
    const struct cic_json *diff_id, struct cic_err *err)
{
	struct cic_oci_layer *layer;

	if (cic_json_string(name) == NULL || cic_json_string(diff_id) == NULL)
		return cic_err_set(err, CIC_EINVAL, "Layers and the "
		    "configuration's rootfs.diff_ids do not agree");
	layer = new_layer(s, cic_json_string(name), err);
	if (layer == NULL)
		return -1;
	if (digest_in_name(layer->name, layer->sha256) ||
	    is_compressed(&layer->part))
		return 0;
	return cic_oci_digest(cic_json_string(diff_id), layer->sha256, err);
}

static int
read_docker(struct search *s, const struct cic_json *image, struct cic_err *err)
{
	const struct cic_json *layers = array(image, "Layers", err), *v, *id;
	const char *name = cic_json_get_string(image, "Config");
	char hex[CIC_SHA256_HEX];
	struct cic_json *config;
	int r;

	if (layers == NULL)
		return -1;
	if (name == NULL)
		return cic_err_set(err, CIC_EINVAL, "\"Config\" is missing");
	config = read_json(s, name, digest_in_name(name, hex) ? hex : NULL, err);
	if (config == NULL)
		return -1;
	memcpy(s->oci->id, s->digest, sizeof(s->digest));
	r = cic_oci_check_platform(config, s->want->platform, err);
	if (r == 0)
		r = set_config(s, config, err);
	id = cic_json_first(cic_json_get(cic_json_get(config, "rootfs"),
	    "diff_ids"));
	for (v = cic_json_first(layers); r == 0 && v != NULL;
	    v = cic_json_next(v), id = cic_json_next(id))
		r = docker_layer(s, v, id, err);
	if (r == 0 && id != NULL)
		r = cic_err_set(err, CIC_EINVAL, "fewer Layers than the "
		    "configuration's rootfs.diff_ids");
	cic_json_free(config);
	return r;
}

static int
open_docker(struct search *s, struct cic_err *err)
{
	struct cic_json *json = read_json(s, "manifest.json", NULL, err);
	const struct cic_json *image;
	int r = -1;

	if (json == NULL)
		return cic_err_wrap(err, "this is no `docker save` archive");
	if (cic_json_type(json) != CIC_JSON_ARRAY)
		cic_err_set(err, CIC_EINVAL, "%s, not an array",
		    cic_json_type_name(json));
	else {
		image = choose_tag(s, json, err);
		if (image != NULL)
			r = read_docker(s, image, err);
	}
	cic_json_free(json);
	return r == 0 ? 0 : cic_err_wrap(err, "manifest.json");
}

/* --- the whole ---------------------------------------------------------- */

int
cic_oci_open(struct cic_bundle *bundle, const struct cic_oci_want *want,
    struct cic_oci *oci, struct cic_err *err)
{
	struct cic_oci found = { .config = NULL };
	struct search s = { .bundle = bundle, .want = want, .oci = &found };
	int r = want->form == CIC_OCI_LAYOUT ? open_layout(&s, err) :
	    open_docker(&s, err);

	if (r == 0)
		*oci = found;
	else
		cic_oci_release(&found);
	return r;
}

void
cic_oci_release(struct cic_oci *oci)
{
	free(oci->config);
	free(oci->layer);
	*oci = (struct cic_oci){ .config = NULL };
}

const char *
cic_oci_host_platform(void)
{
	static const struct { const char *machine, *platform; } known[] = {
		{ "x86_64", "linux/amd64" }, { "aarch64", "linux/arm64" },
		{ "ppc64le", "linux/ppc64le" }, { "riscv64", "linux/riscv64" },
		{ "s390x", "linux/s390x" }, { "i686", "linux/386" },
		{ "armv7l", "linux/arm/v7" },
	};
	struct utsname u;
	size_t i;

	for (i = 0; uname(&u) == 0 && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(u.machine, known[i].machine) == 0)
			return known[i].platform;
	}
	return "linux/amd64";
}
