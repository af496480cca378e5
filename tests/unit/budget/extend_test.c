/*
 * Rolling holds: slices, extensions, and who goes first. (Whether the numbers are right in all
 * circumstances is core_simulation_test's and extend_property_test's question.)
 */
#include "fixture.h"

static struct ask slice_ask(struct fixture *f, int64_t input, int64_t output, int64_t slice)
{
    struct ask ask = fixture_ask(f, input, output);
    ask.slice_tokens = slice;
    return ask;
}

/* Reserves a slice that must be granted; returns the hold. */
static uint64_t hold_slice(struct fixture *f, int64_t output, int64_t slice)
{
    struct ask ask = slice_ask(f, 0, output, slice);
    ck_assert_int_eq(fixture_reserve_ask(f, &ask), VERDICT_GRANTED);
    return f->grant.hold;
}

static enum verdict extend(struct fixture *f, uint64_t hold, int64_t output)
{
    core_extend(f->core, hold, output, &f->grant);
    return f->grant.verdict;
}

START_TEST(a_rolling_hold_holds_its_input_and_a_slice_and_grows)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 10000);
    fixture_budget(&f, "tokens", SCOPE_KEY, UNIT_TOKENS, 10000);
    fixture_budget(&f, "calls", SCOPE_TEAM, UNIT_REQUESTS, 10);
    fixture_start(&f);
    struct ask ask = slice_ask(&f, 50, 1000, 100);
    ask.bound.choices = 2;
    ask.bound.extra_output = 7;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    uint64_t hold = f.grant.hold;
    ck_assert_int_eq(f.grant.max_output, 1000);
    ck_assert_int_eq(f.grant.held_output, 100);
    ck_assert(!f.grant.clamped);
    ck_assert(!f.grant.send_max);
    ck_assert_int_eq(f.grant.amount.nano, 50 + 2 * (200 + 7));
    ck_assert_int_eq(f.grant.tokens, 50 + 200 + 7);
    ck_assert_int_eq(extend(&f, hold, 300), VERDICT_GRANTED);
    ck_assert_uint_eq(f.grant.hold, hold);
    ck_assert_int_eq(f.grant.max_output, 1000);
    ck_assert_int_eq(f.grant.held_output, 300);
    ck_assert_int_eq(f.grant.amount.nano, 50 + 2 * (600 + 7));
    ck_assert_int_eq(f.grant.tokens, 50 + 600 + 7);
    ck_assert_uint_eq(f.grant.charge_count, 3);
    ck_assert_int_eq(f.grant.charges[0].amount, 50 + 2 * (600 + 7));
    ck_assert_int_eq(f.grant.charges[1].amount, 50 + 600 + 7);
    ck_assert_int_eq(f.grant.charges[2].amount, 1);
    UNIT_TEXT(f.grant.charges[1].budget, "tokens");
    UNIT_TEXT(f.grant.charges[1].id, "alice");
    ck_assert_int_eq(fixture_view(&f, 0).held, 50 + 2 * (600 + 7));
    ck_assert_int_eq(fixture_view(&f, 1).held, 50 + 600 + 7);
    fixture_settle(&f, hold, 500);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_int_eq(fixture_view(&f, 1).spent, 500);
    fixture_end(&f);
}
END_TEST

START_TEST(an_extension_goes_no_further_than_the_maximum_that_was_granted)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 200, 50);
    ck_assert_int_eq(extend(&f, hold, 5000), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, 200);
    ck_assert_int_eq(extend(&f, hold, 100), VERDICT_GRANTED); /* it never shrinks */
    ck_assert_int_eq(f.grant.held_output, 200);
    ck_assert_int_eq(f.grant.amount.nano, 400);
    ck_assert_int_eq(fixture_view(&f, 0).held, 400);
    fixture_end(&f);
}
END_TEST

