/* What sources of files share; see source.h. */
#include "source.h"

int
cic_source_zeros(uint64_t len, cic_sink *sink, void *arg, struct cic_err *err)
{
	static const unsigned char zero[CIC_ITEM_VALUE];
	size_t n;

	for (; len > 0; len -= n) {
		n = len < sizeof(zero) ? (size_t)len : sizeof(zero);
		if (sink(arg, zero, n, err) == -1)
			return -1;
	}
	return 0;
}
