/* Writing JSON. */
#include "../unit.h"
#include "base/json.h"

START_TEST(writes_members_with_commas_between_them)
{
    struct buffer out = {0};
    buffer_put_byte(&out, '{');
    json_put_text_member(&out, TEXT("text"), TEXT("ends in {"));
    json_put_int_member(&out, TEXT("int"), -5);
    json_put_bool_member(&out, TEXT("yes"), true);
    json_put_bool_member(&out, TEXT("no"), false);
    json_put_raw_member(&out, TEXT("raw"), TEXT("[1.50]"));
    json_put_name(&out, TEXT("in\"ner"));
    buffer_put_byte(&out, '{');
    json_put_int_member(&out, TEXT(""), 1);
    buffer_put(&out, TEXT("}}"));
    ck_assert_str_eq(buffer_string(&out),
                     "{\"text\":\"ends in {\",\"int\":-5,\"yes\":true,\"no\":false,"
                     "\"raw\":[1.50],\"in\\\"ner\":{\"\":1}}");
    buffer_close(&out);
}
END_TEST

START_TEST(puts_no_comma_where_something_begins)
{
    struct buffer out = {0};
    json_put_name(&out, TEXT("a"));
    ck_assert_str_eq(buffer_string(&out), "\"a\":");
    buffer_clear(&out);
    buffer_put_byte(&out, '[');
    json_put_name(&out, TEXT("a"));
    ck_assert_str_eq(buffer_string(&out), "[\"a\":");
    buffer_close(&out);
}
END_TEST

START_TEST(escapes_what_must_be_escaped_and_nothing_else)
{
    static const struct {
        struct text plain;
        const char *json;
    } cases[] = {
        {TEXT(""), "\"\""},
        {TEXT_NONE, "\"\""},
        {TEXT("a/b\x7F"), "\"a/b\x7F\""},
        {TEXT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
        {TEXT("\0\x01\x1F"), "\"\\u0000\\u0001\\u001f\""},
        {TEXT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {TEXT("\xFF"
              "a\xC3"),
         "\"\xEF\xBF\xBD"
         "a\xEF\xBF\xBD\""},
        {TEXT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct buffer out = {0};
        json_put_string(&out, cases[i].plain);
        ck_assert_str_eq(buffer_string(&out), cases[i].json);
        buffer_close(&out);
    }
}
END_TEST

UNIT_MAIN(writes_members_with_commas_between_them, puts_no_comma_where_something_begins,
          escapes_what_must_be_escaped_and_nothing_else)