START_TEST(an_extension_is_refused_whole_and_says_which_account_is_short)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 10000);
    fixture_budget(&f, "tokens", SCOPE_KEY, UNIT_TOKENS, 300);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 300, 50);
    uint64_t other = hold_slice(&f, 250, 100);
    ck_assert_int_eq(extend(&f, hold, 300), VERDICT_CONTENTION); /* alone it would just fit */
    ck_assert_int_eq(extend(&f, hold, 201), VERDICT_CONTENTION);
    UNIT_TEXT(f.grant.blocking.budget, "tokens");
    ck_assert_int_eq(f.grant.blocking.held, 150);
    ck_assert_uint_eq(f.grant.charge_count, 0);
    ck_assert_int_eq(fixture_view(&f, 0).held, 2 * 150);
    ck_assert_int_eq(fixture_view(&f, 1).held, 150);
    fixture_settle(&f, other, 100);
    ck_assert_int_eq(extend(&f, hold, 201), VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.spent, 100);
    ck_assert_int_eq(extend(&f, hold, 200), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(spend_tells_more_of_a_refusal_than_others_holds)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "crowded", SCOPE_GLOBAL, UNIT_USD, 600);
    fixture_budget(&f, "spent", SCOPE_KEY, UNIT_USD, 500);
    fixture_start(&f);
    uint64_t spent = hold_slice(&f, 150, 150);
    uint64_t hold = hold_slice(&f, 250, 50);
    fixture_settle(&f, spent, 300);
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    hold_slice(&f, 100, 100);
    ck_assert_int_eq(extend(&f, hold, 110), VERDICT_EXHAUSTED);
    UNIT_TEXT(f.grant.blocking.budget, "spent");
    ck_assert_int_eq(extend(&f, hold, 60), VERDICT_CONTENTION);
    UNIT_TEXT(f.grant.blocking.budget, "crowded");
    fixture_end(&f);
}
END_TEST

/* In full, the first would have left room for one more. */
START_TEST(two_hundred_streams_run_beside_each_other)
{
    enum { STREAMS = 200 };
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100000);
    fixture_start(&f);
    uint64_t holds[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        holds[i] = hold_slice(&f, 20000, 50);
        ck_assert_int_eq(f.grant.max_output, 20000);
        ck_assert(!f.grant.clamped);
    }
    for (int round = 2; round <= 5; round++) {
        for (int i = 0; i < STREAMS; i++)
            ck_assert_int_eq(extend(&f, holds[i], 50 * round), VERDICT_GRANTED);
    }
    ck_assert_int_eq(fixture_view(&f, 0).held, 100000);
    ck_assert_int_eq(extend(&f, holds[0], 251), VERDICT_CONTENTION);
    for (int i = 0; i < STREAMS; i++)
        fixture_settle(&f, holds[i], 500);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 100000);
    fixture_end(&f);
}
END_TEST

START_TEST(the_maximum_is_what_is_left_of_the_limit_and_the_slice_what_is_held_of_it)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    fixture_settle(&f, fixture_hold(&f, 100), 400);
    fixture_hold(&f, 200);
    struct ask ask = slice_ask(&f, 100, 1000, 20);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 250);
    ck_assert_int_eq(f.grant.held_output, 20);
    ck_assert(f.grant.clamped);
    ck_assert(f.grant.send_max);
    ck_assert_int_eq(f.grant.amount.nano, 140);
    ask.slice_tokens = 0;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    fixture_end(&f);
}
END_TEST

START_TEST(a_slice_above_the_maximum_holds_the_maximum)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&f);
    hold_slice(&f, 30, 100);
    ck_assert_int_eq(f.grant.held_output, 30);
    ck_assert_int_eq(f.grant.max_output, 30);
    fixture_end(&f);
}
END_TEST

START_TEST(a_slice_is_never_below_the_least_output)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t first = hold_slice(&f, 50, 1);
    ck_assert_int_eq(f.grant.held_output, 10);
    fixture_settle(&f, first, 81);
    struct ask ask = slice_ask(&f, 0, 50, 1);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED);
    ask.bound.input_tokens = 81;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_NEVER_FITS);
    fixture_end(&f);
}
END_TEST

