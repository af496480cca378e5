/*
 * Instances that are cut off from a store that goes on, for longer than it remembers sessions.
 */
#include "apart.h"

/* ---- how long headroom is of use ---- */

START_TEST(half_an_hour_without_the_store_a_session_goes_on_and_then_no_more)
{
    struct tenant t;
    begin_spent(&t, 20);
    be_cut_off(&t, 1700);
    fixture_settle(&t.f, fixture_hold(&t.f, 10), 0);
    be_cut_off(&t, 200);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    ck_assert(text_equal(t.f.grant.blocking.budget, TEXT("org")));
    ck_assert_uint_eq(core_open_holds(t.f.core), 0);
    ck_assert_uint_eq(core_waiting(t.f.core), 0);
    come_back(&t);
    ck_assert_int_eq(ask(&t, 80), VERDICT_GRANTED);
    ck_assert_int_eq(store_total(store, account), LIMIT);
    end(&t);
}
END_TEST

/* There may be more sessions than are told of in one answer. */
START_TEST(one_answer_between_two_outages_is_not_enough)
{
    struct tenant t;
    begin_spent(&t, 20);
    be_cut_off(&t, 400);
    pass_ms(&t, 1000);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    answer_one(&t, false);
    be_cut_off(&t, 1450);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    come_back(&t);
    ck_assert_int_eq(ask(&t, 80), VERDICT_GRANTED);
    end(&t);
}
END_TEST

/* Nobody looked at the lease: the whole machine stood still, and its steady time with it. */
START_TEST(the_wall_clock_alone_ends_it_too)
{
    struct tenant t;
    begin_spent(&t, 20);
    t.f.now_s += LONG_S;
    fixture_wait(&t.f, 10, 1);
    uint64_t hasty = fixture_wait(&t.f, 10, 2);
    ck_assert(core_time_is_up(t.f.core, hasty, t.f.now_s, &t.f.grant));
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_AWAY);
    const char *why = lease_state_why(lease_state(t.lease), lease_grants(t.lease));
    ck_assert_ptr_nonnull(strstr(why, "did not answer in time"));
    store_set_time(store, t.f.now_s);
    ck_assert_int_eq(store_total(store, account), 0);
    serve(&t);
    t.now_ms += 250;
    serve(&t);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_ge(store_granted(store, account, ME), 10);
    end(&t);
}
END_TEST

START_TEST(a_clock_that_is_put_back_does_not_prolong_it)
{
    struct tenant t;
    begin_spent(&t, 20);
    t.f.now_s -= DAY_S;
    be_cut_off(&t, 1900);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    end(&t);
}
END_TEST

START_TEST(what_needs_nothing_and_what_is_no_session_goes_on)
{
    struct tenant t;
    begin_spent(&t, 20);
    be_cut_off(&t, 1900);
    ck_assert_int_eq(fixture_reserve(&t.f, 0), VERDICT_GRANTED);
    end(&t);

    tenant_open_entered(&t, LIMIT * MICRO);
    grow_shared(&t, LIMIT);
    fixture_settle(&t.f, t.f.grant.hold, 20 * MICRO);
    for (int64_t s = 0; s < LONG_S; s += 4) {
        pass_ms(&t, 4000);
        serve_away(&t);
    }
    fixture_hold(&t.f, 10);
    tenant_close(&t);
}
END_TEST

START_TEST(a_stream_that_runs_goes_on)
{
    struct tenant t;
    begin_spent(&t, 20);
    struct ask slice = fixture_ask(&t.f, 0, 60);
    slice.slice_tokens = 10;
    ck_assert_int_eq(fixture_reserve_ask(&t.f, &slice), VERDICT_GRANTED);
    uint64_t hold = t.f.grant.hold;
    be_cut_off(&t, 1900);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    core_extend(t.f.core, hold, 60, &t.f.grant);
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(who_waits_is_told)
{
    struct tenant t;
    begin_spent(&t, 0);
    fixture_hold(&t.f, 90);
    be_cut_off(&t, 1700);
    fixture_wait(&t.f, 50, 1);
    be_cut_off(&t, 200);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_uint_eq(core_waiting(t.f.core), 0);
    end(&t);
}
END_TEST

/* The machine stood still, and the lease has not looked yet. */
START_TEST(who_waited_while_the_machine_stood_still_is_granted_nothing)
{
    struct tenant t;
    begin_spent(&t, 0);
    uint64_t hold = fixture_hold(&t.f, 90);
    uint64_t first = fixture_wait(&t.f, 50, 1);
    fixture_wait(&t.f, 60, 2);
    t.f.now_s += LONG_S;
    ck_assert(core_time_is_up(t.f.core, first, t.f.now_s, &t.f.grant));
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_AWAY);
    fixture_settle(&t.f, hold, 0);
    ck_assert(!core_any_wake(t.f.core));
    end(&t);
}
END_TEST

