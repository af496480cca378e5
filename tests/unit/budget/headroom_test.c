/*
 * Ceilings: who waits for one to grow, what is asked of the lessor, what its answers do, and what
 * goes back. The lessor is the test itself.
 */
#include "growth.h"

#include <stdio.h>

/* With a limit of 1000. */
static void start_grown(struct fixture *f, int64_t ceiling)
{
    start_with(f, 1000);
    grow_to(f, ceiling);
}

START_TEST(the_first_request_waits_for_its_ceiling_to_grow_by_what_it_lacks)
{
    struct fixture f;
    start_with(&f, 1000);
    fixture_wait(&f, 100, 7);
    ck_assert(f.grant.growing);
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 200);
    ck_assert_int_ge(growth.most, 200);
    ck_assert_int_eq(growth.charge, 0);
    answer(&f, &growth, 250);
    struct cookie cookie;
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    ck_assert_uint_eq(cookie.number, 7);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&f, 0).ceiling, 250);
    ck_assert_int_eq(fixture_view(&f, 0).held, 200);
    fixture_end(&f);
}
END_TEST

START_TEST(with_headroom_nobody_waits)
{
    struct fixture f;
    start_grown(&f, 600);
    fixture_hold(&f, 100);
    fixture_hold(&f, 200);
    ck_assert_int_eq(fixture_view(&f, 0).held, 600);
    fixture_end(&f);
}
END_TEST

START_TEST(what_all_who_wait_lack_is_asked_for_at_once)
{
    struct fixture f;
    start_with(&f, 1000);
    fixture_wait(&f, 50, 1);
    fixture_wait(&f, 60, 2);
    fixture_wait(&f, 70, 3);
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 2 * (50 + 60 + 70));
    answer(&f, &growth, growth.least);
    struct cookie cookie;
    for (uint64_t number = 1; number <= 3; number++) {
        ck_assert(core_next_wake(f.core, &cookie, &f.grant));
        ck_assert_uint_eq(cookie.number, number);
        ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    }
    fixture_end(&f);
}
END_TEST

START_TEST(who_comes_while_the_answer_is_under_way_is_asked_for_next)
{
    struct fixture f;
    start_with(&f, 1000);
    fixture_wait(&f, 50, 1);
    struct growth growth = only_growth(&f);
    fixture_wait(&f, 60, 2);
    no_growth(&f);
    answer(&f, &growth, 100);
    growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 120);
    fixture_end(&f);
}
END_TEST

START_TEST(never_more_is_asked_than_the_limit_leaves)
{
    struct fixture f;
    start_grown(&f, 900);
    fixture_hold(&f, 440);
    ck_assert_int_eq(fixture_reserve(&f, 60), VERDICT_WAIT); /* 880 + 120 fit exactly */
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.most, 100);
    answer(&f, &growth, 100);
    ck_assert_int_eq(fixture_view(&f, 0).ceiling, 1000);
    ck_assert_int_eq(fixture_view(&f, 0).held, 1000);
    ck_assert_int_eq(fixture_reserve(&f, 60), VERDICT_WAIT); /* for holds, not for the lessor */
    ck_assert(!f.grant.growing);
    no_growth(&f);
    fixture_end(&f);
}
END_TEST

START_TEST(what_others_were_granted_is_out_of_reach_and_what_they_spent_is_gone)
{
    struct fixture f;
    start_with(&f, 1000);
    fixture_wait(&f, 100, 1);
    struct growth growth = only_growth(&f);
    headroom_answer(
        f.core, growth.account,
        &(struct growth_answer){
            .grown = 200, .elsewhere_granted = 700, .elsewhere_spent = 500, .heard = true});
    struct ask ask = fixture_ask(&f, 490, 100); /* 510 at least: 500 are left */
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED);
    ask = fixture_ask(&f, 250, 10); /* fits what is not spent, but others hold it */
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    ck_assert(!f.grant.growing);
    ck_assert_int_eq(fixture_view(&f, 0).elsewhere, 500);
    fixture_end(&f);
}
END_TEST

START_TEST(a_bill_above_its_hold_is_charged_whatever_the_limit)
{
    struct fixture f;
    start_grown(&f, 1000);
    uint64_t hold = fixture_hold(&f, 500);
    fixture_settle(&f, hold, 1300);
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.charge, 300);
    ck_assert_int_eq(growth.most, 0);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.charged = 300});
    ck_assert_int_eq(fixture_view(&f, 0).ceiling, 1300);
    no_growth(&f);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_EXHAUSTED);
    fixture_end(&f);
}
END_TEST

