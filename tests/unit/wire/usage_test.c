/* Reading usage in the shapes that providers give it. */
#include <stdio.h>

#include "../unit.h"
#include "wire/usage.h"

static struct usage usage;

static enum usage_result read_text(const char *raw)
{
    struct json_value value;
    ck_assert_msg(json_parse(text_of(raw), &value, NULL) == JSON_OK, "%s", raw);
    return usage_read(value, &usage);
}

static void check(const char *raw, struct usage want)
{
    ck_assert_msg(read_text(raw) == USAGE_FOUND, "%s", raw);
    ck_assert_msg(usage.prompt == want.prompt, "prompt of %s", raw);
    ck_assert_msg(usage.cached == want.cached, "cached of %s", raw);
    ck_assert_msg(usage.cache_write == want.cache_write, "cache_write of %s", raw);
    ck_assert_msg(usage.audio_input == want.audio_input, "audio_input of %s", raw);
    ck_assert_msg(usage.completion == want.completion, "completion of %s", raw);
    ck_assert_msg(usage.reasoning == want.reasoning, "reasoning of %s", raw);
    ck_assert_msg(usage.audio_output == want.audio_output, "audio_output of %s", raw);
    ck_assert_msg(usage.cached_audio == want.cached_audio, "cached_audio of %s", raw);
    ck_assert_msg(usage.cache_write_5m == want.cache_write_5m, "cache_write_5m of %s", raw);
    ck_assert_msg(usage.image_input == want.image_input, "image_input of %s", raw);
    ck_assert_msg(usage.image_output == want.image_output, "image_output of %s", raw);
    ck_assert_msg(usage.searches == want.searches, "searches of %s", raw);
    ck_assert_msg(usage.seconds == want.seconds, "seconds of %s", raw);
}

START_TEST(reads_the_shape_of_openai)
{
    check("{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"
          "\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":3},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":5,\"audio_tokens\":1,"
          "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":2}}",
          (struct usage){.prompt = 19,
                         .cached = 4,
                         .audio_input = 3,
                         .completion = 10,
                         .reasoning = 5,
                         .audio_output = 1});
    check("{\"prompt_tokens\":8,\"total_tokens\":8}", (struct usage){.prompt = 8});
}
END_TEST

START_TEST(reads_the_other_dialects)
{
    /* DeepSeek: a miss is no cache write */
    check("{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12,"
          "\"prompt_cache_hit_tokens\":7,\"prompt_cache_miss_tokens\":3}",
          (struct usage){.prompt = 10, .cached = 7, .completion = 2});
    /* Gemini leaves thinking out of the completion */
    check("{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":115}",
          (struct usage){.prompt = 10, .completion = 105});
    /* OpenRouter */
    check("{\"prompt_tokens\":10,\"completion_tokens\":1,\"total_tokens\":11,\"cost\":0.00014,"
          "\"is_byok\":false,\"cost_details\":{\"upstream_inference_cost\":null},"
          "\"prompt_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3}}",
          (struct usage){.prompt = 10, .cached = 2, .cache_write = 3, .completion = 1});
    /* gateways in front of Anthropic */
    check("{\"prompt_tokens\":10,\"completion_tokens\":1,\"cache_read_input_tokens\":4,"
          "\"cache_creation_input_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4}}",
          (struct usage){.prompt = 10, .cached = 4, .cache_write = 5, .completion = 1});
    /* Moonshot */
    check("{\"prompt_tokens\":10,\"completion_tokens\":1,\"cached_tokens\":9}",
          (struct usage){.prompt = 10, .cached = 9, .completion = 1});
    /* embeddings of those who report a total only */
    check("{\"total_tokens\":6}", (struct usage){.prompt = 6});
}
END_TEST

START_TEST(reads_the_shape_of_responses)
{
    check("{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":40},"
          "\"output_tokens\":50,\"output_tokens_details\":{\"reasoning_tokens\":30},"
          "\"total_tokens\":150}",
          (struct usage){.prompt = 100, .cached = 40, .completion = 50, .reasoning = 30});
    ck_assert(usage.reasoning_told);
    check("{\"input_tokens\":7,\"output_tokens\":0}", (struct usage){.prompt = 7});
    ck_assert(!usage.reasoning_told);
}
END_TEST

