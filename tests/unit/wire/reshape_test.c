/* The other shape of an answer: streams from whole answers, whole answers from streams. */
#include <cjson/cJSON.h>

#include "../cache/sample_body.h"
#include "../unit.h"
#include "wire/reshape.h"
#include "wire/sse.h"

static struct buffer out;
static struct arena trees;

static const char *events_of(enum endpoint endpoint, const char *whole, bool usage)
{
    buffer_clear(&out);
    return reshape_to_events(endpoint, text_of(whole), usage, &out) ? buffer_string(&out) : NULL;
}

static const char *whole_of(enum endpoint endpoint, const char *events)
{
    buffer_clear(&out);
    return reshape_to_whole(endpoint, text_of(events), &out) ? buffer_string(&out) : NULL;
}

#define FRAME                                                                                      \
    "\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","            \
    "\"system_fingerprint\":\"fp\""
#define TOP                                                                                        \
    "\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\","                  \
    "\"system_fingerprint\":\"fp\""

/* An event with one choice. */
#define DELTA(delta, reason)                                                                       \
    "data: {" FRAME ",\"choices\":[{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,"          \
    "\"finish_reason\":" reason "}]}\n\n"
#define DONE "data: [DONE]\n\n"

START_TEST(a_whole_answer_becomes_the_stream_that_openai_sends)
{
    const char *whole =
        "{" TOP ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"Hi\\n\\ud83d\\ude00\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"cost\":0.5,"
        "\"total_tokens\":3}}";
    const char *events = events_of(ENDPOINT_CHAT, whole, false);
    ck_assert_ptr_nonnull(events);
    ck_assert_str_eq(
        events,
        DELTA("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null,\"annotations\":[]", "null")
            DELTA("\"content\":\"Hi\\n\\ud83d\\ude00\"", "null") DELTA("", "\"stop\"") DONE);
    events = events_of(ENDPOINT_CHAT, whole, true);
    ck_assert_ptr_nonnull(strstr(events, "}],\"usage\":null}\n\n"));
    ck_assert_ptr_nonnull(strstr(events,
                                 "data: {" FRAME ",\"choices\":[],\"usage\":{"
                                 "\"prompt_tokens\":1,\"total_tokens\":3,\"cost\":0}}\n\n" DONE));
}
END_TEST

START_TEST(tool_calls_become_events_of_their_own)
{
    const char *whole =
        "{" TOP ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]}";
    const char *events = events_of(ENDPOINT_CHAT, whole, true);
    ck_assert_ptr_nonnull(events);
    ck_assert_str_eq(
        events,
        DELTA("\"role\":\"assistant\",\"content\":null", "null") DELTA(
            "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\""
            ":\"f\",\"arguments\":\"{}\"}}]",
            "null")
            DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{"
                  "\"name\":\"g\",\"arguments\":\"\"}}]",
                  "null") DELTA("", "\"tool_calls\"") DONE);
}
END_TEST

START_TEST(completions_keep_their_own_shape)
{
    const char *events = events_of(
        ENDPOINT_COMPLETIONS,
        "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"a b\",\"index\":1,"
        "\"logprobs\":{\"tokens\":[\"a\"]},\"finish_reason\":\"length\"},{\"text\":\"\",\"index\":"
        "0,\"finish_reason\":\"stop\"}]}",
        false);
    ck_assert_ptr_nonnull(events);
    ck_assert_str_eq(
        events,
        "data: "
        "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"\","
        "\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"\","
        "\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":1,\"text\":\"a "
        "b\",\"logprobs\":{\"tokens\":[\"a\"]},\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"c\",\"object\":\"text_completion\",\"choices\":[{\"index\":1,\"text\":\"\","
        "\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n" DONE);
}
END_TEST

