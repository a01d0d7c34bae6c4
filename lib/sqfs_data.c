/*
 * Blocks and fragments of a squashfs; see sqfs_data.h.
 *
 * Blocks come back from the threads in the order in which they were submitted, to
 * `write_block`, always on the calling thread: a data block with its file as the
 * user pointer, a fragment block with none.
 */
#include "sqfs_data.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sqfs/block.h>
#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/io.h>

#include "digest.h"
#include "sqfs.h"

#define BLOCK		CIC_SQFS_BLOCK
#define RAW		((uint32_t)1 << 24)	/* a block that is not compressed */
#define CHUNK		((size_t)1 << 18)	/* of memory for records */
#define COMPARE		65536			/* bytes compared at a time */
#define TRIES		8			/* files one is compared with */

struct chunk {
	struct chunk	*next;
	size_t		 used, size;
	_Alignas(8) unsigned char bytes[];
};

/* The end of a file, or all of a small one, that is in a fragment already. */
struct tail {
	unsigned char	 digest[16];	/* half a SHA-256: nobody makes two alike */
	uint32_t	 fragment, offset;
};

/* A file of whole blocks that is in the image already. */
struct whole {
	uint64_t	 hash;		/* of its blocks' sizes and checksums */
	struct cic_file	*file;		/* NULL: free */
};

struct cic_sqfs_data {
	sqfs_block_writer_t writer;	/* first: what libsquashfs sees of us */
	sqfs_block_processor_t *processor;
	sqfs_file_t	*file;
	sqfs_frag_table_t *fragments;
	struct chunk	*chunk;
	unsigned	 backlog;

	/* the file being given */
	struct cic_file	*current;
	uint64_t	 missing;	/* bytes of it that are still to come */
	size_t		 have;		/* bytes of its block in buf */
	unsigned char	 buf[BLOCK];

	/* the fragment block being filled */
	uint32_t	 fragment;	/* its index */
	size_t		 packed;	/* bytes in pack */
	unsigned char	 pack[BLOCK];

	/* the file being written */
	uint32_t	 filled;	/* its blocks so far */
	uint64_t	 hash, start;
	uint32_t	 written;	/* index of the next fragment block */
	uint64_t	 blocks;

	struct tail	*tail;		/* in order, found by … */
	size_t		 tails, room;
	uint32_t	*slot;		/* … this: index + 1, a power of two */
	size_t		 slots;
	struct whole	*whole;		/* open addressing, a power of two */
	size_t		 wholes, nwhole;
	unsigned char	 x[COMPARE], y[COMPARE];
};

size_t
cic_file_blocks(const struct cic_file *file)
{
	return (size_t)(file->size / BLOCK) + (file->size % BLOCK != 0 &&
	    file->fragment == CIC_FILE_NO_FRAGMENT);
}

/* --- memory ------------------------------------------------------------- */

static void *
alloc(struct cic_sqfs_data *data, size_t size)
{
	size_t want = (size + 7) & ~(size_t)7;
	size_t room = want > CHUNK ? want : CHUNK;
	struct chunk *c = data->chunk;

	if (c == NULL || want > c->size - c->used) {
		c = malloc(sizeof(*c) + room);
		if (c == NULL)
			return NULL;
		*c = (struct chunk){ .next = data->chunk, .size = room };
		data->chunk = c;
	}
	c->used += want;
	return memset(c->bytes + c->used - want, 0, size);
}

/* --- equal files -------------------------------------------------------- */

static uint64_t
mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static struct whole *
find_whole(struct cic_sqfs_data *data, uint64_t hash, size_t i)
{
	while (data->whole[i].file != NULL && data->whole[i].hash != hash)
		i = (i + 1) & (data->nwhole - 1);
	return &data->whole[i];
}

