/*
 * Limits that a request sets itself: they bind beside those of budgets, and where there are none.
 */
#include "fixture.h"

static struct own_limits own_of(enum unit unit, int64_t limit)
{
    struct own_limits own = {{LIMIT_NONE, LIMIT_NONE, LIMIT_NONE}};
    own.limit[unit] = limit;
    return own;
}

START_TEST(bind_where_no_budget_applies)
{
    static const struct {
        enum unit unit;
        int64_t output; /* what of a limit of 200 is left for output */
    } cases[] = {{UNIT_USD, 75}, {UNIT_TOKENS, 150}};
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct fixture f = fixture_new();
        fixture_start(&f);
        struct own_limits own = own_of(cases[i].unit, 200);
        struct ask ask = fixture_ask(&f, 50, 1000);
        ask.own = &own;
        ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
        ck_assert_int_eq(f.grant.max_output, cases[i].output);
        ck_assert(f.grant.clamped);
        ck_assert(f.grant.send_max);
        ck_assert_uint_eq(f.grant.hold, 0);
        ck_assert_int_eq(f.grant.tokens, 50 + cases[i].output);
        ask.wanted_output = cases[i].output;
        ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
        ck_assert(!f.grant.clamped);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(refuse_what_can_never_fit_without_a_budgets_name)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    struct own_limits own = own_of(UNIT_USD, 60);
    struct ask ask = fixture_ask(&f, 50, 1000);
    ask.own = &own;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS); /* 5, and 10 is least */
    ck_assert_uint_eq(f.grant.blocking.budget.size, 0);
    ck_assert_int_eq((int)f.grant.blocking.scope, SCOPE_REQUEST);
    ck_assert_int_eq((int)f.grant.blocking.unit, UNIT_USD);
    ck_assert_int_eq(f.grant.blocking.limit, 60);
    ck_assert_str_eq(f.grant.blocking.window.id, "request");
    ck_assert_int_eq(f.grant.affordable_max_output, 5);
    ask.bound.input_tokens = 61;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    ck_assert_int_eq(f.grant.affordable_max_output, 0);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(refuse_what_has_no_price_or_bound)
{
    struct fixture f = fixture_new();
    fixture_start(&f);
    struct own_limits usd = own_of(UNIT_USD, 60), tokens = own_of(UNIT_TOKENS, 60);
    struct ask ask = fixture_ask(&f, 10, 20);
    ask.price = NULL;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ask.own = &usd;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNPRICED);
    ck_assert_uint_eq(f.grant.blocking.budget.size, 0);
    ask.own = &tokens;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ask.unbounded = true;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    ask.unbounded = false;
    ask.bound.input_tokens = INT64_MAX;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_UNBOUNDED);
    ck_assert_int_eq((int)f.grant.blocking.unit, UNIT_TOKENS);
    fixture_end(&f);
}
END_TEST

START_TEST(the_tightest_of_all_limits_counts_and_is_named)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "each", SCOPE_REQUEST, UNIT_USD, 100);
    fixture_start(&f);
    struct own_limits own = own_of(UNIT_USD, 300);
    struct ask ask = fixture_ask(&f, 0, 1000);
    ask.own = &own;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 50);
    own.limit[UNIT_USD] = 80;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 40);
    ask.bound.input_tokens = 200;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    ck_assert_uint_eq(f.grant.blocking.budget.size, 0);
    own.limit[UNIT_USD] = 100; /* as the budget: then that says no */
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    UNIT_TEXT(f.grant.blocking.budget, "each");
    fixture_end(&f);
}
END_TEST

START_TEST(a_limit_of_nothing_lets_pass_what_costs_nothing)
{
    struct fixture f = fixture_new();
    fixture_start(&f);
    struct own_limits own = own_of(UNIT_USD, 0);
    struct ask ask = fixture_ask(&f, 0, 20);
    ask.own = &own;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    struct price nothing = fixture_price(0, 0);
    ask.price = &nothing;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert(!f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(are_refused_not_clamped_where_nothing_may_be_lowered)
{
    struct fixture f = fixture_new();
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    struct own_limits own = own_of(UNIT_TOKENS, 100);
    struct ask ask = fixture_ask(&f, 50, 51);
    ask.own = &own;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    ck_assert_int_eq(f.grant.affordable_max_output, 50);
    fixture_end(&f);
}
END_TEST

/* What they pointed to may be gone when the waiter's turn comes. */
START_TEST(bind_those_too_who_waited)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 90);
    struct own_limits own = own_of(UNIT_USD, 80);
    struct ask ask = fixture_ask(&f, 0, 100);
    ask.own = &own;
    ask.cookie.number = 3;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    own.limit[UNIT_USD] = 1;
    fixture_settle(&f, hold, 10);
    ck_assert_uint_eq(fixture_wake(&f), 3);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 40);
    fixture_end(&f);
}
END_TEST

START_TEST(bound_a_rolling_hold_for_its_life)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 2000);
    fixture_start(&f);
    struct own_limits own = own_of(UNIT_USD, 300);
    struct ask ask = fixture_ask(&f, 100, 1000);
    ask.own = &own;
    ask.slice_tokens = 20;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 100);
    ck_assert_int_eq(f.grant.held_output, 20);
    core_extend(f.core, f.grant.hold, 1000, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.amount.nano, 300);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(bind_where_no_budget_applies, refuse_what_can_never_fit_without_a_budgets_name,
          refuse_what_has_no_price_or_bound, the_tightest_of_all_limits_counts_and_is_named,
          a_limit_of_nothing_lets_pass_what_costs_nothing,
          are_refused_not_clamped_where_nothing_may_be_lowered, bind_those_too_who_waited,
          bound_a_rolling_hold_for_its_life)
