/*
 * Open holds: a dense list to walk, with a hash over it to find a call.
 */
#include "books/holds.h"

#include <stdlib.h>

#define LEAST_ROOM 64 /* a power of two, as all rooms are */

struct open_hold {
    struct entry_copy copy;
    uint64_t hash;
    size_t place; /* in the dense list */
    struct open_hold *next;
};

static struct open_hold **bucket_of(const struct holds *holds, uint64_t hash)
{
    return &holds->buckets[hash & (holds->room - 1)];
}

/* The link that points to the hold of a call; it points to NULL if there is none. */
static struct open_hold **link_of(const struct holds *holds, struct text call, uint64_t hash)
{
    struct open_hold **link = bucket_of(holds, hash);
    while (*link != NULL && !text_equal((*link)->copy.entry.call, call))
        link = &(*link)->next;
    return link;
}

static void push(struct open_hold **list, struct open_hold *hold)
{
    hold->next = *list;
    *list = hold;
}

static struct open_hold *pop(struct open_hold **list)
{
    struct open_hold *hold = *list;
    if (hold != NULL)
        *list = hold->next;
    return hold;
}

static void grow(struct holds *holds)
{
    holds->room = holds->room == 0 ? LEAST_ROOM : 2 * holds->room;
    holds->open = memory_resize(holds->open, holds->room * sizeof(struct open_hold *));
    free(holds->buckets);
    holds->buckets = memory_new(holds->room * sizeof(struct open_hold *));
    for (size_t i = 0; i < holds->count; i++)
        push(bucket_of(holds, holds->open[i]->hash), holds->open[i]);
}

static struct open_hold *take_spare(struct holds *holds)
{
    struct open_hold *hold = pop(&holds->spare);
    return hold != NULL ? hold : memory_new(sizeof(*hold));
}

bool holds_add(struct holds *holds, const struct entry *entry)
{
    uint64_t hash = text_hash(entry->call);
    if (holds->count == holds->room)
        grow(holds);
    if (*link_of(holds, entry->call, hash) != NULL)
        return false;
    struct open_hold *hold = take_spare(holds);
    entry_copy_take(&hold->copy, entry);
    hold->hash = hash;
    hold->place = holds->count;
    holds->open[holds->count++] = hold;
    push(bucket_of(holds, hash), hold);
    return true;
}

bool holds_extend(struct holds *holds, const struct entry *entry)
{
    if (holds->count == 0)
        return false;
    struct open_hold *hold = *link_of(holds, entry->call, text_hash(entry->call));
    if (hold == NULL)
        return false;
    struct entry extended = hold->copy.entry;
    extended.hold = entry->hold;
    extended.charges = entry->charges;
    extended.charge_count = entry->charge_count;
    /* It points into the old copy: the new one is made beside it. */
    struct open_hold *other = take_spare(holds);
    struct entry_copy old = hold->copy;
    entry_copy_take(&other->copy, &extended);
    hold->copy = other->copy;
    other->copy = old;
    push(&holds->spare, other);
    return true;
}

bool holds_end(struct holds *holds, struct text call, int64_t *made_us)
{
    if (holds->count == 0)
        return false;
    struct open_hold **link = link_of(holds, call, text_hash(call));
    struct open_hold *hold = pop(link);
    if (hold == NULL)
        return false;
    *made_us = hold->copy.entry.wall_us;
    struct open_hold *last = holds->open[--holds->count];
    holds->open[hold->place] = last;
    last->place = hold->place;
    push(&holds->spare, hold);
    return true;
}

void holds_clear(struct holds *holds)
{
    for (size_t i = 0; i < holds->count; i++)
        push(&holds->spare, holds->open[i]);
    holds->count = 0;
    if (holds->room > 0)
        memset(holds->buckets, 0, holds->room * sizeof(struct open_hold *));
}

bool holds_next(const struct holds *holds, size_t *at, const struct entry **entry)
{
    if (*at >= holds->count)
        return false;
    *entry = &holds->open[(*at)++]->copy.entry;
    return true;
}

void holds_close(struct holds *holds)
{
    holds_clear(holds);
    struct open_hold *hold = NULL;
    while ((hold = pop(&holds->spare)) != NULL) {
        entry_copy_close(&hold->copy);
        free(hold);
    }
    free(holds->open);
    free(holds->buckets);
    *holds = (struct holds){0};
}
