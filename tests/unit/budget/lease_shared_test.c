/*
 * The lease with a store: in which order core, journal and store are talked to, and what every
 * failure of one of them leads to.
 */
#include "tenant.h"

START_TEST(the_store_grants_then_the_journal_notes_then_the_core_uses)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    ck_assert_int_eq(lease_state(t.lease), LEASE_GONE);
    enter(&t);
    wait_for(&t, 100);
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    ck_assert_uint_eq(move->row_count, 1);
    ck_assert_str_eq(move->fence, "a-fence");
    ck_assert_int_eq(move->epoch, 7);
    ck_assert_int_eq(move->rows[0].least, 100);
    ck_assert_int_eq(move->rows[0].limit, 1000);
    int64_t most = move->rows[0].most;
    answer(&t, most, most);
    ck_assert(!core_any_wake(t.f.core));
    ck_assert_int_eq(must_commit(&t)->amount, most * MICRO);
    ck_assert(!core_any_wake(t.f.core));
    commit(&t, true);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    ck_assert_int_eq(ceiling(&t), most * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(what_is_given_back_is_in_the_journal_before_the_store_hears_of_it)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    lease_retire(t.lease);
    ck_assert_int_eq(must_commit(&t)->amount, 40 * MICRO);
    ck_assert_int_eq(ceiling(&t), 40 * MICRO);
    commit(&t, true);
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    ck_assert_int_eq(move->rows[0].give, 60);
    ck_assert_int_eq(move->rows[0].spent, 40);
    answer(&t, 0, 40);
    must_rest(&t);
    ck_assert_int_eq(t.action.until_ms, INT64_MAX);
    tenant_close(&t);
}
END_TEST

START_TEST(a_gift_that_is_not_in_the_journal_is_not_told_to_the_store)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    pass_ms(&t, 7000);
    must_commit(&t);
    commit(&t, false);
    must_rest(&t);
    pass_ms(&t, 1000);
    ck_assert_int_eq(must_note(&t), 40 * MICRO);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_uint_eq(sync->row_count, 1);
    ck_assert_int_eq(sync->rows[0].value, 40);
    ck_assert_int_eq(sync->rows[0].spent, 40);
    tenant_close(&t);
}
END_TEST

START_TEST(after_a_lost_reply_the_journal_is_stated_and_nothing_is_sent_again)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    wait_for(&t, 50);
    must_ask(&t, STORE_MOVE);
    fail_with(&t, STORE_AWAY);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(lease_state(t.lease), LEASE_GONE);
    must_rest(&t);
    pass_ms(&t, 250);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert(!sync->complete);
    ck_assert_uint_eq(sync->row_count, 1);
    ck_assert_int_eq(sync->rows[0].value, 100);
    answer(&t, 0, 100);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    wait_for(&t, 50);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].least, 50);
    answer(&t, 50, 150);
    ck_assert_int_eq(must_note(&t), 150 * MICRO);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    tenant_close(&t);
}
END_TEST

START_TEST(what_was_granted_and_could_not_be_noted_is_taken_back)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    answer(&t, 100, 100);
    must_commit(&t);
    commit(&t, false);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert_int_eq(ceiling(&t), 0);
    pass_ms(&t, 1000);
    ck_assert_int_eq(must_note(&t), 0);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->rows[0].value, 0);
    tenant_close(&t);
}
END_TEST

START_TEST(another_fence_is_a_new_epoch_and_all_rows_are_stated)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    wait_for(&t, 50);
    must_ask(&t, STORE_MOVE);
    memcpy(t.reply.fence, "b-fence", 8);
    t.reply.gseq = 20; /* what was acknowledged may be lost */
    fail_with(&t, STORE_OLD_FENCE);
    ck_assert(!core_any_wake(t.f.core)); /* who waits may wait on */
    must_say(&t, STORE_JOIN);
    ck_assert_int_eq(must_ask(&t, STORE_EPOCH)->epoch, 7);
    t.reply.epoch = 8;
    t.reply.recovering = true;
    answer(&t, 0, 0);
    note_mark(&t);
    ck_assert_int_eq(t.mark.epoch, 8);
    ck_assert_str_eq(t.mark.fence, "b-fence");
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_int_eq(sync->epoch, 8);
    ck_assert_str_eq(sync->fence, "b-fence");
    ck_assert(sync->complete);
    ck_assert_int_eq(sync->rows[0].value, 100);
    answer(&t, 0, 100);
    ck_assert_int_eq(lease_state(t.lease), LEASE_RECOVERING);
    must_say(&t, STORE_READY);
    must_rest(&t);
    ck_assert(!t.action.eager);
    pass_ms(&t, 250);
    must_ask(&t, STORE_READY);
    t.reply.recovering = false;
    answer(&t, 0, 0);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].least, 50);
    answer(&t, 50, 150);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    tenant_close(&t);
}
END_TEST

