/* The store's operations in C. */
#include "budget/store.h"

#include <stdio.h>

#include "../unit.h"
#include "money/charge.h"

#define A       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C       "cccccccccccccccccccccccccccccccc"
#define FOREVER WINDOW_FOREVER

/* A server, and what its instances know: the next sequence. */
static struct store *store;
static struct store_reply reply;
static int64_t sequence;

static void begin(void)
{
    store = store_open();
    sequence = 0;
}

static void end(void)
{
    store_close(store);
}

static struct store_request request_of(enum store_kind kind, const char *journal)
{
    struct store_request request = {
        .kind = kind, .epoch = reply.epoch, .incarnation = 1, .sequence = ++sequence};
    memcpy(request.journal, journal, strlen(journal) + 1);
    memcpy(request.fence, reply.fence, sizeof(request.fence));
    return request;
}

static enum store_verdict put(const struct store_request *request)
{
    store_apply(store, request, &reply);
    return reply.verdict;
}

static enum store_verdict say(enum store_kind kind, const char *journal)
{
    struct store_request request = request_of(kind, journal);
    request.known = kind == STORE_JOIN ? 1 : 0; /* it has taken part before */
    return put(&request);
}

static enum store_verdict rows(enum store_kind kind, const char *journal, struct store_row row)
{
    struct store_request request = request_of(kind, journal);
    row.account = row.account == 0 ? 7 : row.account;
    row.until_s = row.until_s == 0 ? FOREVER : row.until_s;
    request.rows = &row;
    request.row_count = 1;
    request.complete = true;
    return put(&request);
}

static int64_t grow(const char *journal, int64_t limit, int64_t least, int64_t most)
{
    rows(STORE_MOVE, journal, (struct store_row){.limit = limit, .least = least, .most = most});
    return reply.row_count == 1 ? reply.rows[0].moved : -1;
}

static void begin_open(void)
{
    begin();
    store_init(store, "f1");
    say(STORE_JOIN, A);
    say(STORE_JOIN, B);
    struct store_request request = request_of(STORE_SYNC, A);
    request.complete = true;
    put(&request);
    request = request_of(STORE_SYNC, B);
    request.complete = true;
    put(&request);
}

/* One that has never taken part. */
static enum store_verdict join_new(const char *journal)
{
    struct store_request request = request_of(STORE_JOIN, journal);
    return put(&request);
}

START_TEST(an_empty_store_answers_nothing_else)
{
    begin();
    for (enum store_kind kind = STORE_JOIN; kind <= STORE_RECONCILE; kind++)
        ck_assert_int_eq(say(kind, A), STORE_EMPTY);
    ck_assert_int_eq(reply.gseq, 0);
    end();
}
END_TEST

START_TEST(is_set_up_once)
{
    begin();
    store_init(store, "f1");
    struct store_request request = request_of(STORE_INIT, "");
    request.epoch = 99;
    ck_assert_int_eq(put(&request), STORE_STALE);
    ck_assert_int_eq(reply.epoch, 1);
    end();
}
END_TEST

START_TEST(grants_what_the_limit_leaves)
{
    begin_open();
    ck_assert_int_eq(grow(A, 100, 60, 60), 60);
    ck_assert_int_eq(grow(B, 100, 60, 60), 40);
    ck_assert_int_eq(reply.rows[0].granted, 40);
    ck_assert_int_eq(reply.rows[0].total, 100);
    ck_assert_int_eq(grow(A, 100, 1, 1), 0);
    ck_assert_int_eq(grow(A, 90, 1, 1), 0);
    end();
}
END_TEST

START_TEST(grants_in_advance_only_a_fair_share)
{
    begin_open();
    ck_assert_int_eq(grow(A, 100, 0, 90), 25);
    ck_assert_int_eq(grow(A, 100, 50, 90), 50);
    ck_assert_int_eq(grow(B, 100, 0, 3), 3);
    end();
}
END_TEST

START_TEST(takes_back_and_charges_before_it_grants)
{
    begin_open();
    grow(A, 100, 100, 0);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .give = 30, .charge = 10, .least = 50});
    ck_assert_int_eq(reply.rows[0].moved, 20);
    ck_assert_int_eq(reply.rows[0].granted, 100);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .charge = 50});
    ck_assert_int_eq(reply.rows[0].total, 150);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .give = 1000});
    ck_assert_int_eq(reply.rows[0].total, 0);
    end();
}
END_TEST

