/*
 * Bylaws in Redis: the hash {purser}:bylaws, a field for each ("key:bob") with its line, and "#", a
 * mark that is another one after every change. An instance asks once a second for the mark, and
 * reads all when it is not the one it knows; so what was made at one holds at the others.
 *
 * What was taken back and is over goes from the store, too. So an instance that did not hear of the
 * store for longer than BYLAWS_STALE_S (less than BYLAW_OVER_S) may know what was deleted long ago,
 * and nobody is left who could tell it: what it knew when it heard last, and the store has not, it
 * forgets. Unless the store has nothing at all: then that was lost.
 *
 * A store that is not set up (no {purser}:meta: purser budget init) has none, and takes none. Lost
 * ones are put back by every instance that still knows them.
 */
#ifndef PURSER_BUDGET_BYLAWS_STORE_H
#define PURSER_BUDGET_BYLAWS_STORE_H

#include "budget/bylaws.h"
#include "budget/lessor.h"

#define BYLAWS_STALE_S (60 * INT64_C(86400))

struct bylaws_store {
    struct lessor *lessor; /* borrowed */
    char mark[24];         /* of the last look; empty: none */
    int64_t heard_s;       /* when it was heard of last; 0: never. Every look that is answered sets
                              it */
};

enum bylaws_look {
    BYLAWS_SAME,  /* nothing has changed since the last look */
    BYLAWS_NEWS,  /* the store was read, and both have what the other had. What could not be read
                     of it was passed over; the fault says so, or is empty */
    BYLAWS_UNSET, /* the store is not set up */
    BYLAWS_AWAY,  /* it does not answer; the fault says why */
};

enum bylaws_look bylaws_look(struct bylaws_store *store, struct bylaws *bylaws, int64_t now_ms,
                             struct fault *fault);

enum bylaws_put {
    BYLAWS_PUT,       /* it holds */
    BYLAWS_OVERRULED, /* the store has a later one: look */
    BYLAWS_REFUSED,   /* the store is not set up, or full; nothing was done */
    BYLAWS_LOST,      /* nobody knows: what became of it shows at a later look */
};
enum bylaws_put bylaws_put(struct bylaws_store *store, const struct bylaw *bylaw, int64_t now_ms,
                           struct fault *fault);

#endif
