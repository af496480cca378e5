/* The rows of a shared lease: when they go, and what is expected of the store after that. */
#include "budget/lease_rows.h"

#include "../unit.h"

#define NOW_S INT64_C(1795262400)

static struct lease_row *put(struct lease_rows *rows, uint64_t account, int64_t amount,
                             int64_t until_s)
{
    struct charge charge = {.account = account, .amount = amount, .until_s = until_s};
    return lease_rows_put(rows, &charge, NOW_S);
}

START_TEST(all_that_are_past_their_time_are_dropped_within_some_minutes)
{
    struct lease_rows rows = {0};
    for (uint64_t account = 1; account <= 20000; account++)
        put(&rows, account, 5, account % 4 == 0 ? NOW_S + 7200 : NOW_S + 10);
    ck_assert_uint_eq(rows.doubtful, 20000);
    for (int64_t beat = 0; beat < 4 * 300; beat++)
        lease_rows_sweep(&rows, NOW_S + 20 + beat / 4);
    ck_assert_uint_eq(rows.table.count, 5000);
    ck_assert_uint_eq(rows.doubtful, 5000);
    ck_assert_ptr_nonnull(lease_rows_find(&rows, 4));
    ck_assert_ptr_null(lease_rows_find(&rows, 5));
    lease_rows_close(&rows);
}
END_TEST

START_TEST(of_one_that_was_past_its_time_nothing_is_expected)
{
    struct lease_rows rows = {0};
    struct lease_row *row = put(&rows, 1, 5000, NOW_S + 10);
    lease_rows_doubt(&rows, row, false);
    row->granted = 5;
    lease_rows_renew(&rows, row, NOW_S + 20, NOW_S + 10);
    ck_assert_int_eq(row->granted, 5);
    ck_assert(!row->doubtful);
    lease_rows_renew(&rows, row, NOW_S + 30, NOW_S + 21);
    ck_assert_int_eq(row->granted, 0);
    ck_assert(row->doubtful);
    lease_rows_close(&rows);
}
END_TEST

START_TEST(what_is_over_or_has_nothing_is_not_stated)
{
    struct lease_rows rows = {0};
    ck_assert(!put(&rows, 1, 0, NOW_S + 10)->doubtful);
    ck_assert(!put(&rows, 2, 5, NOW_S - 1)->doubtful);
    ck_assert_uint_eq(rows.doubtful, 0);
    lease_rows_close(&rows);
}
END_TEST

START_TEST(what_the_journal_has_nothing_of_is_anew)
{
    struct lease_rows rows = {0};
    struct charge drawn = {.account = 3, .amount = 5, .overdraft = 5, .until_s = NOW_S + 10};
    ck_assert(put(&rows, 1, 0, NOW_S + 10)->anew);
    ck_assert(lease_row_stated(lease_rows_find(&rows, 1)).anew);
    ck_assert(!put(&rows, 2, 5, NOW_S + 10)->anew);
    struct lease_row *row = lease_rows_put(&rows, &drawn, NOW_S);
    ck_assert(row->anew);
    row->spent = 4;
    ck_assert_int_eq(lease_row_stated(row).spent, 0);
    row->anew = false;
    ck_assert_int_eq(lease_row_stated(row).spent, 4);
    ck_assert(!lease_rows_put(&rows, &drawn, NOW_S + 10)->anew);
    drawn.amount = drawn.overdraft = 0;
    drawn.until_s = NOW_S + 30;
    ck_assert(lease_rows_put(&rows, &drawn, NOW_S + 20)->anew);
    lease_rows_close(&rows);
}
END_TEST

UNIT_MAIN(all_that_are_past_their_time_are_dropped_within_some_minutes,
          of_one_that_was_past_its_time_nothing_is_expected,
          what_is_over_or_has_nothing_is_not_stated, what_the_journal_has_nothing_of_is_anew)
