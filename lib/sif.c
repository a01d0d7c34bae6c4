/* Writing a SIF around a squashfs, and checking one; see sif.h. */
#include "sif.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define MAGIC		"SIF_MAGIC"
#define VERSION		"01"
#define LAUNCH		"#!/usr/bin/env run-singularity\n"
#define NSLOTS		48
#define TABLE_OFF	4096
#define DATA_OFF	(TABLE_OFF + NSLOTS * 585)	/* 32176, unaligned */
#define FS_ALIGN	4096
#define GO_ZERO_TIME	INT64_C(-62135596800)	/* 0001-01-01T00:00:00Z */
#define GROUP_1		0xf0000001u

enum {	/* data types, file system types, partition types */
	DATA_DEFFILE = 0x4001, DATA_PARTITION = 0x4004, DATA_JSON = 0x4006,
	FS_SQUASHFS = 1, PART_PRIMARY = 2
};

struct __attribute__((packed)) header {
	char		launch[32];
	char		magic[10];
	char		version[3];
	char		arch[3];
	unsigned char	uuid[16];
	int64_t		created, modified;
	int64_t		free, total;		/* descriptors */
	int64_t		table_off, table_size;
	int64_t		data_off, data_size;
};
_Static_assert(sizeof(struct header) == 128, "SIF header");

struct __attribute__((packed)) descriptor {
	int32_t		type;
	uint8_t		used;
	uint32_t	id, group, link;
	int64_t		off, size, size_padded;
	int64_t		created, modified;
	int64_t		uid, gid;
	char		name[128];
	union {
		unsigned char raw[384];
		struct __attribute__((packed)) {
			int32_t	fs, part;
			char	arch[3];
		} partition;
	} extra;
};
_Static_assert(sizeof(struct descriptor) == 585, "SIF descriptor");

static const char *
arch_code(const char *arch)
{
	static const struct { const char *name, *code; } known[] = {
		{ "386", "01" }, { "amd64", "02" }, { "arm", "03" },
		{ "arm64", "04" }, { "ppc64", "05" }, { "ppc64le", "06" },
		{ "mips", "07" }, { "mipsle", "08" }, { "mips64", "09" },
		{ "mips64le", "10" }, { "s390x", "11" }, { "riscv64", "12" },
		{ "loong64", "13" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, arch) == 0)
			return known[i].code;
	}
	return "00";
}

/* --- writing ------------------------------------------------------------ */

static int
check_json(const struct cic_sif_json *json, struct cic_err *err)
{
	size_t n = strlen(json->name);

	if (n == 0 || n > CIC_SIF_NAME_MAX || json->len == 0)
		return cic_err_set(err, CIC_EINVAL,
		    "sif: JSON object \"%.130s\" has a bad name or no text",
		    json->name);
	return 0;
}

static int
check_spec(const struct cic_sif *sif, struct cic_err *err)
{
	size_t i;

	if (sif->definition == NULL || *sif->definition == '\0')
		return cic_err_set(err, CIC_EINVAL, "sif: no definition text");
	if (sif->njson > CIC_SIF_JSON_MAX)
		return cic_err_set(err, CIC_EINVAL, "sif: over %d JSON objects",
		    CIC_SIF_JSON_MAX);
	for (i = 0; i < sif->njson; i++) {
		if (check_json(&sif->json[i], err) == -1)
			return -1;
	}
	return sif->last.name == NULL ? 0 : check_json(&sif->last, err);
}

static int
put(int fd, const void *data, size_t len, uint64_t off, struct cic_err *err)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, p, len, (off_t)off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return cic_err_errno(err, "sif: write");
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t
fs_offset(const struct cic_sif *sif)
{
	uint64_t end = DATA_OFF + strlen(sif->definition);
	size_t i;

	for (i = 0; i < sif->njson; i++)
		end += sif->json[i].len;
	return (end + FS_ALIGN - 1) / FS_ALIGN * FS_ALIGN;
}

int
cic_sif_write_objects(int fd, const struct cic_sif *sif, uint64_t *fs_off,
    struct cic_err *err)
{
	uint64_t off = DATA_OFF;
	size_t i;

	if (check_spec(sif, err) == -1 ||
	    put(fd, sif->definition, strlen(sif->definition), off, err) == -1)
		return -1;
	off += strlen(sif->definition);
	for (i = 0; i < sif->njson; i++) {
		if (put(fd, sif->json[i].text, sif->json[i].len, off, err) == -1)
			return -1;
		off += sif->json[i].len;
	}
	*fs_off = fs_offset(sif);
	return 0;
}

