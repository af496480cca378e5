/* Looking at text. */
#include "../unit.h"

START_TEST(compares_with_and_without_case)
{
    ck_assert(text_equal(TEXT("a"), TEXT("a")));
    ck_assert(!text_equal(TEXT("a"), TEXT("A")));
    ck_assert(text_equal(TEXT_NONE, TEXT("")));
    ck_assert(text_equal_nocase(TEXT("Content-Type"), TEXT("content-tYPE")));
    ck_assert(!text_equal_nocase(TEXT("["), TEXT("{")));
    ck_assert(!text_equal_nocase(TEXT("@"), TEXT("`")));
    ck_assert(!text_equal_nocase(TEXT("a"), TEXT("ab")));
    ck_assert(text_equal_nocase(TEXT_NONE, TEXT("")));
}
END_TEST

START_TEST(compares_secrets)
{
    ck_assert(text_equal_secret(TEXT("sk-1234"), TEXT("sk-1234")));
    ck_assert(!text_equal_secret(TEXT("sk-1234"), TEXT("sk-1235")));
    ck_assert(!text_equal_secret(TEXT("sk-1234"), TEXT("sk-123")));
    ck_assert(text_equal_secret(TEXT_NONE, TEXT_NONE));
}
END_TEST

START_TEST(knows_how_text_starts_and_ends)
{
    ck_assert(text_starts(TEXT("/v1/chat"), TEXT("/v1/")));
    ck_assert(text_starts(TEXT("/v1/"), TEXT("")));
    ck_assert(text_starts(TEXT_NONE, TEXT("")));
    ck_assert(!text_starts(TEXT("/v"), TEXT("/v1/")));
    ck_assert(text_starts_nocase(TEXT("Bearer x"), TEXT("bearer ")));
    ck_assert(text_ends(TEXT("a.jsonl"), TEXT(".jsonl")));
    ck_assert(!text_ends(TEXT("jsonl"), TEXT(".jsonl")));
    ck_assert(text_ends(TEXT_NONE, TEXT_NONE));
}
END_TEST

START_TEST(finds_text_from_an_offset)
{
    ck_assert_uint_eq(text_find(TEXT("abcabc"), TEXT("bc"), 0), 1);
    ck_assert_uint_eq(text_find(TEXT("abcabc"), TEXT("bc"), 2), 4);
    ck_assert_uint_eq(text_find(TEXT("abcabc"), TEXT("bc"), 5), SIZE_MAX);
    ck_assert_uint_eq(text_find(TEXT("abc"), TEXT("abcd"), 0), SIZE_MAX);
    ck_assert_uint_eq(text_find(TEXT("abc"), TEXT(""), 3), 3);
    ck_assert_uint_eq(text_find(TEXT("abc"), TEXT(""), 4), SIZE_MAX);
    ck_assert_uint_eq(text_find(TEXT_NONE, TEXT("x"), 0), SIZE_MAX);
    ck_assert_uint_eq(text_find(TEXT("a\0b"), TEXT("\0b"), 0), 1);
}
END_TEST

START_TEST(clamps_parts)
{
    UNIT_TEXT(text_from(TEXT("abc"), 1), "bc");
    UNIT_TEXT(text_from(TEXT("abc"), 9), "");
    UNIT_TEXT(text_slice(TEXT("abc"), 1, 2), "b");
    UNIT_TEXT(text_slice(TEXT("abc"), 2, 1), "");
    UNIT_TEXT(text_slice(TEXT("abc"), 1, 9), "bc");
    ck_assert_ptr_null(text_from(TEXT_NONE, 0).at);
    ck_assert_ptr_null(text_slice(TEXT_NONE, 1, 2).at);
}
END_TEST

START_TEST(trims_white_space)
{
    UNIT_TEXT(text_trim(TEXT(" \t\r\n\v\fa b ")), "a b");
    UNIT_TEXT(text_trim(TEXT("  ")), "");
    UNIT_TEXT(text_trim(TEXT_NONE), "");
}
END_TEST

START_TEST(splits_until_nothing_is_left)
{
    struct text rest = TEXT("a,,b,");
    UNIT_TEXT(text_split(&rest, ','), "a");
    UNIT_TEXT(text_split(&rest, ','), "");
    UNIT_TEXT(text_split(&rest, ','), "b");
    ck_assert_ptr_nonnull(rest.at);
    UNIT_TEXT(text_split(&rest, ','), "");
    ck_assert_ptr_null(rest.at);
    ck_assert_ptr_null(text_split(&rest, ',').at);
}
END_TEST

