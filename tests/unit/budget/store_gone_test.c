/* What an instance had, spent, and knows nothing of any more; and that all sums hold with it. */
#include "server.h"

#include <stdio.h>

START_TEST(what_was_spent_by_who_knows_nothing_of_it_stays_charged)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 80, 80);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .give = 20, .spent = 60});
    must_say_row(&s, STORE_MOVE, A,
                 (struct store_row){.limit = 100, .least = 50, .most = 50, .anew = true});
    ck_assert_int_eq(s.reply.rows[0].moved, 40);
    ck_assert_int_eq(s.reply.rows[0].granted, 40);
    ck_assert_int_eq(s.reply.rows[0].total, 100);
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 60);
    ck_assert_int_eq(store_gone(s.store, 7), 60);
    ck_assert_int_eq(grow(&s, B, 100, 1, 1), 0);
    store_set_fence(s.store, "f2");
    must_say(&s, STORE_EPOCH, A);
    ck_assert(s.reply.recovering);
    must_say_row(&s, STORE_SYNC, A, (struct store_row){.limit = 100, .value = 40, .spent = 30});
    must_say_row(&s, STORE_SYNC, B, (struct store_row){.limit = 100});
    ck_assert_int_eq(s.reply.rows[0].total, 100);
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 90);
    server_close(&s);
}
END_TEST

START_TEST(what_is_anew_may_be_said_again)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .spent = 60});
    must_say_row(&s, STORE_MOVE, A,
                 (struct store_row){.limit = 100, .least = 30, .most = 30, .anew = true});
    for (int i = 0; i < 2; i++) {
        must_say_row(&s, STORE_SYNC, A, (struct store_row){.limit = 100, .anew = true});
        ck_assert_int_eq(s.reply.rows[0].granted, 0);
        ck_assert_int_eq(s.reply.rows[0].total, 60);
        ck_assert_int_eq(s.reply.rows[0].elsewhere, 60);
    }
    server_close(&s);
}
END_TEST

START_TEST(of_what_was_never_used_nothing_is_gone)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    must_say_row(&s, STORE_SYNC, A, (struct store_row){.limit = 100, .anew = true});
    ck_assert_int_eq(s.reply.rows[0].total, 0);
    ck_assert_int_eq(store_gone(s.store, 7), 0);
    server_close(&s);
}
END_TEST

/* It may have had no time to tell; and if the answer is lost, it says the same again. */
START_TEST(of_a_session_all_is_gone_that_was_granted_before_it_begins)
{
    struct server s;
    struct store_row row = {.limit = 100, .least = 30, .most = 30, .anew = true, .beginning = 1};
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    must_say_row(&s, STORE_MOVE, A, row);
    ck_assert_int_eq(s.reply.rows[0].granted, 30);
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 60);
    row = (struct store_row){.limit = 100, .anew = true, .beginning = 1};
    must_say_row(&s, STORE_SYNC, A, row);
    ck_assert_int_eq(s.reply.rows[0].granted, 0);
    ck_assert_int_eq(s.reply.rows[0].total, 60);
    grow(&s, A, 100, 10, 10);
    row.beginning = 2;
    must_say_row(&s, STORE_SYNC, A, row);
    ck_assert_int_eq(store_gone(s.store, 7), 70);
    server_close(&s);
}
END_TEST

START_TEST(of_more_than_was_granted_only_that_is_gone)
{
    struct server s;
    server_open_for_two(&s);
    grow(&s, A, 100, 60, 60);
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .spent = 75});
    must_say_row(&s, STORE_MOVE, A, (struct store_row){.limit = 100, .anew = true});
    ck_assert_int_eq(store_gone(s.store, 7), 60);
    ck_assert_int_eq(s.reply.rows[0].total, 60);
    ck_assert_int_eq(s.reply.rows[0].elsewhere, 75);
    server_close(&s);
}
END_TEST

/* I3, and that G is Σ g, whatever twenty instances ask of hundreds of accounts. */
START_TEST(the_sums_hold_through_a_long_life)
{
    struct server s;
    server_open_for_two(&s);
    unsigned seed = 1;
    char journals[20][STORE_JOURNAL_SIZE];
    for (int i = 0; i < 20; i++) {
        snprintf(journals[i], sizeof(journals[i]), "%032d", i);
        must_say(&s, STORE_JOIN, journals[i]);
    }
    for (int step = 0; step < 20000; step++) {
        uint64_t account = 1 + (uint64_t)rand_r(&seed) % 300;
        struct store_row row = {.account = account, .limit = 1000};
        row.least = rand_r(&seed) % 100;
        row.most = rand_r(&seed) % 300;
        row.give = rand_r(&seed) % 60;
        row.anew = rand_r(&seed) % 10 == 0;
        row.spent = row.anew ? 0 : rand_r(&seed) % 30;
        must_say_row(&s, STORE_MOVE, journals[rand_r(&seed) % 20], row);
        ck_assert_int_le(s.reply.rows[0].total, 1000);
        int64_t sum = store_gone(s.store, account);
        for (int i = 0; i < 20; i++)
            sum += store_granted(s.store, account, journals[i]);
        ck_assert_int_eq(sum, s.reply.rows[0].total);
    }
    server_close(&s);
}
END_TEST

UNIT_MAIN(what_was_spent_by_who_knows_nothing_of_it_stays_charged, what_is_anew_may_be_said_again,
          of_what_was_never_used_nothing_is_gone,
          of_a_session_all_is_gone_that_was_granted_before_it_begins,
          of_more_than_was_granted_only_that_is_gone, the_sums_hold_through_a_long_life)
