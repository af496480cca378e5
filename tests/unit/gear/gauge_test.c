/* How many tokens a stream has generated. */
#include "../unit.h"
#include "gear/gauge.h"

static struct gauge gauge_new(const char *model, int64_t choices, int64_t most)
{
    struct gauge gauge;
    const struct gauge_options options = {
        .endpoint = ENDPOINT_CHAT, .model = text_of(model), .choices = choices, .most = most};
    gauge_open(&gauge, &options);
    return gauge;
}

static void read_delta(struct gauge *gauge, int choice, const char *delta, int64_t now_us)
{
    struct buffer data = {0};
    buffer_printf(&data, "{\"choices\":[{\"index\":%d,\"delta\":%s}]}", choice, delta);
    gauge_read(gauge, buffer_text(&data), now_us);
    buffer_close(&data);
}

START_TEST(text_is_counted_in_the_models_encoding_and_each_choice_has_an_end)
{
    struct gauge gauge = gauge_new("gpt-4o", 2, INT64_MAX);
    ck_assert_int_eq(gauge_tokens(&gauge), 2);
    ck_assert(!gauge.visible);
    read_delta(&gauge, 0, "{\"content\":\"The quick br\"}", 1);
    read_delta(&gauge, 1, "{\"content\":\"Hello\"}", 2);
    read_delta(&gauge, 0, "{\"content\":\"own fox\"}", 3);
    ck_assert_int_eq(gauge_at_most(&gauge), 2 + 19 + 5);
    ck_assert_int_eq(gauge_tokens(&gauge), 2 + 4 + 1);
    ck_assert_int_eq(gauge_at_most(&gauge), 2 + 4 + 1);
    ck_assert(gauge.visible);
    gauge_close(&gauge);
}
END_TEST

START_TEST(without_a_public_tokeniser_a_byte_is_a_token)
{
    struct gauge gauge = gauge_new("claude-sonnet-4-5", 1, INT64_MAX);
    read_delta(&gauge, 0, "{\"content\":\"caf\xC3\xA9\"}", 1);
    ck_assert_int_eq(gauge_tokens(&gauge), 6);
    gauge_close(&gauge);
}
END_TEST

START_TEST(reasoning_and_tool_calls_count_too)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    read_delta(&gauge, 0, "{\"reasoning\":\"Hm\"}", 1);
    ck_assert(!gauge.visible);
    ck_assert_int_eq(gauge_tokens(&gauge), 2);
    read_delta(&gauge, 0, "{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"look\"}}]}", 2);
    ck_assert(gauge.visible);
    ck_assert_int_eq(gauge_tokens(&gauge), 2 + GAUGE_PER_CALL + 1);
    read_delta(&gauge, 0, "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\" up\"}}]}",
               3);
    ck_assert_int_eq(gauge_tokens(&gauge), 2 + GAUGE_PER_CALL + 2);
    read_delta(&gauge, 0, "{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"look\"}}]}", 4);
    ck_assert_int_eq(gauge_tokens(&gauge), 2 + 2 * GAUGE_PER_CALL + 3);
    gauge_close(&gauge);
}
END_TEST

START_TEST(never_more_is_told_than_the_upstream_may_give)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, 5);
    for (int i = 0; i < 10; i++) {
        read_delta(&gauge, 0, "{\"content\":\" word\"}", i);
        ck_assert_int_le(gauge_at_most(&gauge), 5);
    }
    ck_assert_int_eq(gauge_tokens(&gauge), 5);
    gauge_close(&gauge);
}
END_TEST

START_TEST(the_bound_is_never_below_the_count)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    int64_t last = 0;
    for (int i = 0; i < 3000; i++) {
        read_delta(&gauge, 0, i % 7 == 0 ? "{\"content\":\".\\n\"}" : "{\"content\":\" word\"}", i);
        int64_t bound = gauge_at_most(&gauge);
        ck_assert_int_ge(bound, i + 1);
        if (i % 100 == 0) {
            int64_t tokens = gauge_tokens(&gauge);
            ck_assert_int_le(tokens, bound);
            ck_assert_int_ge(tokens, last);
            last = tokens;
        }
    }
    ck_assert_int_eq(gauge_tokens(&gauge), 3001);
    gauge_close(&gauge);
}
END_TEST

