/* The text that events generate. */
#include <stdio.h>

#include "../unit.h"
#include "wire/delta.h"

/* All deltas of an event as "choice.part kind text;" each. */
static struct buffer told;

static const char *read_all(struct delta_reader *reader, const char *data)
{
    static const char letters[] = {
        [DELTA_TEXT] = 't', [DELTA_REASONING] = 'r', [DELTA_TOOL] = 'c', [DELTA_OTHER] = 'o'};
    delta_read(reader, text_of(data));
    buffer_clear(&told);
    for (size_t i = 0; i < reader->count; i++)
        buffer_printf(&told, "%d.%d%c %.*s;", (int)reader->at[i].choice, (int)reader->at[i].part,
                      letters[reader->at[i].kind], TEXT_ARG(reader->at[i].text));
    if (reader->opaque)
        buffer_put_byte(&told, '?');
    return buffer_string(&told);
}

static void check(const char *data, const char *want)
{
    struct delta_reader reader = {.endpoint = ENDPOINT_CHAT};
    const char *have = read_all(&reader, data);
    ck_assert_msg(strcmp(have, want) == 0, "%s gives \"%s\", not \"%s\"", data, have, want);
    delta_reader_close(&reader);
}

static void check_delta(const char *delta, const char *want)
{
    struct buffer data = {0};
    buffer_printf(&data, "{\"choices\":[{\"index\":0,\"delta\":%s}]}", delta);
    check(buffer_string(&data), want);
    buffer_close(&data);
}

START_TEST(tells_the_text_of_a_chunk)
{
    check("{\"id\":\"c1\",\"choices\":[{\"index\":2,\"delta\":{\"role\":\"assistant\",\"content\":"
          "\"Hi\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}",
          "2.0t Hi;");
    check("{\"object\":\"text_completion\",\"choices\":[{\"text\":\" you\",\"index\":1}]}",
          "1.0t  you;");
    check("{\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":"
          "\"b\"}}]}",
          "0.0t a;1.0t b;");
}
END_TEST

START_TEST(resolves_escapes)
{
    check_delta("{\"content\":\"a\\n\\\"\\u00e9\\ud83d\\ude00\"}",
                "0.0t a\n\"\xC3\xA9\xF0\x9F\x98\x80;");
    check_delta("{\"content\":\"\\n\",\"refusal\":\"\\t\"}", "0.0t \n;0.0t \t;");
    check_delta("{\"c\\u006fntent\":\"x\"}", "0.0t x;");
}
END_TEST

START_TEST(tells_kinds_apart)
{
    check_delta("{\"refusal\":\"No\",\"content\":null}", "0.0t No;");
    check_delta("{\"reasoning_content\":\"Hm\",\"content\":null}", "0.0r Hm;");
    check_delta("{\"reasoning\":\"Hm\",\"reasoning_content\":\"Hm\",\"content\":\"\"}", "0.0r Hm;");
    check_delta("{\"reasoning\":\"Hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\","
                "\"text\":\"Hm\"}]}",
                "0.0r Hm;");
    check_delta("{\"reasoning\":\"a\",\"reasoning_content\":\"b\"}", "0.0r a;0.0r b;");
    check_delta("{\"tool_calls\":[{\"index\":1,\"id\":\"c\",\"type\":\"function\",\"function\":"
                "{\"name\":\"f\",\"arguments\":\"\"}}]}",
                "0.1c f;");
    check_delta("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\"}},{\"index\":"
                "1,\"custom\":{\"input\":\"z\"}}]}",
                "0.0c {\"a;0.1c z;");
    check_delta("{\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"}}", "0.0c f;0.0c {;");
    check_delta("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
                "\"Hm\"}]},{\"type\":\"text\",\"text\":\"Hi\"}]}",
                "0.0r Hm;0.0t Hi;");
}
END_TEST