START_TEST(line_ends_between_tokens_do_not_break_events)
{
    const char *events =
        events_of(ENDPOINT_CHAT,
                  "{\n\"choices\": [\r\n{\"message\": {\"content\": [\n{\"type\":\n\"x\"}\n]},\n"
                  "\"extra\":{\n\"a\":\r1}\n}\n]\n}",
                  false);
    ck_assert_ptr_nonnull(events);
    ck_assert_str_eq(whole_of(ENDPOINT_CHAT, arena_copy(&trees, text_of(events)).at),
                     "{\"choices\":[{\"index\":0,\"message\":{\"content\":[{\"type\": \"x\"}]},"
                     "\"finish_reason\":null,\"extra\":{ \"a\": 1}}]}");
}
END_TEST

START_TEST(a_stream_becomes_the_whole_answer)
{
    const char *whole = whole_of(
        ENDPOINT_CHAT,
        ": hello\n\n"
        "data: {" FRAME ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":"
        "\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,"
        "\"obfuscation\":\"xx\"}\r\n\r\n"
        "data: {" FRAME ",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"I \"},"
        "\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {" FRAME ",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"think\"},"
        "\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {" FRAME
        ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\ud83d\"},\"logprobs\":"
        "{\"content\":[{\"token\":\"a\"}],\"refusal\":null},\"finish_reason\":null}]}\n\n"
        "data: {" FRAME ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\\n\",\"role\":"
        "\"assistant\"},\"logprobs\":{\"content\":[{\"token\":\"b\"}, "
        "{\"token\":\"c\"}],\"refusal\":"
        "null},\"finish_reason\":null}]}\n\n"
        "data: {" FRAME
        ",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
        "\"stop\",\"stop_reason\":7}],\"service_tier\":\"flex\"}\n\n"
        "data: {" FRAME ",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n" DONE
        "data: nonsense\n\n");
    ck_assert_ptr_nonnull(whole);
    ck_assert_str_eq(
        whole,
        "{" TOP ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"a\\ud83d\\ude00\\n\",\"refusal\":null,\"reasoning_content\":\"I think\"},\"logprobs\":{"
        "\"content\":[{\"token\":\"a\"},{\"token\":\"b\"}, {\"token\":\"c\"}],\"refusal\":null},"
        "\"finish_reason\":\"stop\",\"stop_reason\":7}],\"usage\":{\"prompt_tokens\":1},"
        "\"service_tier\":\"flex\"}");
}
END_TEST

START_TEST(calls_are_put_together_by_their_index)
{
    const char *whole =
        whole_of(ENDPOINT_CHAT,
                 DELTA("\"role\":\"assistant\",\"content\":null",
                       "null") DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":"
                                     "\"function\",\"function\":{\"name\":"
                                     "\"g\",\"arguments\":\"\"}},{\"index\":0,\"id\":\"a\","
                                     "\"type\":\"function\",\"function\":"
                                     "{\"name\":\"f\",\"arguments\":\"{\\\"\"}}]",
                                     "null")
                     DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"\",\"type\":null,\"function\":{"
                           "\"arguments\":\"x\\\":1}\"}}]",
                           "null") DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{"
                                         "\"name\":\"g\",\"arguments\":\"{}\"}}]",
                                         "null")
                         DELTA("\"function_call\":{\"name\":\"old\",\"arguments\":\"1\"}", "null")
                             DELTA("\"function_call\":{\"arguments\":\"2\"}", "null")
                                 DELTA("", "\"tool_calls\"") DONE);
    ck_assert_ptr_nonnull(whole);
    ck_assert_str_eq(
        whole,
        "{" TOP ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"b\",\"type\":\"function\",\"function\":{"
        "\"name\":"
        "\"g\",\"arguments\":\"{}\"}}],\"function_call\":{\"name\":\"old\",\"arguments\":\"12\"}},"
        "\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]}");
}
END_TEST

