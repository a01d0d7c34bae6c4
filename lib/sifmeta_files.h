/* Fixed texts and names of /.singularity.d.  Only for sifmeta. */
#ifndef CIC_SIFMETA_FILES_H
#define CIC_SIFMETA_FILES_H

#define CIC_META_ENV	".singularity.d/env/10-docker2singularity.sh"

extern const char cic_sifmeta_environment[];	/* env/90-environment.sh */
extern const char cic_sifmeta_startscript[];

#endif
