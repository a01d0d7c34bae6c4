/*
 * A folder becomes a commit; see git_folder.h.
 *
 * Two walks: one over names and times, for a fingerprint; a second one, when
 * that is not the last one's, writes the stream that git fast-import reads.
 */
#include "git_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "digest.h"
#include "git_mirror.h"
#include "git_run.h"
#include "path.h"

#define DEPTH_MAX	64
#define REF		"refs/cic-folder"
#define NOTE		"cic-folder"	/* in the mirror: fingerprint, commit */
#define SETTLED		2	/* seconds: a change within one tick of the file
				 * system's clock does not show in the time */

/* One walk over a folder. */
struct walk {
	int		(*file)(struct walk *walk, int dir, const char *name,
			    const struct stat *st, struct cic_err *err);
	char		 path[CIC_PATH_MAX];	/* from the top */
	size_t		 path_len;		/* of the folder being read */
	unsigned	 depth, entries;
	off_t		 bytes;
	dev_t		 dev;
	/* file = fingerprint: */
	struct cic_digest *digest;
	time_t		 newest;
	/* file = import: */
	FILE		*stream;
};

static int
bad(const struct walk *walk, struct cic_err *err)
{
	return cic_err_errno(err, "the folder's %s",
	    walk->path[0] != '\0' ? walk->path : "top");
}

static int walk_folder(struct walk *walk, int fd, struct cic_err *err);

static int
enter(struct walk *walk, int dir, const char *name, const struct stat *st,
    struct cic_err *err)
{
	size_t above = walk->path_len;
	int fd, rc;

	if (st->st_dev != walk->dev)
		return 0;
	if (walk->depth == DEPTH_MAX)
		return cic_err_set(err, CIC_EINVAL,
		    "the folder is more than %d folders deep", DEPTH_MAX);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return bad(walk, err);
	walk->path_len = strlen(walk->path);
	walk->depth++;
	rc = walk_folder(walk, fd, err);
	walk->depth--;
	walk->path_len = above;
	return rc;
}

/* One name of the folder `dir`. */
static int
visit(struct walk *walk, int dir, const char *name, struct cic_err *err)
{
	size_t room = sizeof(walk->path) - walk->path_len;
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcasecmp(name, ".git") == 0)
		return 0;
	if ((size_t)snprintf(walk->path + walk->path_len, room, "%s%s",
	    walk->path_len > 0 ? "/" : "", name) >= room)
		return cic_err_set(err, CIC_EINVAL,
		    "the folder holds a path longer than %d bytes",
		    CIC_PATH_MAX);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return bad(walk, err);
	if (S_ISDIR(st.st_mode))
		return enter(walk, dir, name, &st, err);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	walk->bytes += st.st_size;
	if (++walk->entries > CIC_GIT_FILES || walk->bytes > CIC_GIT_BYTES)
		return cic_err_set(err, CIC_EINVAL, "the folder holds more than "
		    "%d files or %lld MiB", CIC_GIT_FILES,
		    (long long)(CIC_GIT_BYTES >> 20));
	return walk->file(walk, dir, name, &st, err);
}

/* The names in order, for the fingerprint.  Takes the descriptor. */
static int
walk_folder(struct walk *walk, int fd, struct cic_err *err)
{
	struct dirent **names = NULL;
	int n, i, rc = 0;

	n = scandirat(fd, ".", &names, NULL, alphasort);
	if (n < 0)
		rc = bad(walk, err);
	for (i = 0; i < n; i++) {
		if (rc == 0)
			rc = visit(walk, fd, names[i]->d_name, err);
		free(names[i]);
	}
	free(names);
	close(fd);
	return rc;
}

static int
walk_top(struct walk *walk, const char *folder, struct cic_err *err)
{
	struct stat st;
	int fd;

	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		cic_err_errno(err, "open folder");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	walk->dev = st.st_dev;
	return walk_folder(walk, fd, err);
}

/* --- the fingerprint ---------------------------------------------------- */

/* What changes when a file does; ctime cannot be set back. */
static int
fingerprint(struct walk *walk, int dir, const char *name,
    const struct stat *st, struct cic_err *err)
{
	const int64_t numbers[] = { st->st_mode, st->st_size,
	    (int64_t)st->st_ino, st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	    st->st_ctim.tv_sec, st->st_ctim.tv_nsec };

	(void)dir;
	(void)name;
	(void)err;
	cic_digest_add_field(walk->digest, walk->path);
	cic_digest_add(walk->digest, numbers, sizeof(numbers));
	if (st->st_ctim.tv_sec > walk->newest)
		walk->newest = st->st_ctim.tv_sec;
	return 0;
}

