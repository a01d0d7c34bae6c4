/*
 * oci.h: saved images made by hand, and which one of them is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundle.h"
#include "digest.h"
#include "err.h"
#include "folder.h"
#include "mktar.h"
#include "oci.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define MORE "\"os\":\"linux\",\"created\":\"2024-01-02T03:04:05Z\",\"config\":" \
    "{\"Cmd\":[\"sh\"]},\"history\":[{}]"

static struct cic_buf b;	/* the archive being made */
static struct cic_bundle *bundle;
static struct cic_oci oci;
static struct cic_oci_want want;
static char seen[40][CIC_SHA256_HEX];	/* blobs in b */
static size_t nseen;

static int
setup(void **state)
{
	mktar_init(&b);
	nseen = 0;
	want = (struct cic_oci_want){ .form = CIC_OCI_LAYOUT, .reference = "",
	    .platform = "" };
	return folder_make(state);
}

static int
teardown(void **state)
{
	cic_oci_release(&oci);
	cic_bundle_free(bundle);
	bundle = NULL;
	cic_buf_release(&b);
	return folder_remove(state);
}

/* --- making an image ---------------------------------------------------- */

/* printf; good until the 32nd call after this one. */
static char * __attribute__((format(printf, 1, 2)))
format(const char *fmt, ...)
{
	static char *texts[32];
	static size_t n;
	va_list ap;
	char *p;

	va_start(ap, fmt);
	assert_true(vasprintf(&p, fmt, ap) != -1);
	va_end(ap);
	n = (n + 1) % 32;
	free(texts[n]);
	return texts[n] = p;
}

/* A file of the archive. */
static void
put(const char *name, const char *text)
{
	mktar_file(&b, name, text);
}

/* A blob; its digest, good until the test ends. */
static const char *
blob(const char *text)
{
	char hex[CIC_SHA256_HEX];
	size_t i;

	cic_digest_mem(text, strlen(text), hex);
	for (i = 0; i < nseen && strcmp(seen[i], hex) != 0; i++)
		;
	if (i == nseen) {
		assert_true(nseen < COUNT(seen));
		strcpy(seen[nseen++], hex);
		put(format("blobs/sha256/%s", hex), text);
	}
	return seen[i];
}

/* {"digest":…<more>} */
static const char *
descriptor(const char *digest, const char *more)
{
	return format("{\"digest\":\"sha256:%s\"%s}", digest, more);
}

static const char *
config(const char *arch)
{
	return blob(format("{\"architecture\":\"%s\"," MORE ",\"rootfs\":{\"type\":"
	    "\"layers\",\"diff_ids\":[]}}", arch));
}

static const char *
manifest(const char *config_digest, const char *layers)
{
	return blob(format("{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}",
	    descriptor(config_digest, ""), layers));
}

/* A manifest of an image for `arch`, its layer holding that word. */
static const char *
image(const char *arch)
{
	return manifest(config(arch), descriptor(blob(arch), ""));
}

static const char *
platform(const char *arch)
{
	return format(",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}", arch);
}

static const char *
ref(const char *name)
{
	return format(",\"annotations\":{\"org.opencontainers.image.ref.name\":"
	    "\"%s\"}", name);
}