START_TEST(a_text_without_an_end_to_its_words_is_counted_in_parts)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    struct buffer delta = {0};
    buffer_put(&delta, TEXT("{\"content\":\""));
    for (int i = 0; i < 100000; i++)
        buffer_put_byte(&delta, 'x');
    buffer_put(&delta, TEXT("\"}"));
    read_delta(&gauge, 0, buffer_string(&delta), 1);
    int64_t tokens = gauge_tokens(&gauge);
    size_t whole = tokens_count(TOKENS_O200K_BASE, text_slice(buffer_text(&delta), 12, 100012));
    ck_assert_int_ge(tokens, (int64_t)whole);
    ck_assert_int_le(tokens, (int64_t)whole + 40);
    buffer_close(&delta);
    gauge_close(&gauge);
}
END_TEST

START_TEST(slack_follows_the_fastest_pace)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    ck_assert_int_eq(gauge_slack(&gauge), GAUGE_LEAST_SLACK);
    for (int i = 0; i < 40; i++) /* 10 a second */
        read_delta(&gauge, 0, "{\"content\":\" a\"}", 1 + i * INT64_C(100000));
    ck_assert_int_eq(gauge_slack(&gauge), GAUGE_LEAST_SLACK);
    for (int i = 0; i < 400; i++) { /* 1000 a second */
        read_delta(&gauge, 0, "{\"content\":\" a\"}", 5000000 + i * INT64_C(1000));
        (void)gauge_tokens(&gauge);
    }
    ck_assert_int_ge(gauge_slack(&gauge), 450);
    ck_assert_int_le(gauge_slack(&gauge), 550);
    read_delta(&gauge, 0, "{\"content\":\" a\"}", 60000000);
    ck_assert_int_ge(gauge_slack(&gauge), 450);
    gauge_close(&gauge);
}
END_TEST

START_TEST(what_was_cut_off_is_slack)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    gauge_read_rest(&gauge, TEXT("{\"choices\":[{"));
    ck_assert_int_eq(gauge_slack(&gauge), GAUGE_LEAST_SLACK + 13);
    ck_assert_int_eq(gauge_tokens(&gauge), 1);
    gauge_close(&gauge);
}
END_TEST

START_TEST(what_is_no_text_is_told)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    gauge_read(&gauge, TEXT("[DONE]"), 1);
    ck_assert(!gauge.opaque);
    read_delta(&gauge, 0, "{\"audio\":{\"data\":\"AAAA\"}}", 1);
    ck_assert(gauge.opaque);
    gauge_close(&gauge);
}
END_TEST

START_TEST(a_gauge_that_was_not_opened_reads_nothing)
{
    struct gauge gauge = {0};
    read_delta(&gauge, 0, "{\"content\":\" a\"}", 1);
    ck_assert(!gauge.visible);
    gauge_close(&gauge);
}
END_TEST

START_TEST(strange_choices_share_a_place)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    read_delta(&gauge, -5, "{\"content\":\"a\"}", 1);
    read_delta(&gauge, 1000000, "{\"content\":\" b\"}", 1);
    read_delta(&gauge, 127, "{\"content\":\"a\"}", 1);
    ck_assert_int_eq(gauge_tokens(&gauge), 4);
    gauge_close(&gauge);
}
END_TEST

UNIT_MAIN(text_is_counted_in_the_models_encoding_and_each_choice_has_an_end,
          without_a_public_tokeniser_a_byte_is_a_token, reasoning_and_tool_calls_count_too,
          never_more_is_told_than_the_upstream_may_give, the_bound_is_never_below_the_count,
          a_text_without_an_end_to_its_words_is_counted_in_parts, slack_follows_the_fastest_pace,
          what_was_cut_off_is_slack, what_is_no_text_is_told,
          a_gauge_that_was_not_opened_reads_nothing, strange_choices_share_a_place)