/* "<digest>", or "" when something has changed too lately to be told. */
static int
take_fingerprint(const char *folder, char hex[CIC_SHA256_HEX],
    struct cic_err *err)
{
	struct walk walk = { .file = fingerprint,
	    .digest = cic_digest_begin() };
	time_t now = time(NULL);
	int rc;

	if (walk.digest == NULL)
		return cic_err_set(err, CIC_EIO, "out of memory");
	rc = walk_top(&walk, folder, err);
	cic_digest_end(walk.digest, hex);
	if (walk.newest + SETTLED >= now)
		hex[0] = '\0';
	return rc;
}

static int
note_path(const char *mirror, char out[CIC_PATH_MAX], struct cic_err *err)
{
	return cic_path_format(out, err, "%s/" NOTE, mirror);
}

/* Is the folder as it was when the mirror's note was written? */
static bool
is_noted(struct cic_git_commit *out, const char *hex)
{
	size_t len = strlen(hex);
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct cic_buf text;
	bool noted = false;

	cic_buf_init(&text, 256);
	if (len > 0 && note_path(out->mirror, path, &ignored) == 0 &&
	    cic_read_file(path, &text, &ignored) == 0 && text.len > len &&
	    memcmp(text.data, hex, len) == 0 &&
	    cic_git_is_id(text.data + len + 1)) {
		snprintf(out->commit, sizeof(out->commit), "%.64s",
		    text.data + len + 1);
		noted = cic_mirror_lists(out);
	}
	cic_buf_release(&text);
	return noted;
}

static int
write_note(const struct cic_git_commit *at, const char *hex,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX], text[CIC_SHA256_HEX + CIC_COMMIT_MAX];
	int n;

	if (note_path(at->mirror, path, err) != 0)
		return -1;
	n = snprintf(text, sizeof(text), "%s %s", hex, at->commit);
	return cic_write_file(path, text, (size_t)n, 0600, err);
}

/* --- the stream, git-fast-import(1) ------------------------------------- */

static void
put_path(FILE *stream, const char *path)
{
	fputc('"', stream);
	for (; *path != '\0'; path++) {
		if (*path == '"' || *path == '\\')
			fputc('\\', stream);
		if (*path == '\n')
			fputs("\\n", stream);
		else
			fputc(*path, stream);
	}
	fputc('"', stream);
}

static int
changes(const struct walk *walk, struct cic_err *err)
{
	return cic_err_set(err, CIC_EAGAIN,
	    "the folder's %s changes while it is read", walk->path);
}

static int
import_link(struct walk *walk, int dir, const char *name, struct cic_err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target));

	if (n < 0)
		return bad(walk, err);
	fputs("M 120000 inline ", walk->stream);
	put_path(walk->stream, walk->path);
	fprintf(walk->stream, "\ndata %zd\n", n);
	fwrite(target, 1, (size_t)n, walk->stream);
	fputc('\n', walk->stream);
	return 0;
}

/* Exactly `size` bytes, and no more are there. */
static int
copy_bytes(struct walk *walk, int fd, off_t size, struct cic_err *err)
{
	char bytes[65536];
	ssize_t n;

	do {
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno != EINTR)
			return bad(walk, err);
		if (n > size)
			return changes(walk, err);
		if (n > 0) {
			fwrite(bytes, 1, (size_t)n, walk->stream);
			size -= n;
		}
	} while (n != 0);
	return size == 0 ? 0 : changes(walk, err);
}

static int
import(struct walk *walk, int dir, const char *name, const struct stat *st,
    struct cic_err *err)
{
	struct stat now;
	int fd, rc;

	if (S_ISLNK(st->st_mode))
		return import_link(walk, dir, name, err);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return bad(walk, err);
	if (fstat(fd, &now) != 0 || !S_ISREG(now.st_mode) ||
	    now.st_size != st->st_size) {
		close(fd);
		return changes(walk, err);
	}
	fprintf(walk->stream, "M %s inline ",
	    (now.st_mode & 0100) != 0 ? "100755" : "100644");
	put_path(walk->stream, walk->path);
	fprintf(walk->stream, "\ndata %lld\n", (long long)now.st_size);
	rc = copy_bytes(walk, fd, now.st_size, err);
	fputc('\n', walk->stream);
	close(fd);
	return rc;
}