START_TEST(a_slice_without_room_waits_and_is_clamped_when_its_time_is_up)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    uint64_t other = fixture_hold(&f, 70);
    struct ask ask = slice_ask(&f, 0, 90, 40);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    ck_assert(core_time_is_up(f.core, f.grant.waiter, NOON_S, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, 30);
    ck_assert_int_eq(f.grant.max_output, 90);
    ck_assert(!f.grant.clamped);
    uint64_t hold = f.grant.hold;
    ck_assert_int_eq(extend(&f, hold, 40), VERDICT_CONTENTION);
    fixture_settle(&f, other, 0);
    ck_assert_int_eq(extend(&f, hold, 90), VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_slice_that_is_clamped_still_has_its_slack)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    fixture_hold(&f, 70);
    struct ask ask = slice_ask(&f, 0, 90, 40);
    for (ask.slack_tokens = 20; ask.slack_tokens <= 21; ask.slack_tokens++) {
        ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
        ck_assert(core_time_is_up(f.core, f.grant.waiter, NOON_S, &f.grant));
        if (ask.slack_tokens == 20) {
            ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
            ck_assert_int_eq(f.grant.held_output, 30); /* with the least output of 10 */
            fixture_settle(&f, f.grant.hold, 0);
        }
    }
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    fixture_end(&f);
}
END_TEST

START_TEST(a_slice_is_granted_as_soon_as_there_is_room_for_it)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 200);
    fixture_start(&f);
    uint64_t other = fixture_hold(&f, 70);
    fixture_hold(&f, 25);
    struct ask ask = slice_ask(&f, 0, 90, 40);
    ask.cookie.number = 5;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    fixture_settle(&f, other, 60);
    ck_assert_uint_eq(fixture_wake(&f), 5);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, 40);
    ck_assert_int_eq(f.grant.max_output, 70);
    ck_assert(f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(what_may_not_be_clamped_is_held_in_full)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    f.options.clamp = CLAMP_ABSENT;
    fixture_start(&f);
    hold_slice(&f, 200, 50);
    ck_assert_int_eq(f.grant.held_output, 200);
    struct ask ask = slice_ask(&f, 0, 200, 50);
    ask.named = false;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, 50);
    fixture_end(&f);
}
END_TEST

START_TEST(where_no_account_is_short_the_hold_is_full)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_GLOBAL, UNIT_REQUESTS, 10);
    fixture_budget(&f, "each", SCOPE_REQUEST, UNIT_USD, 300);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 200, 50);
    ck_assert_int_eq(f.grant.max_output, 150);
    ck_assert_int_eq(f.grant.held_output, 150);
    ck_assert_int_eq(extend(&f, hold, 5000), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.amount.nano, 300);
    fixture_end(&f);
}
END_TEST

START_TEST(without_any_limit_there_is_nothing_to_extend)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_GLOBAL, UNIT_REQUESTS, 10);
    fixture_start(&f);
    struct ask ask = slice_ask(&f, INT64_MAX, INT64_MAX, 50);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, INT64_MAX);
    ck_assert_int_eq(extend(&f, f.grant.hold, 100), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, INT64_MAX);
    ck_assert_int_eq(f.grant.amount.nano, 0);
    ck_assert_int_eq(f.grant.tokens, 0);
    fixture_end(&f);
}
END_TEST

/* ---- who goes first ---- */

START_TEST(a_running_stream_is_extended_before_those_who_wait)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 400);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 100, 20);
    uint64_t other = fixture_hold(&f, 100);
    fixture_wait(&f, 100, 7); /* there is room for 80 */
    ck_assert_int_eq(extend(&f, hold, 100), VERDICT_GRANTED);
    fixture_settle(&f, other, 0);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

/* The first waits for its team alone until the extension takes what there was of the shared one;
 * from then on who comes later must not take of it either. */
START_TEST(an_extension_makes_a_waiter_wait_for_one_account_more)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 400);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 200);
    fixture_start(&f);
    uint64_t team = fixture_hold(&f, 60);
    fixture_wait(&f, 50, 1);
    f.subject.id[SCOPE_TEAM] = TEXT("sales");
    uint64_t hold = hold_slice(&f, 100, 20);
    ck_assert_int_eq(extend(&f, hold, 100), VERDICT_GRANTED); /* 80 are left of "org" */
    f.subject.id[SCOPE_TEAM] = TEXT("support");
    fixture_wait(&f, 10, 2);
    fixture_settle(&f, team, 0);
    ck_assert_uint_eq(fixture_wake(&f), 1);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    fixture_end(&f);
}
END_TEST

