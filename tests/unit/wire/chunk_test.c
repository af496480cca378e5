/* Reading the chunks of streams. */
#include <stdio.h>

#include "../unit.h"
#include "wire/usage.h"

/* Reads a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static struct chunk read_chunk(const char *data, bool look_for_visible)
{
    size_t size = strlen(data);
    char *copy = malloc(size > 0 ? size : 1);
    struct chunk chunk;
    memcpy(copy, data, size);
    chunk_read(ENDPOINT_CHAT, text_make(copy, size), look_for_visible, &chunk);
    free(copy);
    return chunk;
}

START_TEST(knows_the_end)
{
    ck_assert(read_chunk("[DONE]", false).done);
    ck_assert(read_chunk(" [DONE] ", true).done);
    ck_assert(!read_chunk("[DONE", true).done);
    ck_assert(!read_chunk("\"[DONE]\"", true).done);
    ck_assert(!read_chunk("", true).done);
}
END_TEST

START_TEST(finds_usage_at_every_place)
{
    for (int before = 0; before < 20; before++) {
        for (int behind = 0; behind < 20; behind++) {
            char data[256];
            (void)snprintf(data, sizeof(data),
                           "{\"%.*s\":1,\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2},"
                           "\"choices\":[]%.*s}",
                           before, "xxxxxxxxxxxxxxxxxxxx", behind, "                    ");
            struct chunk chunk = read_chunk(data, false);
            ck_assert_int_eq(chunk.usage_result, USAGE_FOUND);
            ck_assert_int_eq(chunk.usage.prompt, 5);
            ck_assert_int_eq(chunk.usage.completion, 2);
            ck_assert(chunk.choices_empty);
            (void)snprintf(data, sizeof(data), "{\"%.*s\":1,\"error\"%.*s:1}", before,
                           "xxxxxxxxxxxxxxxxxxxx", behind, "                    ");
            ck_assert(read_chunk(data, false).error);
        }
    }
}
END_TEST

START_TEST(tells_the_usage_of_the_chunk_from_others)
{
    static const struct {
        const char *data;
        enum usage_result result;
    } cases[] = {
        {"{\"usage\":null,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", USAGE_ABSENT},
        {"{\"usage\" : null}", USAGE_ABSENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{}\"}}]}", USAGE_ABSENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"usage\"}}]}", USAGE_ABSENT},
        {"{\"choices\":[{\"usage\":{\"prompt_tokens\":1}}]}", USAGE_ABSENT},
        {"{\"usage\":{\"prompt_tokens\":-1}}", USAGE_INVALID},
        {"{\"usage\":7}", USAGE_INVALID},
        {"{\"usage\":\n\t{\"prompt_tokens\":1}}", USAGE_FOUND},
        {"{\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":1}},\"choices\":[]}", USAGE_FOUND},
        {"{\"usage\":{\"prompt_tokens\":1}", USAGE_ABSENT},
        {"<html>\"usage\":{}", USAGE_ABSENT},
        {"[{\"usage\":{\"prompt_tokens\":1}}]", USAGE_ABSENT},
        {"", USAGE_ABSENT},
        {"\"usage\"", USAGE_ABSENT},
        {"\"usage\":", USAGE_ABSENT},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        for (int look = 0; look < 2; look++) {
            struct chunk chunk = read_chunk(cases[i].data, look == 1);
            ck_assert_msg(chunk.usage_result == cases[i].result, "%s", cases[i].data);
            ck_assert_msg(!chunk.error, "%s", cases[i].data);
        }
    }
}
END_TEST

START_TEST(a_chunk_may_carry_usage_and_choices)
{
    struct chunk chunk = read_chunk("{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":"
                                    "{\"prompt_tokens\":3,\"completion_tokens\":1}}",
                                    true);
    ck_assert_int_eq(chunk.usage_result, USAGE_FOUND);
    ck_assert(!chunk.choices_empty);
    ck_assert(chunk.visible);
}
END_TEST

START_TEST(finds_errors)
{
    ck_assert(read_chunk("{\"error\":{\"message\":\"overloaded\"}}", false).error);
    ck_assert(read_chunk("{\"error\":\"overloaded\"}", false).error);
    ck_assert(!read_chunk("{\"error\":null}", false).error);
    ck_assert(!read_chunk("{\"error\":null}", true).error);
    ck_assert(!read_chunk("{\"choices\":[{\"error\":{}}]}", false).error);
}
END_TEST

START_TEST(sees_what_a_person_could_see)
{
    static const struct {
        const char *choice;
        bool visible;
    } cases[] = {
        {"\"delta\":{\"role\":\"assistant\",\"content\":\"\"}", false},
        {"\"delta\":{\"content\":\"Hi\"}", true},
        {"\"delta\":{\"content\":null,\"refusal\":\"No\"}", true},
        {"\"delta\":{\"content\":null,\"refusal\":null}", false},
        {"\"delta\":{\"reasoning_content\":\"Hm\",\"content\":null}", false},
        {"\"delta\":{\"reasoning\":\"Hm\",\"reasoning_details\":[{}],\"content\":\"\"}", false},
        {"\"delta\":{\"tool_calls\":[{\"index\":0}]}", true},
        {"\"delta\":{\"tool_calls\":[]}", false},
        {"\"delta\":{\"function_call\":{\"name\":\"f\"}}", true},
        {"\"delta\":{\"audio\":{\"id\":\"a\"}}", true},
        {"\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[]}]}", false},
        {"\"delta\":{\"content\":[{\"type\":\"thinking\"},{\"type\":\"text\"}]}", true},
        {"\"delta\":{},\"finish_reason\":\"stop\"", false},
        {"\"delta\":null", false},
        {"\"text\":\"Hi\",\"index\":0", true},
        {"\"text\":\"\"", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char data[256];
        (void)snprintf(data, sizeof(data), "{\"choices\":[{\"index\":0},{%s}]}", cases[i].choice);
        ck_assert_msg(read_chunk(data, true).visible == cases[i].visible, "%s", data);
        ck_assert_msg(!read_chunk(data, false).visible, "%s", data);
    }
    ck_assert(!read_chunk("{\"choices\":[]}", true).visible);
    ck_assert(!read_chunk("{\"choices\":{\"text\":\"x\"", true).visible);
}
END_TEST

UNIT_MAIN(knows_the_end, finds_usage_at_every_place, tells_the_usage_of_the_chunk_from_others,
          a_chunk_may_carry_usage_and_choices, finds_errors, sees_what_a_person_could_see)
