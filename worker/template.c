/* The Dockerfile template; see template.h. */
#include "template.h"

#include <string.h>

#include "buf.h"

#define IF "@IF "

/* Copy a line with its values in place. */
static void
replace(const char *line, size_t len, const struct template_value *values,
    size_t count, struct cic_buf *out)
{
	const char *end = line + len;
	size_t i, n;

	while (line < end) {
		for (i = 0; *line == '@' && i < count; i++) {
			n = strlen(values[i].name);
			if ((size_t)(end - line) > n + 1 && line[n + 1] == '@' &&
			    memcmp(line + 1, values[i].name, n) == 0)
				break;
		}
		if (*line == '@' && i < count) {
			cic_buf_puts(out, values[i].text);
			line += strlen(values[i].name) + 2;
		} else
			cic_buf_putc(out, *line++);
	}
}

/* The part of "@IF part@ …": `*line` and `*len` are what follows.  NULL: no
 * such line, or (*line is NULL) a part that nobody knows. */
static const struct template_part *
condition(const char **line, size_t *len, const struct template_part *parts,
    size_t count)
{
	const char *name = *line + strlen(IF), *at;
	size_t i, n;

	if (*len < strlen(IF) || strncmp(*line, IF, strlen(IF)) != 0)
		return NULL;
	at = memchr(name, '@', *len - strlen(IF));
	for (i = 0; at != NULL && i < count; i++) {
		n = strlen(parts[i].name);
		if ((size_t)(at - name) != n || memcmp(name, parts[i].name, n) != 0)
			continue;
		*len -= (size_t)(at + 1 - *line);
		*line = at + 1;
		while (*len > 0 && **line == ' ') {
			(*line)++;
			(*len)--;
		}
		return &parts[i];
	}
	*line = NULL;
	return NULL;
}

int
template_render(const char *text, const struct template_value *values,
    size_t value_count, const struct template_part *parts, size_t part_count,
    struct cic_buf *out, struct cic_err *err)
{
	const struct template_part *part;
	const char *line, *next;
	unsigned number = 0;
	size_t len;

	for (line = text; *line != '\0'; line = next) {
		len = strcspn(line, "\n");
		next = line + len + (line[len] == '\n');
		number++;
		part = condition(&line, &len, parts, part_count);
		if (line == NULL)
			return cic_err_set(err, CIC_EINVAL, "line %u: @IF must "
			    "name apt, spack, post_inst or pip, then @", number);
		if (part != NULL && !part->wanted)
			continue;
		replace(line, len, values, value_count, out);
		cic_buf_putc(out, '\n');
	}
	return out->failed ? cic_err_set(err, CIC_EIO, "it is too long") : 0;
}