START_TEST(matches_patterns_with_stars)
{
    static const struct {
        const char *whole, *pattern;
        bool matches;
    } cases[] = {
        {"gpt-4o", "gpt-4o", true},
        {"gpt-4o", "gpt-*", true},
        {"gpt-4o", "*", true},
        {"", "*", true},
        {"", "", true},
        {"a", "", false},
        {"gpt-4o-mini", "gpt-*-m*", true},
        {"gpt-4o", "*-*-*", false},
        {"aab", "a*ab", true},
        {"abab", "*ab", true},
        {"abc", "*ab", false},
        {"abc", "a*c*", true},
        {"abc", "***", true},
        {"a*c", "a*c", true},
        {"ab", "a?", false},
        {"mississippi", "m*si*pi", true},
        {"gpt-4", "gpt-4*o", false},
        {"xyx", "x*x*x", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        ck_assert_msg(text_matches(text_of(cases[i].whole), text_of(cases[i].pattern)) ==
                          cases[i].matches,
                      "\"%s\" and \"%s\"", cases[i].whole, cases[i].pattern);
}
END_TEST

START_TEST(matches_hostile_patterns_in_good_time)
{
    struct buffer whole = {0}, pattern = {0};
    for (int i = 0; i < 2000; i++) {
        buffer_put_byte(&whole, 'a');
        buffer_put(&pattern, TEXT("a*"));
    }
    buffer_put_byte(&pattern, 'b');
    ck_assert(!text_matches(buffer_text(&whole), buffer_text(&pattern)));
    buffer_close(&whole);
    buffer_close(&pattern);
}
END_TEST

START_TEST(reads_integers_up_to_the_last_one)
{
    static const struct {
        const char *digits;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"007", 7},
        {"-12", -12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < UNIT_COUNT(good); i++) {
        int64_t value = 77;
        ck_assert_msg(text_to_int(text_of(good[i].digits), &value), "%s", good[i].digits);
        ck_assert_int_eq(value, good[i].value);
    }
}
END_TEST

START_TEST(refuses_what_is_no_integer)
{
    static const char *const bad[] = {
        "",   "-",   "+1",  " 1", "1 ",
        "1a", "1.0", "--1", ":",  "9223372036854775808",
        "/",  "0x1", "1e3", "1-", "-9223372036854775809",
    };
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        int64_t value = 77;
        ck_assert_msg(!text_to_int(text_of(bad[i]), &value), "%s", bad[i]);
        ck_assert_int_eq(value, 77);
    }
    int64_t value;
    ck_assert(!text_to_int(TEXT_NONE, &value));
    ck_assert(!text_to_int(TEXT("1\0"), &value));
}
END_TEST

START_TEST(hashes_every_byte_and_the_size)
{
    char bytes[64] = {0};
    for (size_t size = 0; size < sizeof(bytes); size++) {
        uint64_t hash = text_hash(text_make(bytes, size));
        ck_assert_uint_eq(hash, text_hash(text_make(bytes, size)));
        ck_assert_uint_ne(hash, text_hash(text_make(bytes, size + 1)));
        for (size_t i = 0; i < size; i++) {
            bytes[i] = 1;
            ck_assert_uint_ne(hash, text_hash(text_make(bytes, size)));
            bytes[i] = 0;
        }
    }
    (void)text_hash(TEXT_NONE);
}
END_TEST

START_TEST(copies_memory_with_a_zero_behind)
{
    char *copy = memory_copy(text_make("abcdef", 3));
    ck_assert_str_eq(copy, "abc");
    free(copy);
    copy = memory_copy(TEXT_NONE);
    ck_assert_str_eq(copy, "");
    free(copy);
    uint64_t *zeroes = memory_new(4 * sizeof(*zeroes));
    ck_assert_uint_eq(zeroes[0] | zeroes[3], 0);
    zeroes = memory_resize(zeroes, 0);
    ck_assert_ptr_nonnull(zeroes);
    free(zeroes);
}
END_TEST

UNIT_MAIN(compares_with_and_without_case, compares_secrets, knows_how_text_starts_and_ends,
          finds_text_from_an_offset, clamps_parts, trims_white_space, splits_until_nothing_is_left,
          matches_patterns_with_stars, matches_hostile_patterns_in_good_time,
          reads_integers_up_to_the_last_one, refuses_what_is_no_integer,
          hashes_every_byte_and_the_size, copies_memory_with_a_zero_behind)