/* Found by the simulator: the old master of a split brain, which nobody demoted. */
START_TEST(a_server_that_was_left_behind_grants_nothing_before_all_have_synced)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    wait_for(&t, 50);
    must_ask(&t, STORE_MOVE);
    memcpy(t.reply.fence, "b-fence", 8);
    fail_with(&t, STORE_OLD_FENCE);
    must_ask(&t, STORE_JOIN);
    t.reply.epoch = 5; /* it was 7 */
    answer(&t, 0, 0);
    const struct store_request *epoch = must_ask(&t, STORE_EPOCH);
    ck_assert(epoch->lost);
    ck_assert_int_eq(epoch->epoch, 5);
    ck_assert_int_eq(epoch->known, 7);
    t.reply.epoch = 6; /* somebody who knows less was quicker */
    answer(&t, 0, 0);
    must_say(&t, STORE_JOIN);
    epoch = must_ask(&t, STORE_EPOCH);
    ck_assert(epoch->lost);
    ck_assert_int_eq(epoch->epoch, 6);
    t.reply.epoch = 8;
    t.reply.recovering = true;
    answer(&t, 0, 0);
    note_mark(&t);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->epoch, 8);
    answer(&t, 0, 0);
    ck_assert_int_eq(lease_state(t.lease), LEASE_RECOVERING);
    tenant_close(&t);
}
END_TEST

/* Found by the simulator: a process that had begun anew since believed that server. */
START_TEST(a_server_that_was_left_behind_is_known_by_what_the_journal_says)
{
    struct tenant t = {0};
    tenant_begin(&t, 1000 * MICRO, true);
    t.mark = (struct store_mark){.epoch = 9, .fence = "b-fence", .instances = 3};
    tenant_lease(&t, true, NULL, 0);
    must_say(&t, STORE_JOIN);
    const struct store_request *epoch = must_ask(&t, STORE_EPOCH);
    ck_assert(epoch->lost);
    ck_assert_int_eq(epoch->known, 9);
    ck_assert_int_eq(epoch->instances, 3);
    t.reply.epoch = 10;
    t.reply.recovering = true;
    answer(&t, 0, 0);
    note_mark(&t);
    ck_assert_int_eq(t.mark.epoch, 10);
    ck_assert_int_eq(t.mark.instances, 3); /* it recovers: that counts those who are back */
    must_say(&t, STORE_SYNC);
    tenant_close(&t);
}
END_TEST

START_TEST(nothing_is_stated_in_an_epoch_before_the_journal_knows_it)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    must_say(&t, STORE_JOIN);
    must_say(&t, STORE_EPOCH);
    ck_assert_int_eq(next(&t), LEASE_MARK);
    ck_assert_int_eq(t.action.mark->epoch, 7);
    ck_assert_str_eq(t.action.mark->fence, "a-fence");
    ck_assert_int_eq(t.action.mark->instances, 0); /* it is none of them yet */
    commit(&t, false);
    must_rest(&t);
    ck_assert(!lease_grants(t.lease));
    pass_ms(&t, 1000);
    note_mark(&t);
    must_say(&t, STORE_SYNC);
    ck_assert(lease_grants(t.lease));
    note_mark(&t);
    ck_assert_int_eq(t.mark.instances, 2);
    pass_ms(&t, 250);
    t.reply.instances = 3; /* somebody is new */
    must_say(&t, STORE_BEAT);
    note_mark(&t);
    ck_assert_int_eq(t.mark.instances, 3);
    must_rest(&t);
    tenant_close(&t);
}
END_TEST