START_TEST(an_overrun_that_nobody_answered_for_is_told_again)
{
    struct fixture f;
    start_grown(&f, 1000);
    uint64_t hold = fixture_hold(&f, 500);
    fixture_settle(&f, hold, 1300);
    struct growth growth = only_growth(&f);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.away = true});
    no_growth(&f);
    headroom_remind(f.core);
    growth = only_growth(&f);
    ck_assert_int_eq(growth.charge, 300);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.charged = 300});
    ck_assert_uint_eq(growth.account->pins, 0);
    headroom_remind(f.core);
    no_growth(&f);
    fixture_end(&f);
}
END_TEST

START_TEST(with_the_lessor_away_one_is_served_from_what_is_there_and_then_told_so)
{
    struct fixture f;
    start_grown(&f, 100);
    fixture_wait(&f, 200, 1); /* 400: clamped to the 100 that are there */
    struct growth growth = only_growth(&f);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.away = true});
    struct cookie cookie;
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 50);
    fixture_wait(&f, 200, 2);
    growth = only_growth(&f);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.away = true});
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    ck_assert_uint_eq(cookie.number, 2);
    ck_assert_int_eq(f.grant.verdict, VERDICT_AWAY);
    fixture_wait(&f, 200, 3); /* and when it is back */
    growth = only_growth(&f);
    answer(&f, &growth, 400);
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(whose_time_is_up_without_an_answer_is_told_that_nobody_answers)
{
    struct fixture f;
    start_with(&f, 1000);
    uint64_t waiter = fixture_wait(&f, 100, 1);
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_AWAY);
    ck_assert_uint_eq(core_waiting(f.core), 0);
    fixture_end(&f);
}
END_TEST

/* Else it would end early where its upstream is faster than a second answer of the lessor. */
START_TEST(a_stream_that_waits_asks_for_its_maximum_at_once)
{
    struct fixture f;
    struct cookie cookie;
    start_with(&f, 1000);
    struct ask ask = fixture_ask(&f, 0, 300);
    ask.slice_tokens = 50;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_WAIT);
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 600);
    answer(&f, &growth, 600);
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.held_output, 50);
    core_extend(f.core, f.grant.hold, 300, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

START_TEST(a_refused_extension_is_what_is_asked_for_next)
{
    struct fixture f;
    start_grown(&f, 100);
    struct ask ask = fixture_ask(&f, 0, 300);
    ask.slice_tokens = 50;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    uint64_t hold = f.grant.hold;
    struct growth growth = only_growth(&f);
    answer(&f, &growth, 0);
    core_extend(f.core, hold, 200, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    ck_assert(f.grant.growing);
    growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 300);
    answer(&f, &growth, 300);
    core_extend(f.core, hold, 200, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    fixture_end(&f);
}
END_TEST

static int64_t wanted_ahead(int64_t lease_s)
{
    struct fixture f = leased_fixture();
    f.options.lease_s = lease_s;
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 10000);
    fixture_start(&f);
    fixture_wait(&f, 50, 1);
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.most, 100);
    answer(&f, &growth, 100);
    struct growth ahead = {.most = 0};
    (void)headroom_take(f.core, &ahead, 1);
    fixture_end(&f);
    return ahead.most;
}

START_TEST(as_many_seconds_of_traffic_are_leased_as_the_operator_says)
{
    ck_assert_int_eq(wanted_ahead(0), 0);
    ck_assert_int_eq(wanted_ahead(1), 50);
    ck_assert_int_eq(wanted_ahead(2), 100);
    ck_assert_int_eq(wanted_ahead(60), 3000);
}
END_TEST

START_TEST(an_extension_that_no_lessor_can_grant_is_not_growing)
{
    struct fixture f;
    start_with(&f, 450);
    grow_to(&f, 100);
    struct ask ask = fixture_ask(&f, 0, 200);
    ask.slice_tokens = 50;
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_GRANTED);
    uint64_t hold = f.grant.hold;
    struct growth growth = only_growth(&f);
    headroom_answer(f.core, growth.account,
                    &(struct growth_answer){.elsewhere_granted = 200, .heard = true});
    core_extend(f.core, hold, 150, &f.grant); /* 300 of 450, and others have 200 */
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    ck_assert(!f.grant.growing);
    core_extend(f.core, hold, 100, &f.grant);
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    ck_assert(f.grant.growing);
    growth = only_growth(&f);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.away = true});
    core_extend(f.core, hold, 100, &f.grant);
    ck_assert(!f.grant.growing);
    fixture_end(&f);
}
END_TEST

