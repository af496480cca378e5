/*
 * Waiting for others' holds: in order of arrival, clamped when time is up, never forgotten.
 */
#include "budget/headroom.h"
#include "fixture.h"

/* One daily budget of 100 nano-dollars for all, and 50 for each team. */
static struct fixture new_teams(void)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_budget(&f, "team", SCOPE_TEAM, UNIT_USD, 50);
    return f;
}

static void as_team(struct fixture *f, const char *team)
{
    f->subject.id[SCOPE_TEAM] = text_of(team);
}

/* A single budget of 100. */
static struct fixture new_org(void)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    return f;
}

START_TEST(waits_for_a_hold_in_the_way_and_is_woken_by_its_settlement)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    uint64_t waiter = fixture_wait(&f, 30, 7);
    ck_assert_uint_eq(core_waiting(f.core), 1);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    fixture_settle(&f, hold, 10);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 30);
    ck_assert_uint_eq(f.grant.charge_count, 1);
    ck_assert(!core_leave(f.core, waiter));
    struct grant late;
    ck_assert(!core_time_is_up(f.core, waiter, f.now_s, &late));
    fixture_settle(&f, f.grant.hold, 60);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 70);
    ck_assert_uint_eq(core_open_holds(f.core), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(a_waiter_is_refused_as_soon_as_its_account_is_spent)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 45);
    fixture_wait(&f, 20, 7);
    fixture_settle(&f, hold, 90);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_EXHAUSTED);
    ck_assert_int_eq(f.grant.blocking.spent, 90);
    ck_assert_uint_eq(core_waiting(f.core), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(a_waiter_is_clamped_when_what_is_left_shrinks)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 30, 7);
    fixture_settle(&f, hold, 70);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.max_output, 15);
    ck_assert(f.grant.clamped);
    fixture_end(&f);
}
END_TEST

START_TEST(waits_for_the_clamped_maximum_too)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 1000, 7);
    fixture_settle(&f, hold, 0);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.max_output, 50);
    fixture_end(&f);
}
END_TEST

START_TEST(whose_time_is_up_gets_what_is_free)
{
    struct fixture f = new_org();
    fixture_start(&f);
    fixture_hold(&f, 39);
    uint64_t waiter = fixture_wait(&f, 30, 7);
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 11);
    ck_assert(f.grant.clamped);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert_uint_eq(core_waiting(f.core), 0);
    fixture_end(&f);
}
END_TEST

START_TEST(whose_time_is_up_is_refused_if_too_little_is_free)
{
    struct fixture f = new_org();
    fixture_start(&f);
    fixture_hold(&f, 41);
    uint64_t waiter = fixture_wait(&f, 30, 7);
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    UNIT_TEXT(f.grant.blocking.budget, "org");
    ck_assert_int_eq(f.grant.blocking.held, 82);
    fixture_end(&f);
}
END_TEST

START_TEST(whose_time_is_up_is_refused_if_it_may_not_be_clamped)
{
    struct fixture f = new_org();
    f.options.clamp = CLAMP_NEVER;
    fixture_start(&f);
    fixture_hold(&f, 21);
    uint64_t waiter = fixture_wait(&f, 30, 7);
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    fixture_end(&f);
}
END_TEST

START_TEST(whose_time_is_up_does_not_overtake_either)
{
    struct fixture f = new_org();
    fixture_start(&f);
    fixture_hold(&f, 35);
    fixture_wait(&f, 30, 1);
    uint64_t second = fixture_wait(&f, 10, 2);
    ck_assert(core_time_is_up(f.core, second, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    fixture_end(&f);
}
END_TEST

START_TEST(wakes_in_the_order_of_arrival)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 50);
    fixture_wait(&f, 25, 1);
    fixture_wait(&f, 20, 2);
    fixture_wait(&f, 5, 3);
    fixture_wait(&f, 5, 4);
    fixture_settle(&f, hold, 0);
    for (uint64_t number = 1; number <= 3; number++)
        ck_assert_uint_eq(fixture_wake(&f), number);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert_uint_eq(core_waiting(f.core), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(a_small_request_does_not_overtake_a_large_one_that_waits)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 30);
    fixture_wait(&f, 45, 1);
    fixture_wait(&f, 5, 2);
    fixture_settle(&f, hold, 0);
    ck_assert_uint_eq(fixture_wake(&f), 1);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    fixture_end(&f);
}
END_TEST