/* ---- windows and other budgets ---- */

START_TEST(an_extension_stays_with_the_window_of_its_admission)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 400);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 200, 50);
    char window[20];
    memcpy(window, f.grant.charges[0].window, sizeof(window));
    f.now_s += DAY_S;
    fixture_hold(&f, 200);
    ck_assert_int_eq(extend(&f, hold, 200), VERDICT_GRANTED);
    ck_assert_str_eq(f.grant.charges[0].window, window);
    ck_assert_int_eq(fixture_view(&f, 0).held, 400);
    fixture_end(&f);
}
END_TEST

START_TEST(a_lowered_limit_refuses_extensions_and_a_raised_one_grants_them)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 400);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 200, 50);
    f.budgets[0].limit[UNIT_USD] = 90;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(extend(&f, hold, 51), VERDICT_EXHAUSTED);
    f.budgets[0].limit[UNIT_USD] = 300;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(extend(&f, hold, 150), VERDICT_GRANTED);
    ck_assert_int_eq(extend(&f, hold, 151), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(without_its_budget_a_hold_is_extended_without_limit_and_keeps_its_name)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_GLOBAL, UNIT_REQUESTS, 9);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 400);
    fixture_start(&f);
    uint64_t hold = hold_slice(&f, 200, 50);
    uint64_t other = hold_slice(&f, 100, 100);
    f.options.budget_count = 1;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(extend(&f, hold, 200), VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.charges[1].amount, 400);
    UNIT_TEXT(f.grant.charges[1].budget, "org");
    f.options.budget_count = 2;
    core_redefine(f.core, &f.options);
    ck_assert_int_eq(fixture_view(&f, 1).held, 600);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_WAIT);
    fixture_settle(&f, hold, 400);
    fixture_settle(&f, other, 0);
    ck_assert_int_eq(fixture_view(&f, 1).spent, 400);
    fixture_end(&f);
}
END_TEST

/* Nothing wraps although nothing limits it. */
START_TEST(absurd_extensions_without_a_budget_stay_in_range)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "calls", SCOPE_GLOBAL, UNIT_REQUESTS, 9);
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, MONEY_MOST.nano);
    f.price = fixture_price(1000000, 1000000);
    fixture_start(&f);
    uint64_t holds[4];
    for (int i = 0; i < 4; i++)
        holds[i] = hold_slice(&f, INT64_C(4000000000000), 10);
    f.options.budget_count = 1;
    core_redefine(f.core, &f.options);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(extend(&f, holds[i], INT64_MAX), VERDICT_GRANTED);
    for (int i = 0; i < 4; i++)
        fixture_settle(&f, holds[i], INT64_MAX);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(a_slice_that_is_clamped_still_has_its_slack,
          a_rolling_hold_holds_its_input_and_a_slice_and_grows,
          an_extension_goes_no_further_than_the_maximum_that_was_granted,
          an_extension_is_refused_whole_and_says_which_account_is_short,
          spend_tells_more_of_a_refusal_than_others_holds,
          two_hundred_streams_run_beside_each_other,
          the_maximum_is_what_is_left_of_the_limit_and_the_slice_what_is_held_of_it,
          a_slice_above_the_maximum_holds_the_maximum, a_slice_is_never_below_the_least_output,
          a_slice_without_room_waits_and_is_clamped_when_its_time_is_up,
          a_slice_is_granted_as_soon_as_there_is_room_for_it,
          what_may_not_be_clamped_is_held_in_full, where_no_account_is_short_the_hold_is_full,
          without_any_limit_there_is_nothing_to_extend,
          a_running_stream_is_extended_before_those_who_wait,
          an_extension_makes_a_waiter_wait_for_one_account_more,
          an_extension_stays_with_the_window_of_its_admission,
          a_lowered_limit_refuses_extensions_and_a_raised_one_grants_them,
          without_its_budget_a_hold_is_extended_without_limit_and_keeps_its_name,
          absurd_extensions_without_a_budget_stay_in_range)