START_TEST(no_sum_is_above_the_most)
{
    begin_open();
    grow(A, STORE_MOST, STORE_MOST, 0);
    rows(STORE_MOVE, B, (struct store_row){.charge = STORE_MOST, .spent = STORE_MOST});
    ck_assert_int_eq(reply.rows[0].granted, 0);
    rows(STORE_BEAT, A, (struct store_row){.spent = 5});
    ck_assert_int_eq(reply.rows[0].elsewhere, STORE_MOST);
    ck_assert_int_eq(reply.rows[0].total, STORE_MOST);
    end();
}
END_TEST

START_TEST(what_is_doubled_or_late_does_nothing)
{
    begin_open();
    struct store_row row = {.account = 7, .limit = 100, .least = 10, .until_s = FOREVER};
    struct store_request request = request_of(STORE_MOVE, A);
    request.rows = &row;
    request.row_count = 1;
    ck_assert_int_eq(put(&request), STORE_OK);
    ck_assert_int_eq(put(&request), STORE_STALE);
    request.sequence--;
    ck_assert_int_eq(put(&request), STORE_STALE);
    ck_assert_uint_eq(reply.row_count, 0);
    ck_assert_int_eq(store_total(store, 7), 10);
    request.kind = STORE_JOIN;
    ck_assert_int_eq(put(&request), STORE_STALE);
    request.incarnation++;
    ck_assert_int_eq(put(&request), STORE_OK);
    end();
}
END_TEST

START_TEST(a_stranger_may_only_join)
{
    begin_open();
    ck_assert_int_eq(say(STORE_BEAT, C), STORE_STRANGER);
    ck_assert_int_eq(say(STORE_JOIN, C), STORE_OK);
    ck_assert_int_eq(reply.instances, 2); /* it has stated nothing yet */
    ck_assert_int_eq(say(STORE_BEAT, C), STORE_OK);
    rows(STORE_SYNC, C, (struct store_row){0});
    ck_assert_int_eq(reply.instances, 3);
    end();
}
END_TEST

START_TEST(an_open_epoch_lowers_and_never_raises)
{
    begin_open();
    grow(A, 100, 60, 60);
    rows(STORE_SYNC, A, (struct store_row){.value = 80});
    ck_assert_int_eq(reply.rows[0].granted, 60);
    rows(STORE_SYNC, A, (struct store_row){.value = 20});
    ck_assert_int_eq(reply.rows[0].total, 20);
    end();
}
END_TEST

START_TEST(another_fence_stops_everything_until_all_have_synced)
{
    begin_open();
    grow(A, 100, 60, 60);
    grow(B, 100, 20, 20);
    store_set_fence(store, "f2");
    ck_assert_int_eq(grow(A, 100, 1, 1), -1);
    ck_assert_int_eq(reply.verdict, STORE_OLD_FENCE);
    ck_assert_int_eq(say(STORE_JOIN, A), STORE_OK);
    ck_assert(reply.unfenced);
    ck_assert_int_eq(say(STORE_BEAT, A), STORE_OLD_FENCE);
    ck_assert_int_eq(say(STORE_EPOCH, A), STORE_OK);
    ck_assert_int_eq(reply.epoch, 2);
    ck_assert(reply.recovering && !reply.unfenced);
    ck_assert_int_eq(reply.absent, 2);
    ck_assert_int_eq(rows(STORE_SYNC, A, (struct store_row){.value = 70}), STORE_OK);
    say(STORE_READY, A);
    ck_assert(reply.recovering);
    ck_assert_int_eq(grow(A, 100, 1, 1), 0);
    ck_assert_int_eq(reply.verdict, STORE_RECOVERING);
    rows(STORE_SYNC, B, (struct store_row){.value = 25});
    ck_assert_int_eq(reply.absent, 0);
    say(STORE_READY, B);
    ck_assert(!reply.recovering);
    ck_assert_int_eq(grow(A, 100, 50, 50), 5);
    end();
}
END_TEST

