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
    ck_assert_int_le(tokens, (int64_t)whole + 100);
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

/* Each byte of it is a token. */
#define DENSE "1,2,3,4,5,6,7,8,9,0,"

START_TEST(slack_is_by_tokens_however_few_bytes_they_have)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    for (int i = 0; i < 50; i++) /* 200 a second, and nobody asks for the count in between */
        read_delta(&gauge, 0, "{\"content\":\"" DENSE "\"}", 1 + i * INT64_C(100000));
    ck_assert_int_eq(gauge_tokens(&gauge), 1 + 50 * 20);
    ck_assert_int_ge(gauge_slack(&gauge), 100);
    ck_assert_int_le(gauge_slack(&gauge), 140);
    ck_assert_int_eq(gauge_pace(&gauge), 267); /* five events came in what is four gaps */
    gauge_close(&gauge);
}
END_TEST

START_TEST(slack_is_no_larger_for_long_tokens)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    for (int i = 0; i < 200; i++) /* 100 a second */
        read_delta(&gauge, 0, "{\"content\":\" responsibility\"}", 1 + i * INT64_C(10000));
    (void)gauge_tokens(&gauge);
    ck_assert_int_ge(gauge_slack(&gauge), 50);
    ck_assert_int_le(gauge_slack(&gauge), 55);
    gauge_close(&gauge);
}
END_TEST

START_TEST(what_came_at_once_may_come_again_twice_even_after_a_silence)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    read_delta(&gauge, 0, "{\"content\":\" a\"}", 1);
    read_delta(&gauge, 0, "{\"content\":\"" DENSE DENSE "\"}", 60000000);
    ck_assert_int_eq(gauge_tokens(&gauge), 1 + 1 + 40);
    ck_assert_int_eq(gauge_slack(&gauge), 80);
    read_delta(&gauge, 0, "{\"content\":\" a\"}", 120000000);
    ck_assert_int_eq(gauge_slack(&gauge), 80);
    gauge_close(&gauge);
}
END_TEST

START_TEST(slack_is_an_upper_bound_before_the_text_is_counted)
{
    struct gauge gauge = gauge_new("gpt-4o", 1, INT64_MAX);
    read_delta(&gauge, 0, "{\"content\":\" some words\"}", 1);
    read_delta(&gauge, 0, "{\"content\":\" and signs: {[,;]}()\"}", 2);
    int64_t before = gauge_slack(&gauge);
    ck_assert_int_eq(before, 2 * 31);
    (void)gauge_tokens(&gauge);
    ck_assert_int_lt(gauge_slack(&gauge), before);
    gauge_close(&gauge);
}
END_TEST

START_TEST(a_byte_is_a_token_in_the_slack_too_without_a_public_tokeniser)
{
    struct gauge gauge = gauge_new("claude-sonnet-4-5", 1, INT64_MAX);
    read_delta(&gauge, 0, "{\"content\":\" some more words in this one\"}", 1);
    ck_assert_int_eq(gauge_slack(&gauge), 2 * 28);
    gauge_close(&gauge);
}
END_TEST

/* Choices, parts that begin, text of any density, clumps and silences. */
static void read_some(struct gauge *gauge, unsigned *seed, int64_t now_us)
{
    static const char *const deltas[] = {
        "{\"content\":\"" DENSE "\"}",
        "{\"content\":\" internationalization of words\"}",
        "{\"content\":\"\xE6\xA8\xA1\xE5\x9E\x8B\xE4\xBB\xB7\xE6\xA0\xBC\"}",
        "{\"reasoning\":\"{[<(1+1)>]}\"}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
        "{\"content\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
    };
    read_delta(gauge, rand_r(seed) % 3, deltas[(size_t)rand_r(seed) % UNIT_COUNT(deltas)], now_us);
}

#define READINGS 300

START_TEST(slack_is_no_less_than_came_within_any_quarter_of_a_second)
{
    for (unsigned round = 1; round <= 40; round++) {
        unsigned seed = round;
        struct gauge gauge = gauge_new("gpt-4o", 3, INT64_MAX);
        struct gauge exact = gauge_new("gpt-4o", 3, INT64_MAX);
        int64_t at_us[READINGS + 1] = {0}, tokens[READINGS + 1] = {3}, most = 0;
        for (int i = 1, from = 0; i <= READINGS; i++) {
            int64_t gap_us = rand_r(&seed) % 9 == 0 ? 400000 : rand_r(&seed) % 60000;
            at_us[i] = at_us[i - 1] + 1 + gap_us;
            unsigned again = seed;
            read_some(&gauge, &seed, at_us[i]);
            read_some(&exact, &again, at_us[i]);
            tokens[i] = gauge_tokens(&exact);
            while (at_us[i] - at_us[from + 1] >= GAUGE_WINDOW_MS * 1000)
                from++;
            most = tokens[i] - tokens[from] > most ? tokens[i] - tokens[from] : most;
            ck_assert_int_ge(gauge_slack(&gauge), most);
        }
        (void)gauge_tokens(&gauge);
        ck_assert_int_ge(gauge_slack(&gauge), most);
        ck_assert_int_le(gauge_slack(&gauge), 4 * most);
        gauge_close(&gauge);
        gauge_close(&exact);
    }
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
          slack_is_by_tokens_however_few_bytes_they_have, slack_is_no_larger_for_long_tokens,
          what_came_at_once_may_come_again_twice_even_after_a_silence,
          slack_is_an_upper_bound_before_the_text_is_counted,
          a_byte_is_a_token_in_the_slack_too_without_a_public_tokeniser,
          slack_is_no_less_than_came_within_any_quarter_of_a_second, what_was_cut_off_is_slack,
          what_is_no_text_is_told, a_gauge_that_was_not_opened_reads_nothing,
          strange_choices_share_a_place)
