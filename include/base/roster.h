/*
 * A roster gives things ids that are never reused: slot and generation in 64 bits. Looking up the
 * id of something gone finds NULL. Not thread-safe: one per worker.
 */
#ifndef PURSER_BASE_ROSTER_H
#define PURSER_BASE_ROSTER_H

#include <stddef.h>
#include <stdint.h>

struct roster {
    struct roster_slot *slots;
    size_t room;
    size_t count;      /* entries alive */
    uint32_t free_top; /* slot + 1 of the first free one, 0: none */
};

uint64_t roster_add(struct roster *roster, void *thing); /* never 0 */
void *roster_find(const struct roster *roster, uint64_t id);
void roster_remove(struct roster *roster, uint64_t id); /* asserts that it is there */
void roster_close(struct roster *roster);

/* Walks what is alive: start with *at = 0; NULL at the end. Removing while walking is fine. */
void *roster_next(const struct roster *roster, size_t *at);

#endif
