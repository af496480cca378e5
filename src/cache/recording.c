/*
 * Recordings: a chain of blocks that are filled one after the other and never move.
 *
 * There is no lock. The writer fills bytes first and then publishes `size`; a reader reads `size`
 * first and touches only what lies below it: bytes, the first block, and the link behind a full
 * block. In the same way the state publishes the head, and the end publishes the cost.
 */
#include "cache/recording.h"

#include <stdatomic.h>
#include <stdlib.h>

#define BLOCK_LEAST   1024
#define BLOCK_MOST    (64 * 1024)
#define HEAD_TEXTS    2
#define ALLOCATOR_OWN 16 /* what malloc keeps beside each piece */

struct block {
    struct block *next;
    size_t room;
    char bytes[];
};

struct recording {
    atomic_size_t references;
    atomic_int state;
    struct recording_head head;
    char *texts; /* what the head's texts point into */
    struct money cost;

    struct block *first;
    atomic_size_t size;
    atomic_size_t memory;
    atomic_size_t usage_from; /* counts only once usage_to is set */
    atomic_size_t usage_to;   /* 0: none */

    /* The writer's own. */
    struct block *last;
    size_t in_last;
};

struct recording *recording_new(void)
{
    struct recording *recording = memory_new(sizeof(*recording));
    atomic_init(&recording->references, 1);
    atomic_init(&recording->memory, sizeof(*recording) + ALLOCATOR_OWN);
    return recording;
}