START_TEST(a_team_that_waits_for_its_own_budget_holds_up_nobody_else)
{
    struct fixture f = new_teams();
    fixture_start(&f);
    fixture_hold(&f, 20);
    fixture_wait(&f, 20, 1);
    as_team(&f, "sales");
    fixture_hold(&f, 20);
    fixture_end(&f);
}
END_TEST

START_TEST(who_waits_for_the_shared_budget_is_not_overtaken_there)
{
    struct fixture f = new_teams();
    fixture_start(&f);
    uint64_t research = fixture_hold(&f, 20);
    fixture_wait(&f, 20, 1);
    as_team(&f, "sales");
    uint64_t sales = fixture_hold(&f, 25);
    /* 10 are free for all, but the first waiter needs 40 of them. */
    as_team(&f, "support");
    fixture_wait(&f, 5, 2);
    fixture_settle(&f, research, 0);
    ck_assert_uint_eq(fixture_wake(&f), 1);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    fixture_settle(&f, sales, 0);
    fixture_end(&f);
}
END_TEST

START_TEST(who_waits_for_the_shared_budget_no_more_lets_others_pass)
{
    struct fixture f = new_teams();
    fixture_start(&f);
    fixture_hold(&f, 20);
    fixture_wait(&f, 20, 1);
    as_team(&f, "sales");
    uint64_t sales = fixture_hold(&f, 25);
    as_team(&f, "support");
    fixture_wait(&f, 5, 2);
    fixture_settle(&f, sales, 0);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    ck_assert_uint_eq(core_waiting(f.core), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(leaving_makes_way_for_those_behind)
{
    struct fixture f = new_org();
    fixture_start(&f);
    fixture_hold(&f, 30);
    uint64_t large = fixture_wait(&f, 45, 1);
    fixture_wait(&f, 5, 2);
    ck_assert(core_leave(f.core, large));
    ck_assert_uint_eq(fixture_wake(&f), 2);
    ck_assert(!core_leave(f.core, large));
    fixture_end(&f);
}
END_TEST

START_TEST(a_refusal_makes_way_for_those_behind)
{
    struct fixture f = new_org();
    fixture_start(&f);
    fixture_hold(&f, 41);
    uint64_t large = fixture_wait(&f, 45, 1);
    fixture_wait(&f, 5, 2);
    ck_assert(core_time_is_up(f.core, large, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    fixture_end(&f);
}
END_TEST

START_TEST(refuses_when_too_many_wait)
{
    struct fixture f = new_org();
    f.options.max_waiting = 2;
    fixture_start(&f);
    fixture_hold(&f, 50);
    fixture_wait(&f, 30, 1);
    fixture_wait(&f, 30, 2);
    ck_assert_int_eq(fixture_reserve(&f, 30), VERDICT_CONTENTION);
    UNIT_TEXT(f.grant.blocking.budget, "org");
    fixture_end(&f);
}
END_TEST

START_TEST(a_waiter_stays_with_the_window_in_which_it_asked)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 30, 7);
    f.now_s += DAY_S;
    fixture_hold(&f, 50);
    fixture_settle(&f, hold, 0);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_str_eq(f.grant.charges[0].window, "2026-11-21");
    fixture_end(&f);
}
END_TEST

START_TEST(closing_forgets_who_waits_and_wakes_nobody_fetched)
{
    struct fixture f = new_org();
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 40);
    fixture_wait(&f, 30, 1);
    fixture_wait(&f, 30, 2);
    fixture_settle(&f, hold, 0);
    ck_assert(core_any_wake(f.core));
    ck_assert_uint_eq(core_waiting(f.core), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(what_needs_nothing_waits_for_nobody)
{
    struct fixture f = new_org();
    fixture_budget(&f, "requests", SCOPE_KEY, UNIT_REQUESTS, 3);
    fixture_start(&f);
    fixture_hold(&f, 50);
    fixture_wait(&f, 30, 1);
    struct ask ask = fixture_ask(&f, 0, 0);
    ask.bound.output_free = true;
    ask.cookie.number = 2;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    uint64_t hold = f.grant.hold;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT); /* for a request, not for USD */
    core_settle(f.core, hold, &(struct spend){{0}}, NULL);
    ck_assert_uint_eq(fixture_wake(&f), 2);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_uint_eq(core_waiting(f.core), 1);
    fixture_end(&f);
}
END_TEST

START_TEST(what_a_booked_hold_did_not_use_is_free_once_it_is_released)
{
    struct fixture f = fixture_new();
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 100);
    fixture_start(&f);
    uint64_t hold = fixture_hold(&f, 50);
    fixture_wait(&f, 20, 7);
    struct money over;
    core_book(f.core, hold, &(struct spend){{30, 30, 1}}, &over);
    ck_assert_int_eq(over.nano, 0);
    ck_assert_int_eq(fixture_view(&f, 0).spent, 30);
    ck_assert_int_eq(fixture_view(&f, 0).held, 0);
    ck_assert_uint_eq(fixture_wake(&f), 0); /* its line is not written yet */
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_WAIT);
    core_release(f.core, hold);
    ck_assert_uint_eq(fixture_wake(&f), 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&f, 0).held, 40 + 20);
    fixture_end(&f);
}
END_TEST

