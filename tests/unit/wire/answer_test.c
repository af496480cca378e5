/* Finding usage and model in whole answers that come in pieces. */
#include "../unit.h"
#include "wire/usage.h"

/* The answer in pieces of `size`, each a copy that ends where its memory ends. */
static struct answer_scan scan_pieces(struct text answer, size_t size)
{
    struct answer_scan scan = {0};
    for (size_t at = 0; at < answer.size; at += size) {
        struct text piece = text_slice(answer, at, at + size);
        char *copy = malloc(piece.size);
        memcpy(copy, piece.at, piece.size);
        answer_scan_feed(&scan, text_make(copy, piece.size));
        free(copy);
    }
    return scan;
}

static const char answer[] =
    " {\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\""
    ":1}, \\\\\",\"usage\":{\"prompt_tokens\":2},\"model\":\"inner\",\"error\":{}}}],\n"
    "\"model\" : \"gpt-4o\" ,\"error\": null,\"usage\" : {\"prompt_tokens\":9 , "
    "\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}\n,"
    "\"usage\":{\"prompt_tokens\":5},\"model\":\"late\", \"service_tier\" :\"flex\" ,"
    "\"service_tier\":\"late\"}\n";

START_TEST(finds_them_however_the_answer_is_cut)
{
    for (size_t size = 1; size <= sizeof(answer); size++) {
        struct answer_scan scan = scan_pieces(text_of(answer), size);
        struct answer_report report;
        answer_scan_read(&scan, &report);
        ck_assert_int_eq(report.usage_result, USAGE_FOUND);
        ck_assert_int_eq(report.usage.prompt, 9);
        ck_assert_int_eq(report.usage.completion, 3);
        ck_assert_int_eq(report.usage.cached, 4);
        UNIT_TEXT(report.service_tier, "flex");
        UNIT_TEXT(buffer_text(&scan.model_raw), "\"gpt-4o\"");
        ck_assert(!scan.is_error);
        answer_scan_close(&scan);
    }
}
END_TEST

static enum usage_result result_of(const char *raw, bool *is_error)
{
    struct answer_scan scan = scan_pieces(text_of(raw), 3);
    struct answer_report report;
    answer_scan_read(&scan, &report);
    *is_error = report.is_error;
    answer_scan_close(&scan);
    return report.usage_result;
}

START_TEST(tells_absent_invalid_and_errors_apart)
{
    static const struct {
        const char *raw;
        enum usage_result result;
        bool is_error;
    } cases[] = {
        {"", USAGE_ABSENT, false},
        {"{}", USAGE_ABSENT, false},
        {"{\"usage\":null}", USAGE_ABSENT, false},
        {"{\"usage\":{}}", USAGE_INVALID, false},
        {"{\"usage\":{\"prompt_tokens\":1", USAGE_INVALID, false},
        {"{\"us\\u0061ge\":{\"prompt_tokens\":1}}", USAGE_FOUND, false},
        {"{\"usage \":{\"prompt_tokens\":1}}", USAGE_ABSENT, false},
        {"{\"error\":{\"message\":\"no\"}}", USAGE_ABSENT, true},
        {"{\"error\": null}", USAGE_ABSENT, false},
        {"{\"error\":\"no\",\"usage\":{\"prompt_tokens\":1}}", USAGE_FOUND, true},
        {"{\"x\":{\"error\":1,\"usage\":1}}", USAGE_ABSENT, false},
        {"[{\"usage\":{\"prompt_tokens\":1},\"error\":1}]", USAGE_ABSENT, false},
        {"<html>{\"usage\":{\"prompt_tokens\":1}}", USAGE_ABSENT, false},
        {"{}{\"usage\":{\"prompt_tokens\":1}}", USAGE_ABSENT, false},
        {"}}}]]{\"usage\":1}", USAGE_ABSENT, false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        bool is_error;
        ck_assert_msg(result_of(cases[i].raw, &is_error) == cases[i].result, "%s", cases[i].raw);
        ck_assert_msg(is_error == cases[i].is_error, "%s", cases[i].raw);
    }
}
END_TEST

START_TEST(keeps_only_so_much)
{
    struct buffer large = {0};
    struct answer_report report;

    buffer_put(&large, TEXT("{\"usage\":{\"prompt_tokens\":1,\"x\":\""));
    for (int i = 0; i < 1000000; i++)
        buffer_put_byte(&large, 'x');
    buffer_put(&large, TEXT("\"},\""));
    for (int i = 0; i < 1000000; i++)
        buffer_put_byte(&large, 'n');
    buffer_put(&large, TEXT("\":1,\"model\":\"m\"}"));

    struct answer_scan scan = scan_pieces(buffer_text(&large), 1000);
    answer_scan_read(&scan, &report);
    ck_assert_int_eq(report.usage_result, USAGE_INVALID);
    UNIT_TEXT(buffer_text(&scan.model_raw), "\"m\"");
    ck_assert_uint_le(scan.usage_raw.size, ANSWER_MOST_KEPT);
    ck_assert_uint_le(scan.name.size, 80);
    answer_scan_close(&scan);
    buffer_close(&large);
}
END_TEST

/* ---- random documents ---- */

static unsigned seed;

static unsigned below(unsigned most)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % most;
}

