/*
 * Timers: a binary heap of what is due when.
 */
#ifndef FAKES_TIMERS_H
#define FAKES_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in whatever waits. {0} is a timer that is not set. */
struct timer {
    int64_t due_ns;
    size_t place; /* its place in the heap, counted from 1; 0: not set */
    void *owner;
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t room;
};

/* Sets or moves a timer. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due_ns);
void timers_clear(struct timers *timers, struct timer *timer);
/* The earliest timer, still set; NULL: none is set. */
struct timer *timers_first(const struct timers *timers);
void timers_free(struct timers *timers);

#endif
