/* Estimates of tokens for models without a public tokeniser. */
#include "money/tokens_guess.h"

#include "../unit.h"
#include "money/tokens.h"

START_TEST(claude_has_half_as_many_again_and_others_a_fifth)
{
    ck_assert_int_eq(tokens_guess_permille(TEXT("claude-sonnet-4-5")), 1500);
    ck_assert_int_eq(tokens_guess_permille(TEXT("anthropic/claude-3-haiku")), 1500);
    ck_assert_int_eq(tokens_guess_permille(TEXT("gemini-2.5-pro")), 1200);
    ck_assert_int_eq(tokens_guess_permille(TEXT("")), 1200);
}
END_TEST

START_TEST(ascii_counts_by_o200k_and_other_bytes_half)
{
    struct text hello = TEXT("Hello, world!"); /* 4 tokens */
    ck_assert_uint_eq(tokens_guess(1500, hello), 6);
    ck_assert_uint_eq(tokens_guess(1200, hello), 5); /* 4.8 */
    ck_assert_uint_eq(tokens_guess(1200, TEXT("")), 0);
    ck_assert_uint_eq(tokens_guess(1500, TEXT("\xe6\x97\xa5\xe6\x9c\xac")), 3);  /* two of three */
    ck_assert_uint_eq(tokens_guess(1500, TEXT("Hello, world!\xe6\x97\xa5")), 8); /* 6 and 1.5 */
    ck_assert_uint_eq(tokens_guess(1500, TEXT("\xc3\xa9")), 1);
    ck_assert_uint_eq(tokens_guess(1500, TEXT("\xff\xff\xff")),
                      2); /* malformed: bytes all the same */
}
END_TEST

UNIT_MAIN(claude_has_half_as_many_again_and_others_a_fifth,
          ascii_counts_by_o200k_and_other_bytes_half)
