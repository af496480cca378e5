/*
 * A hash table from text to pointer. Keys are copied; values belong to the caller. Open
 * addressing, grows by doubling; not thread-safe. Zero-initialised is empty and valid.
 */
#ifndef PURSER_BASE_TABLE_H
#define PURSER_BASE_TABLE_H

#include "base/text.h"

struct table {
    struct table_slot *slots;
    size_t room; /* power of two or 0 */
    size_t count;
    size_t graves;
    uint64_t layouts; /* how often it was laid out anew: then places of table_next are void */
};

void table_close(struct table *table); /* frees keys, not values */

void *table_get(const struct table *table, struct text key); /* NULL if absent */
/* Puts `value` (not NULL) under `key`; returns the value it replaces or NULL. */
void *table_put(struct table *table, struct text key, void *value);
void *table_remove(struct table *table, struct text key); /* the value it had, or NULL */

/* Iteration: start with *at = 0; false at the end. Entries may be removed meanwhile, and what is
 * put may be missed; but once the table was laid out anew (`layouts`) *at means nothing any more.
 * `key` may be NULL. */
bool table_next(const struct table *table, size_t *at, struct text *key, void **value);
/* Likewise, but looks at so many slots at the most, of which there are more than entries, and many
 * more where most were removed. *value is NULL if there is nothing among them. */
bool table_next_within(const struct table *table, size_t *at, size_t slots, struct text *key,
                       void **value);

#endif
