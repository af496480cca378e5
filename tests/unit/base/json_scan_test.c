/* Validating JSON and walking through it. */
#include "../unit.h"
#include "base/json.h"

static enum json_error parse(struct text whole, size_t *where)
{
    struct json_value value;
    return json_parse(whole, &value, where);
}

/* Parses a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static enum json_error parse_exact(struct text whole, size_t *where)
{
    char *copy = malloc(whole.size > 0 ? whole.size : 1);
    if (whole.size > 0)
        memcpy(copy, whole.at, whole.size);
    enum json_error error = parse(text_make(copy, whole.size), where);
    free(copy);
    return error;
}

START_TEST(accepts_every_kind_of_value)
{
    static const struct {
        const char *whole, *raw;
        enum json_kind kind;
    } cases[] = {
        {"null", "null", JSON_NULL},
        {" true ", "true", JSON_TRUE},
        {"\tfalse\r\n", "false", JSON_FALSE},
        {"0", "0", JSON_NUMBER},
        {"-0", "-0", JSON_NUMBER},
        {"-10.25E-07", "-10.25E-07", JSON_NUMBER},
        {"1e+400", "1e+400", JSON_NUMBER},
        {"\"\"", "\"\"", JSON_STRING},
        {" \"a\\\"\" ", "\"a\\\"\"", JSON_STRING},
        {"\"\\u00e9\\uD83D\\ude00\\ud800\\u0000\\/\\b\"",
         "\"\\u00e9\\uD83D\\ude00\\ud800\\u0000\\/\\b\"", JSON_STRING},
        {"\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F\"",
         "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F\"", JSON_STRING},
        {"[]", "[]", JSON_ARRAY},
        {"[ ]", "[ ]", JSON_ARRAY},
        {" [1, [2] ,{} ]", "[1, [2] ,{} ]", JSON_ARRAY},
        {"{}", "{}", JSON_OBJECT},
        {"{ \"a\" : 1 , \"a\":{\"\":[]}}\n", "{ \"a\" : 1 , \"a\":{\"\":[]}}", JSON_OBJECT},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct json_value value;
        ck_assert_msg(json_parse(text_of(cases[i].whole), &value, NULL) == JSON_OK, "%s",
                      cases[i].whole);
        UNIT_TEXT(value.raw, cases[i].raw);
        ck_assert_int_eq(value.kind, cases[i].kind);
    }
}
END_TEST

START_TEST(refuses_what_is_not_json_and_says_where)
{
    static const struct {
        struct text whole;
        enum json_error error;
        size_t where;
    } cases[] = {
        {TEXT(""), JSON_SYNTAX, 0},
        {TEXT("  "), JSON_SYNTAX, 2},
        {TEXT("\xEF\xBB\xBF{}"), JSON_SYNTAX, 0},
        {TEXT("nul"), JSON_SYNTAX, 3},
        {TEXT("nulL"), JSON_SYNTAX, 3},
        {TEXT("nullx"), JSON_SYNTAX, 4},
        {TEXT("True"), JSON_SYNTAX, 0},
        {TEXT("01"), JSON_SYNTAX, 1},
        {TEXT("-"), JSON_SYNTAX, 1},
        {TEXT("+1"), JSON_SYNTAX, 0},
        {TEXT(".5"), JSON_SYNTAX, 0},
        {TEXT("1."), JSON_SYNTAX, 2},
        {TEXT("1.e5"), JSON_SYNTAX, 2},
        {TEXT("1e"), JSON_SYNTAX, 2},
        {TEXT("1e+-2"), JSON_SYNTAX, 3},
        {TEXT("0x10"), JSON_SYNTAX, 1},
        {TEXT("NaN"), JSON_SYNTAX, 0},
        {TEXT("1 2"), JSON_SYNTAX, 2},
        {TEXT("[1,]"), JSON_SYNTAX, 3},
        {TEXT("[,1]"), JSON_SYNTAX, 1},
        {TEXT("[1 2]"), JSON_SYNTAX, 3},
        {TEXT("[1}"), JSON_SYNTAX, 2},
        {TEXT("[\"a\":1]"), JSON_SYNTAX, 4},
        {TEXT("]"), JSON_SYNTAX, 0},
        {TEXT("{\"a\"}"), JSON_SYNTAX, 4},
        {TEXT("{\"a\":}"), JSON_SYNTAX, 5},
        {TEXT("{\"a\":1,}"), JSON_SYNTAX, 7},
        {TEXT("{a:1}"), JSON_SYNTAX, 1},
        {TEXT("{'a':1}"), JSON_SYNTAX, 1},
        {TEXT("{\"a\":1]"), JSON_SYNTAX, 6},
        {TEXT("{1:1}"), JSON_SYNTAX, 1},
        {TEXT("[1]/**/"), JSON_SYNTAX, 3},
        {TEXT("[1]\0"), JSON_SYNTAX, 3},
        {TEXT("[\0]"), JSON_SYNTAX, 1},
        {TEXT("[1]\v"), JSON_SYNTAX, 3},
        {TEXT("\"a"), JSON_SYNTAX, 2},
        {TEXT("\"\\"), JSON_SYNTAX, 2},
        {TEXT("\"\\x\""), JSON_SYNTAX, 2},
        {TEXT("\"\\\0\""), JSON_SYNTAX, 2},
        {TEXT("\"\\u12g4\""), JSON_SYNTAX, 5},
        {TEXT("\"\\u123"), JSON_SYNTAX, 6},
        {TEXT("\"\\U0041\""), JSON_SYNTAX, 2},
        {TEXT("\"\xE2\x82"), JSON_SYNTAX, 3},
        {TEXT("\"\xE2\x82\""), JSON_ENCODING, 1},
        {TEXT("\"a\nb\""), JSON_ENCODING, 2},
        {TEXT("\"a\0b\""), JSON_ENCODING, 2},
        {TEXT("\"\x1F\""), JSON_ENCODING, 1},
        {TEXT("\"\x80\""), JSON_ENCODING, 1},
        {TEXT("\"\xC0\xAF\""), JSON_ENCODING, 1},
        {TEXT("\"\xE0\x80\xAF\""), JSON_ENCODING, 1},
        {TEXT("\"\xED\xA0\x80\""), JSON_ENCODING, 1},
        {TEXT("\"\xF4\x90\x80\x80\""), JSON_ENCODING, 1},
        {TEXT("\"\xC3\xA9\xFF\""), JSON_ENCODING, 3},
        {TEXT("{\"\xFF\":1}"), JSON_ENCODING, 2},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        size_t where = 777;
        enum json_error error = parse_exact(cases[i].whole, &where);
        ck_assert_msg(error == cases[i].error && where == cases[i].where, "%.*s: %d at %zu",
                      TEXT_ARG(cases[i].whole), (int)error, where);
    }
    size_t where;
    ck_assert_int_eq(parse(TEXT_NONE, &where), JSON_SYNTAX);
    ck_assert_int_eq(parse(TEXT("["), NULL), JSON_SYNTAX);
}
END_TEST

