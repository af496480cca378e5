/*
 * What the tests of headroom share: a leased core, and the test itself as its lessor.
 */
#ifndef PURSER_TESTS_BUDGET_GROWTH_H
#define PURSER_TESTS_BUDGET_GROWTH_H

#include "budget/headroom.h"
#include "fixture.h"

static inline struct fixture leased_fixture(void)
{
    struct fixture f = fixture_new();
    f.options.leased = true;
    f.options.lease_s = 2;
    f.options.usd_step = 1;
    return f;
}

static inline void start_with(struct fixture *f, int64_t limit)
{
    *f = leased_fixture();
    fixture_budget(f, "org", SCOPE_GLOBAL, UNIT_USD, limit);
    fixture_start(f);
}

/* The one growth that is wanted. */
static inline struct growth only_growth(struct fixture *f)
{
    struct growth growths[4];
    ck_assert(core_wants_growth(f->core));
    ck_assert_uint_eq(headroom_take(f->core, growths, 4), 1);
    ck_assert(!core_wants_growth(f->core));
    return growths[0];
}

static inline void no_growth(struct fixture *f)
{
    struct growth growths[4];
    ck_assert_uint_eq(headroom_take(f->core, growths, 4), 0);
}

static inline void answer(struct fixture *f, const struct growth *growth, int64_t grown)
{
    headroom_answer(f->core, growth->account, &(struct growth_answer){.grown = grown});
}

static inline void refuse_growths(struct fixture *f)
{
    struct growth growths[4];
    size_t count = 0;
    while ((count = headroom_take(f->core, growths, 4)) > 0) {
        for (size_t at = 0; at < count; at++)
            answer(f, &growths[at], 0);
    }
}

/* Lets the ceiling of the only account grow to `ceiling`, by a request that comes and goes. */
static inline void grow_to(struct fixture *f, int64_t ceiling)
{
    fixture_wait(f, ceiling / 2, 99);
    struct growth growth = only_growth(f);
    answer(f, &growth, ceiling);
    struct cookie cookie;
    ck_assert(core_next_wake(f->core, &cookie, &f->grant));
    ck_assert_int_eq(f->grant.verdict, VERDICT_GRANTED);
    fixture_settle(f, f->grant.hold, 0);
    refuse_growths(f);
}

#endif
