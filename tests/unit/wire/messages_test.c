/* Anthropic's Messages: its bodies, the events of its streams, usage told in two parts. */
#include <stdio.h>

#include "../unit.h"
#include "wire/body.h"
#include "wire/usage.h"

static struct arena arena;
static struct buffer raw; /* the body read last; what is read from it points into it */
static struct body body;
static struct body_error error;

#define START "{\"model\":\"claude\",\"max_tokens\":100,\"messages\":[]"

static bool reads(enum endpoint endpoint, const char *text)
{
    arena_close(&arena);
    buffer_clear(&raw);
    buffer_put(&raw, text_of(text));
    return body_read(endpoint, buffer_text(&raw), &arena, &body, &error);
}

static void take(const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), START ",%s}", more);
    ck_assert_msg(reads(ENDPOINT_MESSAGES, text), "%s: %s", more, error.message);
}

/* What the body is bounded by beyond its bytes. */
static int64_t hidden(void)
{
    return body.input_bound - (int64_t)raw.size - 3;
}

START_TEST(takes_what_matters_for_cost_and_scopes)
{
    take("\"stream\":true,\"metadata\":{\"user_id\":\"bob\"},\"service_tier\":\"auto\"");
    UNIT_TEXT(body.model, "claude");
    UNIT_TEXT(body.user, "bob");
    UNIT_TEXT(body.service_tier, "auto");
    ck_assert(body.stream && !body.usage_asked);
    ck_assert_int_eq(body.max_output, 100);
    ck_assert_int_eq(body.choices, 1);
    ck_assert_int_eq(body.least_output, 0);
    ck_assert_int_eq(hidden(), 0);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(a_maximum_is_required_but_where_nothing_is_generated)
{
    const char *without = "{\"model\":\"claude\",\"messages\":[]}";
    ck_assert(!reads(ENDPOINT_MESSAGES, without));
    ck_assert_str_eq(error.code, "missing_member");
    UNIT_TEXT(error.param, "max_tokens");
    ck_assert(
        !reads(ENDPOINT_MESSAGES, "{\"model\":\"claude\",\"messages\":[],\"max_tokens\":null}"));
    ck_assert_str_eq(error.code, "missing_member");
    ck_assert(reads(ENDPOINT_MESSAGES_TOKENS, without));
    ck_assert(!reads(ENDPOINT_MESSAGES, START ",\"max_tokens\":7}"));
    ck_assert_str_eq(error.code, "duplicate_member");
}
END_TEST

START_TEST(tools_add_what_the_provider_says_of_them)
{
    take("\"tools\":[]");
    ck_assert_int_eq(hidden(), 0);
    take("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"properties\":{\"a\":{},\"b\":{}}}}]");
    ck_assert_int_eq(hidden(), 1024 + 16 + 2 * 8);
    take("\"tools\":[{\"type\":\"custom\"},{\"type\":null},{\"type\":\"bash_20250124\"},"
         "{\"type\":\"text_editor_20250728\"},{\"type\":\"computer_20250124\"},"
         "{\"type\":\"memory_20250818\"}]");
    ck_assert_int_eq(hidden(), 1024 + 2 * 16 + 4 * 1280);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(a_format_of_the_answer_adds_a_prompt)
{
    take("\"output_config\":{\"effort\":\"low\",\"format\":null}");
    ck_assert_int_eq(hidden(), 0);
    take("\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}");
    ck_assert_int_eq(hidden(), 1024);
    take("\"output_config\":{\"format\":null,\"format\":{}}");
    ck_assert_int_eq(hidden(), 1024);
    take("\"output_format\":{\"type\":\"json_schema\"}");
    ck_assert_int_eq(hidden(), 1024);
}
END_TEST

START_TEST(results_of_searches_add_a_prompt_once)
{
#define FOUND "{\"type\":\"search_result\",\"content\":[]}"
    ck_assert(reads(ENDPOINT_MESSAGES,
                    "{\"model\":\"claude\",\"max_tokens\":9,\"messages\":[{\"content\":[" FOUND
                    "]},{\"content\":[{\"type\":\"tool_result\",\"content\":[" FOUND "]}]}]}"));
    ck_assert_int_eq(hidden(), 1024);
}
END_TEST

START_TEST(what_adds_cost_without_a_bound_is_noted)
{
    static const char *const cases[][2] = {
        {"\"tools\":[{\"type\":\"web_search_20250305\"}]", "tools"},
        {"\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":0.5}]", "tools"},
        {"\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":1,\"max_uses\":null}]",
         "tools"},
        {"\"tools\":[{\"type\":\"web_search_20250305\",\"Max_Uses\":1}]", "tools"},
        {"\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":-1}]", "tools"},
        {"\"tools\":[{\"type\":\"web_search_20260209\",\"max_uses\":1}]", "tools"},
        {"\"tools\":[{\"type\":\"custom\",\"type\":\"web_fetch_20250910\"}]", "tools"},
        {"\"tools\":[{\"type\":3}]", "tools"},
        {"\"mcp_servers\":[{}]", "mcp_servers"},
        {"\"container\":\"c\"", "container"},
        {"\"context_management\":{\"edits\":[{\"type\":\"clear_x\"},{\"type\":\"compact_y\"}]}",
         "context_management"},
        {"\"context_management\":{\"edits\":[{\"type\":\"clear_x\",\"type\":\"compact_y\"}]}",
         "context_management"},
        {"\"context_management\":{\"edits\":[{\"Type\":\"compact_y\",\"type\":\"clear_x\"}]}",
         "context_management"},
        {"\"context_management\":{\"edits\":[{}]}", "context_management"},
        {"\"context_management\":{\"edits\":{}}", "context_management"},
        {"\"speed\":\"fast\"", "speed"},
        {"\"inference_geo\":\"us\"", "inference_geo"},
        {"\"tools\":[{\"type\":\"bash_hosted_20250124\"}]", "tools"},
        {"\"tools\":[{\"type\":\"computer_\"}]", "tools"},
        {"\"anthropic_beta\":[\"context-1m-2025-08-07\"]", "anthropic_beta"},
        {"\"web_search_options\":{}", "web_search_options"},
        {"\"num_return_sequences\":2", "num_return_sequences"},
        {"\"n\":2", "n"},
        {"\"max_completion_tokens\":2", "max_completion_tokens"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        take(cases[i][0]);
        UNIT_TEXT(body.unbounded_param, cases[i][1]);
        ck_assert_ptr_nonnull(body.unbounded_why);
    }
    take(
        "\"mcp_servers\":[],\"container\":null,\"speed\":\"standard\",\"inference_geo\":\"global\","
        "\"context_management\":{\"edits\":[{\"type\":\"clear_tool_uses_20250919\"}]}");
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(searches_are_bounded_by_their_max_uses)
{
    take("\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":3},{\"name\":\"f\"},"
         "{\"max_uses\":2,\"type\":\"web_search_20250305\",\"max_uses\":4}]");
    ck_assert(body.searches);
    ck_assert_int_eq(body.max_tool_calls, 7);
    ck_assert_int_eq(body.input_bound, BODY_UNBOUNDED);
    ck_assert_ptr_null(body.unbounded_param.at);
    take("\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":600000000},"
         "{\"type\":\"web_search_20250305\",\"max_uses\":600000000}]");
    UNIT_TEXT(body.unbounded_param, "tools");
}
END_TEST

START_TEST(only_text_is_bounded_by_its_bytes)
{
    static const struct {
        const char *content;
        bool bounded;
    } cases[] = {
        {"\"hello\"", true},
        {"[{\"type\":\"text\",\"text\":\"hello\"}]", true},
        {"[{\"type\":\"tool_use\",\"input\":{\"content\":[{\"type\":\"image\"}]}}]", true},
        {"[{\"type\":\"tool_result\",\"content\":\"done\"}]", true},
        {"[{\"type\":\"tool_result\",\"content\":[{\"type\":\"text\"}]}]", true},
        {"[{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"abc\"}]", true},
        {"[{\"type\":\"document\",\"source\":{}}]", false},
        {"[{\"content\":[{\"type\":\"document\"}],\"type\":\"tool_result\"}]", false},
        {"[{\"type\":\"text\",\"type\":\"image\"}]", false},
        {"[{\"text\":\"hello\"}]", false},
        {"[{\"type\":\"container_upload\",\"file_id\":\"f\"}]", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
                       "\"content\":%s}]}",
                       cases[i].content);
        ck_assert_msg(reads(ENDPOINT_MESSAGES, text), "%s: %s", text, error.message);
        ck_assert_msg((body.input_bound != BODY_UNBOUNDED) == cases[i].bounded, "%s", text);
    }
}
END_TEST

START_TEST(images_are_counted_apart_and_their_data_is_no_text)
{
#define IMAGE(data) "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":" data "}}"
    static const struct {
        const char *content;
        int64_t images, bytes;
    } cases[] = {
        {"[" IMAGE("\"AAAA\"") "]", 1, 6},
        {"[" IMAGE("\"AAAA\"") "," IMAGE("7") "]", 2, 6},
        {"[{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a\"}}]", 1, 0},
        {"[{\"source\":{\"data\":\"AA\"},\"source\":{\"data\":\"A\"},\"type\":\"image\"}]", 2, 7},
        {"[{\"content\":[" IMAGE("\"AAAA\"") "],\"type\":\"tool_result\"}]", 1, 6},
        {"[{\"type\":\"text\",\"source\":{\"data\":\"AA\"}}]", 0, 0},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
                       "\"content\":%s}]}",
                       cases[i].content);
        ck_assert_msg(reads(ENDPOINT_MESSAGES, text), "%s: %s", text, error.message);
        ck_assert_msg(body.images == cases[i].images, "%s", text);
        ck_assert_msg(body.image_bytes == cases[i].bytes, "%s", text);
        ck_assert_int_eq(body.input_bound, (int64_t)strlen(text) + 3 - cases[i].bytes);
    }
}
END_TEST