static const char *
index_of(const char *descriptors)
{
	return format("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);
}

/* --- opening it --------------------------------------------------------- */

/* The archive in b becomes the bundle. */
static void
close_archive(void)
{
	mktar_end(&b);
	put_bytes("image.tar", b.data, b.len);
	cic_buf_release(&b);
	mktar_init(&b);
	nseen = 0;
	cic_bundle_free(bundle);
	bundle = cic_bundle_open(in_folder("image.tar"), &err);
	if (bundle == NULL)
		fail_msg("%s", err.msg);
}

/* An OCI layout with this index. */
static void
layout(const char *text)
{
	put("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	put("index.json", text);
	close_archive();
}

static void
docker(const char *manifest_json)
{
	want.form = CIC_OCI_DOCKER_SAVE;
	put("manifest.json", manifest_json);
	close_archive();
}

static void
open_it(void)
{
	cic_oci_release(&oci);
	if (cic_oci_open(bundle, &want, &oci, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
refused(enum cic_code code, const char *why)
{
	struct cic_oci none = { .count = 42 };

	assert_int_equal(cic_oci_open(bundle, &want, &none, &err), -1);
	has(err.msg, why);
	assert_int_equal(err.code, code);
	assert_int_equal(none.count, 42);
}

/* The image that was found is image(arch). */
static void
found(const char *arch)
{
	open_it();
	has(oci.config, format("{\"Architecture\":\"%s\"", arch));
}

static void
layer_is(size_t i, const char *text)
{
	char got[100] = "";

	assert_true(i < oci.count && strlen(text) < sizeof(got));
	assert_int_equal(oci.layer[i].part.size, strlen(text));
	assert_int_equal(pread(oci.layer[i].part.fd, got, strlen(text),
	    (off_t)oci.layer[i].part.offset), strlen(text));
	assert_string_equal(got, text);
}

/* --- OCI layouts -------------------------------------------------------- */

static void
check_one(const char *id, const char *first)
{
	open_it();
	assert_string_equal(oci.config, "{\"Architecture\":\"amd64\",\"Created\":"
	    "\"2024-01-02T03:04:05Z\",\"Config\":{\"Cmd\":[\"sh\"]}}");
	assert_string_equal(oci.id, id);
	assert_int_equal(oci.count, 3);
	layer_is(0, "one");
	layer_is(1, "second");
	layer_is(2, "one");
	assert_string_equal(oci.layer[0].sha256, first);
	assert_string_equal(oci.layer[2].sha256, first);
	assert_string_equal(oci.layer[0].name, format("blobs/sha256/%s", first));
}

static void
one_image(void **state)
{
	char id[CIC_SHA256_HEX], first[CIC_SHA256_HEX];
	const char *m;

	(void)state;
	strcpy(id, config("amd64"));
	strcpy(first, blob("one"));
	m = manifest(id, format("%s,%s,%s", descriptor(first, ",\"size\":3"),
	    descriptor(blob("second"), ""), descriptor(first, ",\"mediaType\":"
	    "\"application/vnd.oci.image.layer.v1.tar+gzip\"")));
	layout(index_of(descriptor(m, "")));
	check_one(id, first);
	cic_bundle_free(bundle);
	sh(format("mkdir %s/d && tar -xf %s/image.tar -C %s/d", folder, folder, folder));
	bundle = cic_bundle_open(in_folder("d"), &err);
	assert_non_null(bundle);
	check_one(id, first);
}

/* An image without files, and a configuration with nothing in it. */
static void
least(void **state)
{
	(void)state;
	layout(index_of(descriptor(manifest(blob("{\"rootfs\":{}}"), ""), "")));
	open_it();
	assert_string_equal(oci.config, "{}");
	assert_int_equal(oci.count, 0);
}

static void
no_layout(void **state)
{
	(void)state;
	put("manifest.json", "[]");
	close_archive();
	refused(CIC_ENOENT, "this is no OCI layout: no member \"index.json\"");
	layout("{\"manifests\":");
	refused(CIC_EINVAL, "index.json: line 1");
	layout("[]");
	refused(CIC_EINVAL, "\"manifests\" is nothing, not an array");
	layout("{\"manifests\":{}}");
	refused(CIC_EINVAL, "\"manifests\" is an object, not an array");
	layout("{\"manifests\":[],\"manifests\":[]}");
	refused(CIC_EINVAL, "stands twice");
	layout("{\"manifests\":[]}");
	refused(CIC_ENOENT, "there is none");
}

/* Indexes in an index: index.json and three more. */
static void
nested(void **state)
{
	const char *d;

	(void)state;
	for (int deep = 0; deep < 5; deep++) {
		d = descriptor(image("amd64"), "");
		for (int i = 0; i < deep; i++)
			d = descriptor(blob(index_of(d)), "");
		layout(index_of(d));
		if (deep < CIC_OCI_NESTED)
			found("amd64");
		else
			refused(CIC_EINVAL, "indexes in indexes, more than 4 deep");
	}
}

static void
platforms(void **state)
{
	const char *host = cic_oci_host_platform();

	(void)state;
	layout(index_of(format("%s,%s,%s,%s", descriptor(image("s390x"),
	    platform("s390x")), descriptor(image(host + 6), platform(host + 6)),
	    descriptor(image("mips"), ",\"platform\":{\"os\":\"linux\","
	    "\"architecture\":\"mips\",\"variant\":\"v8\"}"),
	    descriptor(image("wasm"), ",\"platform\":{\"os\":\"wasi\","
	    "\"architecture\":\"wasm\"}"))));
	found(host + 6);	/* nobody said which: this machine's */
	want.platform = "linux/s390x";
	found("s390x");
	want.platform = "linux/mips";
	found("mips");
	want.platform = "linux/mips/v9";
	refused(CIC_ENOENT, "no image for linux/mips/v9; there are: linux/s390x, ");
	has(err.msg, ", linux/mips/v8, wasi/wasm");
	want.platform = "linux/s390";
	refused(CIC_ENOENT, "no image for linux/s390;");
}

/* Below the top too: what `docker buildx build --platform` writes. */
static void
platforms_of_a_nested_index(void **state)
{
	const char *inner;

	(void)state;
	inner = blob(index_of(format("%s,%s", descriptor(image("s390x"),
	    platform("s390x")), descriptor(image("mips"), platform("mips")))));
	layout(index_of(descriptor(inner, ref("v1"))));
	want.platform = "linux/mips";
	found("mips");
	want.reference = "v1";
	found("mips");
	want.platform = "linux/arm";
	refused(CIC_ENOENT, "no image for linux/arm; there are: linux/s390x, linux/mips");
	want.platform = "";
	if (strcmp(cic_oci_host_platform(), "linux/s390x") != 0)
		refused(CIC_ENOENT, "no image for linux/");
}

/* One image is taken whatever it is for, unless something else was asked for. */
static void
the_only_one(void **state)
{
	(void)state;
	layout(index_of(descriptor(image("mips"), platform("mips"))));
	found("mips");
	want.platform = "linux/mips";
	found("mips");
	want.platform = "linux/arm64";
	refused(CIC_ENOENT, "no image for linux/arm64; there are: linux/mips");
	/* an index that does not say */
	layout(index_of(descriptor(image("mips"), "")));
	refused(CIC_ENOENT, "the image is for linux/mips, not for linux/arm64");
}

/* The index knows more than the configuration. */
static void
variants(void **state)
{
	(void)state;
	layout(index_of(format("%s,%s", descriptor(image("mips"),
	    platform("arm\",\"variant\":\"v6")), descriptor(image("arm"),
	    platform("arm\",\"variant\":\"v7")))));
	want.platform = "linux/arm/v7";
	found("arm");
	want.platform = "linux/arm/v8";
	refused(CIC_ENOENT, "there are: linux/arm/v6, linux/arm/v7");
}

/* BuildKit's provenance lies beside the images, and is none. */
static void
attestations(void **state)
{
	const char *none = ",\"platform\":{\"os\":\"unknown\",\"architecture\":"
	    "\"unknown\"}";

	(void)state;
	layout(index_of(format("%s,%s,%s", descriptor(blob("{}"), none),
	    descriptor(image("mips"), platform("mips")),
	    descriptor(blob("{} "), none))));
	found("mips");
	want.platform = "linux/mips";
	found("mips");
	want.platform = "unknown/unknown";
	refused(CIC_ENOENT, "no image");
	want.platform = "";
	layout(index_of(descriptor(blob("{}"), none)));
	refused(CIC_ENOENT, "no image");
}

static void
references(void **state)
{
	(void)state;
	layout(index_of(format("%s,%s,%s", descriptor(image("amd64"), ref("v1")),
	    descriptor(image("arm64"), format("%s%s", ref("v2"),
	    platform("arm64"))), descriptor(image("mips"), ""))));
	want.reference = "v1";
	found("amd64");
	want.reference = "v2";
	found("arm64");
	want.reference = "v3";
	refused(CIC_ENOENT, "no image v3 for ");
	has(err.msg, "there are: v1, v2 for linux/arm64, sha256:");
	want.reference = "v";
	refused(CIC_ENOENT, "no image v for ");
	want.reference = "";
	want.platform = "linux/mips";
	refused(CIC_ENOENT, "more than one image for linux/mips; there are: v1, v2");
}

/* One name, several platforms, no index for them: as skopeo may leave it. */
static void
reference_and_platform(void **state)
{
	(void)state;
	layout(index_of(format("%s,%s,%s",
	    descriptor(image("mips"), format("%s%s", ref("v1"), platform("mips"))),
	    descriptor(image("s390x"), format("%s%s", ref("v1"), platform("s390x"))),
	    descriptor(image("arm"), format("%s%s", ref("v2"), platform("mips"))))));
	want.reference = "v1";
	want.platform = "linux/mips";
	found("mips");
	want.platform = "linux/s390x";
	found("s390x");
	want.reference = "v2";
	refused(CIC_ENOENT, "no image v2 for linux/s390x; there are: v1 for "
	    "linux/mips, v1 for linux/s390x, v2 for linux/mips");
}

/* A list of many is cut, not refused. */
static void
many_references(void **state)
{
	struct cic_buf list;

	(void)state;
	cic_buf_init(&list, 1 << 20);
	for (int i = 0; i < 300; i++)
		cic_buf_printf(&list, "%s%s", i > 0 ? "," : "",
		    descriptor(ZEROS, ref(format("a-rather-long-name-%d", i))));
	layout(index_of(list.data));
	cic_buf_release(&list);
	refused(CIC_ENOENT, "there are: a-rather-long-name-0, a-rather-long-name-1");
}

/* --- what is wrong in them ---------------------------------------------- */

/* A blob under a name that is not its digest. */
static const char *
wrong_blob(const char *name, const char *text)
{
	assert_true(nseen < COUNT(seen));
	strcpy(seen[nseen], name);
	put(format("blobs/sha256/%s", name), text);
	return seen[nseen++];
}

static void
wrong_digests(void **state)
{
	(void)state;
	layout(index_of(descriptor(wrong_blob(ZEROS, "{}"), "")));
	refused(CIC_EINVAL, "damaged: its sha256 is 44136fa355b3678a1146ad16f7e8649e"
	    "94fb4fc21fe77e8310c060f61caaff8a");
	layout(index_of(descriptor(manifest(wrong_blob(ZEROS, "{\"rootfs\":{}}"), ""),
	    "")));
	refused(CIC_EINVAL, "blobs/sha256/" ZEROS ": damaged");
	layout(index_of(descriptor(wrong_blob(ZEROS, index_of(descriptor(
	    image("amd64"), ""))), "")));
	refused(CIC_EINVAL, "damaged");
	docker(format("[{\"Config\":\"blobs/sha256/%s\",\"Layers\":[]}]",
	    wrong_blob(ZEROS, "{\"rootfs\":{\"diff_ids\":[]}}")));
	refused(CIC_EINVAL, "blobs/sha256/" ZEROS ": damaged");
	want.form = CIC_OCI_LAYOUT;
	/* a layer's is left to who reads it */
	layout(index_of(descriptor(manifest(config("amd64"),
	    descriptor(wrong_blob(ZEROS, "text"), "")), "")));
	open_it();
	assert_string_equal(oci.layer[0].sha256, ZEROS);
}

static void
bad_digests(void **state)
{
	static const char *const bad[] = {
		"\"sha512:" ZEROS ZEROS "\"", "\"sha256:abc\"", "\"" ZEROS "\"",
		"\"sha256:" ZEROS "0\"", "\"sha256:" ZEROS "x\"",
		"\"SHA256:" ZEROS "\"", "7", "null", "\"\"",
		"\"sha256:ABCDEF0000000000000000000000000000000000000000000000000000"
		"000000\"", "\"sha256:../../../../../../../../../../../../../../../../"
		"../../../../../../etc\"",
	};
	char *d;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		d = format("{\"digest\":%s}", bad[i]);
		layout(index_of(d));
		refused(CIC_EINVAL, "is no sha256:<64 digits>");
		layout(index_of(descriptor(manifest(config("amd64"), d), "")));
		refused(CIC_EINVAL, "is no sha256:<64 digits>");
		layout(index_of(descriptor(blob(format("{\"config\":%s,\"layers\":[]}",
		    d)), "")));
		refused(CIC_EINVAL, "is no sha256:<64 digits>");
	}
	layout(index_of("{}"));
	refused(CIC_EINVAL, "is no sha256:<64 digits>");
	layout(index_of("7"));
	refused(CIC_EINVAL, "is no sha256:<64 digits>");
}

static void
missing_blobs(void **state)
{
	(void)state;
	layout(index_of(descriptor(ZEROS, "")));
	refused(CIC_ENOENT, "no member \"blobs/sha256/" ZEROS "\"");
	layout(index_of(descriptor(manifest(ZEROS, ""), "")));
	refused(CIC_ENOENT, "no member \"blobs/sha256/" ZEROS "\"");
	layout(index_of(descriptor(manifest(config("amd64"),
	    descriptor(ZEROS, "")), "")));
	refused(CIC_ENOENT, "no member \"blobs/sha256/" ZEROS "\"");
}

static void
wrong_sizes(void **state)
{
	static const struct { const char *size; const char *why; } t[] = {
		{ "4", NULL }, { "5", "4 bytes, and should be 5" },
		{ "3", "4 bytes, and should be 3" }, { "0", "should be 0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		layout(index_of(descriptor(manifest(config("amd64"), descriptor(
		    blob("text"), format(",\"size\":%s", t[i].size))), "")));
		if (t[i].why == NULL)
			open_it();
		else
			refused(CIC_EINVAL, t[i].why);
	}
}