static int
grow_wholes(struct cic_sqfs_data *data)
{
	size_t n = data->nwhole, more = n == 0 ? 1024 : n * 2, i, k;
	struct whole *old = data->whole, *whole = calloc(more, sizeof(*whole));

	if (whole == NULL)
		return SQFS_ERROR_ALLOC;
	for (i = 0; i < n; i++) {
		if (old[i].file == NULL)
			continue;
		k = old[i].hash & (more - 1);
		while (whole[k].file != NULL)
			k = (k + 1) & (more - 1);
		whole[k] = old[i];
	}
	free(old);
	data->whole = whole;
	data->nwhole = more;
	return 0;
}

static uint64_t
stored(const struct cic_file *file)
{
	uint64_t sum = 0, i;

	for (i = 0; i < file->size / BLOCK; i++)
		sum += file->block[i] & (RAW - 1);
	return sum;
}

/* Are the two ranges of the image equal?  1, 0 or an error. */
static int
compare(struct cic_sqfs_data *data, uint64_t a, uint64_t b, uint64_t len)
{
	size_t n;
	int e;

	for (; len > 0; a += n, b += n, len -= n) {
		n = len < COMPARE ? (size_t)len : COMPARE;
		e = data->file->read_at(data->file, a, data->x, n);
		if (e == 0)
			e = data->file->read_at(data->file, b, data->y, n);
		if (e != 0)
			return e;
		if (memcmp(data->x, data->y, n) != 0)
			return 0;
	}
	return 1;
}

/* All blocks of the file are written.  If another one has the same, share them
 * and take these back. */
static int
share_blocks(struct cic_sqfs_data *data, struct cic_file *file)
{
	const struct cic_file *other;
	unsigned tries = 0;
	struct whole *w;
	size_t i;
	int e;

	file->start = data->start;
	if ((data->wholes + 1) * 2 > data->nwhole &&
	    (e = grow_wholes(data)) != 0)
		return e;
	i = data->hash & (data->nwhole - 1);
	for (;;) {
		w = find_whole(data, data->hash, i);
		other = w->file;
		if (other == NULL)
			break;
		if (++tries > TRIES)	/* so many are no accident */
			return 0;
		if (other->size / BLOCK == data->filled && memcmp(other->block,
		    file->block, data->filled * sizeof(file->block[0])) == 0) {
			e = compare(data, other->start, file->start, stored(file));
			if (e < 0)
				return e;
			if (e == 1) {
				e = data->file->truncate(data->file, file->start);
				file->start = other->start;
				return e;
			}
		}
		i = ((size_t)(w - data->whole) + 1) & (data->nwhole - 1);
	}
	*w = (struct whole){ data->hash, file };
	data->wholes++;
	return 0;
}

/* --- blocks that come back ---------------------------------------------- */

static int
data_block(struct cic_sqfs_data *data, struct cic_file *file, uint32_t size,
    uint32_t checksum, const void *bytes, uint64_t at)
{
	int e = 0;

	if (data->filled == 0) {
		data->hash = 0;
		data->start = at;
	}
	file->block[data->filled++] = size;
	data->hash = mix(data->hash, (uint64_t)size << 32 | checksum);
	if (size != 0)
		e = data->file->write_at(data->file, at, bytes,
		    size & (RAW - 1));
	if (data->filled < file->size / BLOCK)
		return e;
	if (e == 0)
		e = share_blocks(data, file);
	data->filled = 0;
	return e;
}

static int
write_block(sqfs_block_writer_t *writer, void *user, sqfs_u32 size,
    sqfs_u32 checksum, sqfs_u32 flags, const sqfs_u8 *bytes, sqfs_u64 *location)
{
	struct cic_sqfs_data *data = (struct cic_sqfs_data *)writer;
	uint64_t at = data->file->get_size(data->file);
	uint32_t word = flags & SQFS_BLK_IS_COMPRESSED ? size : size | RAW;
	int e;

	*location = at;
	data->blocks++;
	if (user != NULL)
		return data_block(data, user, flags & SQFS_BLK_IS_SPARSE ? 0 :
		    word, checksum, bytes, at);
	e = data->file->write_at(data->file, at, bytes, size);
	return e != 0 ? e : sqfs_frag_table_set(data->fragments, data->written++,
	    at, word);
}