START_TEST(a_clock_that_is_far_ahead_does_not_make_it_forget_rows)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    core_check_clock(t.f.core, t.f.now_s * 1000, t.now_ms);
    enter(&t);
    grow_shared(&t, 100);
    pass_ms(&t, 250);
    t.f.now_s += 30 * DAY_S;
    ck_assert(!core_check_clock(t.f.core, t.f.now_s * 1000, t.now_ms));
    ck_assert_int_eq(next(&t), LEASE_ASK);
    fail_with(&t, STORE_OLD_FENCE);
    arrive(&t);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_uint_eq(sync->row_count, 1);
    ck_assert_int_eq(sync->rows[0].value, 100);
    answer(&t, 0, 100);
    tenant_close(&t);
}
END_TEST

START_TEST(a_recovery_that_takes_long_is_told_to_those_who_wait)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    must_ask(&t, STORE_JOIN);
    t.reply.recovering = true;
    answer(&t, 0, 0);
    must_say(&t, STORE_EPOCH);
    note_mark(&t);
    must_say(&t, STORE_SYNC);
    wait_for(&t, 100);
    for (int at = 0; at < 9; at++) {
        must_say(&t, STORE_READY);
        ck_assert(!core_any_wake(t.f.core));
        pass_ms(&t, 250);
    }
    next(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    tenant_close(&t);
}
END_TEST

START_TEST(an_operation_that_found_a_recovery_is_followed_by_all_rows)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    wait_for(&t, 50);
    must_ask(&t, STORE_MOVE);
    t.reply.verdict = STORE_RECOVERING;
    t.reply.recovering = true;
    answer(&t, 0, 100);
    t.reply.verdict = STORE_OK;
    ck_assert(must_ask(&t, STORE_SYNC)->complete);
    tenant_close(&t);
}
END_TEST

START_TEST(a_store_whose_number_does_not_grow_is_entered_anew)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    t.reply.gseq -= 1;
    answer(&t, 100, 100);
    ck_assert_int_eq(ceiling(&t), 0);
    must_ask(&t, STORE_JOIN);
    tenant_close(&t);
}
END_TEST

START_TEST(a_journal_that_the_store_does_not_know_joins_anew)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    pass_ms(&t, 250);
    must_ask(&t, STORE_BEAT);
    fail_with(&t, STORE_STRANGER);
    enter(&t);
    pass_ms(&t, 250);
    must_ask(&t, STORE_BEAT);
    fail_with(&t, STORE_STALE);
    must_rest(&t); /* not in a circle, as fast as it goes */
    tenant_close(&t);
}
END_TEST

START_TEST(an_empty_store_grants_nothing_until_an_operator_has_looked)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    must_ask(&t, STORE_JOIN);
    fail_with(&t, STORE_EMPTY);
    ck_assert_int_eq(lease_state(t.lease), LEASE_EMPTY);
    wait_for(&t, 100);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    pass_ms(&t, 1000);
    enter(&t);
    grow_shared(&t, 100);
    tenant_close(&t);
}
END_TEST

static struct charge journal_row(struct tenant *t, int64_t amount)
{
    fixture_hold(&t->f, 0); /* lets the account appear, to learn its number */
    struct charge row = t->f.grant.charges[0];
    row.amount = amount;
    return row;
}

/* A process that begins with a journal in which the only account has `micro`. */
static void begin_with_journal(struct tenant *t, int64_t micro)
{
    struct tenant before;
    tenant_begin(&before, 1000 * MICRO, true);
    struct charge row = journal_row(&before, micro * MICRO);
    row.budget = TEXT("org");
    row.id = TEXT("all");
    fixture_end(&before.f);
    tenant_begin(t, 1000 * MICRO, true);
    core_restore_ceiling(t->f.core, &row);
    tenant_lease(t, true, &row, 1);
}