/* Charts, signatures and other things that registries keep. */
static void
no_images(void **state)
{
	static const char *const configs[] = { "{}", "{\"rootfs\":null}",
	    "{\"rootfs\":[]}" };

	(void)state;
	for (size_t i = 0; i < COUNT(configs); i++) {
		layout(index_of(descriptor(manifest(blob(configs[i]), ""), "")));
		refused(CIC_EINVAL, "no \"rootfs\": this is no container image");
	}
	layout(index_of(descriptor(manifest(blob("no JSON"), ""), "")));
	refused(CIC_EINVAL, "line 1");
	layout(index_of(descriptor(blob("[]"), "")));
	refused(CIC_EINVAL, "\"layers\" is nothing, not an array");
	layout(index_of(descriptor(blob("{\"layers\":[]}"), "")));
	refused(CIC_EINVAL, "is no sha256:<64 digits>");
}

/* One file that two readers would take for two things (CVE-2021-41190). */
static void
index_and_manifest(void **state)
{
	const char *both;

	(void)state;
	both = format("{\"manifests\":[%s],\"config\":%s,\"layers\":[]}",
	    descriptor(image("amd64"), ""), descriptor(config("amd64"), ""));
	layout(both);
	refused(CIC_EINVAL, "both an index and a manifest");
	image("amd64");
	config("amd64");
	layout(index_of(descriptor(blob(both), "")));
	refused(CIC_EINVAL, "both an index and a manifest");
}