START_TEST(an_epoch_begins_once_unless_data_was_lost)
{
    begin_open();
    say(STORE_EPOCH, A);
    ck_assert_int_eq(reply.epoch, 1);
    struct store_request request = request_of(STORE_EPOCH, A);
    request.lost = true;
    put(&request);
    ck_assert_int_eq(reply.epoch, 2);
    request = request_of(STORE_EPOCH, B);
    request.lost = true;
    request.epoch = 1;
    put(&request);
    ck_assert_int_eq(reply.epoch, 2);
    request = request_of(STORE_EPOCH, B);
    request.lost = true;
    request.known = 7;
    put(&request);
    ck_assert_int_eq(reply.epoch, 8);
    end();
}
END_TEST

/* A server that lost B's JOIN must not open without B. */
START_TEST(waits_for_as_many_as_somebody_remembers)
{
    begin_open();
    end();
    begin();
    store_init(store, "f1");
    say(STORE_JOIN, A);
    struct store *replica = store_copy(store);
    say(STORE_JOIN, B);
    store_close(store);
    store = replica;
    store_set_fence(store, "f2");
    say(STORE_JOIN, A);
    struct store_request request = request_of(STORE_EPOCH, A);
    request.instances = 2;
    put(&request);
    rows(STORE_SYNC, A, (struct store_row){0});
    ck_assert_int_eq(reply.absent, 1);
    say(STORE_READY, A);
    ck_assert(reply.recovering);
    say(STORE_JOIN, B);
    rows(STORE_SYNC, B, (struct store_row){.value = 9});
    say(STORE_READY, B);
    ck_assert(!reply.recovering);
    end();
}
END_TEST

START_TEST(after_a_wipe_it_waits_for_so_many_journals)
{
    begin();
    store_set_fence(store, "f1");
    struct store_request request = request_of(STORE_INIT, "");
    request.epoch = 50;
    request.instances = 2;
    ck_assert_int_eq(put(&request), STORE_OK);
    say(STORE_JOIN, A);
    rows(STORE_SYNC, A, (struct store_row){.value = 90});
    say(STORE_READY, A);
    ck_assert(reply.recovering);
    request = request_of(STORE_LEAVE, "");
    memcpy(request.whose, B, sizeof(B));
    ck_assert_int_eq(put(&request), STORE_OK);
    ck_assert_int_eq(put(&request), STORE_STRANGER);
    say(STORE_READY, A);
    ck_assert(!reply.recovering);
    ck_assert_int_eq(grow(A, 100, 50, 50), 10);
    end();
}
END_TEST

/* Found by the simulator: a newcomer stood in for one that the store had lost. */
START_TEST(who_is_new_is_none_of_those_that_are_waited_for)
{
    begin();
    store_set_fence(store, "f1");
    struct store_request request = request_of(STORE_INIT, "");
    request.epoch = 50;
    request.instances = 2;
    ck_assert_int_eq(put(&request), STORE_OK);
    say(STORE_JOIN, A);
    rows(STORE_SYNC, A, (struct store_row){.value = 90});
    join_new(C);
    rows(STORE_SYNC, C, (struct store_row){0});
    ck_assert_int_eq(reply.absent, 1);
    say(STORE_READY, C);
    ck_assert(reply.recovering);
    request = request_of(STORE_LEAVE, "");
    memcpy(request.whose, C, sizeof(C));
    ck_assert_int_eq(put(&request), STORE_OK);
    ck_assert_int_eq(reply.absent, 1);
    say(STORE_JOIN, B);
    rows(STORE_SYNC, B, (struct store_row){.value = 10});
    ck_assert_int_eq(reply.absent, 0);
    say(STORE_READY, B);
    ck_assert(!reply.recovering);
    ck_assert_int_eq(grow(A, 100, 1, 1), 0);
    end();
}
END_TEST

START_TEST(who_left_stays_charged_and_is_not_waited_for)
{
    begin_open();
    grow(B, 100, 70, 70);
    struct store_request request = request_of(STORE_LEAVE, "");
    memcpy(request.whose, B, sizeof(B));
    ck_assert_int_eq(put(&request), STORE_OK);
    ck_assert_int_eq(reply.instances, 1);
    ck_assert_int_eq(put(&request), STORE_STRANGER);
    ck_assert_int_eq(grow(A, 100, 50, 50), 30);
    ck_assert_int_eq(grow(B, 100, 1, 1), -1);
    ck_assert_int_eq(reply.verdict, STORE_STRANGER);
    say(STORE_JOIN, B);
    rows(STORE_SYNC, B, (struct store_row){.value = 70});
    ck_assert_int_eq(reply.rows[0].granted, 70);
    end();
}
END_TEST