START_TEST(what_messages_report_of_caches_is_on_top)
{
    check("{\"input_tokens\":10,\"cache_creation_input_tokens\":30,"
          "\"cache_read_input_tokens\":500,\"output_tokens\":7,"
          "\"cache_creation\":{\"ephemeral_5m_input_tokens\":20,"
          "\"ephemeral_1h_input_tokens\":10},\"service_tier\":\"standard\","
          "\"server_tool_use\":{\"web_search_requests\":2}}",
          (struct usage){.prompt = 540,
                         .cached = 500,
                         .cache_write = 30,
                         .cache_write_5m = 20,
                         .completion = 7,
                         .searches = 2});
    check("{\"input_tokens\":1,\"cache_read_input_tokens\":0,"
          "\"cache_creation_input_tokens\":null,\"output_tokens\":1}",
          (struct usage){.prompt = 1, .completion = 1});
    /* beside prompt_tokens the same names are parts of it */
    check("{\"prompt_tokens\":540,\"input_tokens\":10,\"completion_tokens\":7,"
          "\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":500}",
          (struct usage){.prompt = 540, .cached = 500, .cache_write = 30, .completion = 7});
}
END_TEST

START_TEST(writes_of_unknown_duration_are_not_told_to_be_short)
{
    check("{\"prompt_tokens\":100,\"prompt_tokens_details\":{\"cache_creation_tokens\":60,"
          "\"cache_creation_token_details\":{\"ephemeral_5m_input_tokens\":50}}}",
          (struct usage){.prompt = 100, .cache_write = 60, .cache_write_5m = 50});
    /* the hour's come first where both do not fit */
    check("{\"prompt_tokens\":30,\"cache_creation\":{\"ephemeral_5m_input_tokens\":20,"
          "\"ephemeral_1h_input_tokens\":25}}",
          (struct usage){.prompt = 30, .cache_write = 30, .cache_write_5m = 5});
}
END_TEST

START_TEST(a_prompt_of_hits_and_misses_is_their_sum)
{
    check("{\"completion_tokens\":2,\"prompt_cache_hit_tokens\":7,"
          "\"prompt_cache_miss_tokens\":3}",
          (struct usage){.prompt = 10, .cached = 7, .completion = 2});
    check("{\"prompt_tokens\":4,\"prompt_cache_hit_tokens\":7,\"prompt_cache_miss_tokens\":3}",
          (struct usage){.prompt = 10, .cached = 7});
}
END_TEST

START_TEST(audio_and_images_are_told_apart)
{
    check("{\"prompt_tokens\":100,\"completion_tokens\":60,"
          "\"prompt_tokens_details\":{\"audio_tokens\":30,\"image_tokens\":20,"
          "\"cached_tokens\":40,\"cached_tokens_details\":{\"audio_tokens\":15}},"
          "\"completion_tokens_details\":{\"audio_tokens\":10,\"image_tokens\":20,"
          "\"rejected_prediction_tokens\":5}}",
          (struct usage){.prompt = 100,
                         .cached = 40,
                         .cached_audio = 15,
                         .audio_input = 30,
                         .image_input = 20,
                         .completion = 60,
                         .audio_output = 10,
                         .image_output = 20});
    /* audio that does not fit beside the cached tokens is among them */
    check("{\"prompt_tokens\":100,"
          "\"prompt_tokens_details\":{\"audio_tokens\":70,\"cached_tokens\":80}}",
          (struct usage){.prompt = 100, .cached = 80, .cached_audio = 50, .audio_input = 20});
}
END_TEST

static void check_cost(const char *more, const char *cost, const char *key_cost)
{
    char raw[512];
    snprintf(raw, sizeof(raw), "{\"prompt_tokens\":1,%s}", more);
    ck_assert_int_eq(read_text(raw), USAGE_FOUND);
    ck_assert_str_eq(usage.cost, cost);
    ck_assert_str_eq(usage.key_cost, key_cost);
}

START_TEST(sound_is_told_in_seconds_or_in_tokens)
{
    check("{\"type\":\"duration\",\"seconds\":3}", (struct usage){.seconds = 3});
    check("{\"type\":\"duration\",\"seconds\":3.0}", (struct usage){.seconds = 3});
    check("{\"type\":\"duration\",\"seconds\":3.01}", (struct usage){.seconds = 4});
    ck_assert(usage.seconds_told);
    check("{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{\"text_tokens\":4,"
          "\"audio_tokens\":10},\"output_tokens\":5,\"total_tokens\":19}",
          (struct usage){.prompt = 14, .audio_input = 10, .completion = 5});
    ck_assert(!usage.seconds_told);
    ck_assert_int_eq(read_text("{\"seconds\":-1}"), USAGE_INVALID);
    ck_assert_int_eq(read_text("{\"seconds\":1e2000}"), USAGE_INVALID);
    ck_assert_int_eq(read_text("{\"seconds\":\"3\"}"), USAGE_INVALID);
    ck_assert_int_eq(read_text("{\"seconds\":10000000000000}"), USAGE_INVALID);
}
END_TEST