static void
encrypted(void **state)
{
	(void)state;
	layout(index_of(descriptor(manifest(config("amd64"), descriptor(blob("x"),
	    ",\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip+encrypted\""
	    )), "")));
	refused(CIC_EINVAL, "a layer is encrypted");
}

static void
many_layers(void **state)
{
	struct cic_buf list;

	(void)state;
	for (unsigned n = CIC_OCI_LAYERS; n <= CIC_OCI_LAYERS + 1; n++) {
		cic_buf_init(&list, 1 << 20);
		for (unsigned i = 0; i < n; i++)
			cic_buf_printf(&list, "%s%s", i > 0 ? "," : "",
			    descriptor(blob("x"), ""));
		layout(index_of(descriptor(manifest(config("amd64"), list.data), "")));
		cic_buf_release(&list);
		if (n == CIC_OCI_LAYERS) {
			open_it();
			assert_int_equal(oci.count, n);
		} else
			refused(CIC_EINVAL, "over 999 layers");
	}
}

static void
large_texts(void **state)
{
	char *text = malloc(CIC_OCI_TEXT + 2);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', CIC_OCI_TEXT + 1);
	text[CIC_OCI_TEXT + 1] = '\0';
	memcpy(text, "{\"manifests\":[]}", 16);
	layout(text);
	refused(CIC_EINVAL, "index.json is larger than");
	text[CIC_OCI_TEXT] = '\0';
	layout(text);
	refused(CIC_ENOENT, "there is none");
	free(text);
}

