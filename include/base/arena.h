/*
 * Memory that is freed all at once: one arena per request, nothing in it is freed alone.
 * Zero-initialised is empty and valid. Blocks grow from 2 KiB by doubling to 64 KiB.
 */
#ifndef PURSER_BASE_ARENA_H
#define PURSER_BASE_ARENA_H

#include "base/text.h"

struct arena {
    struct arena_block *newest;
};

void arena_close(struct arena *arena); /* frees everything; the arena is empty again */

/* Zeroed, aligned for any type, valid until arena_close. */
void *arena_new(struct arena *arena, size_t size);

/* A copy with a terminating zero behind it (not counted in size). */
struct text arena_copy(struct arena *arena, struct text original);

/* The parts, one after the other, with a terminating zero behind them. */
struct text arena_join(struct arena *arena, const struct text *parts, size_t count);

struct text arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