static sqfs_u64
block_count(const sqfs_block_writer_t *writer)
{
	return ((const struct cic_sqfs_data *)writer)->blocks;
}

static void
no_destroy(sqfs_object_t *object)
{
	(void)object;	/* cic_sqfs_data_free does */
}

/* --- fragments ---------------------------------------------------------- */

static int
submit_fragments(struct cic_sqfs_data *data)
{
	int e;

	if (data->packed == 0)
		return 0;
	e = sqfs_block_processor_submit_block(data->processor, NULL,
	    SQFS_BLK_IGNORE_SPARSE, data->pack, data->packed);
	data->packed = 0;
	return e;
}

static size_t
slot_of(const struct cic_sqfs_data *data, const unsigned char digest[16])
{
	size_t i;

	memcpy(&i, digest, sizeof(i));
	i &= data->slots - 1;
	while (data->slot[i] != 0 && memcmp(data->tail[data->slot[i] - 1].digest,
	    digest, 16) != 0)
		i = (i + 1) & (data->slots - 1);
	return i;
}

static int
grow_tails(struct cic_sqfs_data *data)
{
	size_t room = data->room == 0 ? 2048 : data->room * 2, i;
	struct tail *tail = realloc(data->tail, room * sizeof(*tail));
	uint32_t *slot;

	if (tail == NULL)
		return SQFS_ERROR_ALLOC;
	data->tail = tail;
	slot = calloc(room * 2, sizeof(*slot));
	if (slot == NULL)
		return SQFS_ERROR_ALLOC;
	free(data->slot);
	data->slot = slot;
	data->slots = room * 2;
	data->room = room;
	for (i = 0; i < data->tails; i++)
		slot[slot_of(data, tail[i].digest)] = (uint32_t)i + 1;
	return 0;
}

/* Put the bytes into the fragment block, a new one when they do not fit. */
static int
pack(struct cic_sqfs_data *data, const void *bytes, size_t len)
{
	int e = 0;

	if (data->packed + len > BLOCK)
		e = submit_fragments(data);
	if (e == 0 && data->packed == 0)
		e = sqfs_frag_table_append(data->fragments, 0, 0, &data->fragment);
	if (e != 0)
		return e;
	memcpy(data->pack + data->packed, bytes, len);
	data->packed += len;
	return 0;
}

/* The current file's last bytes, fewer than a block. */
static int
add_tail(struct cic_sqfs_data *data)
{
	struct cic_file *file = data->current;
	unsigned char digest[32];
	struct tail *tail;
	size_t slot;
	int e;

	if (data->tails == data->room && (e = grow_tails(data)) != 0)
		return e;
	cic_digest_raw(data->buf, data->have, digest);
	slot = slot_of(data, digest);
	if (data->slot[slot] == 0) {
		e = pack(data, data->buf, data->have);
		if (e != 0)
			return e;
		tail = &data->tail[data->tails++];
		memcpy(tail->digest, digest, sizeof(tail->digest));
		tail->fragment = data->fragment;
		tail->offset = (uint32_t)(data->packed - data->have);
		data->slot[slot] = (uint32_t)data->tails;
	} else
		tail = &data->tail[data->slot[slot] - 1];
	file->fragment = tail->fragment;
	file->offset = tail->offset;
	return 0;
}

/* --- files -------------------------------------------------------------- */

int
cic_sqfs_data_begin(struct cic_sqfs_data *data, uint64_t size,
    struct cic_file **out)
{
	uint64_t whole = size / BLOCK;
	struct cic_file *file;

