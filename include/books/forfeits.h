/*
 * Forfeits that nobody has refunded: FORFEIT entries by the name of what they ended: its call, or
 * where there was none their request id. One without either cannot be refunded and is not kept. Of
 * more than FORFEITS_MOST the oldest goes.
 */
#ifndef PURSER_BOOKS_FORFEITS_H
#define PURSER_BOOKS_FORFEITS_H

#include "base/table.h"
#include "books/entry.h"

#define FORFEITS_MOST 4096

struct forfeit {
    struct forfeit *older, *newer;
    struct entry_copy copy;
};

/* Zero-initialised is empty and valid. */
struct forfeits {
    struct table by_name;
    struct forfeit *oldest, *newest;
};

void forfeits_close(struct forfeits *forfeits);

/* Keeps a copy of the entry, unless one of that name is there. */
void forfeits_add(struct forfeits *forfeits, const struct entry *entry);
/* The one of the entry's name, until the next change; NULL: there is none. */
const struct entry *forfeits_find(const struct forfeits *forfeits, const struct entry *entry);
/* Forgets it; there is one. */
void forfeits_forget(struct forfeits *forfeits, const struct entry *entry);

#endif
