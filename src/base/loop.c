/*
 * The event loop over epoll: the busiest code of the house, so a turn costs one epoll_wait, one
 * look at the clock, and no memory allocation.
 *
 * A watch taken out in the middle of a batch of events loses its `ready` and is freed at the end of
 * the turn, because later events of the batch may still point at it. Timers stand in a heap with
 * four children per node: half as deep as a binary one, and the four keys that a step compares
 * share a cache line.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 256, MAX_HOOKS = 8, HEAP_CHILDREN = 4 };

static const int64_t NO_LIMIT_US = INT64_MAX;

struct loop_watch {
    loop_ready *ready; /* NULL: taken out, waits to be freed */
    void *context;
    int fd;
};

/* The key is kept next to the pointer: comparing need not fetch the timer. */
struct heap_entry {
    int64_t at_us;
    struct loop_timer *timer;
};

struct hook {
    bool (*run)(void *context);
    void *context;
};

struct deferred {
    void (*release)(void *thing);
    void *thing;
};

struct loop {
    const struct clock *clock;
    int64_t steady_us;
    int64_t wall_us;
    int epoll_fd;
    int wake_fd; /* an eventfd, written by loop_stop */
    struct loop_watch *wake_watch;
    size_t watches; /* alive */

    struct heap_entry *heap;
    size_t heap_size;
    size_t heap_room;

    struct hook hooks[MAX_HOOKS];
    size_t hook_count;

    struct deferred *deferred;
    size_t deferred_size;
    size_t deferred_room;

    int64_t cap_us; /* of the next wait */
    bool in_turn;
    atomic_bool stopping;
};

static void read_clock(struct loop *loop)
{
    loop->steady_us = clock_steady_us(loop->clock);
    loop->wall_us = clock_wall_us(loop->clock);
}

/* The wake descriptor is edge-triggered: each write makes an event, and nobody need read it. */
static void ignore_wake(void *context, uint32_t events)
{
    (void)context;
    (void)events;
}

struct loop *loop_open(const struct clock *clock)
{
    struct loop *loop = memory_new(sizeof(*loop));
    loop->clock = clock;
    loop->cap_us = NO_LIMIT_US;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(loop->epoll_fd >= 0);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(loop->wake_fd >= 0);
    loop->wake_watch = loop_watch(loop, loop->wake_fd, EPOLLIN | EPOLLET, ignore_wake, loop);
    atomic_init(&loop->stopping, false);
    read_clock(loop);
    return loop;
}

/* A release may defer again: those join the same run. */
static void release_deferred(struct loop *loop)
{
    for (size_t i = 0; i < loop->deferred_size; i++) {
        struct deferred next = loop->deferred[i];
        next.release(next.thing);
    }
    loop->deferred_size = 0;
}

void loop_close(struct loop *loop)
{
    if (loop == NULL)
        return;
    ASSERT(!loop->in_turn);
    loop_unwatch(loop, loop->wake_watch);
    release_deferred(loop);
    ASSERT(loop->watches == 0);
    ASSERT(loop->heap_size == 0);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    free(loop->heap);
    free(loop->deferred);
    free(loop);
}

int64_t loop_steady_us(const struct loop *loop)
{
    return loop->steady_us;
}

int64_t loop_wall_us(const struct loop *loop)
{
    return loop->wall_us;
}

/* ---- descriptors ---- */

static void control(const struct loop *loop, int what, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};
    int result = epoll_ctl(loop->epoll_fd, what, watch->fd, &event);
    ASSERT(result == 0);
}

struct loop_watch *loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready *ready,
                              void *context)
{
    ASSERT(ready != NULL);
    struct loop_watch *watch = memory_new(sizeof(*watch));
    *watch = (struct loop_watch){.ready = ready, .context = context, .fd = fd};
    control(loop, EPOLL_CTL_ADD, watch, events);
    loop->watches++;
    return watch;
}

void loop_rewatch(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    ASSERT(watch->ready != NULL);
    control(loop, EPOLL_CTL_MOD, watch, events);
}

static void retire(struct loop *loop, struct loop_watch *watch)
{
    watch->ready = NULL;
    loop->watches--;
    loop_defer(loop, free, watch);
}

void loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
    if (watch == NULL)
        return;
    ASSERT(watch->ready != NULL);
    control(loop, EPOLL_CTL_DEL, watch, 0);
    retire(loop, watch);
}

/* The kernel takes a closed descriptor out by itself; its number may belong to another thread's by
 * now, which is not in our set. */
void loop_unwatch_closed(struct loop *loop, struct loop_watch *watch)
{
    ASSERT(watch->ready != NULL);
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (result != 0)
        ASSERT(errno == EBADF || errno == ENOENT);
    retire(loop, watch);
}

/* ---- timers ---- */

static void heap_put(struct loop *loop, size_t slot, struct heap_entry entry)
{
    loop->heap[slot] = entry;
    entry.timer->heap_slot = (uint32_t)slot + 1;
}

/* Moves the hole at `slot` towards the root until `entry` fits into it. */
static void heap_rise(struct loop *loop, size_t slot, struct heap_entry entry)
{
    while (slot > 0) {
        size_t parent = (slot - 1) / HEAP_CHILDREN;
        if (loop->heap[parent].at_us <= entry.at_us)
            break;
        heap_put(loop, slot, loop->heap[parent]);
        slot = parent;
    }
    heap_put(loop, slot, entry);
}

static size_t heap_least_child(const struct loop *loop, size_t first)
{
    size_t end = first + HEAP_CHILDREN;
    size_t least = first;
    if (end > loop->heap_size)
        end = loop->heap_size;
    for (size_t child = first + 1; child < end; child++) {
        if (loop->heap[child].at_us < loop->heap[least].at_us)
            least = child;
    }
    return least;
}

