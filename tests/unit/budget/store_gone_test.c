/* What an instance had, spent, and knows nothing of any more; and that all sums hold with it. */
#include "budget/store.h"

#include <stdio.h>

#include "../unit.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct store *store;
static struct store_reply reply;
static int64_t sequence;

static struct store_request request_of(enum store_kind kind, const char *journal)
{
    struct store_request request = {
        .kind = kind, .epoch = reply.epoch, .incarnation = 1, .sequence = ++sequence};
    memcpy(request.journal, journal, strlen(journal) + 1);
    memcpy(request.fence, reply.fence, sizeof(request.fence));
    return request;
}

static void say(enum store_kind kind, const char *journal)
{
    struct store_request request = request_of(kind, journal);
    store_apply(store, &request, &reply);
    ck_assert_int_eq(reply.verdict, STORE_OK);
}

static void rows(enum store_kind kind, const char *journal, struct store_row row)
{
    struct store_request request = request_of(kind, journal);
    row.account = row.account == 0 ? 7 : row.account;
    row.until_s = WINDOW_FOREVER;
    request.rows = &row;
    request.row_count = 1;
    request.complete = true;
    store_apply(store, &request, &reply);
    ck_assert_int_eq(reply.verdict, STORE_OK);
}

static int64_t grow(const char *journal, int64_t limit, int64_t least, int64_t most)
{
    rows(STORE_MOVE, journal, (struct store_row){.limit = limit, .least = least, .most = most});
    return reply.rows[0].moved;
}

static void begin(void)
{
    store = store_open();
    sequence = 0;
    store_init(store, "f1");
    say(STORE_JOIN, A);
    say(STORE_JOIN, B);
}

static void end(void)
{
    store_close(store);
}

START_TEST(what_was_spent_by_who_knows_nothing_of_it_stays_charged)
{
    begin();
    grow(A, 100, 80, 80);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .give = 20, .spent = 60});
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .least = 50, .most = 50, .anew = true});
    ck_assert_int_eq(reply.rows[0].moved, 40);
    ck_assert_int_eq(reply.rows[0].granted, 40);
    ck_assert_int_eq(reply.rows[0].total, 100);
    ck_assert_int_eq(reply.rows[0].elsewhere, 60);
    ck_assert_int_eq(store_gone(store, 7), 60);
    ck_assert_int_eq(grow(B, 100, 1, 1), 0);
    store_set_fence(store, "f2");
    say(STORE_EPOCH, A);
    ck_assert(reply.recovering);
    rows(STORE_SYNC, A, (struct store_row){.limit = 100, .value = 40, .spent = 30});
    rows(STORE_SYNC, B, (struct store_row){.limit = 100});
    ck_assert_int_eq(reply.rows[0].total, 100);
    ck_assert_int_eq(reply.rows[0].elsewhere, 90);
    end();
}
END_TEST

START_TEST(what_is_anew_may_be_said_again)
{
    begin();
    grow(A, 100, 60, 60);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .spent = 60});
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .least = 30, .most = 30, .anew = true});
    for (int i = 0; i < 2; i++) {
        rows(STORE_SYNC, A, (struct store_row){.limit = 100, .anew = true});
        ck_assert_int_eq(reply.rows[0].granted, 0);
        ck_assert_int_eq(reply.rows[0].total, 60);
        ck_assert_int_eq(reply.rows[0].elsewhere, 60);
    }
    end();
}
END_TEST

START_TEST(of_what_was_never_used_nothing_is_gone)
{
    begin();
    grow(A, 100, 60, 60);
    rows(STORE_SYNC, A, (struct store_row){.limit = 100, .anew = true});
    ck_assert_int_eq(reply.rows[0].total, 0);
    ck_assert_int_eq(store_gone(store, 7), 0);
    end();
}
END_TEST

START_TEST(of_more_than_was_granted_only_that_is_gone)
{
    begin();
    grow(A, 100, 60, 60);
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .spent = 75});
    rows(STORE_MOVE, A, (struct store_row){.limit = 100, .anew = true});
    ck_assert_int_eq(store_gone(store, 7), 60);
    ck_assert_int_eq(reply.rows[0].total, 60);
    ck_assert_int_eq(reply.rows[0].elsewhere, 75);
    end();
}
END_TEST

START_TEST(the_sums_hold_through_a_long_life)
{
    begin();
    unsigned seed = 1;
    char journals[20][STORE_JOURNAL_SIZE];
    for (int i = 0; i < 20; i++) {
        snprintf(journals[i], sizeof(journals[i]), "%032d", i);
        say(STORE_JOIN, journals[i]);
    }
    for (int step = 0; step < 20000; step++) {
        uint64_t account = 1 + (uint64_t)rand_r(&seed) % 300;
        struct store_row row = {.account = account, .limit = 1000};
        row.least = rand_r(&seed) % 100;
        row.most = rand_r(&seed) % 300;
        row.give = rand_r(&seed) % 60;
        row.anew = rand_r(&seed) % 10 == 0;
        row.spent = row.anew ? 0 : rand_r(&seed) % 30;
        rows(STORE_MOVE, journals[rand_r(&seed) % 20], row);
        ck_assert_int_le(reply.rows[0].total, 1000);
        int64_t sum = store_gone(store, account);
        for (int i = 0; i < 20; i++)
            sum += store_granted(store, account, journals[i]);
        ck_assert_int_eq(sum, reply.rows[0].total);
    }
    end();
}
END_TEST

UNIT_MAIN(what_was_spent_by_who_knows_nothing_of_it_stays_charged, what_is_anew_may_be_said_again,
          of_what_was_never_used_nothing_is_gone, of_more_than_was_granted_only_that_is_gone,
          the_sums_hold_through_a_long_life)
