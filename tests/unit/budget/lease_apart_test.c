/*
 * Instances that are cut off from a store that goes on, for longer than it remembers sessions: with
 * the store itself, and its own clock.
 */
#include "budget/core_state.h"
#include "tenant.h"

#include <stdio.h>

#define ME     "0123456789abcdef0123456789abcdef"
#define IDLE_S 3600
#define LONG_S (IDLE_S + ACCOUNT_LINGER_S + 600)
#define LIMIT  100

static struct store *store;
static uint64_t account; /* the last one that was asked for */

/* ---- instances ---- */

static void open_lease(struct tenant *t, const char *journal, int64_t incarnation,
                       const struct charge *row)
{
    struct lease_options options = {.core = t->f.core,
                                    .shared = true,
                                    .incarnation = incarnation,
                                    .mark = t->mark,
                                    .label = TEXT("here")};
    (void)snprintf(options.journal, sizeof(options.journal), "%s", journal);
    t->lease = lease_open(&options, row, row == NULL ? 0 : 1);
}

static void begin_as(struct tenant *t, const char *journal, int64_t away_open)
{
    tenant_begin(t, LIMIT * MICRO, true);
    core_close(t->f.core);
    t->f.budgets[0].scope = SCOPE_SESSION;
    t->f.budgets[0].window = WINDOW_TOTAL;
    t->f.budgets[0].idle_s = IDLE_S;
    t->f.budgets[0].away_open = away_open;
    fixture_start(&t->f);
    open_lease(t, journal, 1, NULL);
}

static void answer_one(struct tenant *t, bool away)
{
    if (t->action.step == LEASE_MARK)
        t->mark = *t->action.mark;
    if (t->action.step != LEASE_ASK) {
        commit(t, true);
        return;
    }
    if (t->action.request->row_count > 0)
        account = t->action.request->rows[0].account;
    if (away) {
        fail_with(t, STORE_AWAY);
        return;
    }
    store_set_time(store, t->f.now_s);
    store_apply(store, t->action.request, &t->reply);
    lease_replied(t->lease, t->now_ms, &t->reply);
}

static void serve(struct tenant *t)
{
    while (next(t) != LEASE_REST)
        answer_one(t, false);
}

static void serve_away(struct tenant *t)
{
    while (next(t) != LEASE_REST)
        answer_one(t, true);
}

/* The store goes on. */
static void be_cut_off(struct tenant *t, int64_t seconds)
{
    for (; seconds > 0; seconds -= 4) {
        pass_ms(t, 4000);
        serve_away(t);
    }
    store_set_time(store, t->f.now_s);
}

static void come_back(struct tenant *t)
{
    for (int beat = 0; beat < 3; beat++) {
        pass_ms(t, 1000);
        serve(t);
    }
}

static void begin(struct tenant *t, int64_t away_open)
{
    store = store_open();
    store_init(store, "a-fence");
    begin_as(t, ME, away_open);
    serve(t);
}

static void end(struct tenant *t)
{
    tenant_close(t);
    store_close(store);
}

static enum verdict ask(struct tenant *t, int64_t micro)
{
    enum verdict verdict = fixture_reserve(&t->f, micro);
    if (verdict != VERDICT_WAIT)
        return verdict;
    serve(t);
    return wake(t);
}

/* All of the limit is granted, and `micro` of it spent. */
static void take_all(struct tenant *t, int64_t micro)
{
    ck_assert_int_eq(ask(t, LIMIT), VERDICT_GRANTED);
    fixture_settle(&t->f, t->f.grant.hold, micro * MICRO);
    ck_assert_int_eq(store_total(store, account), LIMIT);
}

static void begin_spent(struct tenant *t, int64_t micro)
{
    begin(t, 0);
    take_all(t, micro);
}

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
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    const char *why = lease_state_why(lease_state(t.lease), lease_grants(t.lease));
    ck_assert_ptr_nonnull(strstr(why, "a clock that was put forward"));
    store_set_time(store, t.f.now_s);
    serve(&t);
    t.now_ms += 250;
    serve(&t);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
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
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
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

