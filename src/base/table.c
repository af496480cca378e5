/*
 * A hash table with linear probing. A removed entry leaves a grave, so that removing while walking
 * moves nothing; graves are cleared when the table is laid out anew.
 */
#include "base/table.h"

#include <stdlib.h>

#define LEAST_ROOM 16

struct table_slot {
    uint64_t hash;
    char *key; /* NULL: empty or a grave */
    size_t key_size;
    void *value;
    bool grave;
};

void table_close(struct table *table)
{
    for (size_t i = 0; i < table->room; i++)
        free(table->slots[i].key);
    free(table->slots);
    *table = (struct table){0};
}

static bool slot_is(const struct table_slot *slot, struct text key, uint64_t hash)
{
    return slot->key != NULL && slot->hash == hash &&
           text_equal(text_make(slot->key, slot->key_size), key);
}

/* There is always an empty slot to end at: a quarter of the room is kept empty. */
static struct table_slot *slot_find(const struct table *table, struct text key, uint64_t hash)
{
    if (table->room == 0)
        return NULL;
    for (size_t i = hash & (table->room - 1);; i = (i + 1) & (table->room - 1)) {
        struct table_slot *slot = &table->slots[i];
        if (slot_is(slot, key, hash))
            return slot;
        if (slot->key == NULL && !slot->grave)
            return NULL;
    }
}

/* The first slot on the way of `hash` that nobody lives in. */
static struct table_slot *slot_vacant(const struct table *table, uint64_t hash)
{
    size_t i = hash & (table->room - 1);
    while (table->slots[i].key != NULL)
        i = (i + 1) & (table->room - 1);
    return &table->slots[i];
}

static void table_lay_out(struct table *table, size_t room)
{
    struct table fresh = {.slots = memory_new(room * sizeof(struct table_slot)),
                          .room = room,
                          .count = table->count,
                          .layouts = table->layouts + 1};
    for (size_t i = 0; i < table->room; i++)
        if (table->slots[i].key != NULL)
            *slot_vacant(&fresh, table->slots[i].hash) = table->slots[i];
    free(table->slots);
    *table = fresh;
}

static void table_make_room(struct table *table)
{
    if (table->room == 0)
        table_lay_out(table, LEAST_ROOM);
    else if (table->count + table->graves + 1 > table->room / 4 * 3)
        table_lay_out(table, table->count + 1 > table->room / 2 ? 2 * table->room : table->room);
}

void *table_get(const struct table *table, struct text key)
{
    struct table_slot *slot = slot_find(table, key, text_hash(key));
    return slot == NULL ? NULL : slot->value;
}

void *table_put(struct table *table, struct text key, void *value)
{
    ASSERT(value != NULL);
    uint64_t hash = text_hash(key);
    struct table_slot *slot = slot_find(table, key, hash);
    if (slot != NULL) {
        void *old = slot->value;
        slot->value = value;
        return old;
    }
    table_make_room(table);
    slot = slot_vacant(table, hash);
    table->graves -= slot->grave ? 1 : 0;
    table->count++;
    *slot = (struct table_slot){
        .hash = hash, .key = memory_copy(key), .key_size = key.size, .value = value};
    return NULL;
}

void *table_remove(struct table *table, struct text key)
{
    struct table_slot *slot = slot_find(table, key, text_hash(key));
    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    free(slot->key);
    *slot = (struct table_slot){.grave = true};
    table->count--;
    table->graves++;
    return value;
}

bool table_next_within(const struct table *table, size_t *at, size_t slots, struct text *key,
                       void **value)
{
    size_t end = *at < table->room && slots < table->room - *at ? *at + slots : table->room;
    *value = NULL;
    while (*at < end && table->slots[*at].key == NULL)
        ++*at;
    return *at < end ? table_next(table, at, key, value) : *at < table->room;
}

bool table_next(const struct table *table, size_t *at, struct text *key, void **value)
{
    while (*at < table->room && table->slots[*at].key == NULL)
        ++*at;
    if (*at >= table->room)
        return false;
    const struct table_slot *slot = &table->slots[(*at)++];
    if (key != NULL)
        *key = text_make(slot->key, slot->key_size);
    *value = slot->value;
    return true;
}
