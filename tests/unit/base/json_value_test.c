/* What raw strings and numbers mean. */
#include <stdio.h>

#include "../unit.h"
#include "base/json.h"

static struct json_value value_of(const char *whole)
{
    struct json_value value;
    ck_assert_msg(json_parse(text_of(whole), &value, NULL) == JSON_OK, "%s", whole);
    return value;
}

START_TEST(resolves_escapes)
{
    static const struct {
        const char *raw, *plain;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041b\\u00e9\\u20AC\"", "aAb\xC3\xA9\xE2\x82\xAC"},
        {"\"\\ud83d\\uDE00!\"", "\xF0\x9F\x98\x80!"},
        {"\"\\udbff\\udfff\"", "\xF4\x8F\xBF\xBF"},
        {"\"\\ud800\"", "\xEF\xBF\xBD"},
        {"\"\\udc00x\"", "\xEF\xBF\xBDx"},
        {"\"\\ud800x\\udc00\"", "\xEF\xBF\xBDx\xEF\xBF\xBD"},
        {"\"\\udc00\\udc00\"", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\"\\ud800xudc00\"", "\xEF\xBF\xBDxudc00"},
        {"\"\\ud800\\n\"", "\xEF\xBF\xBD\n"},
        {"\"\\ud800\\u0041\"", "\xEF\xBF\xBD"
                               "A"},
        {"\"\\ud800\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\"\\\\u0041\"", "\\u0041"},
        {"\"\\\\\"", "\\"},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct json_value value = value_of(cases[i].raw);
        UNIT_TEXT(json_string(&arena, value), cases[i].plain);
        UNIT_TEXT(json_name(&arena, json_inside(value)), cases[i].plain);
        ck_assert_msg(json_is(value, text_of(cases[i].plain)), "%s", cases[i].raw);
    }
    arena_close(&arena);
}
END_TEST

START_TEST(points_into_the_raw_text_where_nothing_is_escaped)
{
    struct json_value value = value_of("\"plain\"");
    struct arena arena = {0};
    ck_assert_ptr_eq(json_string(&arena, value).at, value.raw.at + 1);
    ck_assert_ptr_null(arena.newest);
    ck_assert_ptr_null(json_string(&arena, value_of("12")).at);
    ck_assert_ptr_nonnull(json_string(&arena, value_of("\"\"")).at);
}
END_TEST

START_TEST(keeps_a_zero_inside_a_string)
{
    struct arena arena = {0};
    struct text plain = json_string(&arena, value_of("\"a\\u0000b\""));
    ck_assert(text_equal(plain, TEXT("a\0b")));
    ck_assert(json_name_equal(TEXT("a\\u0000b"), TEXT("a\0b")));
    ck_assert(!json_name_equal(TEXT("a\\u0000b"), TEXT("a")));
    arena_close(&arena);
}
END_TEST

START_TEST(tells_names_apart)
{
    static const struct {
        const char *raw, *plain;
    } different[] = {
        {"model", "mode"},
        {"mode", "model"},
        {"mod\\u0065", "model"},
        {"mod\\u0065l", "mod"},
        {"mod\\u0065l", "mod\\u0065l"},
        {"\\u006D", "M"},
        {"\\n", "n"},
        {"", "a"},
        {"a", ""},
    };
    for (size_t i = 0; i < UNIT_COUNT(different); i++)
        ck_assert_msg(!json_name_equal(text_of(different[i].raw), text_of(different[i].plain)),
                      "%s, %s", different[i].raw, different[i].plain);
    ck_assert(json_name_equal(TEXT("\\u006dod\\u0065\\u006C"), TEXT("model")));
    ck_assert(json_name_equal(TEXT(""), TEXT_NONE));
}
END_TEST

