/*
 * The wake-up: a datagram that says "look at the store".
 *
 * It carries nothing and may be lost; the worker looks now and then anyway.
 * The socket is the file `wake` in the store's folder; folders of any length
 * work.
 */
#ifndef CIC_WAKE_H
#define CIC_WAKE_H

#include "err.h"

/* The worker's end: a non-blocking socket to poll, replacing what a dead
 * worker left.  Returns the descriptor or -1. */
int cic_wake_open(const char *folder, struct cic_err *err);

/* Read all that has arrived. */
void cic_wake_drain(int fd);

/* Wake the worker; never blocks, and nobody listening is fine. */
void cic_wake_poke(const char *folder);

#endif
