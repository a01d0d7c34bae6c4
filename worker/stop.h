/*
 * Signals by which people end a program: SIGINT, SIGTERM, SIGHUP; but one that
 * is ignored, as nohup(1) has it, stays so.
 */
#ifndef CIC_STOP_H
#define CIC_STOP_H

#include <signal.h>

void stop_signals(sigset_t *set);

#endif