START_TEST(at_the_start_the_journal_is_stated)
{
    struct tenant t;
    begin_with_journal(&t, 300);
    arrive(&t);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_uint_eq(sync->row_count, 1);
    ck_assert_int_eq(sync->rows[0].value, 300);
    ck_assert_int_eq(sync->rows[0].limit, LIMIT_NONE);
    answer(&t, 0, 300);
    fixture_hold(&t.f, 250); /* what was granted before is used */
    tenant_close(&t);
}
END_TEST

/* Nobody calls there: so long the others would lack it. */
START_TEST(what_the_journal_has_and_nobody_uses_goes_back)
{
    struct tenant t;
    begin_with_journal(&t, 300);
    enter(&t);
    pass_ms(&t, 250);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].give, 0); /* a look: it has appeared */
    answer(&t, 0, 300);
    must_rest(&t);
    pass_ms(&t, 5000);
    ck_assert_int_eq(must_note(&t), 0);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].give, 300);
    tenant_close(&t);
}
END_TEST

/* The store has 120 of the 300. */
static void begin_where_less_is_known(struct tenant *t)
{
    begin_with_journal(t, 300);
    arrive(t);
    must_ask(t, STORE_SYNC);
    answer(t, 0, 120);
    note_mark(t);
}

START_TEST(what_an_open_store_has_not_is_charged)
{
    struct tenant t;
    begin_where_less_is_known(&t);
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    ck_assert_int_eq(move->rows[0].charge, 180);
    t.reply.rows[1] = (struct store_answer){.granted = 300, .total = 300}; /* a look */
    answer(&t, 0, 300);
    must_rest(&t);
    tenant_close(&t);
}
END_TEST

/* Otherwise the store would grant what is left before it hears that nothing is. */
START_TEST(what_the_store_has_not_is_charged_before_anything_grows)
{
    struct tenant t;
    begin_where_less_is_known(&t);
    wait_for(&t, 400); /* 300 are there */
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    ck_assert_uint_eq(move->row_count, 2);
    ck_assert_int_eq(move->rows[0].charge, 180);
    ck_assert_int_eq(move->rows[0].least, 0);
    ck_assert_int_eq(move->rows[1].least, 100);
    fail_with(&t, STORE_AWAY);
    tenant_close(&t);
}
END_TEST

/* Found by the simulator: it was booked as spent, and no line in the ledger said so. */
START_TEST(what_was_granted_and_is_nowhere_noted_goes_back)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    wait_for(&t, 100);
    must_ask(&t, STORE_MOVE);
    answer(&t, 100, 350);
    ck_assert_int_eq(must_note(&t), 100 * MICRO);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    const struct store_request *sync = must_ask(&t, STORE_SYNC);
    ck_assert_uint_eq(sync->row_count, 1);
    ck_assert_int_eq(sync->rows[0].value, 100);
    answer(&t, 0, 100);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    struct account_view view = fixture_view(&t.f, 0);
    ck_assert_int_eq(view.spent, 0);
    ck_assert_int_eq(view.ceiling, 100 * MICRO);
    tenant_close(&t);
}
END_TEST

START_TEST(there_is_room_until_somebody_is_refused_for_want_of_a_store)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    ck_assert(!core_has_room(t.f.core, t.f.now_s));
    enter(&t);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    pass_ms(&t, 250);
    must_ask(&t, STORE_MOVE);
    fail_with(&t, STORE_AWAY);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    struct ask ask = fixture_ask(&t.f, 120, 10);
    ck_assert_int_eq(fixture_reserve_ask(&t.f, &ask), VERDICT_WAIT);
    must_rest(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    ck_assert(!core_has_room(t.f.core, t.f.now_s)); /* 60 micro-dollars, too few for that one */
    fixture_hold(&t.f, 20);
    ck_assert(core_has_room(t.f.core, t.f.now_s));
    tenant_close(&t);
}
END_TEST

START_TEST(a_late_gift_of_what_the_store_has_forgotten_is_no_loss_of_data)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    pass_ms(&t, INT64_C(1000) * 27 * 3600); /* it did not answer, until long after the day */
    arrive(&t);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->rows[0].value, 100);
    answer(&t, 0, 0);
    ck_assert_int_eq(must_note(&t), 40 * MICRO);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].give, 0);
    answer(&t, 0, 0);
    must_rest(&t);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    tenant_close(&t);
}
END_TEST

