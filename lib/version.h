/* The version all programs print. */
#ifndef CIC_VERSION_H
#define CIC_VERSION_H

#define CIC_VERSION "0.1.0"

#endif