	if (data->current != NULL)
		return SQFS_ERROR_SEQUENCE;
	if (whole > UINT32_MAX / 2)
		return SQFS_ERROR_OVERFLOW;
	/* one more for a tail that is a hole */
	file = alloc(data, sizeof(*file) + (whole + (size % BLOCK != 0)) *
	    sizeof(file->block[0]));
	if (file == NULL)
		return SQFS_ERROR_ALLOC;
	file->size = size;
	file->fragment = CIC_FILE_NO_FRAGMENT;
	data->current = file;
	data->missing = size;
	data->have = 0;
	*out = file;
	return 0;
}

static int
submit(struct cic_sqfs_data *data, const void *bytes)
{
	return sqfs_block_processor_submit_block(data->processor, data->current, 0,
	    bytes, BLOCK);
}

int
cic_sqfs_data_append(struct cic_sqfs_data *data, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t n;
	int e = 0;

	if (data->current == NULL || len > data->missing)
		return SQFS_ERROR_SEQUENCE;
	data->missing -= len;
	for (; e == 0 && len > 0; p += n, len -= n) {
		if (data->have == 0 && len >= BLOCK) {	/* no need to copy */
			n = BLOCK;
			e = submit(data, p);
			continue;
		}
		n = BLOCK - data->have < len ? BLOCK - data->have : len;
		memcpy(data->buf + data->have, p, n);
		data->have += n;
		if (data->have == BLOCK) {
			e = submit(data, data->buf);
			data->have = 0;
		}
	}
	return e;
}

static bool
all_zeros(const unsigned char *p, size_t len)
{
	return len == 0 || (*p == 0 && memcmp(p, p + 1, len - 1) == 0);
}

int
cic_sqfs_data_end(struct cic_sqfs_data *data)
{
	int e = 0;

	if (data->current == NULL || data->missing > 0)
		return SQFS_ERROR_SEQUENCE;
	/* A tail of zeros is a hole; its word is 0 already. */
	if (data->have > 0 && !all_zeros(data->buf, data->have))
		e = add_tail(data);
	data->current = NULL;
	return e;
}

int
cic_sqfs_data_finish(struct cic_sqfs_data *data)
{
	int e = submit_fragments(data);

	if (e == 0)
		e = sqfs_block_processor_finish(data->processor);
	if (e != 0)
		return e;
	/* Nothing is compared any more, and the tree needs room. */
	free(data->tail);
	free(data->slot);
	free(data->whole);
	data->tail = NULL;
	data->slot = NULL;
	data->whole = NULL;
	data->nwhole = data->wholes = 0;
	return 0;
}

/* --- set up and take down ----------------------------------------------- */

int
cic_sqfs_data_new(const struct cic_sqfs_data_options *options,
    struct cic_sqfs_data **out)
{
	struct cic_sqfs_data *data = calloc(1, sizeof(*data));
	sqfs_block_processor_desc_t desc = {
		.size = sizeof(desc),
		.max_block_size = BLOCK,
		.num_workers = options->threads,
		.max_backlog = options->backlog,
		.cmp = options->zlib,
	};
	int e;

	if (data == NULL)
		return SQFS_ERROR_ALLOC;
	data->writer.base.destroy = no_destroy;
	data->writer.write_data_block = write_block;
	data->writer.get_block_count = block_count;
	data->file = options->file;
	data->fragments = options->fragments;
	data->backlog = options->backlog;
	desc.wr = &data->writer;
	e = sqfs_block_processor_create_ex(&desc, &data->processor);
	if (e == 0)
		*out = data;
	else
		free(data);
	return e;
}

/* libsquashfs does not free the blocks that are still in flight, so let them
 * land.  When writing fails, each try brings one down. */
static void
drain(struct cic_sqfs_data *data)
{
	unsigned i;

	for (i = 0; i < data->backlog; i++) {
		if (sqfs_block_processor_sync(data->processor) == 0)
			return;
	}
}

void
cic_sqfs_data_free(struct cic_sqfs_data *data)
{
	struct chunk *c, *next;

	if (data == NULL)
		return;
	drain(data);
	sqfs_destroy(data->processor);
	for (c = data->chunk; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(data->tail);
	free(data->slot);
	free(data->whole);
	free(data);
}
