/* When pledges ask again, and when they give up: by a clock that the test turns. */
#include "../unit.h"
#include "gear/patience.h"

enum { SECOND = 1000000, POLL = 2 * SECOND, DAY_S = 24 * 3600 };

#define START_US (INT64_C(1800000000) * SECOND)

static struct patience patience;
static int64_t now_us;
static int questions;

static void begin(void)
{
    now_us = START_US;
    questions = 0;
    patience = patience_begin(POLL, now_us);
}

/* The same answer again and again until it gives up, or `most_s` have passed. */
static enum patience_end always(enum news news, int64_t most_s)
{
    enum patience_end verdict = PATIENCE_WAITS;
    int64_t end_us = now_us + most_s * SECOND;
    while (verdict == PATIENCE_WAITS && now_us < end_us) {
        now_us += patience.wait_us;
        questions++;
        verdict = patience_take(&patience, news, now_us);
    }
    return verdict;
}

static int64_t passed_s(void)
{
    return (now_us - START_US) / SECOND;
}

START_TEST(asks_less_and_less_often_while_it_runs)
{
    begin();
    ck_assert_int_eq(always(NEWS_RUNNING, 3600), PATIENCE_WAITS);
    ck_assert_int_eq(patience.wait_us, 60 * SECOND);
    ck_assert_int_lt(questions, 70);
    ck_assert(!patience_is_tried(&patience));
}
END_TEST

START_TEST(what_is_lost_for_five_minutes_is_gone)
{
    begin();
    ck_assert_int_eq(always(NEWS_RUNNING, 600), PATIENCE_WAITS);
    int64_t before_s = passed_s();
    ck_assert_int_eq(always(NEWS_LOST, 3600), PATIENCE_LOST);
    ck_assert_int_ge(passed_s() - before_s, 300);
    ck_assert_int_le(passed_s() - before_s, 500);
}
END_TEST

START_TEST(what_comes_back_was_not_lost)
{
    begin();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(always(NEWS_LOST, 200), PATIENCE_WAITS);
        ck_assert_int_eq(always(NEWS_RUNNING, 1), PATIENCE_WAITS);
    }
}
END_TEST

START_TEST(after_a_long_wait_one_answer_is_not_enough)
{
    begin();
    ck_assert_int_eq(always(NEWS_LOST, 1), PATIENCE_WAITS);
    now_us += INT64_C(7200) * SECOND; /* as when the process slept */
    ck_assert_int_eq(patience_take(&patience, NEWS_LOST, now_us), PATIENCE_WAITS);
    ck_assert_int_eq(patience_take(&patience, NEWS_LOST, now_us), PATIENCE_LOST);
}
END_TEST

START_TEST(who_tells_nothing_is_asked_four_times_an_hour_for_eight_days)
{
    begin();
    ck_assert_int_eq(always(NEWS_NONE, 9 * DAY_S), PATIENCE_ENDED);
    ck_assert_int_ge(passed_s(), PATIENCE_MOST_S);
    ck_assert_int_le(passed_s(), PATIENCE_MOST_S + 900);
    ck_assert_int_lt(questions, 8 * 24 * 4 + 15);
    ck_assert(patience_is_tried(&patience));
}
END_TEST

START_TEST(once_the_way_is_mended_it_is_asked_soon)
{
    begin();
    ck_assert_int_eq(always(NEWS_NONE, DAY_S), PATIENCE_WAITS);
    ck_assert_int_eq(patience.wait_us, INT64_C(900) * SECOND);
    patience_renew(&patience, POLL);
    ck_assert_int_eq(patience.wait_us, POLL);
    ck_assert_int_eq(always(NEWS_NONE, DAY_S), PATIENCE_WAITS);
    ck_assert_int_eq(always(NEWS_RUNNING, 1), PATIENCE_WAITS);
    ck_assert_int_eq(patience.wait_us, 60 * SECOND);
    ck_assert(!patience_is_tried(&patience));
}
END_TEST

START_TEST(nothing_runs_for_more_than_eight_days)
{
    begin();
    ck_assert_int_eq(always(NEWS_RUNNING, 9 * DAY_S), PATIENCE_ENDED);
    ck_assert_int_ge(passed_s(), PATIENCE_MOST_S);
}
END_TEST

UNIT_MAIN(asks_less_and_less_often_while_it_runs, what_is_lost_for_five_minutes_is_gone,
          what_comes_back_was_not_lost, after_a_long_wait_one_answer_is_not_enough,
          who_tells_nothing_is_asked_four_times_an_hour_for_eight_days,
          once_the_way_is_mended_it_is_asked_soon, nothing_runs_for_more_than_eight_days)
