/* Who may grow, and who vouches for whom: the lease's part of it. */
#include "tenant.h"

/* Into a store that is open, as one that nobody has vouched for. */
static void enter_new(struct tenant *t)
{
    t->reply.vouched = false;
    arrive(t);
    must_say(t, STORE_SYNC);
}

static const struct store_request *beat(struct tenant *t)
{
    pass_ms(t, 250);
    return must_ask(t, STORE_BEAT);
}

START_TEST(who_is_new_does_not_grow_before_somebody_vouches_for_it)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    enter_new(&t);
    wait_for(&t, 100);
    ck_assert_int_eq(lease_state(t.lease), LEASE_NEWCOMER);
    ck_assert(!lease_grants(t.lease));
    must_rest(&t);
    ck_assert(!t.action.eager);
    ck_assert_int_eq(beat(&t)->vouches, 0);
    answer(&t, 0, 0);
    must_rest(&t);
    t.reply.vouched = true;
    ck_assert_int_eq(beat(&t)->vouches, 0);
    answer(&t, 0, 0);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    note_mark(&t); /* and that on disk first */
    ck_assert_int_eq(t.mark.instances, 2);
    ck_assert_int_eq(must_ask(&t, STORE_MOVE)->rows[0].least, 100);
    answer(&t, 100, 100);
    must_note(&t);
    ck_assert_int_eq(wake(&t), VERDICT_GRANTED);
    tenant_close(&t);
}
END_TEST

START_TEST(those_who_wait_for_a_newcomer_are_told_after_two_seconds)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    enter_new(&t);
    wait_for(&t, 100);
    for (int at = 0; at < 8; at++) {
        beat(&t);
        answer(&t, 0, 0);
        ck_assert(!core_any_wake(t.f.core));
    }
    pass_ms(&t, 250);
    next(&t);
    ck_assert_int_eq(wake(&t), VERDICT_AWAY);
    tenant_close(&t);
}
END_TEST

START_TEST(vouches_for_those_of_whom_the_journal_knows)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    int64_t heard = t.reply.gseq;
    t.reply.instances = 3;
    ck_assert_int_eq(beat(&t)->vouches, heard);
    answer(&t, 0, 0);
    ck_assert_int_eq(next(&t), LEASE_MARK);
    commit(&t, false);
    must_rest(&t);
    pass_ms(&t, 1000);
    heard = t.reply.gseq;
    note_mark(&t);
    ck_assert_int_eq(t.mark.instances, 3);
    ck_assert_int_eq(must_ask(&t, STORE_BEAT)->vouches, heard);
    answer(&t, 0, 0);
    tenant_close(&t);
}
END_TEST

START_TEST(what_it_heard_elsewhere_it_does_not_vouch_by)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    beat(&t);
    fail_with(&t, STORE_OLD_FENCE);
    ck_assert_int_eq(must_ask(&t, STORE_JOIN)->vouches, 0);
    answer(&t, 0, 0);
    must_say(&t, STORE_EPOCH);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->vouches, 0);
    answer(&t, 0, 0);
    int64_t heard = t.reply.gseq;
    ck_assert_int_eq(beat(&t)->vouches, heard);
    answer(&t, 0, 0);
    tenant_close(&t);
}
END_TEST

START_TEST(where_no_other_server_can_be_it_waits_a_second_for_others)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    t.reply.alone = true;
    enter_new(&t);
    for (int at = 0; at < 3; at++) {
        beat(&t);
        answer(&t, 0, 0);
        ck_assert(!lease_grants(t.lease));
    }
    beat(&t);
    answer(&t, 0, 0);
    ck_assert(lease_grants(t.lease));
    tenant_close(&t);
}
END_TEST

START_TEST(what_all_servers_have_needs_nobody_to_vouch)
{
    struct tenant t;
    tenant_open(&t, 1000 * MICRO, true);
    t.reply.replicated = true;
    enter_new(&t);
    ck_assert(lease_grants(t.lease));
    tenant_close(&t);
}
END_TEST

static void recover_without_b(struct tenant *t)
{
    tenant_begin(t, 1000 * MICRO, true);
    t->mark = (struct store_mark){
        .epoch = 7, .fence = "a-fence", .instances = 2, .roster = {2, {{"a", 1, 2}, {"b", 3, 4}}}};
    tenant_lease(t, true, NULL, 0);
    must_say(t, STORE_JOIN);
    const struct store_request *request = must_ask(t, STORE_EPOCH);
    ck_assert(store_roster_equal(request->roster, &t->mark.roster));
    ck_assert_int_eq(request->instances, 0);
    t->reply.recovering = true;
    answer(t, 0, 0);
    request = must_ask(t, STORE_SYNC);
    ck_assert(request->complete);
    ck_assert(store_roster_equal(request->roster, &t->mark.roster));
    answer(t, 0, 0);
    must_ask(t, STORE_READY);
    t->reply.roster = (struct store_roster){1, {{"b", 3, 4}}};
    answer(t, 0, 0);
    ck_assert_str_eq(lease_news(t->lease).missing, "b");
    pass_ms(t, 250);
    must_ask(t, STORE_READY);
}

