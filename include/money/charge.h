/*
 * A charge: so much of one unit on one account. What a hold is made of, and what ledger lines list
 * under `accounts`.
 *
 * An account is one (budget definition, scope id, unit, window). Its id is a hash of what defines
 * it, not of its limit or name: a changed limit keeps its spend.
 */
#ifndef PURSER_MONEY_CHARGE_H
#define PURSER_MONEY_CHARGE_H

#include "money/limit.h"

/* No call touches more accounts: the configuration is refused if it could. */
#define CHARGE_MOST 64

struct charge {
    uint64_t account;  /* the first 64 bits of SHA-256 over the definition, id, unit and window */
    int64_t amount;    /* nano-dollars, tokens or requests */
    int64_t overdraft; /* of a ceiling: so much of it no store has granted; else 0 */
    int64_t until_s;   /* UTC seconds until which the account must be remembered;
                          WINDOW_FOREVER: always */
    enum unit unit;
    enum scope scope;
    struct text budget; /* its name; the gate keeps it, or the ledger that tells the charge */
    struct text id;     /* the scope's id; owned by the account */
    char window[20];    /* struct window's id */
};

/* What a call used, in every unit. */
struct spend {
    int64_t amount[UNIT_COUNT];
};

#endif