/* --- docker save -------------------------------------------------------- */

/* A configuration with these diff_ids. */
static const char *
docker_config(const char *diff_ids)
{
	return format("{\"architecture\":\"amd64\"," MORE ",\"rootfs\":{\"type\":"
	    "\"layers\",\"diff_ids\":[%s]}}", diff_ids);
}

static const char *
diff_id(const char *text)
{
	char hex[CIC_SHA256_HEX];

	cic_digest_mem(text, strlen(text), hex);
	return format("\"sha256:%s\"", hex);
}

/* One image as docker up to 24 writes it. */
static void
old_image(const char *diff_ids, const char *layers)
{
	put("c.json", docker_config(diff_ids));
	docker(format("[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\"],\"Layers\":[%s]}]",
	    layers));
}

static void
old_form(void **state)
{
	const char *text = docker_config(format("%s,%s,%s", diff_id("one"),
	    diff_id("two"), diff_id("one")));
	char id[CIC_SHA256_HEX];

	(void)state;
	cic_digest_mem(text, strlen(text), id);
	put(format("%s.json", id), text);
	put("1/VERSION", "1.0");
	put("1/layer.tar", "one");
	put("2/layer.tar", "two");
	mktar_link(&b, '2', "3/layer.tar", "../1/layer.tar");
	docker(format("[{\"Config\":\"%s.json\",\"RepoTags\":[\"a:1\"],\"Layers\":["
	    "\"1/layer.tar\",\"2/layer.tar\",\"3/layer.tar\"]}]", id));
	open_it();
	assert_string_equal(oci.id, id);
	assert_string_equal(oci.config, "{\"Architecture\":\"amd64\",\"Created\":"
	    "\"2024-01-02T03:04:05Z\",\"Config\":{\"Cmd\":[\"sh\"]}}");
	assert_int_equal(oci.count, 3);
	layer_is(0, "one");
	layer_is(1, "two");
	layer_is(2, "one");
	assert_string_equal(oci.layer[0].name, "1/layer.tar");
	assert_string_equal(oci.layer[2].name, "3/layer.tar");
	assert_string_equal(format("\"sha256:%s\"", oci.layer[1].sha256),
	    diff_id("two"));
	assert_string_equal(oci.layer[2].sha256, oci.layer[0].sha256);
}

