/*
 * Output names of a request; declared in request.h.
 *
 * The repository part must satisfy Docker's grammar: runs of [a-z0-9]
 * separated by one of `.`, `_`, `__` or any number of `-`; the tag
 * [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.
 */
#include "request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"

#define HASH_DIGITS	8
#define TAG_BYTES	100	/* keeps `_v_<tag>.sif` and a name in 240 */
#define NAME_BYTES	120

static bool
is_separator(char c)
{
	return c == '.' || c == '_' || c == '-';
}

/* May the separators `run` of length `len` stand between two words? */
static bool
good_separator(const char *run, size_t len)
{
	return strspn(run, "-") >= len || (len == 1) ||
	    (len == 2 && run[0] == '_' && run[1] == '_');
}

/* Lower case, foreign bytes to `-`.  Returns whether a byte was lost. */
static bool
lower(char *text)
{
	bool lost = false;

	for (; *text != '\0'; text++) {
		*text = (char)tolower((unsigned char)*text);
		if (!isalnum((unsigned char)*text) && !is_separator(*text)) {
			*text = '-';
			lost = true;
		}
	}
	return lost;
}

/* Make separators fit Docker's grammar.  Returns whether something changed. */
static bool
tidy_separators(char *text)
{
	char *from = text, *to = text;
	bool changed = false;
	size_t run;

	while (*from != '\0') {
		for (run = 0; is_separator(from[run]); run++)
			;
		if (run == 0) {
			*to++ = *from++;
		} else if (to == text || from[run] == '\0') {
			from += run;
			changed = true;
		} else if (good_separator(from, run)) {
			memmove(to, from, run);
			to += run;
			from += run;
		} else {
			*to++ = '_';
			from += run;
			changed = true;
		}
	}
	*to = '\0';
	return changed;
}

static bool
cut(char *text, size_t max)
{
	if (strlen(text) <= max)
		return false;
	text[max] = '\0';
	/* the first byte stays: a tag may be nothing but `_` */
	while (max > 1 && is_separator(text[max - 1]))
		text[--max] = '\0';
	return true;
}

/* `openmpi@4` → `openmpi_4`; none → "nompi". */
static void
spec_word(char out[CIC_SPEC_MAX], const char *spec, const char *none)
{
	char *at;

	snprintf(out, CIC_SPEC_MAX, "%s", spec[0] != '\0' ? spec : none);
	while ((at = strchr(out, '@')) != NULL)
		*at = '_';
}

void
cic_request_names(const struct cic_request *r,
    const struct cic_request_site *site, bool suffix, struct cic_names *names)
{
	char name[1024], tag[CIC_VERSION_MAX], mpi[CIC_SPEC_MAX],
	    gpu[CIC_SPEC_MAX], hash[HASH_DIGITS + 2] = "";
	unsigned char id[32];
	bool changed = suffix;

	spec_word(mpi, r->mpi, "nompi");
	spec_word(gpu, r->gpu, "nogpu");
	snprintf(name, sizeof(name), "%s_%s_%s_%s_%s", r->workflow, r->step,
	    r->architecture, mpi, gpu);
	snprintf(tag, sizeof(tag), "%s", r->version);
	/* each of these must run: no short circuit */
	changed |= lower(name);
	changed |= tidy_separators(name);
	changed |= cut(name, NAME_BYTES);
	changed |= lower(tag);
	if (tag[0] == '.' || tag[0] == '-') {
		tag[0] = '_';
		changed = true;
	}
	changed |= cut(tag, TAG_BYTES);
	if (changed) {
		cic_request_identity(r, id);
		snprintf(hash, sizeof(hash), "_%02x%02x%02x%02x", id[0], id[1],
		    id[2], id[3]);
	}
	snprintf(names->file, sizeof(names->file), "%.*s%s_v_%.*s.sif",
	    NAME_BYTES, name, hash, TAG_BYTES, tag);
	if (cic_request_is_base(r)) {
		snprintf(names->image, sizeof(names->image), "%s",
		    site->base_image);
		return;
	}
	snprintf(names->image, sizeof(names->image), "%.120s%.*s%s:%.*s",
	    site->images_prefix, NAME_BYTES, name, hash, TAG_BYTES, tag);
}