START_TEST(a_session_that_the_store_has_forgotten_is_charged_anew)
{
    struct tenant t;
    tenant_begin(&t, 1000 * MICRO, true);
    core_close(t.f.core);
    t.f.budgets[0].scope = SCOPE_SESSION;
    t.f.budgets[0].window = WINDOW_TOTAL;
    t.f.budgets[0].idle_s = 3600;
    fixture_start(&t.f);
    tenant_lease(&t, true, NULL, 0);
    enter(&t);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    pass_ms(&t, INT64_C(1000) * 10000); /* the store hears nothing of it */
    arrive(&t);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->rows[0].value, 100);
    answer(&t, 0, 0);
    ck_assert_int_eq(must_note(&t), 40 * MICRO);
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    ck_assert_uint_eq(move->row_count, 2);
    ck_assert_int_eq(move->rows[0].give, 0);
    ck_assert_int_eq(move->rows[1].charge, 40);
    t.reply.rows[1] = (struct store_answer){.granted = 40, .total = 40};
    answer(&t, 0, 0);
    must_rest(&t);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    tenant_close(&t);
}
END_TEST

START_TEST(an_answer_that_cannot_be_is_no_answer)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    wait_for(&t, 100);
    const struct store_request *move = must_ask(&t, STORE_MOVE);
    answer(&t, move->rows[0].most + 1, move->rows[0].most + 1);
    ck_assert_int_eq(ceiling(&t), 0);
    must_ask(&t, STORE_JOIN);
    tenant_close(&t);
}
END_TEST

START_TEST(what_the_core_does_not_use_goes_to_others_who_were_refused)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    grow_shared(&t, 100);
    fixture_settle(&t.f, t.f.grant.hold, 40 * MICRO);
    pass_ms(&t, 250);
    const struct store_request *look = must_ask(&t, STORE_MOVE);
    ck_assert_uint_eq(look->row_count, 1);
    ck_assert_int_eq(look->rows[0].most, 0);
    ck_assert_int_eq(look->rows[0].give, 0);
    t.reply.gseq++;
    t.reply.row_count = 1;
    t.reply.rows[0] = (struct store_answer){.granted = 100, .total = 1000, .wanted = true};
    lease_replied(t.lease, t.now_ms, &t.reply);
    ck_assert_int_eq(must_note(&t), 40 * MICRO);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].give, 60);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(the_store_grants_then_the_journal_notes_then_the_core_uses,
          what_is_given_back_is_in_the_journal_before_the_store_hears_of_it,
          a_gift_that_is_not_in_the_journal_is_not_told_to_the_store,
          after_a_lost_reply_the_journal_is_stated_and_nothing_is_sent_again,
          what_was_granted_and_could_not_be_noted_is_taken_back,
          another_fence_is_a_new_epoch_and_all_rows_are_stated,
          a_server_that_was_left_behind_grants_nothing_before_all_have_synced,
          a_server_that_was_left_behind_is_known_by_what_the_journal_says,
          nothing_is_stated_in_an_epoch_before_the_journal_knows_it,
          a_clock_that_is_far_ahead_does_not_make_it_forget_rows,
          a_recovery_that_takes_long_is_told_to_those_who_wait,
          an_operation_that_found_a_recovery_is_followed_by_all_rows,
          a_store_whose_number_does_not_grow_is_entered_anew,
          a_journal_that_the_store_does_not_know_joins_anew,
          an_empty_store_grants_nothing_until_an_operator_has_looked,
          at_the_start_the_journal_is_stated, what_the_journal_has_and_nobody_uses_goes_back,
          what_an_open_store_has_not_is_charged,
          what_the_store_has_not_is_charged_before_anything_grows,
          what_was_granted_and_is_nowhere_noted_goes_back,
          there_is_room_until_somebody_is_refused_for_want_of_a_store,
          a_late_gift_of_what_the_store_has_forgotten_is_no_loss_of_data,
          a_session_that_the_store_has_forgotten_is_charged_anew,
          an_answer_that_cannot_be_is_no_answer,
          what_the_core_does_not_use_goes_to_others_who_were_refused)