/* What an operator says of account 7, of what B did until then. */
static enum store_verdict reconcile(int64_t value, int64_t b_sequence)
{
    struct store_row row = {.account = 7, .value = value, .limit = LIMIT_NONE};
    struct store_request request = request_of(STORE_RECONCILE, "");
    memcpy(request.whose, B, sizeof(B));
    request.sequence = b_sequence;
    request.rows = &row;
    request.row_count = 1;
    return put(&request);
}

static void let_go(const char *journal)
{
    struct store_request request = request_of(STORE_LEAVE, "");
    memcpy(request.whose, journal, STORE_JOURNAL_SIZE);
    ck_assert_int_eq(put(&request), STORE_OK);
}

START_TEST(who_left_keeps_what_the_operator_says_it_spent)
{
    begin_open();
    rows(STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80, .spent = 20});
    int64_t last = sequence;
    ck_assert_int_eq(reconcile(30, last), STORE_STRANGER); /* it has not left */
    let_go(B);
    ck_assert_int_eq(reconcile(30, last - 1), STORE_STALE);
    ck_assert_int_eq(store_granted(store, 7, B), 80);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(reconcile(30, last), STORE_OK);
        ck_assert_int_eq(reply.rows[0].granted, 30);
        ck_assert_int_eq(reply.rows[0].total, 30);
    }
    ck_assert_int_eq(reconcile(10, last), STORE_OK); /* that stands */
    ck_assert_int_eq(reply.rows[0].granted, 30);
    ck_assert_int_eq(grow(A, 100, 90, 90), 70);
    ck_assert_int_eq(reply.rows[0].elsewhere, 30);
    ck_assert_int_eq(store_total(store, 7), 100);
    end();
}
END_TEST

START_TEST(nothing_is_given_back_that_was_told_and_nothing_more_than_there_was)
{
    static const struct {
        int64_t value, granted;
    } rows_of[] = {{5, 20}, {90, 80}};
    for (size_t i = 0; i < UNIT_COUNT(rows_of); i++) {
        begin_open();
        rows(STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80, .spent = 20});
        int64_t last = sequence;
        let_go(B);
        ck_assert_int_eq(reconcile(rows_of[i].value, last), STORE_OK);
        ck_assert_int_eq(store_granted(store, 7, B), rows_of[i].granted);
        ck_assert_int_eq(store_total(store, 7), rows_of[i].granted);
        end();
    }
}
END_TEST

START_TEST(a_statement_of_before_it_came_back_does_nothing)
{
    begin_open();
    rows(STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80});
    int64_t last = sequence;
    let_go(B);
    say(STORE_JOIN, B);
    let_go(B);
    ck_assert_int_eq(reconcile(0, last), STORE_STALE);
    ck_assert_int_eq(store_granted(store, 7, B), 80);
    end();
}
END_TEST

START_TEST(nothing_is_reconciled_while_the_store_recovers_or_of_another_fence)
{
    begin_open();
    rows(STORE_MOVE, B, (struct store_row){.limit = 100, .least = 80});
    int64_t last = sequence;
    let_go(B);
    store_set_fence(store, "f2");
    ck_assert_int_eq(reconcile(0, last), STORE_OLD_FENCE);
    say(STORE_EPOCH, A);
    ck_assert_int_eq(reconcile(0, last), STORE_OLD_FENCE);
    ck_assert_int_eq(store_granted(store, 7, B), 80);
    end();
}
END_TEST

START_TEST(of_what_nobody_has_nothing_is_reconciled)
{
    begin_open();
    int64_t last = sequence;
    let_go(B);
    ck_assert_int_eq(reconcile(5, last), STORE_OK);
    ck_assert_int_eq(reply.rows[0].total, 0);
    ck_assert_int_eq(store_total(store, 7), 0);
    end();
}
END_TEST

START_TEST(tells_others_that_somebody_was_refused)
{
    begin_open();
    grow(A, 100, 100, 100);
    ck_assert(!reply.rows[0].wanted);
    grow(B, 100, 5, 5);
    ck_assert(!reply.rows[0].wanted);
    for (int i = 0; i < 5; i++) {
        rows(STORE_BEAT, A, (struct store_row){0});
        ck_assert_int_eq(reply.rows[0].wanted, i < 4);
    }
    grow(B, 100, 5, 5);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .give = 20});
    ck_assert(reply.rows[0].wanted);
    ck_assert_int_eq(grow(B, 100, 5, 5), 5);
    rows(STORE_BEAT, A, (struct store_row){0});
    ck_assert(!reply.rows[0].wanted);
    end();
}
END_TEST