START_TEST(only_a_string_is_a_text)
{
    struct json_value object = value_of("{\"a\":\"x\\u0079\",\"b\":12,\"c\":\"\"}");
    struct json_value number = value_of("12");
    ck_assert(json_member_is(object, TEXT("a"), TEXT("xy")));
    ck_assert(!json_member_is(object, TEXT("a"), TEXT("x")));
    ck_assert(json_member_is(object, TEXT("c"), TEXT("")));
    ck_assert(!json_member_is(object, TEXT("b"), TEXT("12")));
    ck_assert(!json_member_is(object, TEXT("d"), TEXT("")));
    ck_assert(!json_is(number, TEXT("12")) && !json_is(number, TEXT("")));
    ck_assert_ptr_null(json_inside(number).at);
    UNIT_TEXT(json_shown(number), "12");
    UNIT_TEXT(json_shown(value_of("\"a\\u001b\"")), "a\\u001b");
}
END_TEST

START_TEST(reads_whole_numbers_however_they_are_written)
{
    static const struct {
        const char *raw;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"10", 10},
        {"-3", -3},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"10.0", 10},
        {"1.50e1", 15},
        {"100e-2", 1},
        {"-1.5e1", -15},
        {"0.001e3", 1},
        {"0.0", 0},
        {"0e999999999999999999999999", 0},
        {"0.0e-999999999999999999999999", 0},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775808.000", INT64_MIN},
        {"922337203685477580700e-2", INT64_MAX},
        {"9.223372036854775807e18", INT64_MAX},
        {"9007199254740993", INT64_C(9007199254740993)},
        {"0.00000000000000000000000000000000000001e38", 1},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        int64_t value = 77;
        ck_assert_msg(json_int(value_of(cases[i].raw), &value), "%s", cases[i].raw);
        ck_assert_int_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(refuses_numbers_that_are_not_whole_or_too_large)
{
    static const char *const raws[] = {
        "0.5",
        "1.0001",
        "1e-1",
        "15e-1",
        "1e19",
        "9223372036854775808",
        "1e99999999999999999999999999",
        "-9223372036854775809",
        "1e-99999999999999999999999999",
        "10000000000000000000000000",
        "\"1\"",
        "null",
        "[1]",
    };
    for (size_t i = 0; i < UNIT_COUNT(raws); i++) {
        int64_t value = 77;
        ck_assert_msg(!json_int(value_of(raws[i]), &value), "%s", raws[i]);
        ck_assert_int_eq(value, 77);
    }
}
END_TEST

START_TEST(a_million_zeros_may_be_taken_back_by_the_exponent)
{
    struct buffer number = {0};
    buffer_put_byte(&number, '7');
    for (int i = 0; i < 1000000; i++)
        buffer_put_byte(&number, '0');
    buffer_put(&number, TEXT("e-1000000"));
    int64_t value;
    ck_assert(json_int(value_of(buffer_string(&number)), &value));
    ck_assert_int_eq(value, 7);
    buffer_close(&number);
}
END_TEST

START_TEST(equal_numbers_have_equal_digits_and_exponents)
{
    static const struct {
        const char *raw;
        bool negative;
        const char *digits;
        int64_t exponent;
    } cases[] = {
        {"0", false, "", 0},        {"-0.00e5", true, "", 0},   {"15", false, "15", 0},
        {"1.50", false, "1.5", -1}, {"15e-1", false, "15", -1}, {"0.15E+1", false, "15", -1},
        {"-1500", true, "15", 2},   {"0.001", false, "1", -3},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct json_decimal decimal = json_decimal(value_of(cases[i].raw));
        ck_assert_msg(decimal.negative == cases[i].negative, "%s", cases[i].raw);
        UNIT_TEXT(decimal.digits, cases[i].digits);
        if (decimal.digits.size > 0)
            ck_assert_int_eq(decimal.exponent, cases[i].exponent);
    }
}
END_TEST

UNIT_MAIN(equal_numbers_have_equal_digits_and_exponents, resolves_escapes,
          points_into_the_raw_text_where_nothing_is_escaped, keeps_a_zero_inside_a_string,
          tells_names_apart, only_a_string_is_a_text, reads_whole_numbers_however_they_are_written,
          refuses_numbers_that_are_not_whole_or_too_large,
          a_million_zeros_may_be_taken_back_by_the_exponent)
