/*
 * Ids that are never used again: the low half says which slot (+ 1, so that no id is 0), the high
 * half how often that slot has been given out.
 */
#include "base/roster.h"

#include <stdlib.h>

#include "base/text.h"

#define LEAST_ROOM 16

struct roster_slot {
    void *thing; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* slot + 1, 0: the last */
};

static void roster_grow(struct roster *roster)
{
    size_t room = roster->room == 0 ? LEAST_ROOM : 2 * roster->room;
    ASSERT(room < UINT32_MAX);
    roster->slots = memory_resize(roster->slots, room * sizeof(struct roster_slot));
    for (size_t i = roster->room; i < room; i++) {
        uint32_t next_free = i + 1 < room ? (uint32_t)i + 2 : 0;
        roster->slots[i] = (struct roster_slot){.next_free = next_free};
    }
    roster->free_top = (uint32_t)roster->room + 1;
    roster->room = room;
}

uint64_t roster_add(struct roster *roster, void *thing)
{
    ASSERT(thing != NULL);
    if (roster->free_top == 0)
        roster_grow(roster);
    uint32_t number = roster->free_top;
    struct roster_slot *slot = &roster->slots[number - 1];
    roster->free_top = slot->next_free;
    slot->thing = thing;
    roster->count++;
    return (uint64_t)slot->generation << 32 | number;
}

static struct roster_slot *slot_of(const struct roster *roster, uint64_t id)
{
    size_t number = (uint32_t)id;
    if (number == 0 || number > roster->room)
        return NULL;
    struct roster_slot *slot = &roster->slots[number - 1];
    return slot->thing != NULL && slot->generation == id >> 32 ? slot : NULL;
}

void *roster_find(const struct roster *roster, uint64_t id)
{
    struct roster_slot *slot = slot_of(roster, id);
    return slot == NULL ? NULL : slot->thing;
}

void roster_remove(struct roster *roster, uint64_t id)
{
    struct roster_slot *slot = slot_of(roster, id);
    ASSERT(slot != NULL);
    slot->thing = NULL;
    roster->count--;
    /* A slot whose generations are used up is given out no more: four thousand million requests
     * take a busy worker a few days. */
    if (slot->generation == UINT32_MAX)
        return;
    slot->generation++;
    slot->next_free = roster->free_top;
    roster->free_top = (uint32_t)id;
}

void roster_close(struct roster *roster)
{
    free(roster->slots);
    *roster = (struct roster){0};
}

void *roster_next(const struct roster *roster, size_t *at)
{
    while (*at < roster->room) {
        void *thing = roster->slots[(*at)++].thing;
        if (thing != NULL)
            return thing;
    }
    return NULL;
}