static void check_sent(const char *more, int64_t most, const char *want)
{
    struct text pieces[BODY_MAX_PIECES];
    const struct body_changes changes = {.max_output = most, .max_field = TEXT("max_tokens")};
    struct buffer sent = {0};
    take(more);
    size_t count = body_forward(&body, &changes, &arena, pieces);
    for (size_t i = 0; i < count; i++)
        buffer_put(&sent, pieces[i]);
    UNIT_TEXT(buffer_text(&sent), want);
    buffer_close(&sent);
}

START_TEST(thinking_stays_below_a_lowered_maximum)
{
    const char *thinking = "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\": 60}";
    take(thinking);
    ck_assert_int_eq(body.least_output, 1025);
    check_sent(thinking, 60,
               "{\"model\":\"claude\",\"max_tokens\":60,\"messages\":[],"
               "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\": 59}}");
    check_sent(thinking, 61,
               "{\"model\":\"claude\",\"max_tokens\":61,\"messages\":[],"
               "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\": 60}}");
    check_sent(thinking, BODY_ABSENT,
               "{\"model\":\"claude\",\"max_tokens\":100,\"messages\":[],"
               "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\": 60}}");
    take("\"thinking\":{\"type\":\"adaptive\"}");
    ck_assert_int_eq(body.least_output, 0);
    ck_assert(body.thinks);
    take("\"thinking\":{\"type\":\"disabled\"}");
    ck_assert(!body.thinks);
}
END_TEST