START_TEST(who_was_told_that_others_have_the_rest_does_not_wait_for_the_lessor)
{
    struct fixture f;
    start_with(&f, 1000);
    uint64_t waiter = fixture_wait(&f, 200, 1);
    ck_assert(f.grant.growing);
    struct growth growth = only_growth(&f);
    ck_assert(core_waits_for_lessor(f.core, waiter));
    headroom_answer(f.core, growth.account,
                    &(struct growth_answer){.elsewhere_granted = 995, .heard = true});
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert(!core_waits_for_lessor(f.core, waiter));
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_CONTENTION);
    ck_assert(!core_waits_for_lessor(f.core, waiter));
    fixture_end(&f);
}
END_TEST

START_TEST(who_may_be_clamped_waits_for_the_lessor_though_others_hold_too_much_for_all_of_it)
{
    struct fixture f;
    start_grown(&f, 600);
    fixture_hold(&f, 300);
    uint64_t waiter = fixture_wait(&f, 300, 1);
    ck_assert(core_waits_for_lessor(f.core, waiter));
    struct growth growth = only_growth(&f);
    answer(&f, &growth, 400);
    ck_assert_uint_eq(fixture_wake(&f), 0);
    ck_assert(!core_waits_for_lessor(f.core, waiter));
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 200);
    fixture_end(&f);
}
END_TEST

START_TEST(who_may_be_clamped_to_what_only_the_lessor_has_is_told_that_it_is_away)
{
    struct fixture f;
    start_grown(&f, 300);
    fixture_hold(&f, 150);
    uint64_t waiter = fixture_wait(&f, 450, 1); /* 700 may be had beside what is held */
    ck_assert(core_waits_for_lessor(f.core, waiter));
    struct growth growth = only_growth(&f);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.away = true});
    ck_assert_uint_eq(fixture_wake(&f), 0); /* what is held may come free */
    ck_assert(!core_waits_for_lessor(f.core, waiter));
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_AWAY);
    fixture_end(&f);
}
END_TEST

START_TEST(who_cannot_be_clamped_to_what_the_lessor_has_does_not_wait_for_it)
{
    for (int way = 0; way < 3; way++) {
        struct fixture f = leased_fixture();
        fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
        f.options.clamp = way == 0 ? CLAMP_NEVER : CLAMP_ALWAYS;
        f.options.min_output_tokens = way == 1 ? 201 : 10;
        fixture_start(&f);
        grow_to(&f, way == 2 ? 1000 : 600); /* then there is all that the lessor has */
        fixture_hold(&f, 300);
        uint64_t waiter = fixture_wait(&f, 300, 1);
        ck_assert(!core_waits_for_lessor(f.core, waiter));
        ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
        ck_assert_int_eq(f.grant.verdict, way == 2 ? VERDICT_GRANTED : VERDICT_CONTENTION);
        fixture_end(&f);
    }
}
END_TEST

START_TEST(a_budget_that_was_removed_is_charged_and_grows_no_more)
{
    struct fixture f;
    struct growth growth = {.most = 1};
    start_grown(&f, 200);
    fixture_settle(&f, fixture_hold(&f, 50), 250);
    fixture_wait(&f, 150, 1);
    f.options.budgets = f.budgets;
    f.options.budget_count = 0;
    core_redefine(f.core, &f.options);
    ck_assert_uint_eq(headroom_take(f.core, &growth, 1), 1);
    ck_assert_int_eq(growth.least, 0);
    ck_assert_int_eq(growth.most, 0);
    ck_assert_int_gt(growth.charge, 0);
    headroom_answer(f.core, growth.account, &(struct growth_answer){.charged = growth.charge});
    no_growth(&f);
    fixture_end(&f);
}
END_TEST

