/* Holds of a process that died, taken up again by the next one. */
#include "fixture.h"

#define DAY_S 86400

static uint64_t hold_again(struct fixture *f, int64_t amount, int64_t made_s)
{
    const struct spend held = {{amount, amount, 1}};
    core_rehold(f->core, &f->subject, &held, made_s, &f->grant);
    ck_assert_int_eq(f->grant.verdict, VERDICT_GRANTED);
    return f->grant.hold;
}

START_TEST(it_holds_what_it_held_and_is_settled_like_any)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "tokens", SCOPE_KEY, UNIT_TOKENS, 1000);
    fixture_budget(&f, "requests", SCOPE_TEAM, UNIT_REQUESTS, 5);
    fixture_start(&f);
    uint64_t hold = hold_again(&f, 60, NOON_S - 60);
    ck_assert_uint_eq(f.grant.charge_count, 3);
    ck_assert_int_eq(f.grant.charges[0].amount, 60);
    ck_assert_int_eq(f.grant.charges[2].amount, 1);
    ck_assert_int_eq(fixture_view(&f, 0).held, 60);
    ck_assert_int_eq(fixture_reserve(&f, 20), VERDICT_GRANTED); /* 40 are left */
    fixture_settle(&f, f.grant.hold, 0);
    ck_assert_int_eq(fixture_reserve(&f, 21), VERDICT_WAIT);
    fixture_settle(&f, hold, 7); /* who waited goes on */
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_settle(&f, f.grant.hold, 0);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 7);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(a_limit_that_is_lower_now_does_not_refuse_it)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t first = hold_again(&f, 80, NOON_S);
    uint64_t second = hold_again(&f, 80, NOON_S);
    ck_assert_int_eq(fixture_view(&f, 0).held, 160);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_WAIT);
    fixture_settle(&f, first, 5);
    fixture_settle(&f, second, 5);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(it_counts_in_the_window_in_which_it_was_made)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "usd", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t hold = hold_again(&f, 80, NOON_S - DAY_S);
    ck_assert_int_eq(fixture_reserve(&f, 50), VERDICT_GRANTED); /* today nothing is held yet */
    fixture_settle(&f, f.grant.hold, 100);
    fixture_settle(&f, hold, 80);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 100);
    fixture_end(&f);
}
END_TEST

START_TEST(without_a_budget_there_is_nothing_to_hold)
{
    struct fixture f = fixture_new();
    fixture_start(&f);
    ck_assert_uint_eq(hold_again(&f, 80, NOON_S), 0);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(it_holds_what_it_held_and_is_settled_like_any,
          a_limit_that_is_lower_now_does_not_refuse_it,
          it_counts_in_the_window_in_which_it_was_made, without_a_budget_there_is_nothing_to_hold)
