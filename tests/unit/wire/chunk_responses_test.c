/* Reading the events of Responses streams. */
#include <stdio.h>

#include "../unit.h"
#include "wire/usage.h"

/* Reads a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static struct chunk read_event(const char *data, bool look_for_visible)
{
    static char *copy;
    size_t size = strlen(data);
    struct chunk chunk;
    free(copy); /* the chunk points into it */
    copy = malloc(size > 0 ? size : 1);
    memcpy(copy, data, size);
    chunk_read(ENDPOINT_RESPONSES, text_make(copy, size), look_for_visible, &chunk);
    return chunk;
}

START_TEST(the_whole_response_ends_the_stream_and_has_the_usage)
{
    static const char *const types[] = {"response.completed", "response.incomplete",
                                        "response.failed"};
    for (size_t i = 0; i < UNIT_COUNT(types); i++) {
        char data[512];
        (void)snprintf(data, sizeof(data),
                       "{\"sequence_number\":9,\"response\":{\"id\":\"resp_1\",\"usage\":{"
                       "\"input_tokens\":70,\"input_tokens_details\":{\"cached_tokens\":20},"
                       "\"output_tokens\":30,\"output_tokens_details\":{\"reasoning_tokens\":12},"
                       "\"total_tokens\":100},\"service_tier\":\"flex\",\"output\":[]},"
                       "\"type\":\"%s\"}",
                       types[i]);
        struct chunk chunk = read_event(data, false);
        ck_assert(chunk.done);
        ck_assert(chunk.error == (i == 2));
        ck_assert(!chunk.choices_empty);
        ck_assert_int_eq(chunk.usage_result, USAGE_FOUND);
        ck_assert_int_eq(chunk.usage.prompt, 70);
        ck_assert_int_eq(chunk.usage.cached, 20);
        ck_assert_int_eq(chunk.usage.completion, 30);
        ck_assert_int_eq(chunk.usage.reasoning, 12);
        ck_assert_int_eq(chunk.usage.searches, 0);
        UNIT_TEXT(chunk.service_tier, "flex");
        UNIT_TEXT(chunk.id, "resp_1");
    }
}
END_TEST

START_TEST(the_end_may_be_without_usage)
{
    struct chunk chunk =
        read_event("{\"type\":\"response.completed\",\"response\":{\"usage\":null}}", true);
    ck_assert(chunk.done);
    ck_assert_int_eq(chunk.usage_result, USAGE_ABSENT);
    ck_assert(read_event("{\"type\":\"response.failed\"}", false).done);
    ck_assert_int_eq(
        read_event("{\"type\":\"response.completed\",\"response\":{\"usage\":7}}", true)
            .usage_result,
        USAGE_INVALID);
}
END_TEST

START_TEST(the_first_events_tell_the_id_alone)
{
    struct chunk chunk = read_event("{\"type\":\"response.created\",\"response\":{\"id\":\"r\","
                                    "\"usage\":null,\"error\":null}}",
                                    true);
    UNIT_TEXT(chunk.id, "r");
    ck_assert(!chunk.done);
    ck_assert(!chunk.error);
    ck_assert(!chunk.visible);
    ck_assert_int_eq(chunk.usage_result, USAGE_ABSENT);
}
END_TEST

START_TEST(an_item_that_is_complete_is_told)
{
    struct chunk chunk =
        read_event("{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"x\"}}", false);
    UNIT_TEXT(chunk.item.raw, "{\"id\":\"x\"}");
    chunk = read_event("{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"x\"}}", false);
    ck_assert_uint_eq(chunk.item.raw.size, 0);
}
END_TEST

START_TEST(searches_are_counted_from_the_items)
{
    struct chunk chunk = read_event(
        "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1},\"output\":"
        "[{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\"}},{\"type\":"
        "\"web_search_call\"},{\"type\":\"web_search_call\",\"action\":{\"type\":\"open_page\"}},"
        "{\"type\":\"web_search_call\",\"action\":{\"type\":\"find_in_page\"}},{\"type\":"
        "\"message\"},7]}}",
        false);
    ck_assert_int_eq(chunk.usage.searches, 2);
}
END_TEST

START_TEST(knows_errors)
{
    ck_assert(read_event("{\"type\":\"error\",\"code\":\"x\",\"message\":\"y\"}", false).error);
    ck_assert(read_event("{\"type\":\"error\"}", false).done); /* nothing need follow it */
    ck_assert(read_event("[DONE]", false).done);               /* some servers add it */
}
END_TEST

START_TEST(sees_what_a_person_could_see)
{
    static const struct {
        const char *data;
        bool visible;
    } cases[] = {
        {"{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}", true},
        {"{\"delta\":\"Hi\",\"type\":\"response.output_text.delta\"}", true},
        {"{\"type\":\"response.output_text.delta\",\"delta\":\"\"}", false},
        {"{\"type\":\"response.output_text.delta\"}", false},
        {"{\"type\":\"response.refusal.delta\",\"delta\":\"No\"}", true},
        {"{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}", true},
        {"{\"type\":\"response.custom_tool_call_input.delta\",\"delta\":\"*\"}", true},
        {"{\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}", false},
        {"{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"hm\"}", false},
        {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\",\"content\":[]}}",
         false},
        {"{\"type\":\"response.output_item.done\",\"item\":{\"type\":\"message\",\"content\":[{}]}"
         "}",
         true},
        {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\"}}", false},
        {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\"}}", true},
        {"{\"type\":\"response.in_progress\",\"response\":{}}", false},
        {"{\"type\":7,\"delta\":\"x\"}", false},
        {"[]", false},
        {"<html>", false},
        {"", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        ck_assert_msg(read_event(cases[i].data, true).visible == cases[i].visible, "%s",
                      cases[i].data);
        ck_assert_msg(!read_event(cases[i].data, false).visible, "%s", cases[i].data);
    }
}
END_TEST

UNIT_MAIN(the_whole_response_ends_the_stream_and_has_the_usage, the_end_may_be_without_usage,
          the_first_events_tell_the_id_alone, an_item_that_is_complete_is_told,
          searches_are_counted_from_the_items, knows_errors, sees_what_a_person_could_see)