START_TEST(what_is_not_understood_is_refused)
{
    static const char *const streams[] = {
        "",
        DONE,
        DELTA("\"content\":\"a\"", "\"stop\""),
        "data: {\"choices\":[]}\n\n" DONE,
        "data: nonsense\n\n" DONE,
        "data: []\n\n" DONE,
        DELTA("\"content\":\"a\"", "null") "data: {\"error\":{\"message\":\"x\"}}\n\n" DONE,
        DELTA("\"content\":\"a\"", "null") "event: error\ndata: {\"message\":\"x\"}\n\n" DONE,
        DELTA("\"content\":\"a\",\"content\":\"b\"", "null") DONE,
        DELTA("\"content\":\"a\",\"c\\u006fntent\":\"b\"", "null") DONE,
        DELTA("\"content\":\"a\"", "null") DELTA("\"content\":[]", "null") DONE,
        DELTA("\"role\":\"assistant\"", "null") DELTA("\"role\":\"tool\"", "null") DONE,
        DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\"}]", "null")
            DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"b\"}]", "null") DONE,
        DELTA("\"tool_calls\":[7]", "null") DONE,
        DELTA("\"tool_calls\":[{\"index\":-1}]", "null") DONE,
        DELTA("\"tool_calls\":[{\"index\":4096}]", "null") DONE,
        DELTA("\"tool_calls\":{}", "null") DONE,
        "data: {\"choices\":[{\"index\":0,\"message\":{}}]}\n\n" DONE,
        "data: {\"choices\":[{\"index\":\"0\",\"delta\":{}}]}\n\n" DONE,
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"error\":{}}]}\n\n" DONE,
        "data: {\"choices\":[{\"index\":0}]}\n\n" DONE,
        "data: {\"choices\":[{\"index\":0,\"delta\":7}]}\n\n" DONE,
    };
    static const char *const wholes[] = {
        "",
        "[]",
        "{}",
        "nonsense",
        "{\"choices\":[]}",
        "{\"choices\":{}}",
        "{\"choices\":[7]}",
        "{\"choices\":[{\"index\":0}]}",
        "{\"choices\":[{\"index\":0,\"message\":null}]}",
        "{\"choices\":[{\"index\":0,\"message\":\"x\"}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{}},{\"index\":0,\"message\":{}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{\"a\":1,\"a\":2}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{\"role\":7}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[null]}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{}}],\"error\":{\"code\":1}}",
        "{\"choices\":[{\"index\":0,\"message\":{}}],\"choices\":[]}",
    };
    for (size_t i = 0; i < UNIT_COUNT(streams); i++)
        ck_assert_msg(whole_of(ENDPOINT_CHAT, streams[i]) == NULL, "%s", streams[i]);
    for (size_t i = 0; i < UNIT_COUNT(wholes); i++)
        ck_assert_msg(events_of(ENDPOINT_CHAT, wholes[i], true) == NULL, "%s", wholes[i]);
    ck_assert_ptr_null(events_of(ENDPOINT_COMPLETIONS, "{\"choices\":[{\"text\":null}]}", true));
    ck_assert_ptr_null(events_of(ENDPOINT_EMBEDDINGS, "{\"choices\":[{\"text\":\"\"}]}", true));
    ck_assert_ptr_null(whole_of(ENDPOINT_EMBEDDINGS, DELTA("", "\"stop\"") DONE));
}
END_TEST

START_TEST(objects_with_very_many_members_and_huge_events_are_refused)
{
    struct buffer many = {0};
    buffer_put(&many, TEXT("{\"choices\":[{\"message\":{\"a\":1"));
    for (int i = 0; i < 64; i++)
        buffer_printf(&many, ",\"m%d\":1", i);
    buffer_put(&many, TEXT("}}]}"));
    ck_assert_ptr_null(events_of(ENDPOINT_CHAT, buffer_string(&many), false));

    buffer_clear(&many);
    buffer_put(&many, TEXT("{\"choices\":[{\"message\":{\"content\":\""));
    for (int i = 0; i <= SSE_MAX_EVENT; i++)
        buffer_put_byte(&many, 'x');
    buffer_put(&many, TEXT("\"}}]}"));
    ck_assert_ptr_null(events_of(ENDPOINT_CHAT, buffer_string(&many), false));
    buffer_close(&many);
}
END_TEST

/* ---- completeness ---- */

