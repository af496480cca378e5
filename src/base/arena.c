/*
 * Arenas: a chain of blocks, handed out from the front of the newest.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_LEAST ((size_t)2 * 1024)
#define BLOCK_MOST  ((size_t)64 * 1024)

struct arena_block {
    struct arena_block *older;
    size_t room; /* of `bytes` */
    size_t used;
    alignas(max_align_t) char bytes[];
};

void arena_close(struct arena *arena)
{
    struct arena_block *block = arena->newest;
    while (block != NULL) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    arena->newest = NULL;
}

static struct arena_block *block_open(size_t room)
{
    struct arena_block *block = memory_resize(NULL, sizeof(struct arena_block) + room);
    *block = (struct arena_block){.room = room};
    return block;
}

/* What is larger than the next block gets one of its own, put behind the newest, so that the rest
 * of the newest stays in use. */
static void *take_alone(struct arena *arena, size_t size)
{
    struct arena_block *block = block_open(size);
    block->used = size;
    if (arena->newest == NULL) {
        arena->newest = block;
    } else {
        block->older = arena->newest->older;
        arena->newest->older = block;
    }
    return block->bytes;
}

static void *take_from_next(struct arena *arena, size_t size)
{
    size_t whole = BLOCK_LEAST;
    if (arena->newest != NULL)
        whole = 2 * (arena->newest->room + sizeof(struct arena_block));
    if (whole > BLOCK_MOST)
        whole = BLOCK_MOST;
    if (size > whole - sizeof(struct arena_block))
        return take_alone(arena, size);

    struct arena_block *block = block_open(whole - sizeof(struct arena_block));
    block->older = arena->newest;
    block->used = size;
    arena->newest = block;
    return block->bytes;
}

/* Unlike arena_new, what is handed out holds whatever it held before. */
static void *arena_take(struct arena *arena, size_t size)
{
    ASSERT(size <= SIZE_MAX / 2);
    size_t whole = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *newest = arena->newest;
    if (newest == NULL || newest->room - newest->used < whole)
        return take_from_next(arena, whole);
    void *taken = newest->bytes + newest->used;
    newest->used += whole;
    return taken;
}

void *arena_new(struct arena *arena, size_t size)
{
    return memset(arena_take(arena, size), 0, size);
}

struct text arena_copy(struct arena *arena, struct text original)
{
    char *copy = arena_take(arena, original.size + 1);
    if (original.size > 0)
        memcpy(copy, original.at, original.size);
    copy[original.size] = '\0';
    return text_make(copy, original.size);
}

static struct text print_long(struct arena *arena, size_t size, const char *format,
                              va_list arguments)
{
    char *printed = arena_take(arena, size + 1);
    (void)vsnprintf(printed, size + 1, format, arguments);
    return text_make(printed, size);
}

struct text arena_join(struct arena *arena, const struct text *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    char *joined = arena_new(arena, size + 1);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0)
            memcpy(joined + at, parts[i].at, parts[i].size);
        at += parts[i].size;
    }
    return text_make(joined, size);
}

struct text arena_printf(struct arena *arena, const char *format, ...)
{
    char guess[256];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(guess, sizeof(guess), format, arguments);
    ASSERT(size >= 0);
    struct text printed = (size_t)size < sizeof(guess)
                              ? arena_copy(arena, text_make(guess, (size_t)size))
                              : print_long(arena, (size_t)size, format, again);
    va_end(again);
    va_end(arguments);
    return printed;
}
