/*
 * Inside the rate limits (rates.h): their accounts. Nobody else includes this.
 *
 * Accounts hang in buckets by a hash of what a request knows of them (limit, id); each has a ring
 * of sub-windows for requests and one for tokens. The ring has one place more than counts: that of
 * the next sub-window, for which a lessor may grant ahead.
 */
#ifndef PURSER_BUDGET_RATES_STATE_H
#define PURSER_BUDGET_RATES_STATE_H

#include "base/hash.h"
#include "base/table.h"
#include "budget/rates.h"

#define RATES_COUNTING (RATES_SUBWINDOWS + 1) /* sub-windows that count at any moment */
#define RATES_RING     (RATES_COUNTING + 1)

struct rates_ring {
    int64_t sum; /* of what counts */
    int64_t used[RATES_RING], share[RATES_RING];
    int64_t wanted;
};

struct rates_account {
    struct rates_account *next; /* in its bucket */
    uint64_t hash, limits_number, limits_version;
    uint64_t number; /* what a lessor calls it */
    struct text id;  /* behind the struct */
    int64_t limit[RATED_COUNT];
    int64_t newest; /* sub-window */
    struct rates_ring rings[RATED_BY_MINUTE];
    int64_t running, running_share, running_wanted;
    size_t pins; /* passes that have entered: it stays as long as there are any */
};

struct rates_core {
    struct rates_account **buckets;
    size_t bucket_count; /* a power of two */
    size_t count, most, passes;
    size_t sweep_at;
    int64_t now_us;
    bool leased;
    struct table by_number; /* the account of a number (8 bytes) */
    struct hasher *hasher;
};

/* The place of a sub-window in a ring. */
size_t rates_slot(int64_t subwindow);

/* The account of an id, made if there is none, with the limits that the definition says and its
 * rings turned to now. NULL: there is no room for a new one. */
struct rates_account *rates_use(struct rates_core *core, const struct rate_limit *limit,
                                struct text id);

/* Looks at a few buckets and drops accounts that nothing counts on any more. */
void rates_sweep(struct rates_core *core);

#endif
