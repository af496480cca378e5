/* What a call saved that ended before its answer did. */
#include "desk.h"
#include "transport.h"

/* Booked with 10 tokens in and 50 out, at prices of 1 and 2 nano-dollars. */
static struct money saved(int64_t wanted, int64_t choices, bool stopped, bool clamped)
{
    static const struct account_view purse = {.budget = {"purse", 5}};
    static const struct upstream upstream;
    const struct model model = {.name = TEXT("m"), .price = fixture_price(1, 2)};
    const struct call call = {
        .model = &model,
        .upstream = &upstream,
        .choices = choices,
        .wanted = wanted,
        .stopped_by = stopped ? &purse : NULL,
        .held = {.max_output = 50, .clamped = clamped},
        .entry = {.prompt_tokens = 10,
                  .completion_tokens = 50,
                  .usage_source = stopped ? USAGE_COUNTED : USAGE_REPORTED},
    };
    return meter_saved(&call);
}

START_TEST(a_stopped_stream_saves_at_most_the_rest_of_what_was_asked_for)
{
    ck_assert_int_eq(saved(1000, 1, true, false).nano, 2 * (1000 - 50));
    ck_assert_int_eq(saved(1000, 3, true, false).nano, 2 * (3000 - 50));
    ck_assert_int_eq(saved(51, 1, true, false).nano, 2);
    ck_assert_int_eq(saved(50, 1, true, false).nano, 0);
    ck_assert_int_eq(saved(5, 1, true, false).nano, 0);
    ck_assert_int_eq(saved(1000, 1, false, false).nano, 0);
}
END_TEST

START_TEST(who_named_no_maximum_saved_nothing)
{
    ck_assert_int_eq(saved(0, 1, true, false).nano, 0);
    ck_assert_int_eq(saved(0, 4, true, true).nano, 0);
}
END_TEST

START_TEST(a_lowered_maximum_saves_only_if_all_of_it_was_used)
{
    ck_assert_int_eq(saved(200, 1, false, true).nano, 2 * (200 - 50));
    ck_assert_int_eq(saved(200, 2, false, true).nano, 0); /* one of them ended by itself */
}
END_TEST

START_TEST(an_absurd_maximum_is_no_overflow)
{
    ck_assert_int_gt(saved(INT64_MAX, 128, true, false).nano, 0);
    ck_assert_int_gt(saved(INT64_MAX, 1, true, false).nano, 0);
}
END_TEST

UNIT_MAIN(a_stopped_stream_saves_at_most_the_rest_of_what_was_asked_for,
          who_named_no_maximum_saved_nothing, a_lowered_maximum_saves_only_if_all_of_it_was_used,
          an_absurd_maximum_is_no_overflow)