START_TEST(nothing_is_overdrawn_on_a_session_of_which_the_store_was_not_heard_for_long)
{
    struct tenant t;
    begin(&t, 50 * MICRO);
    ck_assert_int_eq(ask(&t, 50), VERDICT_GRANTED);
    fixture_settle(&t.f, t.f.grant.hold, 50 * MICRO);
    pass_ms(&t, 7000);
    serve(&t);
    be_cut_off(&t, 600);
    fixture_wait(&t.f, 20, 1);
    serve_away(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    be_cut_off(&t, 1300);
    ck_assert_int_eq(fixture_reserve(&t.f, 20), VERDICT_AWAY);
    end(&t);
}
END_TEST

/* ---- coming back ---- */

START_TEST(what_was_left_is_not_used_after_others_began_the_session_anew)
{
    struct tenant t, other;
    begin(&t, 0);
    begin_as(&other, "fedcba9876543210fedcba9876543210", 0);
    for (int beat = 0; beat < 8; beat++) {
        pass_ms(&t, 250);
        pass_ms(&other, 250);
        serve(&t);
        serve(&other);
    }
    take_all(&t, 20);
    for (int64_t s = 0; s < LONG_S; s += 4) {
        pass_ms(&other, 4000);
        serve(&other);
        be_cut_off(&t, 4);
    }
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    take_all(&other, 70);
    come_back(&t);
    ck_assert_int_le(store_granted(store, account, ME), 20);
    fixture_wait(&t.f, 10, 1);
    serve(&t);
    ck_assert(!core_any_wake(t.f.core));
    ck_assert_int_le(store_granted(store, account, ME), 20);
    tenant_close(&other);
    end(&t);
}
END_TEST

/* That takes a moment, and nothing is overdrawn in it. */
START_TEST(who_comes_while_all_is_stated_after_an_outage_waits)
{
    struct tenant t;
    begin(&t, 50 * MICRO);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    be_cut_off(&t, 600);
    pass_ms(&t, 1000);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert_int_eq(t.action.request->kind, STORE_JOIN);
    answer_one(&t, false);
    fixture_wait(&t.f, 60, 1);
    while (lease_state(t.lease) != LEASE_OPEN) {
        ck_assert_int_ne(next(&t), LEASE_REST);
        ck_assert(!core_any_wake(t.f.core));
        answer_one(&t, false);
    }
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(t.f.grant.max_output, 60);
    ck_assert_int_eq(t.f.grant.charges[0].overdraft, 0);
    end(&t);
}
END_TEST

START_TEST(who_comes_while_all_is_stated_does_not_wait_for_ever)
{
    struct tenant t;
    begin(&t, 0);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    be_cut_off(&t, 600);
    pass_ms(&t, 1000);
    (void)next(&t);
    answer_one(&t, false);
    fixture_wait(&t.f, 60, 1);
    (void)next(&t);
    answer_one(&t, true);
    ck_assert_int_eq(next(&t), LEASE_REST);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED); /* what is there */
    ck_assert_int_lt(t.f.grant.max_output, 60);
    end(&t);
}
END_TEST

/* ---- being told ---- */

#define SESSIONS 100

/* It costs nothing, so nothing grows there; and there are always others that were used longer ago
 * and have headroom, too. */
