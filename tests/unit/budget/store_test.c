/* The store's operations in C. */
#include "money/charge.h"
#include "server.h"

START_TEST(an_empty_store_answers_nothing_else)
{
    struct server s;
    server_open(&s, NULL);
    for (enum store_kind kind = STORE_JOIN; kind <= STORE_RECONCILE; kind++)
        ck_assert_int_eq(say(&s, kind, A), STORE_EMPTY);
    ck_assert_int_eq(s.reply.gseq, 0);
    server_close(&s);
}
END_TEST

START_TEST(is_set_up_once)
{
    struct server s;
    server_open(&s, "f1");
    struct store_request request = request_of(&s, STORE_INIT, "");
    request.epoch = 99;
    ck_assert_int_eq(put(&s, &request), STORE_STALE);
    ck_assert_int_eq(s.reply.epoch, 1);
    server_close(&s);
}
END_TEST

START_TEST(grants_what_the_limit_leaves)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_int_eq(grow(&s, A, 100, 60, 60), 60);
    ck_assert_int_eq(grow(&s, B, 100, 60, 60), 40);
    ck_assert_int_eq(s.reply.rows[0].granted, 40);
    ck_assert_int_eq(s.reply.rows[0].total, 100);
    ck_assert_int_eq(grow(&s, A, 100, 1, 1), 0);
    ck_assert_int_eq(grow(&s, A, 90, 1, 1), 0);
    server_close(&s);
}
END_TEST

START_TEST(grants_in_advance_only_a_fair_share)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_int_eq(grow(&s, A, 100, 0, 90), 25);
    ck_assert_int_eq(grow(&s, A, 100, 50, 90), 50);
    ck_assert_int_eq(grow(&s, B, 100, 0, 3), 3);
    server_close(&s);
}
END_TEST

START_TEST(takes_back_and_charges_before_it_grants)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 100, 0);
    must_say_row(&s, STORE_MOVE, A,
                 (struct store_row){.limit = 100, .give = 30, .charge = 10, .least = 50});
    ck_assert_int_eq(s.reply.rows[0].moved, 20);
    ck_assert_int_eq(s.reply.rows[0].granted, 100);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .charge = 50});
    ck_assert_int_eq(s.reply.rows[0].total, 150);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .give = 1000});
    ck_assert_int_eq(s.reply.rows[0].total, 0);
    server_close(&s);
}
END_TEST

START_TEST(no_sum_is_above_the_most)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, STORE_MOST, STORE_MOST, 0);
    must_say_row(&s, STORE_MOVE, B, (struct store_row){.charge = STORE_MOST, .spent = STORE_MOST});
    ck_assert_int_eq(s.reply.rows[0].granted, 0);
    must_say_row(&s, STORE_BEAT, A, (struct store_row){.spent = 5});
    ck_assert_int_eq(s.reply.rows[0].elsewhere, STORE_MOST);
    ck_assert_int_eq(s.reply.rows[0].total, STORE_MOST);
    server_close(&s);
}
END_TEST

START_TEST(what_is_doubled_or_late_does_nothing)
{
    struct server s;
    server_open_for_two(&s);
    struct store_row row = {.account = 7, .limit = 100, .least = 10, .until_s = WINDOW_FOREVER};
    struct store_request request = request_of(&s, STORE_MOVE, A);
    request.rows = &row;
    request.row_count = 1;
    must_put(&s, &request);
    ck_assert_int_eq(put(&s, &request), STORE_STALE);
    request.sequence--;
    ck_assert_int_eq(put(&s, &request), STORE_STALE);
    ck_assert_uint_eq(s.reply.row_count, 0);
    ck_assert_int_eq(store_total(s.store, 7), 10);
    request.kind = STORE_JOIN;
    ck_assert_int_eq(put(&s, &request), STORE_STALE);
    request.incarnation++;
    must_put(&s, &request);
    server_close(&s);
}
END_TEST

START_TEST(a_stranger_may_only_join)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_int_eq(say(&s, STORE_BEAT, C), STORE_STRANGER);
    must_say(&s, STORE_JOIN, C);
    ck_assert_int_eq(s.reply.instances, 2); /* it has stated nothing yet */
    must_say(&s, STORE_BEAT, C);
    must_say_row(&s, STORE_SYNC, C, (struct store_row){0});
    ck_assert_int_eq(s.reply.instances, 3);
    server_close(&s);
}
END_TEST

START_TEST(an_open_epoch_lowers_and_never_raises)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    must_say_row(&s, STORE_SYNC, A, (struct store_row){.value = 80});
    ck_assert_int_eq(s.reply.rows[0].granted, 60);
    must_say_row(&s, STORE_SYNC, A, (struct store_row){.value = 20});
    ck_assert_int_eq(s.reply.rows[0].total, 20);
    server_close(&s);
}
END_TEST

