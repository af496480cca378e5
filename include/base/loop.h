/*
 * The event loop: one epoll, timers, and work for the end of a turn. One loop per thread; nothing
 * here is thread-safe but loop_stop and what mailbox.h does.
 *
 * A turn: wait, run what is ready (descriptors, then due timers), then the turn-end hooks in the
 * order they were added, then free what was deferred. Nothing touched in a turn is freed in it.
 */
#ifndef PURSER_BASE_LOOP_H
#define PURSER_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct loop;

struct loop *loop_open(const struct clock *clock);
void loop_close(struct loop *loop); /* no watch or armed timer may be left; NULL-safe */

/* Runs turns until loop_stop. loop_turn runs one, waiting at most `wait_ms` (-1: no limit). */
void loop_run(struct loop *loop);
void loop_turn(struct loop *loop, int wait_ms);
void loop_stop(struct loop *loop); /* from any thread or a turn; takes effect after the turn */

/* Times as of the start of this turn's work: cheap, the same for the whole turn. */
int64_t loop_steady_us(const struct loop *loop);
int64_t loop_wall_us(const struct loop *loop);

/* ---- descriptors ---- */

/* `events` are epoll's bits (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET | EPOLLEXCLUSIVE ...). */
typedef void loop_ready(void *context, uint32_t events);

struct loop_watch; /* opaque; owned by the loop */

/* Asserts that epoll takes the descriptor. The caller keeps owning `fd` and unwatches it before
 * closing it. */
struct loop_watch *loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready *ready,
                              void *context);
void loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* After this `ready` is never called again, not even for events already fetched. NULL-safe. */
void loop_unwatch(struct loop *loop, struct loop_watch *watch);
/* The same where a library may have closed the descriptor already. Its number must not have been
 * watched again since. */
void loop_unwatch_closed(struct loop *loop, struct loop_watch *watch);

/* ---- timers ---- */

/* Embedded in what it belongs to; zero-initialised is unarmed. Setting an armed timer to a later
 * time costs a store (it is moved when the old time comes), so a timer per event is cheap. */
struct loop_timer {
    void (*due)(void *context);
    void *context;
    int64_t at_us;      /* when it is due; 0: unarmed */
    int64_t queued_us;  /* the loop's own: the key under which it is in the heap */
    uint32_t heap_slot; /* the loop's own: place in the heap + 1, 0: not in it */
};

/* (Re)arms: `due` is called once, from the loop, not before `delay_us` from the turn's time, and
 * never in the same turn; a delay of 0 or less means the next turn. As late as the turns are
 * long, and a millisecond. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_us);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* unarmed is fine */

/* ---- end of turn ---- */

/* Adds a hook that runs at the end of each turn, for ever. A hook returns true if it made work
 * that must not wait: then the next turn does not sleep. At most 8 hooks. */
void loop_at_turn_end(struct loop *loop, bool (*hook)(void *context), void *context);

/* Calls `release(thing)` after this turn's hooks; if called in that phase, in the same phase. */
void loop_defer(struct loop *loop, void (*release)(void *thing), void *thing);

/* Caps the next wait (once): for a library that has a time-out of its own. -1: no cap. Of
 * several caps the smallest counts. */
void loop_cap_wait(struct loop *loop, int64_t wait_us);

#endif
