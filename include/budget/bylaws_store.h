/*
 * Bylaws in Redis: the hash {purser}:bylaws, a field for each ("key:bob") with its line, and "#", a
 * mark that is another one after every change. An instance asks once a second for the mark, and
 * reads all when it is not the one it knows; so what was made at one holds at the others.
 *
 * A store that is not set up (no {purser}:meta: purser budget init) has none, and takes none. Lost
 * ones are put back by every instance that still knows them.
 */
#ifndef PURSER_BUDGET_BYLAWS_STORE_H
#define PURSER_BUDGET_BYLAWS_STORE_H

#include "budget/bylaws.h"
#include "budget/lessor.h"

struct bylaws_store {
    struct lessor *lessor; /* borrowed */
    char mark[24];         /* of the last look; empty: none */
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
    BYLAWS_OVERRULED, /* the store has one that it may not replace: look. Nothing was done */
    BYLAWS_REFUSED,   /* the store is not set up, or full; nothing was done */
    BYLAWS_LOST,      /* nobody knows: what became of it shows at a later look */
};
/* `replaces`: up to this version (below the bylaw's own) it takes the place of what the store has:
 * of the one that is known here, so that what was made of that does not undo what somebody else has
 * made of it meanwhile. 0: it is new. */
enum bylaws_put bylaws_put(struct bylaws_store *store, const struct bylaw *bylaw, int64_t replaces,
                           int64_t now_ms, struct fault *fault);

#endif
