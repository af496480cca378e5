/* Going through validated JSON in one pass: it must see what the walk sees. */
#include "../unit.h"
#include "wire/skim.h"

static struct json_value value_of(struct text raw)
{
    struct json_value value;
    ck_assert_int_eq(json_parse(raw, &value, NULL), JSON_OK);
    return value;
}

/* Enters everything there is and writes it down again without white space. */
static void rewrite(struct skim *skim, struct buffer *out)
{
    enum json_kind kind = skim_peek(skim);
    struct text name;

    if (kind == JSON_OBJECT) {
        skim_enter(skim);
        buffer_put_byte(out, '{');
        while (skim_member(skim, &name)) {
            buffer_printf(out, "\"%.*s\":", TEXT_ARG(name));
            rewrite(skim, out);
            buffer_put_byte(out, ';');
        }
        buffer_put_byte(out, '}');
    } else if (kind == JSON_ARRAY) {
        skim_enter(skim);
        buffer_put_byte(out, '[');
        while (skim_element(skim)) {
            rewrite(skim, out);
            buffer_put_byte(out, ';');
        }
        buffer_put_byte(out, ']');
    } else {
        struct json_value value = skim_value(skim);
        ck_assert_int_eq(value.kind, kind);
        buffer_put(out, value.raw);
    }
}

static void check(const char *raw, const char *want)
{
    struct json_value value = value_of(text_of(raw));
    struct skim skim = skim_begin(value);
    struct buffer have = {0};

    rewrite(&skim, &have);
    UNIT_TEXT(buffer_text(&have), want);
    ck_assert_ptr_eq(skim.at, skim.end);
    buffer_close(&have);

    skim = skim_begin(value);
    struct json_value passed = skim_value(&skim);
    ck_assert(text_equal(passed.raw, value.raw));
    ck_assert_int_eq(passed.kind, value.kind);
    ck_assert_ptr_eq(skim.at, skim.end);
}

START_TEST(enters_every_container_and_passes_every_value)
{
    check("1", "1");
    check("\"a\\\"b\\\\\"", "\"a\\\"b\\\\\"");
    check("[\"\\\\\",\"\\\\\\\"\",\"\\\"\\\"\"]", "[\"\\\\\";\"\\\\\\\"\";\"\\\"\\\"\";]");
    check("{}", "{}");
    check("[ ]", "[]");
    check("{ \"a\" : 1 , \"b\":[true , null,\"x\" ] }", "{\"a\":1;\"b\":[true;null;\"x\";];}");
    check("[[[]],{\"\":{}},\r\n-1.5e3]", "[[[];];{\"\":{};};-1.5e3;]");
    check("{\"]}\\\"\":\"[{\\\\\"}", "{\"]}\\\"\":\"[{\\\\\";}");
}
END_TEST

START_TEST(a_value_may_be_passed_or_entered)
{
    struct skim skim = skim_begin(value_of(TEXT("{\"a\":[1,{\"b\":2}],\"c\":{\"d\":3},\"e\":4}")));
    struct text name;

    skim_enter(&skim);
    ck_assert(skim_member(&skim, &name));
    UNIT_TEXT(skim_value(&skim).raw, "[1,{\"b\":2}]");
    ck_assert(skim_member(&skim, &name));
    UNIT_TEXT(name, "c");
    skim_enter(&skim);
    ck_assert(skim_member(&skim, &name));
    UNIT_TEXT(skim_value(&skim).raw, "3");
    ck_assert(!skim_member(&skim, &name));
    ck_assert(skim_member(&skim, &name));
    UNIT_TEXT(name, "e");
    UNIT_TEXT(skim_value(&skim).raw, "4");
    ck_assert(!skim_member(&skim, &name));
}
END_TEST

static int64_t members_of_p(struct text raw)
{
    return skim_count_members_of(value_of(raw), TEXT("p"));
}

START_TEST(counts_members_at_any_depth)
{
    ck_assert_int_eq(members_of_p(TEXT("7")), 0);
    ck_assert_int_eq(members_of_p(TEXT("{\"a\":1}")), 0);
    ck_assert_int_eq(members_of_p(TEXT("{\"p\":{}}")), 0);
    ck_assert_int_eq(members_of_p(TEXT("{\"p\":1,\"a\":{\"b\":2}}")), 0);
    ck_assert_int_eq(members_of_p(TEXT("{\"p\":[{\"a\":1}]}")), 0);
    ck_assert_int_eq(members_of_p(TEXT("{\"p\" : {\"a\":1,\"b\":{\"c\":1}},\"d\":\"p\"}")), 2);
    ck_assert_int_eq(members_of_p(TEXT("[{\"\\u0070\":{\"a\":\"p\\\":{\",\"p\":{\"b\":1}}}]")), 3);
}
END_TEST

START_TEST(counting_takes_the_deepest_text_there_may_be)
{
    struct buffer deep = {0};
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put(&deep, TEXT("{\"p\":"));
    buffer_put_byte(&deep, '1');
    for (int i = 0; i < JSON_MAX_DEPTH; i++)
        buffer_put_byte(&deep, '}');
    ck_assert_int_eq(members_of_p(buffer_text(&deep)), JSON_MAX_DEPTH - 1);
    buffer_close(&deep);
}
END_TEST

UNIT_MAIN(enters_every_container_and_passes_every_value, a_value_may_be_passed_or_entered,
          counts_members_at_any_depth, counting_takes_the_deepest_text_there_may_be)