START_TEST(tells_members_it_does_not_know_by_their_json)
{
    check_delta("{\"novelty\":\"x\"}", "0.0o x;");
    check_delta("{\"novelty\":{\"a\":[1]},\"other\":null,\"more\":[],\"and\":\"\"}",
                "0.0o {\"a\":[1]};");
}
END_TEST

START_TEST(counts_what_stands_twice_twice)
{
    check_delta("{\"content\":\"a\",\"content\":\"b\"}", "0.0t a;0.0t b;");
    check("{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"choices\":[{\"delta\":{\"content\":"
          "\"b\"}}]}",
          "0.0t a;0.0t b;");
}
END_TEST

START_TEST(says_when_text_does_not_tell_the_tokens)
{
    check_delta("{\"audio\":{\"id\":\"a\",\"data\":\"AAAA\"}}", "?");
    check_delta("{\"audio\":null}", "");
    check_delta("{\"images\":[{\"type\":\"image_url\"}]}", "?");
    check_delta("{\"content\":[{\"type\":\"image\",\"data\":\"AAAA\"}]}", "?");
    check_delta("{\"reasoning_details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"x\"}]}", "?");
    check("<html>", "?");
    check("[]", "?");
}
END_TEST

START_TEST(finds_nothing_where_nothing_is)
{
    check("", "");
    check("[DONE]", "");
    check("{}", "");
    check("{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", "");
    check("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", "");
    check("{\"error\":{\"message\":\"x\"}}", "");
    check("{\"choices\":7}", "");
}
END_TEST

START_TEST(many_deltas_of_an_event_are_all_told)
{
    struct delta_reader reader = {.endpoint = ENDPOINT_COMPLETIONS};
    struct buffer data = {0};
    buffer_put(&data, TEXT("{\"choices\":["));
    for (int i = 0; i < 200; i++)
        buffer_printf(&data, "%s{\"index\":%d,\"text\":\"\\n%d\"}", i > 0 ? "," : "", i, i);
    buffer_put(&data, TEXT("]}"));
    delta_read(&reader, buffer_text(&data));
    ck_assert_uint_eq(reader.count, 200);
    for (size_t i = 0; i < 200; i++) {
        char want[8];
        (void)snprintf(want, sizeof(want), "\n%zu", i);
        ck_assert_int_eq(reader.at[i].choice, (int)i);
        UNIT_TEXT(reader.at[i].text, want);
    }
    buffer_close(&data);
    delta_reader_close(&reader);
}
END_TEST

START_TEST(messages_tell_blocks_and_what_is_added_to_them)
{
    static const char *const cases[][2] = {
        {"{\"type\":\"message_start\",\"message\":{\"content\":[]}}", ""},
        {"{\"type\":\"ping\"}", ""},
        {"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
         "\"text\":\"\"}}",
         ""},
        {"{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"text_delta\","
         "\"text\":\"H\\u0069\"}}",
         "0.2t Hi;"},
        {"{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
         "\"id\":\"t1\",\"name\":\"look\",\"input\":{}}}",
         "0.1c look;"},
        {"{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
         "\"input_json_delta\",\"partial_json\":\"{\\\"a\"}}",
         "0.1c {\"a;"},
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
         "\"thinking_delta\",\"thinking\":\"Hm\"}}",
         "0.0r Hm;?"},
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
         "\"signature_delta\",\"signature\":\"xyz\"}}",
         "?"},
        {"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
         "\"redacted_thinking\",\"data\":\"xyz\"}}",
         "?"},
        {"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{}}", ""},
        {"{\"type\":\"message_stop\"}", ""},
        {"{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"},{\"type\":"
         "\"tool_use\",\"name\":\"f\",\"input\":{\"a\":1}}]}",
         "0.0t Hi;0.1c f;0.1c {\"a\":1};"},
        {"nonsense", "?"},
    };
    struct delta_reader reader = {.endpoint = ENDPOINT_MESSAGES};
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        ck_assert_str_eq(read_all(&reader, cases[i][0]), cases[i][1]);
    delta_reader_close(&reader);
}
END_TEST