START_TEST(says_whom_it_remembers_before_it_states_its_rows)
{
    struct tenant t = {0};
    recover_without_b(&t);
    t.reply.recovering = false;
    answer(&t, 0, 0); /* who is in it now: the mark follows */
    ck_assert_str_eq(lease_news(t.lease).missing, "");
    note_mark(&t);
    ck_assert_uint_eq(t.mark.roster.count, 1);
    tenant_close(&t);
}
END_TEST

START_TEST(who_was_missing_is_not_when_another_way_led_in)
{
    struct tenant t = {0};
    recover_without_b(&t);
    fail_with(&t, STORE_OLD_FENCE);
    t.reply.recovering = false;
    t.reply.roster = (struct store_roster){0};
    must_say(&t, STORE_JOIN);
    must_say(&t, STORE_EPOCH);
    must_ask(&t, STORE_SYNC);
    answer(&t, 0, 0);
    ck_assert_int_eq(lease_state(t.lease), LEASE_OPEN);
    ck_assert_str_eq(lease_news(t.lease).missing, "");
    tenant_close(&t);
}
END_TEST

/* Else the store, which is open, would not be told whom it does not know. */
START_TEST(asks_once_more_where_another_epoch_has_begun_and_is_open)
{
    struct tenant t = {0};
    tenant_begin(&t, 1000 * MICRO, true);
    t.mark = (struct store_mark){
        .epoch = 7, .fence = "a-fence", .instances = 2, .roster = {2, {{"a", 1, 2}, {"b", 3, 4}}}};
    tenant_lease(&t, true, NULL, 0);
    must_say(&t, STORE_JOIN);
    ck_assert_int_eq(must_ask(&t, STORE_EPOCH)->epoch, 7);
    t.reply.epoch = 9;
    answer(&t, 0, 0);
    const struct store_request *request = must_ask(&t, STORE_EPOCH);
    ck_assert_int_eq(request->epoch, 9);
    ck_assert(store_roster_equal(request->roster, &t.mark.roster));
    answer(&t, 0, 0);
    note_mark(&t);
    must_ask(&t, STORE_SYNC);
    answer(&t, 0, 0);
    tenant_close(&t);
}
END_TEST

/* A purser that kept no names has left a number. */
START_TEST(who_remembers_a_number_alone_says_that)
{
    struct tenant t = {0};
    tenant_begin(&t, 1000 * MICRO, true);
    t.mark = (struct store_mark){.epoch = 7, .fence = "a-fence", .instances = 3};
    tenant_lease(&t, true, NULL, 0);
    must_say(&t, STORE_JOIN);
    ck_assert_int_eq(must_ask(&t, STORE_EPOCH)->instances, 3);
    answer(&t, 0, 0);
    ck_assert_int_eq(must_ask(&t, STORE_SYNC)->instances, 3);
    answer(&t, 0, 0);
    note_mark(&t);
    ck_assert_uint_eq(t.mark.roster.count, 1);
    tenant_close(&t);
}
END_TEST

/* Of those who are the same as before the store says nothing. */
START_TEST(vouches_on_while_nobody_comes_or_goes)
{
    struct tenant t;
    tenant_open_entered(&t, 1000 * MICRO);
    t.reply.roster.count = 0;
    t.reply.changed = t.reply.gseq;
    int64_t heard = t.reply.gseq;
    ck_assert_int_eq(beat(&t)->vouches, heard);
    answer(&t, 0, 0);
    heard = t.reply.gseq;
    ck_assert_int_eq(beat(&t)->vouches, heard);
    t.reply.changed = t.reply.gseq + 1; /* they are too many to be told */
    answer(&t, 0, 0);
    ck_assert_int_eq(beat(&t)->vouches, heard);
    answer(&t, 0, 0);
    tenant_close(&t);
}
END_TEST

UNIT_MAIN(who_is_new_does_not_grow_before_somebody_vouches_for_it,
          those_who_wait_for_a_newcomer_are_told_after_two_seconds,
          vouches_for_those_of_whom_the_journal_knows, what_it_heard_elsewhere_it_does_not_vouch_by,
          where_no_other_server_can_be_it_waits_a_second_for_others,
          what_all_servers_have_needs_nobody_to_vouch,
          says_whom_it_remembers_before_it_states_its_rows,
          who_was_missing_is_not_when_another_way_led_in, who_remembers_a_number_alone_says_that,
          vouches_on_while_nobody_comes_or_goes,
          asks_once_more_where_another_epoch_has_begun_and_is_open)