/* Docker 25 and later: the blobs of an OCI layout, perhaps compressed, so that
 * their digest is the one in the name. */
static void
new_form(void **state)
{
	char first[CIC_SHA256_HEX], second[CIC_SHA256_HEX], id[CIC_SHA256_HEX];

	(void)state;
	strcpy(first, blob("plain"));
	strcpy(second, blob("\x1f\x8b packed"));
	strcpy(id, blob(docker_config(format("%s,%s", diff_id("plain"),
	    diff_id("unpacked")))));
	put("index.json", index_of(descriptor(ZEROS, "")));
	docker(format("[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"a:1\"],"
	    "\"Layers\":[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]", id, first, second));
	open_it();
	assert_string_equal(oci.id, id);
	assert_int_equal(oci.count, 2);
	assert_string_equal(oci.layer[0].sha256, first);
	assert_string_equal(oci.layer[1].sha256, second);
	layer_is(0, "plain");
}

/* The configuration has digests of what is not compressed. */
static void
old_form_compressed(void **state)
{
	(void)state;
	put("1/layer.tar", "\x1f\x8b packed");
	put("2/layer.tar", "\x28\xb5\x2f\xfd packed");
	put("3/layer.tar", "\x28\xb5\x2f");
	old_image(format("%s,%s,%s", diff_id("1"), diff_id("2"), diff_id("3")),
	    "\"1/layer.tar\",\"2/layer.tar\",\"3/layer.tar\"");
	open_it();
	assert_string_equal(oci.layer[0].sha256, "");
	assert_string_equal(oci.layer[1].sha256, "");
	assert_string_equal(format("\"sha256:%s\"", oci.layer[2].sha256), diff_id("3"));
}

static void
tags(void **state)
{
	(void)state;
	put("c.json", docker_config(""));
	put("d.json", "{\"rootfs\":{}}");
	docker("[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"b:1\"],\"Layers\":[]},"
	    "{\"Config\":\"d.json\",\"RepoTags\":[\"a:2\"],\"Layers\":[]},"
	    "{\"Config\":\"d.json\",\"RepoTags\":null,\"Layers\":[]},"
	    "{\"Config\":\"d.json\",\"RepoTags\":[7],\"Layers\":[]}]");
	want.reference = "a:1";
	found("amd64");
	want.reference = "b:1";
	found("amd64");
	want.reference = "a:2";
	open_it();
	assert_string_equal(oci.config, "{}");
	want.reference = "a";
	refused(CIC_ENOENT, "no image a; there are: [\"a:1\",\"b:1\"], [\"a:2\"], ");
	want.reference = "";
	refused(CIC_ENOENT, "more than one image; there are: ");
}

/* Saved by its id: no tags. */
static void
untagged(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		put("c.json", docker_config(""));
		docker(format("[{\"Config\":\"c.json\",%s\"Layers\":[]}]",
		    i == 0 ? "\"RepoTags\":null," : ""));
		want.reference = "";
		found("amd64");
		want.reference = "a:1";
		refused(CIC_ENOENT, "no image a:1");
	}
}