/* What the lessor says to the only growth that is wanted. */
static void lessor_says(struct fixture *f, const struct growth_answer *answer)
{
    struct growth growth;
    ck_assert_uint_eq(headroom_take(f->core, &growth, 1), 1);
    headroom_answer(f->core, growth.account, answer);
}

START_TEST(who_waits_while_the_lessor_is_about_to_be_asked_is_not_told_that_nobody_answers)
{
    struct fixture f = new_org();
    f.options.leased = true;
    f.options.usd_step = 1;
    fixture_start(&f);
    fixture_wait(&f, 20, 1);
    lessor_says(&f, &(struct growth_answer){.grown = 40});
    ck_assert_uint_eq(fixture_wake(&f), 1);
    uint64_t hold = f.grant.hold;
    fixture_wait(&f, 20, 2);
    lessor_says(&f, &(struct growth_answer){.away = true});
    ck_assert_uint_eq(fixture_wake(&f), 2);
    ck_assert_int_eq(f.grant.verdict, VERDICT_AWAY);
    fixture_wait(&f, 25, 3);
    fixture_settle(&f, hold, 40); /* all who wait are looked at, and the lessor is back */
    ck_assert_uint_eq(fixture_wake(&f), 0);
    lessor_says(&f, &(struct growth_answer){.grown = 50});
    ck_assert_uint_eq(fixture_wake(&f), 3);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(who_waits_while_the_lessor_is_about_to_be_asked_is_not_told_that_nobody_answers,
          what_a_booked_hold_did_not_use_is_free_once_it_is_released,
          what_needs_nothing_waits_for_nobody,
          waits_for_a_hold_in_the_way_and_is_woken_by_its_settlement,
          a_waiter_is_refused_as_soon_as_its_account_is_spent,
          a_waiter_is_clamped_when_what_is_left_shrinks, waits_for_the_clamped_maximum_too,
          whose_time_is_up_gets_what_is_free, whose_time_is_up_is_refused_if_too_little_is_free,
          whose_time_is_up_is_refused_if_it_may_not_be_clamped,
          whose_time_is_up_does_not_overtake_either, wakes_in_the_order_of_arrival,
          a_small_request_does_not_overtake_a_large_one_that_waits,
          a_team_that_waits_for_its_own_budget_holds_up_nobody_else,
          who_waits_for_the_shared_budget_is_not_overtaken_there,
          who_waits_for_the_shared_budget_no_more_lets_others_pass,
          leaving_makes_way_for_those_behind, a_refusal_makes_way_for_those_behind,
          refuses_when_too_many_wait, a_waiter_stays_with_the_window_in_which_it_asked,
          closing_forgets_who_waits_and_wakes_nobody_fetched)
