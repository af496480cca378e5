/*
 * A binary heap of timers; see timers.h.
 */
#include "timers.h"

#include <stdlib.h>

/* Places count from 1, so that the parent of `place` is at place / 2. */
static struct timer **at(const struct timers *timers, size_t place)
{
    return &timers->heap[place - 1];
}

static void put(const struct timers *timers, size_t place, struct timer *timer)
{
    *at(timers, place) = timer;
    timer->place = place;
}

static void rise(const struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    while (place > 1 && (*at(timers, place / 2))->due_ns > timer->due_ns) {
        put(timers, place, *at(timers, place / 2));
        place /= 2;
    }
    put(timers, place, timer);
}

static void sink(const struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    for (;;) {
        size_t child = place * 2;
        if (child > timers->count)
            break;
        if (child < timers->count &&
            (*at(timers, child + 1))->due_ns < (*at(timers, child))->due_ns)
            child++;
        if ((*at(timers, child))->due_ns >= timer->due_ns)
            break;
        put(timers, place, *at(timers, child));
        place = child;
    }
    put(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_ns)
{
    timer->due_ns = due_ns;
    if (timer->place == 0) {
        if (timers->count == timers->room) {
            timers->room = timers->room == 0 ? 64 : timers->room * 2;
            timers->heap = realloc(timers->heap, timers->room * sizeof *timers->heap);
            if (timers->heap == NULL)
                abort();
        }
        put(timers, ++timers->count, timer);
    }
    rise(timers, timer);
    sink(timers, timer);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    if (place == 0)
        return;
    struct timer *last = *at(timers, timers->count--);
    timer->place = 0;
    if (last == timer)
        return;
    put(timers, place, last);
    rise(timers, last);
    sink(timers, last);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count == 0 ? NULL : timers->heap[0];
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}