START_TEST(another_fence_stops_everything_until_all_have_synced)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    grow(&s, B, 100, 20, 20);
    store_set_fence(s.store, "f2");
    ck_assert_int_eq(grow(&s, A, 100, 1, 1), -1);
    ck_assert_int_eq(s.reply.verdict, STORE_OLD_FENCE);
    must_say(&s, STORE_JOIN, A);
    ck_assert(s.reply.unfenced);
    ck_assert_int_eq(say(&s, STORE_BEAT, A), STORE_OLD_FENCE);
    must_say(&s, STORE_EPOCH, A);
    ck_assert_int_eq(s.reply.epoch, 2);
    ck_assert(s.reply.recovering && !s.reply.unfenced);
    ck_assert_int_eq(s.reply.absent, 2);
    must_say_row(&s, STORE_SYNC, A, (struct store_row){.value = 70});
    ck_assert(!is_open(&s, A));
    ck_assert_int_eq(grow(&s, A, 100, 1, 1), 0);
    ck_assert_int_eq(s.reply.verdict, STORE_RECOVERING);
    must_say_row(&s, STORE_SYNC, B, (struct store_row){.value = 25});
    ck_assert_int_eq(s.reply.absent, 0);
    ck_assert(is_open(&s, B));
    ck_assert_int_eq(grow(&s, A, 100, 50, 50), 5);
    server_close(&s);
}
END_TEST

START_TEST(an_epoch_begins_once_unless_data_was_lost)
{
    struct server s;
    server_open_for_two(&s);
    must_say(&s, STORE_EPOCH, A);
    ck_assert_int_eq(s.reply.epoch, 1);
    struct store_request request = request_of(&s, STORE_EPOCH, A);
    request.lost = true;
    must_put(&s, &request);
    ck_assert_int_eq(s.reply.epoch, 2);
    request = request_of(&s, STORE_EPOCH, B);
    request.lost = true;
    request.epoch = 1;
    must_put(&s, &request);
    ck_assert_int_eq(s.reply.epoch, 2);
    request = request_of(&s, STORE_EPOCH, B);
    request.lost = true;
    request.known = 7;
    must_put(&s, &request);
    ck_assert_int_eq(s.reply.epoch, 8);
    server_close(&s);
}
END_TEST

/* An operator has said of an empty store that there were two; A is back with 90. */
static void begin_wiped(struct server *s)
{
    server_open_wiped(s, 2);
    remember(s, A, "", 1);
    must_say_row(s, STORE_SYNC, A, (struct store_row){.value = 90});
}

START_TEST(after_a_wipe_it_waits_for_so_many_journals)
{
    struct server s;
    begin_wiped(&s);
    ck_assert(!is_open(&s, A));
    must_let_go(&s, B);
    ck_assert_int_eq(let_go(&s, B), STORE_STRANGER);
    ck_assert(is_open(&s, A));
    ck_assert_int_eq(grow(&s, A, 100, 50, 50), 10);
    server_close(&s);
}
END_TEST

/* Found by the simulator: a newcomer stood in for one that the store had lost. */
START_TEST(who_is_new_is_none_of_those_that_are_waited_for)
{
    struct server s;
    begin_wiped(&s);
    must_say(&s, STORE_JOIN, C);
    must_say_row(&s, STORE_SYNC, C, (struct store_row){0});
    ck_assert_int_eq(s.reply.absent, 1);
    ck_assert(!is_open(&s, C));
    must_let_go(&s, C);
    ck_assert_int_eq(s.reply.absent, 1);
    must_say(&s, STORE_JOIN, B);
    remember(&s, B, "", 1);
    must_say_row(&s, STORE_SYNC, B, (struct store_row){.value = 10});
    ck_assert_int_eq(s.reply.absent, 0);
    ck_assert(is_open(&s, B));
    ck_assert_int_eq(grow(&s, A, 100, 1, 1), 0);
    server_close(&s);
}
END_TEST

START_TEST(who_left_stays_charged_and_is_not_waited_for)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, B, 100, 70, 70);
    must_let_go(&s, B);
    ck_assert_int_eq(s.reply.instances, 1);
    ck_assert_int_eq(let_go(&s, B), STORE_STRANGER);
    ck_assert_int_eq(grow(&s, A, 100, 50, 50), 30);
    ck_assert_int_eq(grow(&s, B, 100, 1, 1), -1);
    ck_assert_int_eq(s.reply.verdict, STORE_STRANGER);
    must_say(&s, STORE_JOIN, B);
    must_say_row(&s, STORE_SYNC, B, (struct store_row){.value = 70});
    ck_assert_int_eq(s.reply.rows[0].granted, 70);
    server_close(&s);
}
END_TEST