/* Moves the hole at `slot` away from the root until `entry` fits into it. */
static void heap_sink(struct loop *loop, size_t slot, struct heap_entry entry)
{
    for (;;) {
        size_t first = slot * HEAP_CHILDREN + 1;
        if (first >= loop->heap_size)
            break;
        size_t least = heap_least_child(loop, first);
        if (loop->heap[least].at_us >= entry.at_us)
            break;
        heap_put(loop, slot, loop->heap[least]);
        slot = least;
    }
    heap_put(loop, slot, entry);
}

static void heap_add(struct loop *loop, struct loop_timer *timer)
{
    if (loop->heap_size == loop->heap_room) {
        loop->heap_room = loop->heap_room == 0 ? 64 : loop->heap_room * 2;
        loop->heap = memory_resize(loop->heap, loop->heap_room * sizeof(*loop->heap));
    }
    ASSERT(loop->heap_size < UINT32_MAX);
    struct heap_entry entry = {.at_us = timer->queued_us, .timer = timer};
    heap_rise(loop, loop->heap_size++, entry);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
    size_t slot = timer->heap_slot - 1;
    ASSERT(slot < loop->heap_size);
    ASSERT(loop->heap[slot].timer == timer);
    timer->heap_slot = 0;
    struct heap_entry last = loop->heap[--loop->heap_size];
    if (last.timer == timer)
        return;
    if (last.at_us < timer->queued_us)
        heap_rise(loop, slot, last);
    else
        heap_sink(loop, slot, last);
}

/* At least one microsecond away, so that a timer that sets itself again cannot hold up the turn. */
static int64_t due_us(const struct loop *loop, int64_t delay_us)
{
    if (delay_us < 1)
        delay_us = 1;
    if (delay_us > INT64_MAX - loop->steady_us)
        return INT64_MAX;
    return loop->steady_us + delay_us;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_us)
{
    ASSERT(timer->due != NULL);
    timer->at_us = due_us(loop, delay_us);
    if (timer->heap_slot == 0) {
        timer->queued_us = timer->at_us;
        heap_add(loop, timer);
    } else if (timer->at_us < timer->queued_us) {
        timer->queued_us = timer->at_us;
        struct heap_entry entry = {.at_us = timer->queued_us, .timer = timer};
        heap_rise(loop, timer->heap_slot - 1, entry);
    }
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    if (timer->heap_slot != 0)
        heap_remove(loop, timer);
    timer->at_us = 0;
}

static void run_due_timers(struct loop *loop)
{
    while (loop->heap_size > 0 && loop->heap[0].at_us <= loop->steady_us) {
        struct loop_timer *timer = loop->heap[0].timer;
        if (timer->at_us > loop->steady_us) {
            timer->queued_us = timer->at_us;
            struct heap_entry entry = {.at_us = timer->queued_us, .timer = timer};
            heap_sink(loop, 0, entry);
            continue;
        }
        heap_remove(loop, timer);
        timer->at_us = 0;
        timer->due(timer->context);
    }
}

/* ---- end of turn ---- */

void loop_at_turn_end(struct loop *loop, bool (*hook)(void *context), void *context)
{
    ASSERT(loop->hook_count < MAX_HOOKS);
    loop->hooks[loop->hook_count++] = (struct hook){.run = hook, .context = context};
}

static void run_hooks(struct loop *loop)
{
    for (size_t i = 0; i < loop->hook_count; i++) {
        if (loop->hooks[i].run(loop->hooks[i].context))
            loop->cap_us = 0;
    }
}

void loop_defer(struct loop *loop, void (*release)(void *thing), void *thing)
{
    if (loop->deferred_size == loop->deferred_room) {
        loop->deferred_room = loop->deferred_room == 0 ? 64 : loop->deferred_room * 2;
        loop->deferred =
            memory_resize(loop->deferred, loop->deferred_room * sizeof(*loop->deferred));
    }
    loop->deferred[loop->deferred_size++] = (struct deferred){.release = release, .thing = thing};
}

void loop_cap_wait(struct loop *loop, int64_t wait_us)
{
    if (wait_us >= 0 && wait_us < loop->cap_us)
        loop->cap_us = wait_us;
}

/* ---- turns ---- */

/* In epoll's milliseconds, rounded up: waking before a timer is due would be for nothing. */
static int next_wait_ms(struct loop *loop, int wait_ms)
{
    int64_t wait_us = loop->cap_us;
    loop->cap_us = NO_LIMIT_US;
    if (wait_ms >= 0 && wait_us > (int64_t)wait_ms * 1000)
        wait_us = (int64_t)wait_ms * 1000;
    if (loop->heap_size > 0 && wait_us > loop->heap[0].at_us - loop->steady_us)
        wait_us = loop->heap[0].at_us - loop->steady_us;
    if (wait_us == NO_LIMIT_US)
        return -1;
    int64_t rounded_ms = wait_us / 1000 + (wait_us % 1000 > 0);
    return rounded_ms < INT_MAX ? (int)rounded_ms : INT_MAX;
}

void loop_turn(struct loop *loop, int wait_ms)
{
    ASSERT(!loop->in_turn);
    loop->in_turn = true;
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, next_wait_ms(loop, wait_ms));
    if (count < 0)
        ASSERT(errno == EINTR);
    read_clock(loop);
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (watch->ready != NULL)
            watch->ready(watch->context, events[i].events);
    }
    run_due_timers(loop);
    run_hooks(loop);
    release_deferred(loop);
    loop->in_turn = false;
}

void loop_run(struct loop *loop)
{
    do {
        loop_turn(loop, -1);
    } while (!atomic_exchange(&loop->stopping, false));
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    int result = eventfd_write(loop->wake_fd, 1);
    ASSERT(result == 0);
}
