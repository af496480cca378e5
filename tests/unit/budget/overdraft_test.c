/*
 * The lease while the store does not answer, of a budget that goes on without (on_store_away).
 */
#include "budget/core_state.h"
#include "tenant.h"

static void open_with_overdraft(struct tenant *t, int64_t limit, int64_t away_open)
{
    tenant_begin(t, limit, true);
    core_close(t->f.core);
    t->f.budgets[0].away_open = away_open;
    fixture_start(&t->f);
    tenant_lease(t, true, NULL, 0);
}

START_TEST(without_a_store_one_goes_on_as_far_as_the_budget_says_and_it_is_charged)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    enter(&t);
    grow_shared(&t, 100); /* all of it is held */
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    fail_with(&t, STORE_AWAY);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY); /* it may have been granted: who came then is told */
    wait_for(&t, 100);
    const struct charge *row = must_commit(&t);
    ck_assert_int_eq(row->amount, 200 * MICRO);
    ck_assert_int_eq(row->overdraft, 100 * MICRO);
    ck_assert(t.action.overdrawn);
    ck_assert_int_eq(ceiling(&t), 100 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(fixture_view(&t.f, 0).overdraft, 100 * MICRO);
    ck_assert_int_eq(t.f.grant.charges[0].overdraft, 100 * MICRO);

    wait_for(&t, 100); /* 50 are left of it, and it is clamped */
    ck_assert_int_eq(must_commit(&t)->overdraft, 150 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(t.f.grant.max_output, 50);
    ck_assert_int_eq(t.f.grant.charges[0].overdraft, 50 * MICRO);
    wait_for(&t, 100);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(ceiling(&t), 250 * MICRO);

    pass_ms(&t, 250);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_int_eq(sync->rows[0].value, 250);
    answer(&t, 0, 100);
    const struct store_request *mend = must_ask(&t, STORE_MOVE);
    ck_assert_int_eq(mend->rows[0].charge, 150);
    ck_assert_int_eq(mend->rows[0].limit, 1000);
    answer(&t, 0, 250);
    ck_assert_int_eq(fixture_view(&t.f, 0).overdraft, 150 * MICRO);
    tenant_close(&t);
}
END_TEST

/* For as long as who calls at a start waits for it. */
static void be_silent(struct tenant *t)
{
    must_ask(t, STORE_JOIN);
    fail_with(t, STORE_AWAY);
    pass_ms(t, 2001);
    must_ask(t, STORE_JOIN);
    fail_with(t, STORE_AWAY);
}

START_TEST(an_overdraft_that_cannot_be_noted_is_none)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    be_silent(&t);
    wait_for(&t, 100);
    ck_assert_int_eq(must_commit(&t)->amount, 100 * MICRO);
    commit(&t, false);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(ceiling(&t), 0);
    ck_assert_int_eq(fixture_view(&t.f, 0).overdraft, 0);
    tenant_close(&t);
}
END_TEST

/* An instance that begins with what the journal has of a budget of which nothing was asked yet. */
static void begin_again_with(struct tenant *t, int64_t overdraft, int64_t away_open)
{
    tenant_begin(t, 1000 * MICRO, true);
    fixture_wait(&t->f, 10, 1);
    struct account *account = t->f.core->accounts.lanes[0].first;
    struct charge row = {.account = account->number,
                         .amount = overdraft,
                         .overdraft = overdraft,
                         .until_s = account_until_s(account),
                         .scope = SCOPE_GLOBAL,
                         .budget = TEXT("org"),
                         .id = TEXT("all")};
    memcpy(row.window, account->window.id, sizeof(row.window));
    core_close(t->f.core);
    t->f.budgets[0].away_open = away_open;
    fixture_start(&t->f);
    core_restore_ceiling(t->f.core, &row);
    tenant_lease(t, true, &row, 1);
}