/* What an operator says of account 7, of what B did until then. */
static enum store_verdict reconcile(struct server *s, int64_t value, int64_t b_sequence)
{
    struct store_row row = {.account = 7, .value = value, .limit = LIMIT_NONE};
    struct store_request request = request_of(s, STORE_RECONCILE, "");
    memcpy(request.whose, B, sizeof(B));
    request.sequence = b_sequence;
    request.rows = &row;
    request.row_count = 1;
    return put(s, &request);
}

START_TEST(who_left_keeps_what_the_operator_says_it_spent)
{
    struct server s;
    server_open_for_two(&s);
    must_say_row(&s, STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80, .spent = 20});
    int64_t last = s.sequence;
    ck_assert_int_eq(reconcile(&s, 30, last), STORE_STRANGER); /* it has not left */
    must_let_go(&s, B);
    ck_assert_int_eq(reconcile(&s, 30, last - 1), STORE_STALE);
    ck_assert_int_eq(store_granted(s.store, 7, B), 80);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(reconcile(&s, 30, last), STORE_OK);
        ck_assert_int_eq(s.reply.rows[0].granted, 30);
        ck_assert_int_eq(s.reply.rows[0].total, 30);
    }
    ck_assert_int_eq(reconcile(&s, 10, last), STORE_OK); /* that stands */
    ck_assert_int_eq(s.reply.rows[0].granted, 30);
    ck_assert_int_eq(grow(&s, A, 100, 90, 90), 70);
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 30);
    ck_assert_int_eq(store_total(s.store, 7), 100);
    server_close(&s);
}
END_TEST

START_TEST(nothing_is_given_back_that_was_told_and_nothing_more_than_there_was)
{
    struct server s;
    static const struct {
        int64_t value, granted;
    } rows_of[] = {{5, 20}, {90, 80}};
    for (size_t i = 0; i < UNIT_COUNT(rows_of); i++) {
        server_open_for_two(&s);
        must_say_row(&s, STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80, .spent = 20});
        int64_t last = s.sequence;
        must_let_go(&s, B);
        ck_assert_int_eq(reconcile(&s, rows_of[i].value, last), STORE_OK);
        ck_assert_int_eq(store_granted(s.store, 7, B), rows_of[i].granted);
        ck_assert_int_eq(store_total(s.store, 7), rows_of[i].granted);
        server_close(&s);
    }
}
END_TEST

START_TEST(a_statement_of_before_it_came_back_does_nothing)
{
    struct server s;
    server_open_for_two(&s);
    must_say_row(&s, STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80});
    int64_t last = s.sequence;
    must_let_go(&s, B);
    must_say(&s, STORE_JOIN, B);
    must_let_go(&s, B);
    ck_assert_int_eq(reconcile(&s, 0, last), STORE_STALE);
    ck_assert_int_eq(store_granted(s.store, 7, B), 80);
    server_close(&s);
}
END_TEST

START_TEST(nothing_is_reconciled_while_the_store_recovers_or_of_another_fence)
{
    struct server s;
    server_open_for_two(&s);
    must_say_row(&s, STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80});
    int64_t last = s.sequence;
    must_let_go(&s, B);
    store_set_fence(s.store, "f2");
    ck_assert_int_eq(reconcile(&s, 0, last), STORE_OLD_FENCE);
    must_say(&s, STORE_EPOCH, A);
    ck_assert_int_eq(reconcile(&s, 0, last), STORE_OLD_FENCE);
    ck_assert_int_eq(store_granted(s.store, 7, B), 80);
    server_close(&s);
}
END_TEST

START_TEST(of_what_nobody_has_nothing_is_reconciled)
{
    struct server s;
    server_open_for_two(&s);
    int64_t last = s.sequence;
    must_let_go(&s, B);
    ck_assert_int_eq(reconcile(&s, 5, last), STORE_OK);
    ck_assert_int_eq(s.reply.rows[0].total, 0);
    ck_assert_int_eq(store_total(s.store, 7), 0);
    server_close(&s);
}
END_TEST

START_TEST(tells_others_that_somebody_was_refused)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 100, 100);
    ck_assert(!s.reply.rows[0].wanted);
    grow(&s, B, 100, 5, 5);
    ck_assert(!s.reply.rows[0].wanted);
    for (int i = 0; i < 5; i++) {
        must_say_row(&s, STORE_BEAT, A, (struct store_row){0});
        ck_assert_int_eq(s.reply.rows[0].wanted, i < 4);
    }
    grow(&s, B, 100, 5, 5);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .give = 20});
    ck_assert(s.reply.rows[0].wanted);
    ck_assert_int_eq(grow(&s, B, 100, 5, 5), 5);
    must_say_row(&s, STORE_BEAT, A, (struct store_row){0});
    ck_assert(!s.reply.rows[0].wanted);
    server_close(&s);
}
END_TEST

