/*
 * Build ids: random UUIDs, as text in lower case with hyphens (36 characters).
 */
#ifndef CIC_ID_H
#define CIC_ID_H

#include <stdbool.h>

#define CIC_ID_TEXT	37	/* 36 characters and the NUL */

void cic_id_new(char id[CIC_ID_TEXT]);

/* Text to 16 bytes; false unless it is exactly a lower- or upper-case UUID. */
bool cic_id_parse(const char *text, unsigned char raw[16]);

void cic_id_format(const unsigned char raw[16], char id[CIC_ID_TEXT]);

#endif
