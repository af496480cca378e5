/*
 * Conditions that a thread waits for until a moment at the most. The moments are of
 * CLOCK_MONOTONIC: who sets the calendar's clock makes nobody wait longer or shorter.
 */
#ifndef PURSER_BASE_CONDITION_H
#define PURSER_BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* The caller ends it with pthread_cond_destroy. */
void condition_open(pthread_cond_t *condition);

/* So far from now, for pthread_cond_timedwait. */
struct timespec condition_moment_in(int64_t wait_ms);

#endif
