/* The text that the events of Responses streams generate. */
#include <stdio.h>

#include "../unit.h"
#include "wire/delta.h"

static struct delta_reader reader = {.endpoint = ENDPOINT_RESPONSES};

static void read_event(const char *data)
{
    delta_read(&reader, text_of(data));
}

static void brings_nothing(const char *data, bool opaque)
{
    read_event(data);
    ck_assert_msg(reader.count == 0, "%s", data);
    ck_assert_msg(reader.opaque == opaque, "%s", data);
}

static void brings(const char *data, enum delta_kind kind, int64_t part, const char *text)
{
    read_event(data);
    ck_assert_msg(reader.count == 1, "%s", data);
    ck_assert_int_eq(reader.at[0].kind, kind);
    ck_assert_int_eq(reader.at[0].part, part);
    UNIT_TEXT(reader.at[0].text, text);
    ck_assert_msg(!reader.opaque, "%s", data);
}

START_TEST(deltas_bring_their_text)
{
    brings("{\"type\":\"response.output_text.delta\",\"output_index\":2,\"delta\":\"a\\nb\"}",
           DELTA_TEXT, 2, "a\nb");
    brings("{\"delta\":\"no\",\"type\":\"response.refusal.delta\"}", DELTA_TEXT, 0, "no");
    brings("{\"type\":\"response.function_call_arguments.delta\",\"output_index\":1,\"delta\":"
           "\"{\\\"\"}",
           DELTA_TOOL, 1, "{\"");
    brings("{\"type\":\"response.custom_tool_call_input.delta\",\"delta\":\"*\"}", DELTA_TOOL, 0,
           "*");
}
END_TEST

START_TEST(a_call_was_generated_with_its_name)
{
    brings(
        "{\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{\"type\":"
        "\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"\"}}",
        DELTA_TOOL, 1, "f");
    brings_nothing("{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\","
                   "\"content\":[]}}",
                   false);
}
END_TEST

START_TEST(what_is_told_once_more_counts_once)
{
    static const char *const types[] = {
        "response.created",
        "response.in_progress",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.function_call_arguments.done",
        "response.completed",
        "error",
    };
    for (size_t i = 0; i < UNIT_COUNT(types); i++) {
        char data[256];
        (void)snprintf(data, sizeof(data),
                       "{\"type\":\"%s\",\"text\":\"x\",\"arguments\":\"x\",\"part\":{\"text\":"
                       "\"x\"},\"item\":{\"name\":\"x\"},\"response\":{\"output\":[1]}}",
                       types[i]);
        brings_nothing(data, false);
    }
}
END_TEST

START_TEST(what_the_text_does_not_tell_is_said)
{
    brings_nothing("{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"reasoning\"}}",
                   true);
    brings_nothing("{\"type\":\"response.output_item.added\",\"item\":{\"type\":"
                   "\"web_search_call\"}}",
                   true);
    brings_nothing("{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"hm\"}", true);
    brings_nothing("{\"type\":\"response.audio.delta\",\"delta\":\"AAAA\"}", true);
    brings_nothing("{\"type\":\"response.of_the_future\"}", true);
    brings_nothing("{\"type\":\"response.output_text.delta\"", true);
}
END_TEST

START_TEST(a_whole_response_has_all_of_it)
{
    read_event("{\"id\":\"resp_1\",\"object\":\"response\",\"output\":[{\"type\":\"message\","
               "\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\",\"annotations\":[]},"
               "{\"type\":\"refusal\",\"refusal\":\"No\"}]},{\"type\":\"function_call\",\"name\":"
               "\"f\",\"arguments\":\"{}\",\"call_id\":\"c\"}]}");
    ck_assert_uint_eq(reader.count, 4);
    ck_assert(!reader.opaque);
    UNIT_TEXT(reader.at[0].text, "Hi");
    UNIT_TEXT(reader.at[1].text, "No");
    UNIT_TEXT(reader.at[2].text, "f");
    UNIT_TEXT(reader.at[3].text, "{}");
    ck_assert_int_eq(reader.at[3].part, 1);
    brings_nothing("{\"output\":[{\"type\":\"reasoning\",\"summary\":[]}]}", true);
    brings_nothing("{\"object\":\"response\"}", false);
}
END_TEST

UNIT_MAIN(deltas_bring_their_text, a_call_was_generated_with_its_name,
          what_is_told_once_more_counts_once, what_the_text_does_not_tell_is_said,
          a_whole_response_has_all_of_it)
