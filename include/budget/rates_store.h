/*
 * What instances share of rate limits: who leased how much of which sub-window. Spoken by
 *
 *     rates_store_apply   here, in C and without I/O: the reference
 *     rates.lua           the same in Redis; a test compares them on random operations
 *
 * The store holds, for account a, sub-window s (of five seconds of the store's clock, numbered
 * since its zero) and instance n, the share g[a,s,n] that n may use, and grants more of it only
 * while
 *
 *     Σ over n and 13 sub-windows in a row of g ≤ limit
 *
 * so that no minute sees more than the limit (rates.h). An instance says what it has, and the store
 * believes it: less than was granted gives back, more is a fact that the store has lost or never
 * knew. What is leased goes with its sub-window: what a dead instance had costs the others a
 * minute. Shares of `parallel` have no sub-window. They end when they were not said again for the
 * life that their instance names: so long after it was killed its places are free.
 *
 * Rate limits are no money: nothing here is fenced. If the store forgets (a failover that lost
 * writes, FLUSHALL), it grants anew before all have said again what they have: a minute may see up
 * to twice its limit. `born` tells that it happened.
 */
#ifndef PURSER_BUDGET_RATES_STORE_H
#define PURSER_BUDGET_RATES_STORE_H

#include "money/rate_limit.h"

#define RATES_SUBWINDOW_US (5 * INT64_C(1000000))
#define RATES_SUBWINDOWS   12 /* of a minute; one more counts */
#define RATES_COUNTING     (RATES_SUBWINDOWS + 1)

#define RATES_ID_SIZE 33 /* 128 random bits in hex, and the final zero */

/* No amount is above this: sums are exact in a double. A limit above it counts as this. */
#define RATES_MOST INT64_C(1000000000000)

#define RATES_ROWS_LEAST (RATED_BY_MINUTE * RATES_COUNTING + 1) /* what one account may have */
#define RATES_ROWS_MOST  512

/* One share of one account. */
struct rates_row {
    uint64_t account; /* first 64 bits of SHA-256 over scope, match and id */
    enum rated rated;
    int64_t subwindow; /* parallel: 0 */
    int64_t limit;     /* of the asker's configuration */
    int64_t have;      /* the asker's share so far; growth comes on top: */
    int64_t useful;    /* less than this is of no use, none is grown then; */
    int64_t wanted;    /* so much is needed now, as much of it as there is; */
    int64_t ahead;     /* so much if what is left, divided by twice the instances, is as much */
};

struct rates_request {
    char id[RATES_ID_SIZE]; /* of the asking process */
    int64_t sequence;       /* grows with each request of this id, else it is STALE */
    int64_t life_us;        /* of shares of parallel, and of the instance */
    int64_t subwindow_us;   /* RATES_SUBWINDOW_US, but in tests */
    bool leaving;           /* it will not ask again */
    const struct rates_row *rows;
    size_t row_count;
};

enum rates_store_verdict {
    RATES_STORE_OK,
    RATES_STORE_STALE, /* nothing was done */
};

struct rates_row_answer {
    int64_t moved; /* grown by: the asker now has have + moved */
    /* What others have: of the sub-window twelve before the row's to the row's. Parallel: in [0].
     * All 0 if the sub-window is neither one that counts nor the next: the asker's clock is wrong,
     * and the row was ignored. */
    int64_t others[RATES_COUNTING];
};

struct rates_reply {
    enum rates_store_verdict verdict;
    int64_t now_us;    /* the store's clock */
    int64_t born_us;   /* when it last knew nothing */
    int64_t instances; /* that have asked lately, the asker included unless it leaves */
    size_t row_count;  /* of the request, if OK; else 0 */
    struct rates_row_answer rows[RATES_ROWS_MOST];
};

/* ---- the reference ---- */

struct rates_store;

struct rates_store *rates_store_open(void); /* it knows nothing */
void rates_store_close(struct rates_store *store);

/* At `now_us` of the store's clock. */
void rates_store_apply(struct rates_store *store, int64_t now_us,
                       const struct rates_request *request, struct rates_reply *reply);

#endif