struct recording *recording_take(struct recording *recording)
{
    size_t before = atomic_fetch_add(&recording->references, 1);
    ASSERT(before > 0);
    return recording;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void recording_drop(struct recording *recording)
{
    if (recording == NULL)
        return;
    size_t before = atomic_fetch_sub(&recording->references, 1);
    ASSERT(before > 0);
    if (before > 1)
        return;
    free_blocks(recording->first);
    free(recording->texts);
    free(recording);
}

/* ---- the writer ---- */

static void copy_texts(struct recording *recording)
{
    struct recording_head *head = &recording->head;
    struct text *texts[HEAD_TEXTS] = {&head->content_type, &head->retry_after};
    size_t size = 0;
    for (size_t i = 0; i < HEAD_TEXTS; i++)
        size += texts[i]->size;
    recording->texts = memory_new(size);
    char *at = recording->texts;
    for (size_t i = 0; i < HEAD_TEXTS; i++) {
        if (texts[i]->size > 0)
            memcpy(at, texts[i]->at, texts[i]->size);
        texts[i]->at = at;
        at += texts[i]->size;
    }
    atomic_fetch_add(&recording->memory, size + ALLOCATOR_OWN);
}

void recording_begin(struct recording *recording, const struct recording_head *head)
{
    ASSERT(atomic_load(&recording->state) == RECORDING_EMPTY);
    recording->head = *head;
    copy_texts(recording);
    atomic_store(&recording->state, RECORDING_RUNNING);
}

/* A whole answer that is put at once gets a block of its very size; else a block is as large as all
 * before it. */
static size_t block_room(const struct recording *recording, size_t wanted)
{
    if (recording->first == NULL && recording->head.shape == RECORDING_WHOLE)
        return wanted;
    size_t room = atomic_load(&recording->size);
    room = room < BLOCK_LEAST ? BLOCK_LEAST : room;
    room = room > BLOCK_MOST ? BLOCK_MOST : room;
    return room < wanted ? wanted : room;
}

static void add_block(struct recording *recording, size_t wanted)
{
    size_t room = block_room(recording, wanted);
    struct block *block = memory_resize(NULL, sizeof(*block) + room);
    *block = (struct block){.room = room};
    if (recording->first == NULL)
        recording->first = block;
    else
        recording->last->next = block;
    recording->last = block;
    recording->in_last = 0;
    atomic_fetch_add(&recording->memory, sizeof(*block) + room + ALLOCATOR_OWN);
}

void recording_put(struct recording *recording, struct text bytes)
{
    ASSERT(atomic_load(&recording->state) == RECORDING_RUNNING);
    size_t size = atomic_load(&recording->size) + bytes.size;
    while (bytes.size > 0) {
        if (recording->last == NULL || recording->in_last == recording->last->room)
            add_block(recording, bytes.size);
        size_t there = recording->last->room - recording->in_last;
        struct text piece = text_slice(bytes, 0, there);
        memcpy(recording->last->bytes + recording->in_last, piece.at, piece.size);
        recording->in_last += piece.size;
        bytes = text_from(bytes, piece.size);
    }
    atomic_store(&recording->size, size);
}

void recording_mark_usage(struct recording *recording, size_t size)
{
    ASSERT(atomic_load(&recording->state) == RECORDING_RUNNING);
    if (size == 0 || atomic_load(&recording->usage_to) != 0)
        return;
    size_t from = atomic_load(&recording->size);
    atomic_store(&recording->usage_from, from);
    atomic_store(&recording->usage_to, from + size);
}

void recording_end(struct recording *recording, enum recording_state state, struct money cost)
{
    int before = atomic_load(&recording->state);
    ASSERT(before == RECORDING_EMPTY || before == RECORDING_RUNNING);
    ASSERT(state >= RECORDING_COMPLETE);
    ASSERT(before == RECORDING_RUNNING || state != RECORDING_COMPLETE);
    recording->cost = cost;
    atomic_store(&recording->state, (int)state);
}

/* ---- readers ---- */

enum recording_state recording_state(const struct recording *recording)
{
    return (enum recording_state)atomic_load(&recording->state);
}

size_t recording_size(const struct recording *recording)
{
    return atomic_load(&recording->size);
}

size_t recording_memory(const struct recording *recording)
{
    return atomic_load(&recording->memory);
}

const struct recording_head *recording_head(const struct recording *recording)
{
    ASSERT(atomic_load(&recording->state) != RECORDING_EMPTY);
    return &recording->head;
}

struct money recording_cost(const struct recording *recording)
{
    ASSERT(atomic_load(&recording->state) >= RECORDING_COMPLETE);
    return recording->cost;
}

void recording_usage_at(const struct recording *recording, size_t *from, size_t *to)
{
    *to = atomic_load(&recording->usage_to);
    *from = *to == 0 ? 0 : atomic_load(&recording->usage_from);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Moves on by at most `most` bytes (not 0) within one block. All of them are published. */
static struct text step(const struct recording *recording, struct recording_place *place,
                        size_t most)
{
    const struct block *block = place->block;
    if (block == NULL || place->in_block == block->room) {
        block = block == NULL ? recording->first : block->next;
        ASSERT(block != NULL);
        place->block = block;
        place->in_block = 0;
    }
    size_t size = least(most, block->room - place->in_block);
    struct text bytes = text_make(block->bytes + place->in_block, size);
    place->in_block += size;
    place->at += size;
    return bytes;
}

/* Where to stop reading, given that `size` bytes are published; passes over the usage event if the
 * place is in it. */
static size_t pass_over_usage(const struct recording *recording, struct recording_place *place,
                              size_t size)
{
    size_t from, to;
    recording_usage_at(recording, &from, &to);
    if (place->at >= to)
        return size;
    if (place->at < from)
        return least(size, from);
    while (place->at < least(size, to))
        step(recording, place, least(size, to) - place->at);
    return size;
}

struct text recording_next(const struct recording *recording, struct recording_place *place,
                           size_t most, bool usage)
{
    size_t size = atomic_load(&recording->size);
    ASSERT(place->at <= size);
    size_t end = usage ? size : pass_over_usage(recording, place, size);
    most = least(most, end - place->at);
    return most == 0 ? TEXT_NONE : step(recording, place, most);
}

struct text recording_all(const struct recording *recording, struct buffer *joined)
{
    struct recording_place place = {0};
    size_t size = recording_size(recording);
    struct text piece = recording_next(recording, &place, SIZE_MAX, true);
    if (piece.size == size)
        return piece;
    buffer_reserve(joined, size);
    for (; piece.size > 0; piece = recording_next(recording, &place, SIZE_MAX, true))
        buffer_put(joined, piece);
    return buffer_text(joined);
}
