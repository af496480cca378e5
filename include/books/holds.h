/*
 * Open holds: the RESERVE entries that nothing has ended yet, by their call, each with the amounts
 * it was last extended to. Memory of ended holds
 * is used again, so that opening and ending one allocates nothing in the long run.
 */
#ifndef PURSER_BOOKS_HOLDS_H
#define PURSER_BOOKS_HOLDS_H

#include "books/entry.h"

struct open_hold; /* the books' own; struct text call is its key */

/* Zero-initialised is empty and valid. */
struct holds {
    struct open_hold **open; /* dense; the order is nobody's business */
    size_t count;
    size_t room;                /* of `open` */
    struct open_hold **buckets; /* chains by hash; as many as `room` */
    struct open_hold *spare;
};

void holds_close(struct holds *holds);
void holds_clear(struct holds *holds);

/* Keeps a copy of the entry; false (and nothing changes) if a hold of that call is open. */
bool holds_add(struct holds *holds, const struct entry *entry);
/* Gives the hold of the entry's call the entry's hold and charges; false if there is none. */
bool holds_extend(struct holds *holds, const struct entry *entry);
/* Ends the hold of a call, and tells when it was made; false if there is none. */
bool holds_end(struct holds *holds, struct text call, int64_t *made_us);

/* Start with *at = 0; false at the end. Valid until the next change. */
bool holds_next(const struct holds *holds, size_t *at, const struct entry **entry);

#endif