START_TEST(idle_headroom_goes_back_after_a_while_and_only_what_is_not_held)
{
    struct fixture f;
    start_grown(&f, 600);
    fixture_hold(&f, 100);
    struct gift gifts[4];
    ck_assert_uint_eq(headroom_yield(f.core, f.now_s + HEADROOM_IDLE_S - 1, false, gifts, 4), 0);
    ck_assert_uint_eq(headroom_yield(f.core, f.now_s + HEADROOM_IDLE_S, false, gifts, 4), 1);
    ck_assert_int_eq(gifts[0].amount, 400);
    ck_assert_int_eq(fixture_view(&f, 0).ceiling, 200);
    ck_assert_uint_eq(headroom_yield(f.core, f.now_s + 100, false, &gifts[1], 3), 0);
    headroom_given(f.core, gifts[0].account);
    no_growth(&f);
    fixture_end(&f);
}
END_TEST

/* They stay for the look that tells it; one by one they go, once that was done. */
START_TEST(no_number_of_accounts_with_something_to_tell_is_walked_at_once)
{
    enum { MOST = 1024 };
    char names[MOST][16];
    struct gift gifts[MOST];
    struct fixture f = leased_fixture();
    f.options.max_accounts = MOST;
    fixture_budget(&f, "each", SCOPE_KEY, UNIT_USD, 1000);
    fixture_start(&f);
    for (int at = 0; at < MOST; at++) {
        (void)snprintf(names[at], sizeof(names[at]), "%d", at);
        f.subject.id[SCOPE_KEY] = text_of(names[at]);
        grow_to(&f, 20);
        fixture_settle(&f, fixture_hold(&f, 10), 10);
        refuse_growths(&f);
    }
    f.core->tells = true;
    int64_t idle_s = f.now_s + HEADROOM_IDLE_S;
    size_t count = headroom_yield(f.core, idle_s, false, gifts, MOST);
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_lt(count, MOST);
    ck_assert_ptr_eq(f.core->accounts.oldest, gifts[0].account);
    for (size_t at = 0; at < count; at++)
        headroom_given(f.core, gifts[at].account);
    ck_assert_uint_eq(headroom_yield(f.core, idle_s, false, gifts, MOST), 0);
    f.core->accounts.oldest->growing.told = 10;
    ck_assert_uint_eq(headroom_yield(f.core, idle_s, false, gifts, MOST), 1);
    headroom_given(f.core, gifts[0].account);
    count = headroom_yield(f.core, idle_s, true, gifts, MOST);
    ck_assert_ptr_null(f.core->accounts.oldest);
    for (size_t at = 0; at < count; at++)
        headroom_given(f.core, gifts[at].account);
    fixture_end(&f);
}
END_TEST

START_TEST(in_the_stores_micro_dollars_limits_round_down_growths_up_and_gifts_down)
{
    struct fixture f = leased_fixture();
    f.options.usd_step = 1000;
    fixture_budget(&f, "org", SCOPE_GLOBAL, UNIT_USD, 10999);
    fixture_start(&f);
    ck_assert_int_eq(fixture_view(&f, 0).limit, 10000); /* before it is used, too */
    fixture_wait(&f, 1001, 1);                          /* 2002 */
    struct growth growth = only_growth(&f);
    ck_assert_int_eq(growth.least, 3000);
    answer(&f, &growth, 3000);
    struct cookie cookie;
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    fixture_settle(&f, f.grant.hold, 1500);
    struct gift gift;
    refuse_growths(&f);
    ck_assert_uint_eq(headroom_yield(f.core, f.now_s + 100, false, &gift, 1), 1);
    ck_assert_int_eq(gift.amount, 1000); /* 2000 stay above the 1500 that are spent */
    struct ask ask = fixture_ask(&f, 9000, 500);
    ck_assert_int_eq(fixture_reserve_ask(&f, &ask), VERDICT_EXHAUSTED); /* 8500 of 10000 is left */
    fixture_end(&f);
}
END_TEST

START_TEST(a_restored_ceiling_is_headroom_from_the_start)
{
    struct fixture f;
    start_with(&f, 1000);
    fixture_wait(&f, 100, 1);
    struct growth growth = only_growth(&f);
    answer(&f, &growth, 700);
    struct cookie cookie;
    ck_assert(core_next_wake(f.core, &cookie, &f.grant));
    struct charge charge = f.grant.charges[0];
    char id[8] = "all";
    charge.id = text_of(id);
    struct fixture g = leased_fixture();
    fixture_budget(&g, "org", SCOPE_GLOBAL, UNIT_USD, 1000);
    fixture_start(&g);
    charge.amount = 150;
    core_restore(g.core, &charge);
    charge.amount = 700;
    core_restore_ceiling(g.core, &charge);
    charge.amount = 50;
    core_restore_forfeited(g.core, &charge);
    fixture_hold(&g, 275);
    ck_assert_int_eq(fixture_view(&g, 0).spent, 150);
    ck_assert_int_eq(fixture_view(&g, 0).forfeited, 50);
    ck_assert_int_eq(fixture_view(&g, 0).ceiling, 700);
    ck_assert_int_eq(fixture_reserve(&g, 10), VERDICT_WAIT);
    fixture_end(&g);
    fixture_end(&f);
}
END_TEST