/* ---- streams ---- */

/* Reads a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static struct chunk read_chunk(const char *data, bool look_for_visible)
{
    size_t size = strlen(data);
    char *copy = malloc(size > 0 ? size : 1);
    struct chunk chunk;
    memcpy(copy, data, size);
    chunk_read(ENDPOINT_MESSAGES, text_make(copy, size), look_for_visible, &chunk);
    free(copy);
    return chunk;
}

#define DELTA "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
#define BLOCK "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":"

START_TEST(sees_what_a_person_could_see)
{
    static const struct {
        const char *data;
        bool visible;
    } cases[] = {
        {DELTA "{\"type\":\"text_delta\",\"text\":\"Hi\"}}", true},
        {DELTA "{\"type\":\"text_delta\",\"text\":\"\"}}", false},
        {DELTA "{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}", true},
        {DELTA "{\"type\":\"thinking_delta\",\"thinking\":\"Hm\"}}", false},
        {DELTA "{\"type\":\"signature_delta\",\"signature\":\"x\"}}", false},
        {BLOCK "{\"type\":\"text\",\"text\":\"\"}}", false},
        {BLOCK "{\"type\":\"thinking\",\"thinking\":\"\"}}", false},
        {BLOCK "{\"type\":\"tool_use\",\"name\":\"f\"}}", true},
        {"{\"type\":\"ping\"}", false},
        {"{\"type\":\"message_start\",\"message\":{}}", false},
        {"{\"type\":\"content_block_delta\"}", false},
        {"[]", false},
        {"", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        ck_assert_msg(read_chunk(cases[i].data, true).visible == cases[i].visible, "%s",
                      cases[i].data);
        ck_assert(!read_chunk(cases[i].data, false).visible);
    }
}
END_TEST

START_TEST(knows_the_end_and_errors)
{
    ck_assert(read_chunk("{\"type\":\"message_stop\"}", false).done);
    ck_assert(read_chunk("{ \"type\" : \"message_stop\", \"x\":1 }", true).done);
    ck_assert(
        !read_chunk(DELTA "{\"type\":\"text_delta\",\"text\":\"message_stop\"}}", false).done);
    ck_assert(!read_chunk("[DONE]", false).done);
    ck_assert(
        read_chunk("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", false).error);
}
END_TEST

#define LAST_DELTA(reason, usage)                                                                  \
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" reason "},\"usage\":" usage "}"

START_TEST(usage_comes_in_two_parts)
{
    struct chunk first = read_chunk(
        "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,"
        "\"cache_read_input_tokens\":20,\"cache_creation_input_tokens\":30,\"cache_creation\":"
        "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},"
        "\"output_tokens\":3}}}",
        false);
    ck_assert_int_eq(first.usage_result, USAGE_FOUND);
    ck_assert(!first.usage_later);
    struct usage usage = first.usage;

    struct chunk last = read_chunk("{\"type\":\"message_delta\",\"delta\":{},\"usage\":"
                                   "{\"output_tokens\":9}}",
                                   false);
    ck_assert_int_eq(last.usage_result, USAGE_FOUND);
    ck_assert(last.usage_later);
    usage_merge(&usage, &last.usage);
    ck_assert_int_eq(usage.prompt, 60);
    ck_assert_int_eq(usage.cached, 20);
    ck_assert_int_eq(usage.cache_write, 30);
    ck_assert_int_eq(usage.cache_write_5m, 10);
    ck_assert_int_eq(usage.completion, 9);

    /* Newer ones tell all of it again, with what searches added. */
    last = read_chunk("{\"type\":\"message_delta\",\"usage\":{\"input_tokens\":500,"
                      "\"cache_read_input_tokens\":20,\"cache_creation_input_tokens\":30,"
                      "\"output_tokens\":12,\"output_tokens_details\":{\"thinking_tokens\":12},"
                      "\"server_tool_use\":{\"web_search_requests\":2}}}",
                      false);
    usage_merge(&usage, &last.usage);
    ck_assert_int_eq(usage.prompt, 550);
    ck_assert_int_eq(usage.cache_write_5m, 10);
    ck_assert_int_eq(usage.completion, 12);
    ck_assert_int_eq(usage.reasoning, 12);
    ck_assert_int_eq(usage.searches, 2);
}
END_TEST