/* The next descriptor; objects follow one another, *end is where the last one
 * ended and is moved to the end of this one. */
static struct descriptor *
describe(struct descriptor *table, int n, int32_t type, uint64_t off,
    uint64_t size, uint64_t *end)
{
	struct descriptor *d = &table[n];

	d->type = (int32_t)htole32((uint32_t)type);
	d->used = 1;
	d->id = htole32((uint32_t)n + 1);
	d->group = htole32(GROUP_1);
	d->off = (int64_t)htole64(off);
	d->size = (int64_t)htole64(size);
	d->size_padded = (int64_t)htole64(off - *end + size);
	d->created = d->modified = (int64_t)htole64((uint64_t)GO_ZERO_TIME);
	*end = off + size;
	return d;
}

static void
describe_json(struct descriptor *table, int n, const struct cic_sif_json *json,
    uint64_t *end)
{
	struct descriptor *d = describe(table, n, DATA_JSON, *end, json->len, end);

	memcpy(d->name, json->name, strlen(json->name));
}

/* Returns the end of the last object. */
static uint64_t
fill_table(struct descriptor *table, const struct cic_sif *sif, uint64_t fs_size)
{
	uint64_t end = DATA_OFF;
	struct descriptor *d;
	size_t i;
	int n = 0;

	describe(table, n++, DATA_DEFFILE, end, strlen(sif->definition), &end);
	for (i = 0; i < sif->njson; i++)
		describe_json(table, n++, &sif->json[i], &end);
	d = describe(table, n++, DATA_PARTITION, fs_offset(sif), fs_size, &end);
	d->extra.partition.fs = (int32_t)htole32(FS_SQUASHFS);
	d->extra.partition.part = (int32_t)htole32(PART_PRIMARY);
	memcpy(d->extra.partition.arch, arch_code(sif->arch), 3);
	if (sif->last.name != NULL)
		describe_json(table, n, &sif->last, &end);
	return end;
}

int
cic_sif_write_header(int fd, const struct cic_sif *sif, uint64_t fs_size,
    struct cic_err *err)
{
	struct header h = {
		.launch = LAUNCH, .magic = MAGIC, .version = VERSION,
		.created = (int64_t)htole64((uint64_t)GO_ZERO_TIME),
		.modified = (int64_t)htole64((uint64_t)GO_ZERO_TIME),
		.total = (int64_t)htole64(NSLOTS),
		.table_off = (int64_t)htole64(TABLE_OFF),
		.table_size = (int64_t)htole64(NSLOTS * sizeof(struct descriptor)),
		.data_off = (int64_t)htole64(DATA_OFF),
	};
	struct descriptor *table;
	uint64_t end;
	int r;