START_TEST(a_cost_is_kept_as_it_stands)
{
    check_cost("\"cost\":0.00014250000000000001,\"is_byok\":false,"
               "\"cost_details\":{\"upstream_inference_cost\":0.9}",
               "0.00014250000000000001", "");
    check_cost("\"cost\":1e-6", "1e-6", "");
    check_cost("\"cost\":0", "0", "");
    check_cost("\"cost\":null", "", "");
    check_cost("\"cost\":\"0.1\"", "", "");
    check_cost("\"cost\":{\"total_cost\":0.006}", "", ""); /* Perplexity */
    check_cost("\"cost\":0.0000000000000000000000000000001", "", "");
    check_cost("\"cost\":-1", "-1", ""); /* whoever believes it has to look */
}
END_TEST

START_TEST(with_a_key_of_ones_own_the_fee_alone_is_no_cost)
{
    check_cost("\"cost\":0.01,\"is_byok\":true,"
               "\"cost_details\":{\"upstream_inference_cost\":0.2}",
               "0.01", "0.2");
    check_cost("\"cost\":0.01,\"is_byok\":true", "", "");
    check_cost("\"cost\":0.01,\"is_byok\":true,"
               "\"cost_details\":{\"upstream_inference_cost\":null}",
               "", "");
}
END_TEST

START_TEST(parts_never_exceed_their_whole)
{
    check("{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13,"
          "\"prompt_tokens_details\":{\"cached_tokens\":8,\"cache_write_tokens\":8,"
          "\"audio_tokens\":8},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":4,\"audio_tokens\":2}}",
          (struct usage){.prompt = 10,
                         .cached = 8,
                         .cache_write = 2,
                         .cached_audio = 8,
                         .completion = 3,
                         .reasoning = 1,
                         .audio_output = 2});
    /* a total that is too small changes nothing */
    check("{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":1}",
          (struct usage){.prompt = 10, .completion = 3});
}
END_TEST

START_TEST(tells_absent_from_zero)
{
    ck_assert_int_eq(read_text("null"), USAGE_ABSENT);
    check("{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}", (struct usage){0});
    check("{\"prompt_tokens\":1,\"prompt_tokens_details\":null,\"completion_tokens\":null,"
          "\"completion_tokens_details\":{\"reasoning_tokens\":null}}",
          (struct usage){.prompt = 1});
}
END_TEST

START_TEST(of_members_standing_twice_the_larger_counts)
{
    check("{\"prompt_tokens\":5,\"prompt_tokens\":9,\"prompt\\u005ftokens\":7}",
          (struct usage){.prompt = 9});
}
END_TEST

START_TEST(does_not_believe_what_makes_no_sense)
{
    static const char *const raws[] = {
        "{}",
        "[]",
        "7",
        "\"10\"",
        "true",
        "{\"completion_tokens\":5}",
        "{\"prompt_tokens\":-1}",
        "{\"prompt_tokens\":1.5}",
        "{\"prompt_tokens\":\"10\"}",
        "{\"prompt_tokens\":1000000000001}",
        "{\"prompt_tokens\":1e400}",
        "{\"prompt_tokens\":5,\"completion_tokens\":-2,\"total_tokens\":3}",
        "{\"prompt_tokens\":5,\"total_tokens\":{}}",
        "{\"input_tokens\":1000000000000,\"cache_read_input_tokens\":1}",
        "{\"input_tokens\":5,\"cache_creation\":{\"ephemeral_1h_input_tokens\":-1}}",
        "{\"input_tokens\":5,\"cache_creation\":[]}",
        "{\"output_tokens\":5,\"cache_read_input_tokens\":5}",
        "{\"prompt_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens_details\":1}}",
        "{\"prompt_tokens\":5,\"server_tool_use\":{\"web_search_requests\":\"1\"}}",
        "{\"prompt_tokens\":5,\"prompt_tokens_details\":3}",
        "{\"prompt_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":-3}}",
        "{\"prompt_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":[]}}",
    };
    usage = (struct usage){.prompt = 77};
    for (size_t i = 0; i < UNIT_COUNT(raws); i++)
        ck_assert_msg(read_text(raws[i]) == USAGE_INVALID, "%s", raws[i]);
    ck_assert_int_eq(usage.prompt, 77);
    check("{\"prompt_tokens\":1000000000000}", (struct usage){.prompt = USAGE_MOST});
}
END_TEST

UNIT_MAIN(sound_is_told_in_seconds_or_in_tokens, reads_the_shape_of_openai,
          reads_the_other_dialects, reads_the_shape_of_responses,
          what_messages_report_of_caches_is_on_top,
          writes_of_unknown_duration_are_not_told_to_be_short,
          a_prompt_of_hits_and_misses_is_their_sum, audio_and_images_are_told_apart,
          a_cost_is_kept_as_it_stands, with_a_key_of_ones_own_the_fee_alone_is_no_cost,
          parts_never_exceed_their_whole, tells_absent_from_zero,
          of_members_standing_twice_the_larger_counts, does_not_believe_what_makes_no_sense)