START_TEST(a_session_in_steady_use_is_told_of_for_as_long_as_it_lasts)
{
    static char names[SESSIONS][12];
    struct tenant t;
    begin(&t, 0);
    t.f.options.max_accounts = 2 * SESSIONS;
    for (size_t at = 0; at < SESSIONS; at++)
        (void)snprintf(names[at], sizeof(names[at]), "s%zu", at);
    uint64_t hot = 0;
    for (int64_t s = 0; s < ACCOUNT_LINGER_S + IDLE_S + 1800; s += 2) {
        pass_ms(&t, 2000);
        for (size_t at = 0; at < SESSIONS; at++) {
            if (at > 0 && at % 2 != (size_t)s / 2 % 2)
                continue;
            t.f.subject.id[SCOPE_SESSION] = text_of(names[at]);
            ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
            fixture_settle(&t.f, t.f.grant.hold, 0);
        }
        serve(&t);
        if (s == 0)
            hot = t.f.core->accounts.lanes[0].first->number;
        ck_assert_int_gt(store_total(store, hot), 0);
    }
    end(&t);
}
END_TEST

static bool is_told_of(const struct tenant *t, uint64_t number)
{
    const struct store_request *request = t->action.request;
    bool told = false;
    for (size_t at = 0; t->action.step == LEASE_ASK && at < request->row_count; at++)
        told = told || request->rows[at].account == number;
    return told;
}

#define ROUND_S 300 /* in which each is told of */

/* More of them than one question has room for. */
START_TEST(a_session_with_a_long_call_is_told_of_however_many_others_grow)
{
    static char names[STORE_ROWS_MOST + 8][12];
    struct tenant t;
    begin(&t, 0);
    t.f.options.max_accounts = 2 * UNIT_COUNT(names);
    t.f.options.max_waiting = 2 * UNIT_COUNT(names);
    t.f.options.lease_s = 0; /* each request asks */
    t.f.budgets[0].limit[UNIT_USD] = 10000 * MICRO;
    core_redefine(t.f.core, &t.f.options);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    uint64_t held = account;
    size_t told = 0;
    for (int seconds = 0; seconds < ROUND_S; seconds++) {
        pass_ms(&t, 1000);
        for (size_t at = 0; at < UNIT_COUNT(names); at++) {
            (void)snprintf(names[at], sizeof(names[at]), "s%zu", at);
            t.f.subject.id[SCOPE_SESSION] = text_of(names[at]);
            fixture_wait(&t.f, 1, 1);
        }
        for (; next(&t) != LEASE_REST; answer_one(&t, false))
            told += is_told_of(&t, held) ? 1 : 0;
        for (size_t at = 0; at < UNIT_COUNT(names); at++) {
            ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
            fixture_settle(&t.f, t.f.grant.hold, MICRO);
        }
    }
    ck_assert_uint_ge(told, 1);
    end(&t);
}
END_TEST

/* Each question puts off the next sign of life, but not for ever. */
START_TEST(what_is_idle_goes_back_however_busy_others_are)
{
    struct tenant t;
    begin_spent(&t, 20);
    uint64_t idle = account;
    t.f.subject.id[SCOPE_SESSION] = TEXT("busy");
    t.f.options.lease_s = 0; /* each request asks */
    core_redefine(t.f.core, &t.f.options);
    for (int tenths = 0; tenths < 90; tenths++) {
        t.now_ms += 100;
        t.f.now_s += tenths % 10 == 0 ? 1 : 0;
        fixture_wait(&t.f, 1, 1);
        serve(&t);
        ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
        fixture_settle(&t.f, t.f.grant.hold, MICRO);
    }
    ck_assert_int_eq(store_total(store, idle), 20);
    end(&t);
}
END_TEST

UNIT_MAIN(half_an_hour_without_the_store_a_session_goes_on_and_then_no_more,
          one_answer_between_two_outages_is_not_enough, the_wall_clock_alone_ends_it_too,
          a_clock_that_is_put_back_does_not_prolong_it,
          what_needs_nothing_and_what_is_no_session_goes_on, a_stream_that_runs_goes_on,
          who_waits_is_told, who_waited_while_the_machine_stood_still_is_granted_nothing,
          nothing_is_overdrawn_on_a_session_of_which_the_store_was_not_heard_for_long,
          who_comes_while_all_is_stated_after_an_outage_waits,
          who_comes_while_all_is_stated_does_not_wait_for_ever,
          what_was_left_is_not_used_after_others_began_the_session_anew,
          a_session_in_steady_use_is_told_of_for_as_long_as_it_lasts,
          a_session_with_a_long_call_is_told_of_however_many_others_grow,
          what_is_idle_goes_back_however_busy_others_are)
