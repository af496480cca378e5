/* Tokens of images, with the examples of the providers' documents. */
#include "../unit.h"
#include "money/images.h"

static int64_t tokens(const char *model, int64_t width, int64_t height, bool low)
{
    const struct image_family *family = image_family(text_of(model));
    ck_assert_msg(family != NULL, "%s", model);
    return image_tokens(family, width, height, low);
}

START_TEST(the_examples_of_openais_guide)
{
    ck_assert_int_eq(tokens("gpt-4o", 1024, 1024, false), 85 + 4 * 170);
    ck_assert_int_eq(tokens("gpt-4o", 2048, 4096, false), 85 + 6 * 170);
    ck_assert_int_eq(tokens("gpt-4o", 4096, 8192, true), 85);
    ck_assert_int_eq(tokens("gpt-4.1-mini", 1024, 1024, false), 1659); /* 1024 patches x 1.62 */
}
END_TEST

START_TEST(a_small_image_is_not_made_larger)
{
    ck_assert_int_eq(tokens("gpt-4o", 512, 512, false), 85 + 170);
    ck_assert_int_eq(tokens("gpt-4o", 1, 1, false), 85 + 170);
    ck_assert_int_eq(tokens("gpt-4o", 513, 512, false), 85 + 2 * 170);
    ck_assert_int_eq(tokens("gpt-4o", 2048, 10, false), 85 + 4 * 170);
}
END_TEST

START_TEST(every_family_has_its_figures)
{
    static const struct {
        const char *model;
        int64_t square; /* of 1024 x 1024 */
    } rows[] = {
        {"gpt-4o-2024-08-06", 765},
        {"openai/gpt-4o", 765},
        {"ft:gpt-4o-2024-08-06:org::id", 765},
        {"gpt-4o-mini", 2833 + 4 * 5667},
        {"gpt-4.1", 765},
        {"gpt-4.1-nano-2025-04-14", 2520},
        {"gpt-4-turbo", 765},
        {"gpt-5", 70 + 4 * 140},
        {"gpt-5-2025-08-07", 70 + 4 * 140},
        {"gpt-5-mini", 1659},
        {"gpt-5-nano", 2520},
        {"o1", 675},
        {"o3", 675},
        {"o4-mini", 1762},
        {"claude-sonnet-4-5", 1438},
        {"anthropic/claude-3-haiku", 1438},
        {"us.anthropic.claude-3-haiku-20240307-v1:0", 1438},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        int64_t got = tokens(rows[i].model, 1024, 1024, false);
        ck_assert_msg(got == rows[i].square, "%s: %lld", rows[i].model, (long long)got);
    }
}
END_TEST

/* Anthropic's "Vision" tells both: tokens = width x height / 750, and patches of 28 x 28. */
START_TEST(of_two_formulas_for_claude_the_larger_bounds)
{
    const struct image_family *claude = image_family(TEXT("claude-sonnet-4-5"));
    for (int64_t side = 1; side <= 1092; side++) {
        int64_t tokens = image_tokens(claude, side, 1092, false);
        ck_assert_int_ge(tokens * 750, side * 1092);
        ck_assert_int_ge(tokens, (side + 27) / 28 * 39);
    }
}
END_TEST

START_TEST(later_families_and_strangers_are_not_known)
{
    static const char *const models[] = {"gpt-5.2", "gpt-6", "o1-mini", "gpt-4", "llama-4", ""};
    for (size_t i = 0; i < UNIT_COUNT(models); i++)
        ck_assert_msg(image_family(text_of(models[i])) == NULL, "%s", models[i]);
}
END_TEST

START_TEST(no_size_costs_more_than_the_most)
{
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "gpt-5-nano", "claude-opus-4-1"};
    static const int64_t sides[] = {1, 511, 768, 769, 1024, 2047, 2048, 2049, 65535, 2000000000};
    for (size_t i = 0; i < UNIT_COUNT(models) * 100; i++) {
        const struct image_family *family = image_family(text_of(models[i / 100]));
        int64_t got = image_tokens(family, sides[i % 10], sides[i / 10 % 10], false);
        ck_assert_int_gt(got, 0);
        ck_assert_int_le(got, image_tokens_most(family));
    }
    ck_assert_int_eq(image_tokens_most(image_family(TEXT("gpt-4o"))), 85 + 8 * 170);
    ck_assert_int_eq(image_tokens_most(image_family(TEXT("o4-mini"))), 2642);
}
END_TEST

UNIT_MAIN(the_examples_of_openais_guide, a_small_image_is_not_made_larger,
          every_family_has_its_figures, of_two_formulas_for_claude_the_larger_bounds,
          later_families_and_strangers_are_not_known, no_size_costs_more_than_the_most)