/* One reader for all; the last event is read as a fresh reader reads it. */
static bool is_usual(const char *const *events, size_t count)
{
    struct delta_reader reader = {.endpoint = ENDPOINT_CHAT};
    struct buffer have = {0};
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&have);
        buffer_put(&have, text_of(read_all(&reader, events[i])));
        check(events[i], buffer_string(&have));
    }
    bool usual = reader.usual;
    ck_assert(!usual || reader.whole.kind == JSON_NULL);
    delta_reader_close(&reader);
    buffer_close(&have);
    return usual;
}

#define EVENT(content, rest)                                                                       \
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":" content "},"                 \
    "\"finish_reason\":null}]," rest "}"

START_TEST(an_event_of_the_form_of_an_earlier_one_is_usual)
{
    static const char *const first = EVENT("\" the\"", "\"usage\":null,\"obfuscation\":\"ab\"");
    static const struct {
        const char *event;
        bool usual;
    } cases[] = {
        {EVENT("\" cat\"", "\"usage\":null,\"obfuscation\":\"ab\""), true},
        {EVENT("\" cat\"", "\"usage\":null,\"obfuscation\":\"123\\n\""), true},
        {EVENT("\"\\u00e9\\n\\\"\"", "\"usage\":null,\"obfuscation\":\"\""), true},
        {EVENT("\"\xE6\x97\xA5\"", "\"usage\":null,\"obfuscation\":\"\""), true},
        {EVENT("\"\"", "\"usage\":null,\"obfuscation\":\"\""), true},
        {EVENT("null", "\"usage\":null,\"obfuscation\":\"ab\""), false},
        {EVENT("\"x\"", "\"usage\":{},\"obfuscation\":\"ab\""), false},
        {EVENT("\"x\"", "\"usage\":null,\"obfuscation\":\"ab\" "), false},
        {EVENT("\"x\"", "\"usage\":null,\"obfuscation\":\"ab"), false},
        {EVENT("\"\xFF\"", "\"usage\":null,\"obfuscation\":\"ab\""), false},
        {EVENT("\"\\x\"", "\"usage\":null,\"obfuscation\":\"ab\""), false},
        {EVENT("\"a\",\"refusal\":\"b\"", "\"usage\":null,\"obfuscation\":\"ab\""), false},
        {"", false},
        {"{", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        const char *events[] = {first, cases[i].event};
        ck_assert_msg(is_usual(events, 2) == cases[i].usual, "%s", cases[i].event);
    }
}
END_TEST

START_TEST(what_is_more_than_text_has_no_form)
{
    static const char *const cases[] = {
        EVENT("\"x\"", "\"usage\":{\"prompt_tokens\":1}"),
        EVENT("\"x\"", "\"error\":{}"),
        EVENT("\"x\"", "\"x_groq\":{\"id\":\"r\"}"),
        EVENT("\"x\",\"refusal\":\"y\"", "\"usage\":null"),
        EVENT("\"x\",\"audio\":{\"data\":\"A\"}", "\"usage\":null"),
        EVENT("{\"a\":1}", "\"usage\":null"),
        "{\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        const char *events[] = {cases[i], cases[i]};
        ck_assert_msg(!is_usual(events, 2), "%s", cases[i]);
    }
}
END_TEST

UNIT_MAIN(an_event_of_the_form_of_an_earlier_one_is_usual, what_is_more_than_text_has_no_form,
          messages_tell_blocks_and_what_is_added_to_them, tells_the_text_of_a_chunk,
          resolves_escapes, tells_kinds_apart, tells_members_it_does_not_know_by_their_json,
          counts_what_stands_twice_twice, says_when_text_does_not_tell_the_tokens,
          finds_nothing_where_nothing_is, many_deltas_of_an_event_are_all_told)