START_TEST(the_first_usage_is_not_the_last)
{
    struct chunk chunk = read_chunk("{\"type\":\"message_start\",\"message\":{\"usage\":"
                                    "{\"input_tokens\":9,\"output_tokens\":1}}}",
                                    false);
    ck_assert(chunk.usage_first && !chunk.usage_ends);
    chunk = read_chunk(LAST_DELTA("null", "{\"output_tokens\":5}"), false);
    ck_assert(chunk.usage_later && !chunk.usage_ends);
    chunk = read_chunk(LAST_DELTA("\"end_turn\"", "{\"output_tokens\":5}"), false);
    ck_assert(chunk.usage_later && chunk.usage_ends);
    ck_assert_int_eq(chunk.usage_result, USAGE_FOUND);
    chunk = read_chunk(LAST_DELTA("\"end_turn\"", "{}"), false);
    ck_assert_int_eq(chunk.usage_result, USAGE_ABSENT);
    chunk = read_chunk(LAST_DELTA("\"end_turn\"", "{\"input_tokens\":5}"), false);
    ck_assert_int_eq(chunk.usage_result, USAGE_ABSENT);
}
END_TEST

/* One that summarised the conversation first: the rest of the usage is of the answer alone. */
#define ROUND(more)                                                                                \
    "{\"input_tokens\":10,\"output_tokens\":9,\"iterations\":[{\"type\":\"compaction\","           \
    "\"input_tokens\":100,\"cache_read_input_tokens\":50,\"output_tokens\":" more                  \
    "},{\"type\":\"message\",\"input_tokens\":10,\"output_tokens\":9}]}"