static void put_one_of(struct buffer *out, const char *const *choices, unsigned count)
{
    buffer_put(out, text_of(choices[below(count)]));
}

static void put_space(struct buffer *out)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\r\n\t "};
    put_one_of(out, spaces, 6);
}

static void put_value(struct buffer *out, unsigned depth)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "-1.5e3",
                                          "0",
                                          "\"\"",
                                          "\"usage\"",
                                          "\"m\"",
                                          "\"\\\"usage\\\":{\"",
                                          "\"\\\\\"",
                                          "\"\\u0022}]{[,\"",
                                          "7",
                                          "\"\xE2\x82\xAC\"",
                                          "{\"prompt_tokens\" : 3 ,\"completion_tokens\":4}"};
    static const char *const names[] = {
        "usage",        "model",       "error",       "choices", "prompt_tokens",
        "total_tokens", "us\\u0061ge", "usag",        "",        "completion_tokens",
        "usagee",       "\\\"usage",   "\\u006dodel", "Usage"};
    unsigned kind = below(depth == 0 ? 4 : 6);
    unsigned count = below(5);

    if (depth > 0 && (kind < 3 || depth > 5)) {
        put_one_of(out, scalars, 13);
        return;
    }
    buffer_put_byte(out, kind == 3 ? '[' : '{');
    for (unsigned i = 0; i < count; i++) {
        put_space(out);
        if (kind != 3) {
            buffer_put_byte(out, '"');
            put_one_of(out, names, 14);
            buffer_put_byte(out, '"');
            put_space(out);
            buffer_put_byte(out, ':');
            put_space(out);
        }
        put_value(out, depth + 1);
        put_space(out);
        if (i + 1 < count)
            buffer_put_byte(out, ',');
    }
    put_space(out);
    buffer_put_byte(out, kind == 3 ? ']' : '}');
}

static bool has_error(struct json_value whole)
{
    struct json_walk walk = json_walk(whole);
    struct json_value value;
    struct text name;
    while (walk.object && json_next(&walk, &name, &value))
        if (json_name_equal(name, TEXT("error")) && value.kind != JSON_NULL)
            return true;
    return false;
}

START_TEST(agrees_with_the_parser_on_random_documents)
{
    unsigned found = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct buffer document = {0};
        struct json_value whole, usage, model;
        struct answer_report have, want;

        seed = round * 2654435761u;
        put_space(&document);
        put_value(&document, 0);
        put_space(&document);
        ck_assert_msg(json_parse(buffer_text(&document), &whole, NULL) == JSON_OK, "%s",
                      buffer_string(&document));
        bool has_usage = json_member(whole, TEXT("usage"), &usage);
        bool has_model = json_member(whole, TEXT("model"), &model);
        answer_read(buffer_text(&document), &want);
        enum usage_result result = has_usage ? usage_read(usage, &(struct usage){0}) : USAGE_ABSENT;
        ck_assert_msg(want.usage_result == result, "%s", buffer_string(&document));

        struct answer_scan scan = scan_pieces(buffer_text(&document), 1 + below(20));
        answer_scan_read(&scan, &have);
        ck_assert_msg(have.usage_result == result, "%s", buffer_string(&document));
        if (result == USAGE_FOUND)
            ck_assert_msg(memcmp(&have.usage, &want.usage, sizeof(have.usage)) == 0, "%s",
                          buffer_string(&document));
        ck_assert(text_equal(have.service_tier, want.service_tier));
        ck_assert_msg(text_equal(buffer_text(&scan.model_raw), has_model ? model.raw : TEXT_NONE),
                      "%s", buffer_string(&document));
        ck_assert_msg(scan.is_error == has_error(whole), "%s", buffer_string(&document));
        found += result == USAGE_FOUND ? 1 : 0;
        answer_scan_close(&scan);
        buffer_close(&document);
    }
    ck_assert_uint_gt(found, 100);
}
END_TEST

UNIT_MAIN(finds_them_however_the_answer_is_cut, tells_absent_invalid_and_errors_apart,
          keeps_only_so_much, agrees_with_the_parser_on_random_documents)
