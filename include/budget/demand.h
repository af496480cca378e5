/*
 * What a request needs of its accounts, by limits and spend alone: how much output it gets, or why
 * it can never have any. Holds of others are left out, because they go: whether the demand fits
 * beside them is the core's next question. Part of the core (core.h); pure functions.
 */
#ifndef PURSER_BUDGET_DEMAND_H
#define PURSER_BUDGET_DEMAND_H

#include "budget/account.h"
#include "budget/core.h"

/* No budget's limit, but the request's own. */
#define PLACES_OWN SIZE_MAX

/* Where a request must find room: its accounts, and the tightest SCOPE_REQUEST limit per unit. */
struct places {
    int64_t request_limit[UNIT_COUNT]; /* LIMIT_NONE: none */
    size_t request_budget[UNIT_COUNT]; /* its budget's index, or PLACES_OWN */
    size_t count;
    struct account *accounts[CHARGE_MOST]; /* pinned */
};

struct demand {
    enum verdict
        verdict;        /* GRANTED (if there is room), EXHAUSTED, NEVER_FITS, UNPRICED, UNBOUNDED */
    int64_t max_output; /* GRANTED */
    int64_t held_output; /* GRANTED: max_output, or less of a rolling hold */
    bool rolling;        /* it holds a slice (core.h) */
    int64_t least;       /* no less output than this is worth the call */
    int64_t ceiling;     /* and more is never wanted; INT64_MAX: unknown */
    bool may_clamp;
    int64_t
        need[UNIT_COUNT]; /* GRANTED: for held_output; EXHAUSTED, NEVER_FITS: what did not fit */
    int64_t affordable;   /* NEVER_FITS: see struct grant */
};

void demand_assess(const struct core_options *rules, const struct ask *ask,
                   const struct places *places, struct demand *demand);

/* What so much output per choice needs of every unit, 0 without a price of USD. */
void demand_fill_need(const struct price *price, const struct bound *bound, int64_t output,
                      int64_t need[UNIT_COUNT]);

/* Lowers a granted demand, or if it is rolling its slice, to what is free at this moment. False if
 * that is not worth the call or may not be; the demand is then as it was. */
bool demand_shrink(const struct ask *ask, const struct places *places, struct demand *demand);
/* It cannot be lowered to what is free, but could be to what would be free if the lessor gave all
 * that is under the limits, as far as is known. */
bool demand_shrinks_once_grown(const struct ask *ask, const struct places *places,
                               const struct demand *demand);

#endif