START_TEST(tells_whether_an_answer_is_complete)
{
    static const struct {
        enum endpoint endpoint;
        bool events;
        const char *raw;
        int64_t choices;
        bool complete;
    } cases[] = {
        {ENDPOINT_CHAT, true, DELTA("\"content\":\"\"", "null") DELTA("", "\"stop\"") DONE, 1,
         true},
        {ENDPOINT_CHAT, true, DELTA("\"content\":\"\"", "null") DELTA("", "\"stop\"") DONE, 2,
         false},
        {ENDPOINT_CHAT, true, DELTA("\"content\":\"\"", "null") DELTA("", "\"stop\""), 1, false},
        {ENDPOINT_CHAT, true, DELTA("", "\"stop\"") "data: [DONE]", 1, true},
        {ENDPOINT_CHAT, true, DELTA("\"content\":\"\"", "null") DONE, 1, false},
        {ENDPOINT_CHAT, true, DELTA("", "\"error\"") DONE, 1, false},
        {ENDPOINT_CHAT, true, DELTA("", "\"stop\"") "data: {\"error\":{}}\n\n" DONE, 1, false},
        {ENDPOINT_CHAT, false,
         "{\"choices\":[{\"index\":1,\"message\":{},\"finish_reason\":\"stop\"},{\"index\":0,"
         "\"message\":{},\"finish_reason\":\"length\"}]}",
         2, true},
        {ENDPOINT_CHAT, false,
         "{\"choices\":[{\"index\":1,\"message\":{},\"finish_reason\":\"stop\"}]}", 1, false},
        {ENDPOINT_CHAT, false,
         "{\"choices\":[{\"index\":0,\"message\":{},\"finish_reason\":null}]}", 1, false},
        {ENDPOINT_CHAT, false, "{\"choices\":[{\"index\":0,\"message\":{}}]}", 1, false},
        {ENDPOINT_CHAT, false, "{\"error\":{}}", 1, false},
        {ENDPOINT_COMPLETIONS, false, "{\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}",
         1, true},
        {ENDPOINT_EMBEDDINGS, false,
         "{\"data\":[{\"index\":1,\"embedding\":[1]},{\"index\":0,\"embedding\":\"AA==\"}]}", 2,
         true},
        {ENDPOINT_EMBEDDINGS, false, "{\"data\":[{\"index\":0,\"embedding\":[1]}]}", 2, false},
        {ENDPOINT_EMBEDDINGS, false, "{\"data\":[{\"index\":0,\"embedding\":[1]}]}", 1000000,
         false},
        {ENDPOINT_EMBEDDINGS, false, "{\"data\":[]}", 0, false},
        {ENDPOINT_EMBEDDINGS, true, DONE, 0, false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct text raw = text_of(cases[i].raw);
        bool complete = cases[i].events
                            ? reshape_events_are_complete(cases[i].endpoint, raw, cases[i].choices)
                            : reshape_whole_is_complete(cases[i].endpoint, raw, cases[i].choices);
        ck_assert_msg(complete == cases[i].complete, "%zu: %s", i, cases[i].raw);
    }
}
END_TEST

/* ---- random answers ---- */

static struct chance dice = {UINT64_C(2463534242)};

/* What cJSON can compare: no name twice, no lone surrogates. */
static void tame(struct node *node)
{
    for (size_t i = 0; node->kind == JSON_STRING && i < node->size; i++)
        node->text[i] = node->text[i] == 0xD800 ? 'x' : node->text[i];
    for (size_t i = 0; node->kind >= JSON_ARRAY && i < node->size; i++) {
        (void)snprintf(node->children[i]->name, sizeof(node->children[i]->name), "c%zu", i);
        tame(node->children[i]);
    }
}

static struct node *random_string(void)
{
    struct node *node = arena_new(&trees, sizeof(*node));
    node->kind = JSON_STRING;
    random_text(&dice, node);
    tame(node);
    return node;
}

static void put_any(struct buffer *to, const char *name)
{
    struct node *node = random_node(&dice, &trees, 3);
    tame(node);
    buffer_printf(to, ",\"%s\":", name);
    put_node(&dice, to, node, false);
}

static void put_some_text(struct buffer *to, const char *name)
{
    uint32_t how = chance(&dice, 4);
    if (how == 0)
        return;
    buffer_printf(to, ",\"%s\":", name);
    if (how == 1)
        buffer_put(to, TEXT("null"));
    else
        put_node(&dice, to, random_string(), false);
}

static void put_random_calls(struct buffer *to)
{
    uint32_t count = chance(&dice, 4);
    buffer_put(to, TEXT(",\"tool_calls\":["));
    for (uint32_t i = 0; i < count; i++) {
        buffer_printf(to,
                      "%s{\"id\":\"call_%u\",\"type\":\"function\",\"function\":{\"name\":\"f\"",
                      i > 0 ? "," : "", i);
        put_some_text(to, "arguments");
        buffer_put_byte(to, '}');
        put_any(to, "extra_content");
        buffer_put_byte(to, '}');
    }
    buffer_put_byte(to, ']');
}

static void put_random_choice(struct buffer *to, enum endpoint endpoint, uint32_t index)
{
    buffer_printf(to, "%s{\"index\":%u", index > 0 ? "," : "", index);
    if (endpoint == ENDPOINT_CHAT) {
        buffer_put(to, TEXT(",\"message\":{\"role\":\"assistant\""));
        put_some_text(to, "content");
        put_some_text(to, "refusal");
        put_some_text(to, "reasoning_content");
        put_any(to, "annotations");
        put_any(to, "strange");
        if (chance(&dice, 2) == 0)
            put_random_calls(to);
        buffer_put_byte(to, '}');
    } else {
        buffer_put(to, TEXT(",\"text\":"));
        put_node(&dice, to, random_string(), false);
    }
    if (chance(&dice, 2) == 0)
        buffer_put(to, TEXT(",\"logprobs\":{\"content\":[{\"token\":\"a\"}],\"refusal\":null}"));
    else if (chance(&dice, 2) == 0)
        buffer_put(to, TEXT(",\"logprobs\":null"));
    buffer_put(to, TEXT(",\"finish_reason\":\"stop\""));
    put_any(to, "stop_reason");
    buffer_put_byte(to, '}');
}

static void put_random_answer(struct buffer *to, enum endpoint endpoint, bool usage)
{
    uint32_t choices = 1 + chance(&dice, 3);
    buffer_clear(to);
    buffer_printf(to, "{\"id\":\"x\",\"object\":\"%s\",\"model\":\"m\"",
                  endpoint == ENDPOINT_CHAT ? "chat.completion" : "text_completion");
    put_any(to, "service_tier");
    put_any(to, "odd");
    buffer_put(to, TEXT(",\"choices\":["));
    for (uint32_t i = 0; i < choices; i++)
        put_random_choice(to, endpoint, i);
    buffer_put_byte(to, ']');
    if (usage)
        buffer_put(to, TEXT(",\"usage\":{\"prompt_tokens\":3,\"cost\":0}"));
    buffer_put_byte(to, '}');
}

static bool same_meaning(const char *a, const char *b)
{
    cJSON *one = cJSON_Parse(a);
    cJSON *other = cJSON_Parse(b);
    ck_assert_msg(one != NULL, "%s", a);
    ck_assert_msg(other != NULL, "%s", b);
    bool same = cJSON_Compare(one, other, true);
    cJSON_Delete(one);
    cJSON_Delete(other);
    return same;
}

START_TEST(there_and_back_is_the_same_answer)
{
    struct buffer whole = {0};
    struct buffer events = {0};
    for (int round = 0; round < 8000; round++) {
        enum endpoint endpoint = chance(&dice, 2) == 0 ? ENDPOINT_CHAT : ENDPOINT_COMPLETIONS;
        bool usage = chance(&dice, 2) == 0;
        put_random_answer(&whole, endpoint, usage);
        buffer_clear(&events);
        ck_assert_msg(reshape_to_events(endpoint, buffer_text(&whole), usage, &events), "%s",
                      buffer_string(&whole));
        const char *back = whole_of(endpoint, buffer_string(&events));
        ck_assert_msg(back != NULL, "%s", buffer_string(&events));
        ck_assert_msg(same_meaning(buffer_string(&whole), back), "%s\n%s", buffer_string(&whole),
                      back);
        arena_close(&trees);
    }
    buffer_close(&whole);
    buffer_close(&events);
}
END_TEST

/* A text in pieces: of one spelling in the stream, of another in the whole. */
static void put_event(struct buffer *events, uint32_t choice, const char *name, struct node *text)
{
    buffer_printf(events, "data: {\"choices\":[{\"index\":%u,\"delta\":{", choice);
    if (strcmp(name, "arguments") == 0)
        buffer_printf(events, "\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":",
                      text->digits < 0 ? 0u : 1u);
    else
        buffer_printf(events, "\"%s\":", name);
    struct buffer string = {0};
    put_node(&dice, &string, text, false);
    buffer_put(events, text_trim(buffer_text(&string)));
    buffer_close(&string);
    buffer_put(events, strcmp(name, "arguments") == 0 ? TEXT("}}]}}]}\n\n") : TEXT("}}]}\n\n"));
}

static void add_inside(struct buffer *to, struct node *text)
{
    struct buffer string = {0};
    put_node(&dice, &string, text, false);
    struct text trimmed = text_trim(buffer_text(&string));
    buffer_put(to, text_slice(trimmed, 1, trimmed.size - 1));
    buffer_close(&string);
}

START_TEST(texts_may_be_cut_anywhere_and_choices_interleaved)
{
    enum { CHOICES = 3, TEXTS = 4 };
    static const char *const names[TEXTS] = {"content", "reasoning", "arguments", "arguments"};
    for (int round = 0; round < 1500; round++) {
        struct buffer events = {0};
        struct buffer whole = {0};
        struct buffer texts[CHOICES][TEXTS] = {0};
        for (uint32_t i = 0; i < CHOICES; i++)
            for (uint32_t j = 0; j < TEXTS; j++) {
                struct node *empty = random_string();
                empty->size = 0;
                empty->digits = j == 2 ? -1 : 1;
                put_event(&events, i, names[j], empty);
            }
        for (uint32_t pieces = chance(&dice, 40); pieces > 0; pieces--) {
            uint32_t i = chance(&dice, CHOICES), j = chance(&dice, TEXTS);
            struct node *text = random_string();
            text->digits = j == 2 ? -1 : 1;
            add_inside(&texts[i][j], text);
            put_event(&events, i, names[j], text);
        }
        buffer_put(&events, TEXT(DONE));
        buffer_put(&whole, TEXT("{\"choices\":["));
        for (uint32_t i = 0; i < CHOICES; i++) {
            buffer_printf(&whole,
                          "%s{\"index\":%u,\"message\":{\"content\":\"%s\",\"reasoning\":\"%s\","
                          "\"tool_calls\":[{\"function\":{\"arguments\":\"%s\"}},{\"function\":{"
                          "\"arguments\":\"%s\"}}]}}",
                          i > 0 ? "," : "", i, buffer_string(&texts[i][0]),
                          buffer_string(&texts[i][1]), buffer_string(&texts[i][2]),
                          buffer_string(&texts[i][3]));
            for (uint32_t j = 0; j < TEXTS; j++)
                buffer_close(&texts[i][j]);
        }
        buffer_put(&whole, TEXT("]}"));
        const char *back = whole_of(ENDPOINT_CHAT, buffer_string(&events));
        ck_assert_msg(back != NULL, "%s", buffer_string(&events));
        ck_assert_msg(same_meaning(back, buffer_string(&whole)), "%s\n%s", back,
                      buffer_string(&whole));
        buffer_close(&events);
        buffer_close(&whole);
        arena_close(&trees);
    }
}
END_TEST

UNIT_MAIN(a_whole_answer_becomes_the_stream_that_openai_sends,
          tool_calls_become_events_of_their_own, completions_keep_their_own_shape,
          line_ends_between_tokens_do_not_break_events, a_stream_becomes_the_whole_answer,
          calls_are_put_together_by_their_index, what_is_not_understood_is_refused,
          objects_with_very_many_members_and_huge_events_are_refused,
          tells_whether_an_answer_is_complete, there_and_back_is_the_same_answer,
          texts_may_be_cut_anywhere_and_choices_interleaved)
