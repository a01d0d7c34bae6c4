/*
 * How far a build has come, read from its log as it grows.
 *
 * Known are the lines of BuildKit's plain progress ("#9 [ 4/11] RUN …"), of
 * podman ("STEP 4/11: RUN …"), of the built-in converter, and the markers that
 * the script inside the image build prints (conf/image/inner.sh):
 *	cic: step apt
 *	cic: part concretize
 *	cic: part install 112
 *	cic: package zlib-1.3.1-<32 letters and digits> building|done|failed
 *	cic: log zlib-1.3.1-<the same> begin|end
 * Anybody who runs in the image build can print these, too; all it changes is
 * what people are shown of that build.
 */
#ifndef CIC_BUILDLOG_H
#define CIC_BUILDLOG_H

#include "build.h"
#include "loglines.h"

struct buildlog {
	struct cic_progress	progress;	/* but for `output` */
	bool			in_package_log;	/* quoted: says nothing new */
	struct loglines		lines;		/* feed with loglines_* */
};

/* `at` is where in the log reading begins.  Must not be moved afterwards. */
void buildlog_init(struct buildlog *b, off_t at);

/* Another stage of cic-build; forgets the steps of the last one. */
void buildlog_stage(struct buildlog *b, const char *name);

/* "zlib-1.3.1-<hash>" → "zlib@1.3.1", or the name alone; `id` ends at the first space or slash.
 * False: that is no such id. */
bool buildlog_package(const char *id, char out[CIC_PACKAGE_MAX]);

/* After "cic: package " or "cic: log ": the package, and the word after it
 * ("" for none); false: malformed. */
bool buildlog_package_word(const char *text, char package[CIC_PACKAGE_MAX],
    char word[16]);

#endif
