/*
 * Inside the rate limits (rates.h): their accounts. Nobody else includes this.
 *
 * Accounts hang in buckets by a hash of what a request knows of them (limit, id); each has a ring
 * of sub-windows for requests and one for tokens, as many as count. Where limits are shared it has
 * loans beside them, and stands in a list as long as there is anything to tell the store of it:
 * first those that somebody waits for, then those that are due in this round, then the others.
 */
#ifndef PURSER_BUDGET_RATES_STATE_H
#define PURSER_BUDGET_RATES_STATE_H

#include "base/hash.h"
#include "base/table.h"
#include "budget/rates.h"

struct rates_ring {
    int64_t sum; /* of what counts */
    int64_t used[RATES_COUNTING];
};

#define RATES_UNTOLD (-1) /* the store may believe anything */

/* Of each sub-window, by its place in the ring; of parallel in [0]. */
struct rates_loan {
    int64_t share[RATES_COUNTING];
    int64_t told[RATES_COUNTING];   /* what the store believes the share to be */
    int64_t others[RATES_COUNTING]; /* what others have, as the store said last */
    int64_t wanted, useful;         /* what was short since the last ask: all, and the least */
    int64_t dry_until_us, dry; /* the store had less than `dry`: so much is not asked for soon */
    int64_t refill_us, granted_us; /* asked for headroom; grown */
};

struct rates_account {
    struct rates_account *next; /* in its bucket */
    uint64_t hash, limits_number, limits_version;
    uint64_t number; /* what a lessor calls it */
    struct text id;  /* behind the struct */
    int64_t limit[RATED_COUNT];
    int64_t newest; /* sub-window */
    struct rates_ring rings[RATED_BY_MINUTE];
    int64_t running;
    size_t pins; /* passes that have entered: it stays as long as there are any */

    struct rates_loan *loans; /* RATED_COUNT; NULL: not shared */
    int64_t peak;             /* of running, lately */
    int64_t entered_us, told_us;
    struct rates_account *before, *after; /* in the list */
    bool listed, urgent;
    uint64_t round; /* the last one in which it was looked at */
};

struct rates_core {
    struct rates_account **buckets;
    size_t bucket_count; /* a power of two */
    size_t count, most, passes;
    size_t sweep_at;
    int64_t now_us;    /* the store's, where limits are shared */
    int64_t offset_us; /* from steady time */
    bool leased;
    bool leaving;        /* all is given back */
    int64_t alone;       /* the store does not answer: one of so many; 0: it does */
    uint64_t era, round; /* era: grows when time jumps */
    struct rates_account *first, *last;
    struct table by_number; /* the account of a number (8 bytes) */
    struct hasher *hasher;
};

/* The place of a sub-window in a ring. */
size_t rates_slot(int64_t subwindow);

/* The account of an id, made if there is none, with the limits that the definition says and its
 * rings turned to now. NULL: there is no room for a new one. */
struct rates_account *rates_use(struct rates_core *core, const struct rate_limit *limit,
                                struct text id);

/* Turns the account's rings to now. */
void rates_turn(const struct rates_core *core, struct rates_account *account);

/* Time has jumped: all that counted counts now. */
void rates_rebase(const struct rates_core *core, struct rates_account *account);

/* The account has something to tell; `urgent`: somebody waits for it. */
void rates_list_account(struct rates_core *core, struct rates_account *account, bool urgent);

/* What of the share of now is not used. */
int64_t rates_free_share(const struct rates_account *account, enum rated rated);

/* What others have of what counts. */
int64_t rates_others(const struct rates_account *account, enum rated rated);

/* Nobody waits, but headroom is below half of what the next second needs. */
bool rates_runs_short(const struct rates_core *core, const struct rates_account *account,
                      enum rated rated);

/* Looks at a few buckets and drops accounts that nothing counts on any more. */
void rates_sweep(struct rates_core *core);

#endif