START_TEST(all_rounds_of_an_answer_count)
{
    struct json_value value;
    struct usage usage;
    ck_assert_int_eq(json_parse(TEXT(ROUND("200")), &value, NULL), JSON_OK);
    ck_assert_int_eq(usage_read(value, &usage), USAGE_FOUND);
    ck_assert_int_eq(usage.prompt, 160);
    ck_assert_int_eq(usage.cached, 50);
    ck_assert_int_eq(usage.completion, 209);
    ck_assert_int_eq(json_parse(TEXT(ROUND("-1")), &value, NULL), JSON_OK);
    ck_assert_int_eq(usage_read(value, &usage), USAGE_INVALID);
    ck_assert_int_eq(json_parse(TEXT(ROUND("1000000000000")), &value, NULL), JSON_OK);
    ck_assert_int_eq(usage_read(value, &usage), USAGE_INVALID);
    ck_assert_int_eq(json_parse(TEXT("{\"input_tokens\":1,\"iterations\":[]}"), &value, NULL),
                     JSON_OK);
    ck_assert_int_eq(usage_read(value, &usage), USAGE_FOUND);
}
END_TEST

START_TEST(the_tier_is_named_in_the_usage)
{
    struct chunk chunk;
    chunk_read(ENDPOINT_MESSAGES,
               TEXT("{\"type\":\"message_start\",\"message\":{\"usage\":"
                    "{\"input_tokens\":1,\"service_tier\":\"priority\"}}}"),
               false, &chunk);
    UNIT_TEXT(chunk.service_tier, "priority");
}
END_TEST

START_TEST(parts_of_a_merged_usage_stay_within_their_wholes)
{
    struct usage usage = {.prompt = 10, .cached = 10, .completion = 5};
    const struct usage later = {.prompt = 10, .cache_write = 10, .completion = 4, .reasoning = 4};
    usage_merge(&usage, &later);
    ck_assert_int_eq(usage.prompt, 20);
    ck_assert_int_eq(usage.cached + usage.cache_write, 20);
    ck_assert_int_eq(usage.completion, 5);
    ck_assert_int_eq(usage.reasoning, 0);
}
END_TEST

UNIT_MAIN(takes_what_matters_for_cost_and_scopes,
          a_maximum_is_required_but_where_nothing_is_generated,
          tools_add_what_the_provider_says_of_them, a_format_of_the_answer_adds_a_prompt,
          results_of_searches_add_a_prompt_once, what_adds_cost_without_a_bound_is_noted,
          searches_are_bounded_by_their_max_uses, only_text_is_bounded_by_its_bytes,
          images_are_counted_apart_and_their_data_is_no_text,
          thinking_stays_below_a_lowered_maximum, sees_what_a_person_could_see,
          knows_the_end_and_errors, usage_comes_in_two_parts, the_first_usage_is_not_the_last,
          all_rounds_of_an_answer_count, the_tier_is_named_in_the_usage,
          parts_of_a_merged_usage_stay_within_their_wholes)