START_TEST(reports_what_others_have_spent)
{
    begin_open();
    rows(STORE_BEAT, A, (struct store_row){.spent = 30});
    rows(STORE_BEAT, B, (struct store_row){.spent = 12});
    ck_assert_int_eq(reply.rows[0].elsewhere, 30);
    rows(STORE_BEAT, A, (struct store_row){.spent = 31});
    ck_assert_int_eq(reply.rows[0].elsewhere, 12);
    end();
}
END_TEST

START_TEST(accounts_are_forgotten_when_their_time_is_up)
{
    begin_open();
    store_set_time(store, 1000);
    struct store_row row = {.account = 1, .limit = 9, .least = 5, .until_s = 20000};
    rows(STORE_MOVE, A, row);
    row = (struct store_row){.account = 2, .limit = 9, .least = 6, .until_s = 10};
    rows(STORE_MOVE, A, row);
    row = (struct store_row){.account = 3, .limit = 9, .least = 7, .until_s = FOREVER};
    rows(STORE_MOVE, A, row);
    store_set_time(store, 1000 + STORE_LINGER_S);
    ck_assert_int_eq(store_total(store, 1), 5);
    ck_assert_int_eq(store_total(store, 2), 0);
    store_set_time(store, INT64_C(1) << 60);
    ck_assert_int_eq(store_total(store, 1), 0);
    ck_assert_int_eq(store_granted(store, 3, A), 7);
    end();
}
END_TEST

/* I3, and that G is Σ g, whatever twenty instances ask of hundreds of accounts. */
static int64_t roll(const char *journal, int64_t bucket, int64_t least)
{
    rows(STORE_MOVE, journal,
         (struct store_row){.account = charge_sibling(7, bucket),
                            .limit = 100,
                            .least = least,
                            .most = least,
                            .spent = least / 2,
                            .rolling = true});
    return reply.rows[0].moved;
}

START_TEST(what_a_sub_bucket_grows_by_fits_into_every_span_it_lies_in)
{
    begin_open();
    ck_assert_int_eq(roll(A, 0, 60), 60);
    ck_assert_int_eq(roll(B, 24, 60), 40); /* the last that counts with the first */
    ck_assert_int_eq(reply.rows[0].beside_granted, 60);
    ck_assert_int_eq(reply.rows[0].beside_spent, 30);
    ck_assert_int_eq(roll(A, 25, 100), 60); /* without the first, with the 24th */
    ck_assert_int_eq(reply.rows[0].beside_granted, 40);
    ck_assert_int_eq(roll(A, 24, 10), 0); /* with the first, though that is over */
    ck_assert_int_eq(roll(A, 12, 10), 0);
    ck_assert_int_eq(roll(A, -25, 100), 100); /* counts with none of them */
    ck_assert_int_eq(roll(A, -24, 100), 0);
    ck_assert_int_eq(roll(B, 49, 100), 40); /* with the 25th, and no more with the 24th */
    end();
}
END_TEST

START_TEST(a_clock_that_was_ahead_is_counted_too)
{
    begin_open();
    ck_assert_int_eq(roll(A, 20, 100), 100);
    ck_assert_int_eq(roll(B, 0, 10), 0);
    ck_assert_int_eq(roll(B, -4, 10), 0);
    ck_assert_int_eq(roll(B, -5, 10), 10);
    end();
}
END_TEST

UNIT_MAIN(an_empty_store_answers_nothing_else, is_set_up_once, grants_what_the_limit_leaves,
          grants_in_advance_only_a_fair_share, takes_back_and_charges_before_it_grants,
          no_sum_is_above_the_most, what_is_doubled_or_late_does_nothing, a_stranger_may_only_join,
          an_open_epoch_lowers_and_never_raises,
          another_fence_stops_everything_until_all_have_synced,
          an_epoch_begins_once_unless_data_was_lost, waits_for_as_many_as_somebody_remembers,
          after_a_wipe_it_waits_for_so_many_journals,
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