static void
layer_counts(void **state)
{
	(void)state;
	put("1/layer.tar", "one");
	old_image(format("%s,%s", diff_id("one"), diff_id("one")), "\"1/layer.tar\"");
	refused(CIC_EINVAL, "fewer Layers than the configuration's rootfs.diff_ids");
	put("1/layer.tar", "one");
	old_image(diff_id("one"), "\"1/layer.tar\",\"1/layer.tar\"");
	refused(CIC_EINVAL, "Layers and the configuration's rootfs.diff_ids do not agree");
	put("1/layer.tar", "one");
	old_image("", "\"1/layer.tar\"");
	refused(CIC_EINVAL, "do not agree");
	put("1/layer.tar", "one");
	old_image("7", "\"1/layer.tar\"");
	refused(CIC_EINVAL, "do not agree");
	put("1/layer.tar", "one");
	old_image(diff_id("one"), "7");
	refused(CIC_EINVAL, "do not agree");
}

static void
bad_layers(void **state)
{
	(void)state;
	old_image(diff_id("one"), "\"1/layer.tar\"");
	refused(CIC_ENOENT, "no member \"1/layer.tar\"");
	old_image(diff_id("one"), "\"../layer.tar\"");
	refused(CIC_EINVAL, "no name of a file");
	put("1/layer.tar", "one");
	old_image("\"sha512:" ZEROS ZEROS "\"", "\"1/layer.tar\"");
	refused(CIC_EINVAL, "is no sha256:<64 digits>");
	old_image(diff_id("one"), format("\"%0600d\"", 7));
	refused(CIC_EINVAL, "layer name of 600 bytes");
}

static void
bad_manifests(void **state)
{
	static const struct { const char *text, *why; } t[] = {
		{ "{}", "an object, not an array" },
		{ "[", "manifest.json: line 1" },
		{ "[]", "no image; there are: " },
		{ "[{}]", "\"Layers\" is nothing, not an array" },
		{ "[{\"Layers\":{}}]", "\"Layers\" is an object" },
		{ "[{\"Layers\":[]}]", "\"Config\" is missing" },
		{ "[{\"Layers\":[],\"Config\":7}]", "\"Config\" is missing" },
		{ "[{\"Layers\":[],\"Config\":\"none.json\"}]", "none.json" },
		{ "[7]", "\"Layers\" is nothing" },
		{ "[{\"Layers\":[],\"Config\":\"chart.json\"}]", "no \"rootfs\"" },
	};
	struct cic_oci none;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		put("chart.json", "{}");
		docker(t[i].text);
		assert_int_equal(cic_oci_open(bundle, &want, &none, &err), -1);
		has(err.msg, "manifest.json: ");
		has(err.msg, t[i].why);
	}
	put("index.json", "{}");
	close_archive();
	refused(CIC_ENOENT, "this is no `docker save` archive: no member "
	    "\"manifest.json\"");
}

static void
docker_platform(void **state)
{
	(void)state;
	old_image("", "");
	found("amd64");
	want.platform = "linux/amd64";
	found("amd64");
	want.platform = "linux/arm64";
	refused(CIC_ENOENT, "the image is for linux/amd64, not for linux/arm64");
	want.platform = "linux/amd";
	refused(CIC_ENOENT, "not for linux/amd");
}

static void
host_platform(void **state)
{
	(void)state;
	assert_memory_equal(cic_oci_host_platform(), "linux/", 6);
#ifdef __x86_64__
	assert_string_equal(cic_oci_host_platform(), "linux/amd64");
#endif
#ifdef __aarch64__
	assert_string_equal(cic_oci_host_platform(), "linux/arm64");
#endif
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_image), T(least), T(no_layout), T(nested), T(platforms),
		T(platforms_of_a_nested_index), T(the_only_one), T(variants),
		T(attestations),
		T(references), T(reference_and_platform), T(many_references),
		T(wrong_digests), T(bad_digests), T(missing_blobs), T(wrong_sizes),
		T(no_images), T(index_and_manifest), T(encrypted), T(many_layers),
		T(large_texts), T(old_form), T(new_form), T(old_form_compressed),
		T(tags), T(untagged), T(layer_counts), T(bad_layers),
		T(bad_manifests), T(docker_platform), T(host_platform),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
