/* Reading usage in the shapes that providers give it. */
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

START_TEST(parts_never_exceed_their_whole)
{
    check("{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13,"
          "\"prompt_tokens_details\":{\"cached_tokens\":8,\"cache_write_tokens\":8,"
          "\"audio_tokens\":8},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":4,\"audio_tokens\":2}}",
          (struct usage){.prompt = 10,
                         .cached = 8,
                         .cache_write = 2,
                         .audio_input = 0,
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

UNIT_MAIN(reads_the_shape_of_openai, reads_the_other_dialects, parts_never_exceed_their_whole,
          tells_absent_from_zero, of_members_standing_twice_the_larger_counts,
          does_not_believe_what_makes_no_sense)