START_TEST(reports_what_others_have_spent)
{
    struct server s;
    server_open_for_two(&s);
    must_say_row(&s, STORE_BEAT, A, (struct store_row){.spent = 30});
    must_say_row(&s, STORE_BEAT, B, (struct store_row){.spent = 12});
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 30);
    must_say_row(&s, STORE_BEAT, A, (struct store_row){.spent = 31});
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 12);
    server_close(&s);
}
END_TEST

START_TEST(accounts_are_forgotten_when_their_time_is_up)
{
    struct server s;
    server_open_for_two(&s);
    store_set_time(s.store, 1000);
    struct store_row row = {.account = 1, .limit = 9, .least = 5, .until_s = 20000};
    must_say_row(&s, STORE_MOVE, A, row);
    row = (struct store_row){.account = 2, .limit = 9, .least = 6, .until_s = 10};
    must_say_row(&s, STORE_MOVE, A, row);
    row = (struct store_row){.account = 3, .limit = 9, .least = 7, .until_s = WINDOW_FOREVER};
    must_say_row(&s, STORE_MOVE, A, row);
    store_set_time(s.store, 1000 + STORE_LINGER_S);
    ck_assert_int_eq(store_total(s.store, 1), 5);
    ck_assert_int_eq(store_total(s.store, 2), 0);
    store_set_time(s.store, INT64_C(1) << 60);
    ck_assert_int_eq(store_total(s.store, 1), 0);
    ck_assert_int_eq(store_granted(s.store, 3, A), 7);
    server_close(&s);
}
END_TEST

/* What a sub-bucket of account 7 grew by, half of which was spent before. */
static int64_t roll(struct server *s, const char *journal, int64_t bucket, int64_t least)
{
    must_say_row(s, STORE_MOVE, journal,
                 (struct store_row){.account = charge_sibling(7, bucket),
                                    .limit = 100,
                                    .least = least,
                                    .most = least,
                                    .spent = least / 2,
                                    .rolling = true});
    return s->reply.rows[0].moved;
}

START_TEST(what_a_sub_bucket_grows_by_fits_into_every_span_it_lies_in)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_int_eq(roll(&s, A, 0, 60), 60);
    ck_assert_int_eq(roll(&s, B, 24, 60), 40); /* the last that counts with the first */
    ck_assert_int_eq(s.reply.rows[0].beside_granted, 60);
    ck_assert_int_eq(s.reply.rows[0].beside_spent, 30);
    ck_assert_int_eq(roll(&s, A, 25, 100), 60); /* without the first, with the 24th */
    ck_assert_int_eq(s.reply.rows[0].beside_granted, 40);
    ck_assert_int_eq(roll(&s, A, 24, 10), 0); /* with the first, though that is over */
    ck_assert_int_eq(roll(&s, A, 12, 10), 0);
    ck_assert_int_eq(roll(&s, A, -25, 100), 100); /* counts with none of them */
    ck_assert_int_eq(roll(&s, A, -24, 100), 0);
    ck_assert_int_eq(roll(&s, B, 49, 100), 40); /* with the 25th, and no more with the 24th */
    server_close(&s);
}
END_TEST

START_TEST(a_clock_that_was_ahead_is_counted_too)
{
    struct server s;
    server_open_for_two(&s);
    ck_assert_int_eq(roll(&s, A, 20, 100), 100);
    ck_assert_int_eq(roll(&s, B, 0, 10), 0);
    ck_assert_int_eq(roll(&s, B, -4, 10), 0);
    ck_assert_int_eq(roll(&s, B, -5, 10), 10);
    server_close(&s);
}
END_TEST

UNIT_MAIN(an_empty_store_answers_nothing_else, is_set_up_once, grants_what_the_limit_leaves,
          grants_in_advance_only_a_fair_share, takes_back_and_charges_before_it_grants,
          no_sum_is_above_the_most, what_is_doubled_or_late_does_nothing, a_stranger_may_only_join,
          an_open_epoch_lowers_and_never_raises,
          another_fence_stops_everything_until_all_have_synced,
          an_epoch_begins_once_unless_data_was_lost, after_a_wipe_it_waits_for_so_many_journals,
          who_is_new_is_none_of_those_that_are_waited_for,
          who_left_stays_charged_and_is_not_waited_for,
          who_left_keeps_what_the_operator_says_it_spent,
          nothing_is_given_back_that_was_told_and_nothing_more_than_there_was,
          a_statement_of_before_it_came_back_does_nothing,
          nothing_is_reconciled_while_the_store_recovers_or_of_another_fence,
          of_what_nobody_has_nothing_is_reconciled, tells_others_that_somebody_was_refused,
          reports_what_others_have_spent, accounts_are_forgotten_when_their_time_is_up,
          what_a_sub_bucket_grows_by_fits_into_every_span_it_lies_in,
          a_clock_that_was_ahead_is_counted_too)
