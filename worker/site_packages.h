/*
 * The site's own archives (build.site_packages): a folder that the
 * administrator keeps, for instance licensed sources that Spack cannot fetch.
 */
#ifndef CIC_SITE_PACKAGES_H
#define CIC_SITE_PACKAGES_H

#include "digest.h"
#include "err.h"

/* A digest over names, sizes and times of what is in the folder; contents are
 * not read.  "" for the folder "". */
int site_packages_digest(const char *folder, char hex[CIC_SHA256_HEX],
    struct cic_err *err);

/* Put its files and links into the new folder `to`: hard links where that is
 * possible, copies elsewhere.  Devices and the like are left out. */
int site_packages_copy(const char *folder, const char *to,
    struct cic_err *err);

#endif