START_TEST(leaves_the_value_alone_when_it_refuses)
{
    struct json_value value = {JSON_TRUE, TEXT("true")};
    ck_assert_int_eq(json_parse(TEXT("[1"), &value, NULL), JSON_SYNTAX);
    UNIT_TEXT(value.raw, "true");
}
END_TEST

/* Wherever in a block of 16 an odd byte stands, it is seen, and nothing before it is. */
START_TEST(sees_an_odd_byte_at_every_place_of_a_string)
{
    static const struct {
        char byte;
        enum json_error error;
        size_t past; /* how far behind the byte the place of the error is */
    } odd[] = {
        {'\0', JSON_ENCODING, 0},   {'\x1F', JSON_ENCODING, 0}, {'\x80', JSON_ENCODING, 0},
        {'\xFF', JSON_ENCODING, 0}, {'\\', JSON_SYNTAX, 1},     {'"', JSON_SYNTAX, 1},
    };
    char room[80];
    for (size_t size = 3; size < sizeof(room); size++) {
        memset(room, 'x', size);
        room[0] = room[size - 1] = '"';
        ck_assert_int_eq(parse_exact(text_make(room, size), NULL), JSON_OK);
        for (size_t place = 1; place < size - 1; place++)
            for (size_t i = 0; i < UNIT_COUNT(odd); i++) {
                size_t where = 777;
                room[place] = odd[i].byte;
                enum json_error error = parse_exact(text_make(room, size), &where);
                room[place] = 'x';
                if (place == size - 2 && odd[i].byte == '\\')
                    continue; /* escapes the closing quote */
                if (error != odd[i].error || where != place + odd[i].past)
                    ck_abort_msg("byte %d at %zu of %zu", odd[i].byte, place, size);
            }
    }
}
END_TEST

