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

/* The last of these events is read as a reader reads it that has seen no other. */
static bool is_usual(const char *const *events, size_t count)
{
    struct delta_reader used = {.endpoint = ENDPOINT_RESPONSES}, fresh = used;
    for (size_t i = 0; i < count; i++)
        delta_read(&used, text_of(events[i]));
    const char *last = events[count - 1];
    delta_read(&fresh, text_of(last));
    ck_assert_msg(!fresh.usual, "%s", last);
    ck_assert_msg(used.count == fresh.count && used.opaque == fresh.opaque, "%s", last);
    for (size_t i = 0; i < used.count; i++) {
        ck_assert_int_eq(used.at[i].kind, fresh.at[i].kind);
        ck_assert_int_eq(used.at[i].part, fresh.at[i].part);
        ck_assert_msg(text_equal(used.at[i].text, fresh.at[i].text), "%s", last);
    }
    bool usual = used.usual;
    delta_reader_close(&used);
    delta_reader_close(&fresh);
    return usual;
}

#define EVENT(type, number, delta, rest)                                                           \
    "{\"type\":\"response." type "\",\"sequence_number\":" number ",\"item_id\":\"msg_1\","        \
    "\"output_index\":0,\"content_index\":0,\"delta\":" delta ",\"logprobs\":[]" rest "}"
#define WORD(number, delta) EVENT("output_text.delta", number, delta, ",\"obfuscation\":\"ab\"")

START_TEST(an_event_of_the_form_of_an_earlier_one_is_usual)
{
    static const char *const first = WORD("9", "\" the\"");
    static const struct {
        const char *event;
        bool usual;
    } cases[] = {
        {WORD("10", "\" cat\""), true},
        {WORD("0", "\" cat\""), true},
        {WORD("999999999999999999", "\"\\u00e9\\n\\\"\""), true},
        {WORD("10", "\"\""), true},
        {EVENT("output_text.delta", "10", "\"x\"", ",\"obfuscation\":\"\\n123\""), true},
        {WORD("1234567890123456789", "\"x\""), false},
        {WORD("10e2", "\"x\""), false},
        {WORD("-1", "\"x\""), false},
        {WORD("01", "\"x\""), false},
        {WORD("\"1\"", "\"x\""), false},
        {WORD("10", "null"), false},
        {WORD("10", "\"\\x\""), false},
        {WORD("10", "\"x"), false},
        {EVENT("output_text.delta", "10", "\"x\"", ",\"obfuscation\":7"), false},
        {EVENT("refusal.delta", "10", "\"x\"", ",\"obfuscation\":\"ab\""), false},
        {"{\"type\":\"response.completed\",\"sequence_number\":11,\"response\":{}}", false},
        {"", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        const char *events[] = {first, cases[i].event};
        ck_assert_msg(is_usual(events, 2) == cases[i].usual, "%s", cases[i].event);
    }
}
END_TEST

START_TEST(a_usual_event_tells_its_text_as_it_stood_and_its_number)
{
    read_event(WORD("9", "\"a\""));
    ck_assert(!reader.usual);
    read_event(WORD("10", "\"\\n\""));
    ck_assert(reader.usual);
    UNIT_TEXT(reader.said, "\\n");
    UNIT_TEXT(reader.number.raw, "10");
    UNIT_TEXT(reader.at[0].text, "\n");
    read_event(WORD("11", "\"\""));
    ck_assert(reader.usual);
    ck_assert_uint_eq(reader.count, 0);
    ck_assert_uint_eq(reader.said.size, 0);
    read_event("{\"type\":\"response.refusal.delta\",\"delta\":\"a\"}");
    read_event("{\"type\":\"response.refusal.delta\",\"delta\":\"b\"}");
    ck_assert(reader.usual);
    ck_assert_int_eq(reader.number.kind, JSON_NULL);
}
END_TEST

START_TEST(what_is_more_than_a_delta_has_no_form)
{
    static const char *const cases[] = {
        EVENT("output_text.delta", "1", "\"a\"", ",\"delta\":\"b\""),
        EVENT("output_text.delta", "1", "\"\"", ",\"delta\":\"b\""),
        EVENT("output_text.delta", "1", "\"a\"", ",\"response\":{\"id\":\"r\"}"),
        EVENT("output_text.delta", "1.0", "\"a\"", ""),
        EVENT("output_text.delta", "1", "{\"a\":1}", ""),
        EVENT("output_text.done", "1", "\"a\"", ""),
        EVENT("reasoning_summary_text.delta", "1", "\"a\"", ""),
        "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",\"name\":"
        "\"f\"}}",
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        const char *events[] = {cases[i], cases[i]};
        ck_assert_msg(!is_usual(events, 2), "%s", cases[i]);
    }
}
END_TEST

UNIT_MAIN(an_event_of_the_form_of_an_earlier_one_is_usual,
          a_usual_event_tells_its_text_as_it_stood_and_its_number,
          what_is_more_than_a_delta_has_no_form, deltas_bring_their_text,
          a_call_was_generated_with_its_name, what_is_told_once_more_counts_once,
          what_the_text_does_not_tell_is_said, a_whole_response_has_all_of_it)
