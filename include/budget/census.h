/*
 * The store's accounts as people want to see them: what each is, and what whom of it was granted.
 * Reads the store as it stands, account by account, and changes nothing.
 */
#ifndef PURSER_BUDGET_CENSUS_H
#define PURSER_BUDGET_CENSUS_H

#include "budget/lessor.h"
#include "money/charge.h"

/* What a journal has of an account; in the store's units. */
struct census_share {
    char journal[STORE_JOURNAL_SIZE];
    int64_t granted, spent; /* g; u: what it said last that it had spent */
};

struct census_account {
    struct charge what; /* its `account`; and budget, scope, id, unit and window, where `named` */
    bool named;         /* some instance has said what it is */
    int64_t limit;      /* LIMIT_NONE: nobody said */
    int64_t granted, spent; /* of all, those included that have left */
    struct census_share *shares;
    size_t share_count;
};

/* Zero-initialised is empty and valid. Texts and shares are in the arena. */
struct census {
    struct census_account *at; /* by budget, unit, id, window and number */
    size_t count, room;
};

/* All accounts there are, one round trip for each. One that ends meanwhile may be missing. False
 * with a fault: `census` is empty. */
MUST_USE bool census_read(struct lessor *lessor, struct arena *arena, struct census *census,
                          struct fault *fault);
void census_close(struct census *census);

/* NULL: that journal has nothing of it. */
const struct census_share *census_share_of(const struct census_account *account,
                                           const char *journal);

/* Reads 16 hexadecimal digits, as account numbers are shown. */
MUST_USE bool census_number(struct text digits, uint64_t *account);

#endif
