/* Memory and names of a tree; see tree_table.h. */
#include "tree_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "err.h"

#define CHUNK	((size_t)1 << 20)

struct cic_chunk {
	struct cic_chunk *next;
	size_t		 used, size;
	_Alignas(8) unsigned char data[];
};

/* --- memory ------------------------------------------------------------- */

void *
cic_tree_alloc(struct cic_tree *tree, size_t size, struct cic_err *err)
{
	struct cic_chunk *c = tree->chunk;
	size_t want = size + 7 < size ? SIZE_MAX : (size + 7) & ~(size_t)7;
	size_t room = want > CHUNK ? want : CHUNK;

	if (c == NULL || want > c->size - c->used) {
		if (room > CIC_TREE_BYTES - tree->bytes) {
			cic_err_set(err, CIC_EINVAL, "names need more than %zu MiB of memory",
			    CIC_TREE_BYTES >> 20);
			return NULL;
		}
		c = malloc(sizeof(*c) + room);
		if (c == NULL) {
			cic_err_set(err, CIC_EIO, "out of memory");
			return NULL;
		}
		*c = (struct cic_chunk){ .next = tree->chunk, .size = room };
		tree->chunk = c;
		tree->bytes += room;
	}
	c->used += want;
	return memset(c->data + c->used - want, 0, size);
}

int
cic_tree_table_init(struct cic_tree *tree, struct cic_err *err)
{
	tree->nbucket = 4096;
	tree->bucket = calloc(tree->nbucket, sizeof(*tree->bucket));
	if (tree->bucket == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	if (getrandom(tree->seed, sizeof(tree->seed), 0) != sizeof(tree->seed))
		return cic_err_errno(err, "getrandom");
	return 0;
}

void
cic_tree_table_release(struct cic_tree *tree)
{
	struct cic_chunk *c, *next;

	for (c = tree->chunk; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(tree->bucket);
}

/* --- the hash of (directory, name) -------------------------------------- */

/* Multiply to 128 bits and fold: with a secret seed nobody can choose names
 * that meet in one bucket. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static size_t
hash(const struct cic_tree *tree, const struct cic_inode *dir,
    const char *name, size_t len)
{
	uint64_t h = fold(tree->seed[0] ^ (uintptr_t)dir, tree->seed[1] ^ len);
	uint64_t w;

	for (; len > 0; name += sizeof(w), len -= sizeof(w)) {
		w = 0;
		memcpy(&w, name, len < sizeof(w) ? len : sizeof(w));
		h = fold(h ^ w, tree->seed[1] ^ UINT64_C(0x9e3779b97f4a7c15));
		if (len < sizeof(w))
			break;
	}
	h = fold(h ^ tree->seed[0], UINT64_C(0xd6e8feb86659fd93));
	return (size_t)h & (tree->nbucket - 1);
}

struct cic_entry *
cic_tree_lookup(const struct cic_tree *tree, const struct cic_inode *dir,
    const char *name, size_t len)
{
	struct cic_entry *e = tree->bucket[hash(tree, dir, name, len)];

	while (e != NULL && (e->dir != dir ||
	    strncmp(e->name, name, len) != 0 || e->name[len] != '\0'))
		e = e->chain;
	return e;
}

/* Double the buckets.  Without memory for it, chains just grow longer. */
static void
grow(struct cic_tree *tree)
{
	struct cic_entry **old = tree->bucket, *e, *next;
	size_t n = tree->nbucket, i, k;
	struct cic_entry **bucket = calloc(n * 2, sizeof(*bucket));

	if (bucket == NULL)
		return;
	tree->bucket = bucket;
	tree->nbucket = n * 2;
	for (i = 0; i < n; i++) {
		for (e = old[i]; e != NULL; e = next) {
			next = e->chain;
			k = hash(tree, e->dir, e->name, strlen(e->name));
			e->chain = bucket[k];
			bucket[k] = e;
		}
	}
	free(old);
}

struct cic_entry *
cic_tree_new_entry(struct cic_tree *tree, struct cic_inode *dir, const char *name,
    size_t len, struct cic_err *err)
{
	struct cic_entry *e;
	size_t k;

	if (tree->names >= CIC_TREE_ENTRIES) {
		cic_err_set(err, CIC_EINVAL, "more than %u entries", CIC_TREE_ENTRIES);
		return NULL;
	}
	if (dir->u.dir.names >= CIC_TREE_DIR) {
		cic_err_set(err, CIC_EINVAL, "more than %u names in one directory",
		    CIC_TREE_DIR);
		return NULL;
	}
	if (tree->names >= tree->nbucket * 2)
		grow(tree);
	e = cic_tree_alloc(tree, sizeof(*e) + len + 1, err);
	if (e == NULL)
		return NULL;
	memcpy(e->name, name, len);
	e->dir = dir;
	k = hash(tree, dir, name, len);
	e->chain = tree->bucket[k];
	tree->bucket[k] = e;
	e->older = dir->u.dir.last;
	dir->u.dir.last = e;
	dir->u.dir.names++;
	tree->names++;
	return e;
}
