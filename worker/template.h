/*
 * The Dockerfile template: @NAME@ replaced, lines that begin with "@IF part@ "
 * kept without it or left out.  What an administrator may write stands in
 * conf/image/Dockerfile.
 */
#ifndef CIC_TEMPLATE_H
#define CIC_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct cic_buf;

struct template_value {
	const char	*name;		/* "APT_CACHE" */
	const char	*text;		/* letters, digits and ._- only */
};

struct template_part {
	const char	*name;		/* "apt" */
	bool		 wanted;
};

/*
 * Append the template with its values to `out`.
 * CIC_EINVAL: a line begins with an @IF of a part that is not known; the
 * message has the line's number.  Other words between @ are left as they are.
 */
int template_render(const char *text, const struct template_value *values,
    size_t value_count, const struct template_part *parts, size_t part_count,
    struct cic_buf *out, struct cic_err *err);

#endif