	if (check_spec(sif, err) == -1)
		return -1;
	if (fs_size < FS_ALIGN || fs_size % FS_ALIGN != 0)
		return cic_err_set(err, CIC_EINVAL, "sif: partition size");
	table = calloc(NSLOTS, sizeof(*table));
	if (table == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	end = fill_table(table, sif, fs_size);
	h.free = (int64_t)htole64(NSLOTS - 2 - sif->njson -
	    (sif->last.name != NULL));
	h.data_size = (int64_t)htole64(end - DATA_OFF);
	memcpy(h.arch, arch_code(sif->arch), 3);
	r = sif->last.name == NULL ? 0 : put(fd, sif->last.text, sif->last.len,
	    fs_offset(sif) + fs_size, err);
	if (r == 0)
		r = put(fd, table, NSLOTS * sizeof(*table), TABLE_OFF, err);
	if (r == 0)
		r = put(fd, &h, sizeof(h), 0, err);
	free(table);
	return r;
}

/* --- checking ----------------------------------------------------------- */

#define MAX_SLOTS	4096	/* of somebody else's file */

static int
get(int fd, void *data, size_t len, uint64_t off, struct cic_err *err)
{
	ssize_t n;

	do {
		n = pread(fd, data, len, (off_t)off);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return cic_err_errno(err, "read");
	if ((size_t)n != len)
		return cic_err_set(err, CIC_EINVAL, "not a complete SIF: "
		    "it ends at byte %llu", (unsigned long long)off + (size_t)n);
	return 0;
}

static bool
inside(int64_t off, int64_t size, uint64_t file)
{
	uint64_t o = le64toh((uint64_t)off), s = le64toh((uint64_t)size);

	return o <= file && s <= file - o;
}

static int
check_header(const struct header *h, uint64_t file, struct cic_err *err)
{
	uint64_t total = le64toh((uint64_t)h->total);
	uint64_t size = le64toh((uint64_t)h->table_size);

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return cic_err_set(err, CIC_EINVAL, "not a SIF: no magic");
	if (memcmp(h->version, VERSION, sizeof(h->version)) != 0)
		return cic_err_set(err, CIC_EINVAL, "a SIF of another version");
	if (total == 0 || total > MAX_SLOTS ||
	    size < total * sizeof(struct descriptor) ||
	    !inside(h->table_off, h->table_size, file))
		return cic_err_set(err, CIC_EINVAL,
		    "not a complete SIF: its descriptor table is no good");
	return 0;
}

/* The one primary partition; its offset and size are known to be inside. */
static const struct descriptor *
find_primary(const struct descriptor *d, uint64_t total, uint64_t file,
    struct cic_err *err)
{
	const struct descriptor *primary = NULL;
	uint64_t i;

	for (i = 0; i < total; i++) {
		if (d[i].used == 0)
			continue;
		if (!inside(d[i].off, d[i].size, file)) {
			cic_err_set(err, CIC_EINVAL, "not a complete SIF: object "
			    "%llu ends after the file", (unsigned long long)i + 1);
			return NULL;
		}
		if (le32toh((uint32_t)d[i].type) != DATA_PARTITION ||
		    le32toh((uint32_t)d[i].extra.partition.part) != PART_PRIMARY)
			continue;
		if (primary != NULL) {
			cic_err_set(err, CIC_EINVAL, "SIF with two primary partitions");
			return NULL;
		}
		primary = &d[i];
	}
	if (primary == NULL)
		cic_err_set(err, CIC_EINVAL, "SIF without a primary partition");
	return primary;
}

/* A squashfs super block: magic at 0, bytes used at 40.  Runtimes want 2048
 * bytes to be there. */
static int
check_fs(int fd, const struct descriptor *d, struct cic_err *err)
{
	uint64_t size = le64toh((uint64_t)d->size), used;
	unsigned char super[2048];

	if (le32toh((uint32_t)d->extra.partition.fs) != FS_SQUASHFS)
		return cic_err_set(err, CIC_EINVAL,
		    "SIF whose primary partition is no squashfs");
	if (size < sizeof(super))
		return cic_err_set(err, CIC_EINVAL, "SIF with an empty partition");
	if (get(fd, super, sizeof(super), le64toh((uint64_t)d->off), err) == -1)
		return -1;
	if (memcmp(super, "hsqs", 4) != 0)
		return cic_err_set(err, CIC_EINVAL,
		    "SIF whose primary partition holds no squashfs");
	memcpy(&used, super + 40, sizeof(used));
	used = le64toh(used);
	if (used > size)
		return cic_err_set(err, CIC_EINVAL, "not a complete SIF: squashfs of "
		    "%llu bytes in a partition of %llu", (unsigned long long)used,
		    (unsigned long long)size);
	return 0;
}

static int
check(int fd, struct cic_err *err)
{
	struct descriptor *table = NULL;
	const struct descriptor *primary;
	struct header h;
	struct stat st;
	uint64_t total;
	int r = -1;

	if (fstat(fd, &st) == -1)
		return cic_err_errno(err, "stat");
	if (!S_ISREG(st.st_mode))
		return cic_err_set(err, CIC_EINVAL, "not a regular file");
	if (get(fd, &h, sizeof(h), 0, err) == -1 ||
	    check_header(&h, (uint64_t)st.st_size, err) == -1)
		return -1;
	total = le64toh((uint64_t)h.total);
	table = calloc(total, sizeof(*table));
	if (table == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	if (get(fd, table, total * sizeof(*table),
	    le64toh((uint64_t)h.table_off), err) == 0) {
		primary = find_primary(table, total, (uint64_t)st.st_size, err);
		if (primary != NULL)
			r = check_fs(fd, primary, err);
	}
	free(table);
	return r;
}

int
cic_sif_check(const char *path, struct cic_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd == -1)
		return cic_err_errno(err, "%s", path);
	r = check(fd, err);
	close(fd);
	return r == 0 ? 0 : cic_err_wrap(err, "%s", path);
}
