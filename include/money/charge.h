/*
 * A charge: so much of one unit on one account. What a hold is made of, and what ledger lines list
 * under `accounts`.
 *
 * An account is one (budget definition, scope id, unit, window). Its id is a hash of what defines
 * it, not of its limit or name: a changed limit keeps its spend.
 *
 * The sub-buckets of a rolling window are accounts of one group, under one limit. The number of one
 * is told by those of the others, so that a lessor who knows numbers alone can add them up: above
 * its last CHARGE_BUCKET_BITS bits stands the group's hash, and in these the count of sub-buckets
 * since 1970, modulo 2^17. None is alive any more when the next one with its number begins: they
 * have a second at the least, and are remembered for 25 of them, the longest request (a day) and
 * four hours.
 */
#ifndef PURSER_MONEY_CHARGE_H
#define PURSER_MONEY_CHARGE_H

#include "money/limit.h"

/* No call touches more accounts: the configuration is refused if it could. */
#define CHARGE_MOST 64

struct charge {
    uint64_t account;  /* the first 64 bits of SHA-256 over the definition, id, unit and window; or
                          see above */
    int64_t amount;    /* nano-dollars, tokens or requests */
    int64_t overdraft; /* so much of it no store has granted (on_store_away): of a ceiling; of a
                          hold, or what came of it, at most its amount. Else 0 */
    int64_t until_s;   /* UTC seconds until which the account must be remembered;
                          WINDOW_FOREVER: always */
    int64_t since_s;   /* when it began, of a session that idles: what was spent before that
                          counts no more. 0: no such account, or nobody knows */
    enum unit unit;
    enum scope scope;
    struct text budget; /* its name; the gate keeps it, or the ledger that tells the charge */
    struct text id;     /* the scope's id; owned by the account */
    char window[20];    /* struct window's id */
};

#define CHARGE_BUCKET_BITS 17
#define CHARGE_BUCKETS     (UINT64_C(1) << CHARGE_BUCKET_BITS)

/* The number of the account so many sub-buckets later; below 0: earlier. */
static inline uint64_t charge_sibling(uint64_t account, int64_t later)
{
    uint64_t bucket = (account + (uint64_t)later) & (CHARGE_BUCKETS - 1);
    return (account & ~(CHARGE_BUCKETS - 1)) | bucket;
}

/* What the accounts of a group have in common. */
static inline uint64_t charge_group(uint64_t account)
{
    return account >> CHARGE_BUCKET_BITS;
}

/* What a call used, in every unit. */
struct spend {
    int64_t amount[UNIT_COUNT];
};

#endif