START_TEST(knows_eight_letters_behind_a_backslash)
{
    for (int byte = 0; byte < 256; byte++) {
        const char whole[] = {'"', '\\', (char)byte, '"'};
        bool known = byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL;
        ck_assert_msg((parse_exact(text_make(whole, 4), NULL) == JSON_OK) == known, "%d", byte);
    }
}
END_TEST

START_TEST(takes_as_many_levels_as_promised_and_no_more)
{
    char room[2 * JSON_MAX_DEPTH + 2];
    for (size_t depth = 1; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(room, '[', depth);
        memset(room + depth, ']', depth);
        size_t where = 0;
        enum json_error error = parse_exact(text_make(room, 2 * depth), &where);
        ck_assert_int_eq(error, depth <= JSON_MAX_DEPTH ? JSON_OK : JSON_TOO_DEEP);
        if (error != JSON_OK)
            ck_assert_uint_eq(where, JSON_MAX_DEPTH);
    }
    /* depth is what is open at a time, not how many there are */
    struct buffer many = {0};
    buffer_put_byte(&many, '[');
    for (int i = 0; i < 10 * JSON_MAX_DEPTH; i++)
        buffer_put(&many, TEXT("[{}],"));
    buffer_put(&many, TEXT("{\"a\":[]}]"));
    ck_assert_int_eq(parse(buffer_text(&many), NULL), JSON_OK);
    buffer_close(&many);
}
END_TEST

START_TEST(remembers_at_every_level_what_is_open)
{
    for (size_t wrong = 0; wrong < JSON_MAX_DEPTH; wrong++) {
        struct buffer nest = {0};
        for (size_t i = 0; i < JSON_MAX_DEPTH; i++)
            buffer_put(&nest, i % 3 == 0 ? TEXT("{\"a\":") : TEXT("["));
        buffer_put(&nest, TEXT("1"));
        size_t start = nest.size;
        for (size_t i = JSON_MAX_DEPTH; i-- > 0;)
            buffer_put_byte(&nest, i % 3 == 0 ? '}' : ']');
        ck_assert_int_eq(parse(buffer_text(&nest), NULL), JSON_OK);
        nest.at[start + wrong] ^= '}' ^ ']';
        size_t where = 0;
        ck_assert_int_eq(parse(buffer_text(&nest), &where), JSON_SYNTAX);
        ck_assert_uint_eq(where, start + wrong);
        buffer_close(&nest);
    }
}
END_TEST

START_TEST(a_text_cut_anywhere_is_a_syntax_error_at_its_end)
{
    const struct text whole = TEXT(" {\"m\\u00e9\\n\":[1.5e-3,true,null,\"\xF0\x9F\x98\x80\"],"
                                   "\"a long name of many bytes\":{\"\":false}}");
    ck_assert_int_eq(parse_exact(whole, NULL), JSON_OK);
    for (size_t size = 0; size < whole.size; size++) {
        size_t where = 777;
        ck_assert_int_eq(parse_exact(text_slice(whole, 0, size), &where), JSON_SYNTAX);
        ck_assert_uint_eq(where, size);
    }
}
END_TEST