/* ---- a restart ---- */

static struct charge journal_of(const struct tenant *t)
{
    const struct account *now = t->f.core->accounts.lanes[0].first;
    struct charge row = {.account = now->number,
                         .amount = now->ceiling,
                         .until_s = account_until_s(now),
                         .unit = now->unit,
                         .scope = now->scope,
                         .budget = TEXT("org"),
                         .id = TEXT("alice/nightly")};
    memcpy(row.window, now->window.id, sizeof(row.window));
    return row;
}

/* It was killed, and its journal and its ledger were not. */
static void restart(struct tenant *t)
{
    const struct charge row = journal_of(t);
    struct charge spent = row;
    spent.amount = t->f.core->accounts.lanes[0].first->spent;
    lease_close(t->lease);
    core_close(t->f.core);
    fixture_start(&t->f);
    core_restore(t->f.core, &spent);
    core_restore_ceiling(t->f.core, &row);
    open_lease(t, ME, 2, &row);
}

START_TEST(what_the_journal_has_of_a_session_is_not_used_before_the_store_was_heard)
{
    struct tenant t;
    begin_spent(&t, 0);
    restart(&t);
    serve_away(&t);
    ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    come_back(&t);
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(what_the_journal_has_of_a_session_goes_back_when_it_is_used)
{
    struct tenant t;
    begin_spent(&t, 0);
    restart(&t);
    serve(&t);
    ck_assert_int_eq(store_granted(store, account, ME), LIMIT);
    fixture_wait(&t.f, 10, 1);
    ck_assert_int_eq(must_commit(&t)->amount, 0);
    commit(&t, true);
    ck_assert_int_eq(next(&t), LEASE_ASK);
    ck_assert_int_eq(t.action.request->rows[0].give, LIMIT);
    answer_one(&t, false);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_lt(store_total(store, account), LIMIT);
    end(&t);
}
END_TEST

/* A call that is still to be paid holds what it held, whatever is used of the session meanwhile. */
START_TEST(what_is_held_again_at_a_start_is_not_given_back)
{
    struct tenant t;
    const struct spend held = {{60 * MICRO, 0, 0}};
    begin_spent(&t, 0);
    restart(&t);
    core_rehold(t.f.core, &t.f.subject, &held, t.f.now_s, &t.f.grant);
    serve(&t);
    fixture_wait(&t.f, 10, 1);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_le(store_total(store, account), LIMIT);
    ck_assert_int_ge(store_granted(store, account, ME), 70);
    end(&t);
}
END_TEST

/* Everything was off for a night; the store began a new epoch when it was there again. */
static void rows_of_a_recovery(struct tenant *t, int64_t clock_s)
{
    t->f.now_s += clock_s;
    store_set_fence(store, "another-fence");
    restart(t);
    while (next(t) != LEASE_ASK || t->action.request->kind != STORE_SYNC)
        answer_one(t, false);
}

START_TEST(a_session_that_is_long_over_is_not_stated_in_a_recovery)
{
    struct tenant t;
    begin_spent(&t, 60);
    rows_of_a_recovery(&t, LONG_S);
    ck_assert_uint_eq(t.action.request->row_count, 0);
    ck_assert(t.action.request->complete);
    answer_one(&t, false);
    serve(&t);
    store_set_time(store, t.f.now_s);
    ck_assert_int_eq(ask(&t, LIMIT), VERDICT_GRANTED);
    end(&t);
}
END_TEST

START_TEST(one_that_is_not_over_is_stated)
{
    struct tenant t;
    begin_spent(&t, 60);
    rows_of_a_recovery(&t, IDLE_S);
    ck_assert_uint_eq(t.action.request->row_count, 1);
    end(&t);
}
END_TEST

/* The clock was a day ahead when it started. */
START_TEST(what_was_not_stated_by_mistake_is_not_used_and_what_was_spent_is_charged)
{
    struct tenant t;
    begin_spent(&t, 60);
    uint64_t session = account;
    rows_of_a_recovery(&t, DAY_S);
    ck_assert_uint_eq(t.action.request->row_count, 0);
    answer_one(&t, false);
    serve(&t);
    t.f.now_s -= DAY_S;
    come_back(&t);
    ck_assert_int_eq(store_total(store, session), 0);
    fixture_wait(&t.f, 30, 1);
    serve(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_ge(store_granted(store, session, ME), 90);
    ck_assert_int_le(store_total(store, session), LIMIT);
    end(&t);
}
END_TEST

#define MANY 3000

/* The core has let go of it already; while rows are renewed others appear with what the journal
 * has. */
START_TEST(nor_is_one_of_which_only_its_row_is_left)
{
    struct tenant t;
    begin(&t, 0);
    t.f.options.max_accounts = MANY;
    take_all(&t, 60);
    const struct charge over = journal_of(&t);
    t.f.subject.id[SCOPE_SESSION] = TEXT("weekly");
    ck_assert_int_eq(ask(&t, 10), VERDICT_GRANTED);
    struct charge other = over;
    other.account = t.f.core->accounts.lanes[0].last->number;
    other.until_s = INT64_MAX;
    lease_close(t.lease);
    core_close(t.f.core);
    fixture_start(&t.f);
    core_restore_ceiling(t.f.core, &over);
    core_restore_ceiling(t.f.core, &other);
    t.f.now_s += LONG_S;
    open_lease(&t, ME, 2, &over);
    pass_ms(&t, 10000);
    while (next(&t) != LEASE_ASK || t.action.request->kind != STORE_SYNC) {
        if (t.action.step != LEASE_REST)
            answer_one(&t, false);
        else
            ck_assert_int_eq(fixture_reserve(&t.f, 10), VERDICT_AWAY);
    }
    ck_assert_uint_eq(t.f.core->accounts.restored.count, 0);
    for (size_t at = 0; at < t.action.request->row_count; at++)
        ck_assert_uint_ne(t.action.request->rows[at].account, over.account);
    end(&t);
}
END_TEST

/* While one looks at accounts, nobody is granted anything. */
START_TEST(the_rows_of_many_accounts_are_renewed_in_portions)
{
    struct tenant t;
    int portions = 0;
    begin(&t, 0);
    t.f.options.max_accounts = MANY;
    core_redefine(t.f.core, &t.f.options);
    pass_ms(&t, 10000);
    while (next(&t) == LEASE_ASK && t.action.request->kind != STORE_JOIN)
        fail_with(&t, STORE_OLD_FENCE);
    while (t.action.step != LEASE_ASK || t.action.request->kind != STORE_SYNC) {
        if (t.action.step == LEASE_REST)
            ck_assert_int_eq(t.action.until_ms, t.now_ms);
        portions += t.action.step == LEASE_REST ? 1 : 0;
        if (t.action.step != LEASE_REST)
            answer_one(&t, false);
        (void)next(&t);
    }
    ck_assert_int_eq(portions, 3); /* of 4096 chains */
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
          what_was_left_is_not_used_after_others_began_the_session_anew,
          what_the_journal_has_of_a_session_is_not_used_before_the_store_was_heard,
          what_the_journal_has_of_a_session_goes_back_when_it_is_used,
          what_is_held_again_at_a_start_is_not_given_back,
          a_session_that_is_long_over_is_not_stated_in_a_recovery,
          nor_is_one_of_which_only_its_row_is_left, one_that_is_not_over_is_stated,
          what_was_not_stated_by_mistake_is_not_used_and_what_was_spent_is_charged,
          the_rows_of_many_accounts_are_renewed_in_portions,
          a_session_in_steady_use_is_told_of_for_as_long_as_it_lasts,
          what_is_idle_goes_back_however_busy_others_are)