START_TEST(a_restart_does_not_begin_an_overdraft_anew)
{
    struct tenant t;
    begin_again_with(&t, 120 * MICRO, 150 * MICRO);
    be_silent(&t);
    must_rest(&t);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    fixture_hold(&t.f, 120);
    wait_for(&t, 100);
    ck_assert_int_eq(must_commit(&t)->overdraft, 150 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(ceiling(&t), 150 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(what_a_budget_may_have_without_a_store_is_room_until_it_is_used_up)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    be_silent(&t);
    must_rest(&t);
    ck_assert(core_has_room(t.f.core, t.f.now_s)); /* nobody has come yet */
    wait_for(&t, 100);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    must_rest(&t);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    wait_for(&t, 100); /* clamped to 50 */
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    must_rest(&t);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    tenant_close(&t);
}
END_TEST

START_TEST(who_was_refused_before_the_store_was_missed_does_not_say_that_there_is_no_room)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    enter(&t);
    grow_shared(&t, 100);
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    fail_with(&t, STORE_AWAY);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    must_rest(&t);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    struct ask ask = fixture_ask(&t.f, 120, 10);
    ask.bound.input_tokens = 1000; /* more than it may have */
    ck_assert_int_eq(fixture_reserve_ask(&t.f, &ask), VERDICT_WAIT);
    if (next(&t) == LEASE_COMMIT)
        commit(&t, true);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    tenant_close(&t);
}
END_TEST

START_TEST(what_is_charged_for_an_account_that_nobody_used_yet_says_no_limit_of_it)
{
    struct tenant t;
    begin_again_with(&t, 120 * MICRO, 150 * MICRO);
    arrive(&t);
    must_ask(&t, STORE_SYNC);
    answer(&t, 0, 100);
    note_mark(&t);
    const struct store_request *mend = must_ask(&t, STORE_MOVE);
    ck_assert_int_eq(mend->rows[0].charge, 20);
    ck_assert_int_eq(mend->rows[0].limit, LIMIT_NONE);
    tenant_close(&t);
}
END_TEST

START_TEST(a_store_that_is_empty_is_not_away)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    must_ask(&t, STORE_JOIN);
    fail_with(&t, STORE_EMPTY);
    wait_for(&t, 100);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    tenant_close(&t);
}
END_TEST

START_TEST(who_knows_that_others_hold_the_rest_goes_on_as_well)
{
    struct tenant t;
    open_with_overdraft(&t, 1000 * MICRO, 150 * MICRO);
    enter(&t);
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    t.reply.rows[0] = (struct store_answer){.moved = 100, .granted = 100, .total = 1000};
    t.reply.row_count = 1;
    t.reply.gseq++;
    lease_replied(t.lease, t.now_ms, &t.reply);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    pass_ms(&t, 250);
    must_ask(&t, STORE_BEAT);
    fail_with(&t, STORE_AWAY);
    fixture_wait(&t.f, 50, 1);
    ck_assert(!t.f.grant.growing);
    const struct charge *row = must_commit(&t);
    ck_assert_int_eq(row->overdraft, 50 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);

    must_rest(&t);
    ck_assert(!core_wants_growth(t.f.core));
    uint64_t waiter = fixture_wait(&t.f, 60, 1); /* one that has no time for others' holds */
    ck_assert(t.f.grant.growing);
    ck_assert(core_wants_growth(t.f.core));
    ck_assert(core_waits_for_lessor(t.f.core, waiter));
    ck_assert_int_eq(must_commit(&t)->overdraft, 110 * MICRO);
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);

    waiter = fixture_wait(&t.f, 60, 1);
    ck_assert(t.f.grant.growing);
    ck_assert_int_eq(must_commit(&t)->overdraft, 150 * MICRO);
    commit(&t, true);
    ck_assert(!core_waits_for_lessor(t.f.core, waiter)); /* 40 are all it may have */
    ck_assert(core_time_is_up(t.f.core, waiter, t.f.now_s, &t.f.grant));
    ck_assert_int_eq(t.f.grant.verdict, VERDICT_GRANTED);
    ck_assert_int_eq(t.f.grant.max_output, 40);
    fixture_wait(&t.f, 60, 1);
    ck_assert(!t.f.grant.growing);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(who_knows_that_others_hold_the_rest_goes_on_as_well,
          without_a_store_one_goes_on_as_far_as_the_budget_says_and_it_is_charged,
          an_overdraft_that_cannot_be_noted_is_none, a_restart_does_not_begin_an_overdraft_anew,
          a_store_that_is_empty_is_not_away,
          what_a_budget_may_have_without_a_store_is_room_until_it_is_used_up,
          who_was_refused_before_the_store_was_missed_does_not_say_that_there_is_no_room,
          what_is_charged_for_an_account_that_nobody_used_yet_says_no_limit_of_it)