static struct json_value value_of(struct text whole)
{
    struct json_value value;
    ck_assert_int_eq(json_parse(whole, &value, NULL), JSON_OK);
    return value;
}

START_TEST(walks_an_object)
{
    struct json_walk walk =
        json_walk(value_of(TEXT(" { \"a\" : 1 ,\"b]\":[ {\"x\":\"}]\\\"\"} "
                                "],\"\\\\\":\"q\\\"\\\\\" , \"\":{ }, \"e\":null } ")));
    static const struct {
        const char *name, *raw;
        enum json_kind kind;
    } want[] = {
        {"a", "1", JSON_NUMBER},
        {"b]", "[ {\"x\":\"}]\\\"\"} ]", JSON_ARRAY},
        {"\\\\", "\"q\\\"\\\\\"", JSON_STRING},
        {"", "{ }", JSON_OBJECT},
        {"e", "null", JSON_NULL},
    };
    struct text name;
    struct json_value value;
    for (size_t i = 0; i < UNIT_COUNT(want); i++) {
        ck_assert(json_next(&walk, &name, &value));
        UNIT_TEXT(name, want[i].name);
        ck_assert_ptr_nonnull(name.at);
        UNIT_TEXT(value.raw, want[i].raw);
        ck_assert_int_eq(value.kind, want[i].kind);
    }
    ck_assert(!json_next(&walk, &name, &value));
    ck_assert(!json_next(&walk, &name, &value));
}
END_TEST

START_TEST(walks_an_array)
{
    struct json_walk walk = json_walk(value_of(TEXT("[-1.5 , \"a,b\",[[],[1]],true]")));
    static const char *const want[] = {"-1.5", "\"a,b\"", "[[],[1]]", "true"};
    struct text name = TEXT("x");
    struct json_value value;
    for (size_t i = 0; i < UNIT_COUNT(want); i++) {
        ck_assert(json_next(&walk, i == 0 ? &name : NULL, &value));
        UNIT_TEXT(value.raw, want[i]);
    }
    ck_assert_ptr_null(name.at);
    ck_assert(!json_next(&walk, NULL, &value));
}
END_TEST

START_TEST(finds_nothing_to_walk_in_other_values)
{
    static const char *const wholes[] = {"[]", "{}", "[ ]", "{ }", "\"[1]\"", "12", "null"};
    for (size_t i = 0; i < UNIT_COUNT(wholes); i++) {
        struct json_walk walk = json_walk(value_of(text_of(wholes[i])));
        struct json_value value;
        ck_assert_msg(!json_next(&walk, NULL, &value), "%s", wholes[i]);
    }
}
END_TEST

START_TEST(finds_the_first_member_of_a_name)
{
    struct json_value whole =
        value_of(TEXT("{\"deep\":{\"model\":0},\"mod\\u0065l\":1,\"model\":2,\"max\":3}"));
    struct json_value value;
    ck_assert(json_member(whole, TEXT("model"), &value));
    UNIT_TEXT(value.raw, "1");
    ck_assert(json_member(whole, TEXT("max"), &value));
    UNIT_TEXT(value.raw, "3");
    ck_assert(!json_member(whole, TEXT("mode"), &value));
    ck_assert(!json_member(value, TEXT("model"), &value));
    ck_assert(!json_member(value_of(TEXT("[\"model\"]")), TEXT("model"), &value));
    UNIT_TEXT(value.raw, "3");
}
END_TEST

UNIT_MAIN(accepts_every_kind_of_value, refuses_what_is_not_json_and_says_where,
          leaves_the_value_alone_when_it_refuses, sees_an_odd_byte_at_every_place_of_a_string,
          knows_eight_letters_behind_a_backslash, takes_as_many_levels_as_promised_and_no_more,
          remembers_at_every_level_what_is_open, a_text_cut_anywhere_is_a_syntax_error_at_its_end,
          walks_an_object, walks_an_array, finds_nothing_to_walk_in_other_values,
          finds_the_first_member_of_a_name)