START_TEST(an_account_with_headroom_is_not_evicted_but_gives_it_back_first)
{
    struct fixture f = leased_fixture();
    f.options.max_accounts = 1;
    fixture_budget(&f, "each", SCOPE_KEY, UNIT_USD, 1000);
    fixture_start(&f);
    grow_to(&f, 100);
    f.subject.id[SCOPE_KEY] = TEXT("bob");
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_CROWDED);
    struct gift gift;
    ck_assert_uint_eq(headroom_yield(f.core, f.now_s + 100, false, &gift, 1), 1);
    headroom_given(f.core, gift.account);
    ck_assert_int_eq(fixture_reserve(&f, 10), VERDICT_WAIT);
    fixture_end(&f);
}
END_TEST

START_TEST(a_budget_that_goes_and_comes_back_keeps_its_ceiling)
{
    struct fixture f;
    start_grown(&f, 600);
    struct core_options none = f.options;
    none.budget_count = 0;
    core_redefine(f.core, &none);
    core_redefine(f.core, &f.options);
    fixture_hold(&f, 300);
    ck_assert_int_eq(fixture_view(&f, 0).ceiling, 600);
    fixture_end(&f);
}
END_TEST

START_TEST(a_lowered_limit_binds_at_once_though_the_ceiling_is_above_it)
{
    struct fixture f;
    start_grown(&f, 600);
    fixture_hold(&f, 100);
    f.budgets[0].limit[UNIT_USD] = 300;
    core_redefine(f.core, &f.options);
    uint64_t waiter = fixture_wait(&f, 60, 1);
    ck_assert(!f.grant.growing);
    ck_assert(core_time_is_up(f.core, waiter, f.now_s, &f.grant));
    ck_assert_int_eq(f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(f.grant.max_output, 50);
    fixture_end(&f);
}
END_TEST

UNIT_MAIN(no_number_of_accounts_with_something_to_tell_is_walked_at_once,
          as_many_seconds_of_traffic_are_leased_as_the_operator_says,
          the_first_request_waits_for_its_ceiling_to_grow_by_what_it_lacks,
          with_headroom_nobody_waits, what_all_who_wait_lack_is_asked_for_at_once,
          who_comes_while_the_answer_is_under_way_is_asked_for_next,
          never_more_is_asked_than_the_limit_leaves,
          what_others_were_granted_is_out_of_reach_and_what_they_spent_is_gone,
          a_bill_above_its_hold_is_charged_whatever_the_limit,
          an_overrun_that_nobody_answered_for_is_told_again,
          with_the_lessor_away_one_is_served_from_what_is_there_and_then_told_so,
          whose_time_is_up_without_an_answer_is_told_that_nobody_answers,
          a_stream_that_waits_asks_for_its_maximum_at_once,
          a_refused_extension_is_what_is_asked_for_next,
          an_extension_that_no_lessor_can_grant_is_not_growing,
          who_was_told_that_others_have_the_rest_does_not_wait_for_the_lessor,
          who_may_be_clamped_waits_for_the_lessor_though_others_hold_too_much_for_all_of_it,
          who_may_be_clamped_to_what_only_the_lessor_has_is_told_that_it_is_away,
          who_cannot_be_clamped_to_what_the_lessor_has_does_not_wait_for_it,
          a_budget_that_was_removed_is_charged_and_grows_no_more,
          idle_headroom_goes_back_after_a_while_and_only_what_is_not_held,
          in_the_stores_micro_dollars_limits_round_down_growths_up_and_gifts_down,
          a_restored_ceiling_is_headroom_from_the_start,
          an_account_with_headroom_is_not_evicted_but_gives_it_back_first,
          a_budget_that_goes_and_comes_back_keeps_its_ceiling,
          a_lowered_limit_binds_at_once_though_the_ceiling_is_above_it)