/* A fixed author and time: the id says what is in it, not when. */
static int
write_stream(FILE *stream, const char *folder, struct cic_err *err)
{
	struct walk walk = { .file = import, .stream = stream };

	fputs("commit " REF "\ncommitter cic <cic@localhost> 0 +0000\n"
	    "data 0\n\ndeleteall\n", stream);
	if (walk_top(&walk, folder, err) != 0)
		return -1;
	fputs("done\n", stream);
	if (fflush(stream) != 0 || ferror(stream))
		return cic_err_errno(err, "write the folder's copy");
	rewind(stream);
	return 0;
}

/* What unpacks the files later leaves them as they are, whatever attributes the
 * folder gives them: gitattributes(5), the file info/attributes comes first. */
static int
write_attributes(const char *mirror, struct cic_err *err)
{
	static const char text[] =
	    "* -text -ident -filter -working-tree-encoding -eol\n";
	char path[CIC_PATH_MAX];

	if (cic_path_format(path, err, "%s/info", mirror) != 0 ||
	    cic_mkdir_p(path, 0700, err) != 0 ||
	    cic_path_format(path, err, "%s/info/attributes", mirror) != 0)
		return -1;
	return cic_write_file(path, text, sizeof(text) - 1, 0600, err);
}

/* Returns 0, 1 when git failed, -1. */
static int
run_import(const struct cic_git *git, struct cic_git_commit *out,
    FILE *stream, struct cic_err *err)
{
	struct cic_argv argv;
	int rc;

	cic_git_argv(&argv, out->mirror, "fast-import", "--quiet", "--force",
	    "--done");
	rc = cic_git_run(git, &argv, NULL, fileno(stream), NULL, err);
	if (rc == 0)
		rc = cic_git_id(git, out->mirror, REF "^{commit}", out->commit,
		    err);
	return rc == 0 ? cic_mirror_keep(git, out, err) : rc > 0 ? 1 : -1;
}

/* The stream by way of a file: git can be waited for as ever. */
static int
import_folder(const struct cic_git *git, struct cic_git_commit *out,
    struct cic_err *err)
{
	char path[CIC_PATH_MAX];
	FILE *stream;
	int rc;

	if (cic_path_format(path, err, "%s.stream", out->mirror) != 0 ||
	    write_attributes(out->mirror, err) != 0)
		return -1;
	unlink(path);
	stream = fopen(path, "w+xe");
	if (stream == NULL)
		return cic_err_errno(err, "make file %s", path);
	unlink(path);
	rc = write_stream(stream, out->url, err) != 0 ? -1 :
	    run_import(git, out, stream, err);
	fclose(stream);
	return rc <= 0 ? rc : cic_err_set(err, CIC_EIO,
	    "git could not take the folder; see the log for what it said");
}

/* --- the whole ---------------------------------------------------------- */

static bool
has_name(const char *folder, const char *name)
{
	char path[CIC_PATH_MAX];
	struct cic_err ignored;
	struct stat st;

	return cic_path_format(path, &ignored, "%s/%s", folder, name) == 0 &&
	    lstat(path, &st) == 0;
}

bool
cic_git_is_folder(const char *url)
{
	struct stat st;

	return url[0] == '/' && stat(url, &st) == 0 && S_ISDIR(st.st_mode) &&
	    !has_name(url, ".git") && !(has_name(url, "HEAD") &&
	    has_name(url, "objects") && has_name(url, "refs"));
}

int
cic_git_folder_take(const struct cic_git *git, struct cic_git_commit *out,
    struct cic_err *err)
{
	char hex[CIC_SHA256_HEX];

	if (take_fingerprint(out->url, hex, err) != 0)
		return -1;
	if (is_noted(out, hex))
		return 0;
	if (cic_mirror_make(git, out->mirror, err) != 0 ||
	    import_folder(git, out, err) != 0)
		return -1;
	return hex[0] == '\0' ? 0 : write_note(out, hex, err);
}

int
cic_git_folder_again(const struct cic_git *git,
    const struct cic_git_commit *at, struct cic_err *err)
{
	struct cic_git_commit now = *at;

	if (import_folder(git, &now, err) != 0)
		return -1;
	return strcmp(now.commit, at->commit) == 0 ? 0 : cic_err_set(err,
	    CIC_EAGAIN, "the folder has changed since; ask again");
}
