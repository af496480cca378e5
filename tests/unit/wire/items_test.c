/* Reading requests of the Responses API: their items, their tools, and what changes on the way. */
#include <stdio.h>

#include "../unit.h"
#include "wire/body.h"

static struct arena arena;   /* what body_read makes */
static struct arena scratch; /* bodies put together by the tests */
static char *copy;           /* the raw body that was read last */
static struct body body;
static struct body_error error;

/* Reads a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static bool reads(struct text raw)
{
    arena_close(&arena);
    free(copy);
    copy = malloc(raw.size);
    memcpy(copy, raw.at, raw.size);
    error = (struct body_error){0};
    return body_read(ENDPOINT_RESPONSES, text_make(copy, raw.size), &arena, &body, &error);
}

static void respond(const char *more)
{
    struct text raw =
        arena_printf(&scratch, "{\"model\":\"gpt-5\"%s%s}", *more != '\0' ? "," : "", more);
    ck_assert_msg(reads(raw), "%s: %s", more, error.message);
}

static void refuses(const char *more, const char *code, const char *param)
{
    struct text raw = arena_printf(&scratch, "{\"model\":\"gpt-5\",%s}", more);
    ck_assert_msg(!reads(raw), "taken: %s", more);
    ck_assert_msg(strcmp(error.code, code) == 0, "%s: %s, not %s", more, error.code, code);
    ck_assert_msg(text_equal(error.param, text_of(param)), "%s blames %.*s", more,
                  TEXT_ARG(error.param));
    ck_assert_uint_gt(strlen(error.message), 0);
}

/* Tokens above the bytes and the three that every answer begins with. */
static int64_t hidden_tokens(const char *more)
{
    respond(more);
    ck_assert_msg(body.input_bound != BODY_UNBOUNDED, "%s", more);
    return body.input_bound - (int64_t)body.raw.size - 3;
}

static void has_no_byte_bound(const char *more)
{
    respond(more);
    ck_assert_msg(body.input_bound == BODY_UNBOUNDED, "%s", more);
    ck_assert_msg(body.unbounded_param.at == NULL, "%s", more);
}

static void costs_without_a_bound(const char *more, const char *param)
{
    respond(more);
    ck_assert_msg(text_equal(body.unbounded_param, text_of(param)), "%s: %.*s", more,
                  TEXT_ARG(body.unbounded_param));
    ck_assert_uint_gt(strlen(body.unbounded_why), 20);
}

START_TEST(reads_the_members_that_matter)
{
    respond("\"input\":\"hi\",\"instructions\":\"be brief\",\"max_output_tokens\":50,"
            "\"max_tool_calls\":3,\"stream\":true,\"stream_options\":{\"include_obfuscation\":"
            "false},\"temperature\":0.5,\"user\":\"al\\u0069ce\",\"prompt_cache_key\":\"k\","
            "\"service_tier\":\"flex\",\"metadata\":{\"session_id\":\"s1\",\"tags\":\"a,b\"},"
            "\"reasoning\":{\"effort\":\"low\"},\"include\":[\"reasoning.encrypted_content\"],"
            "\"parallel_tool_calls\":true,\"truncation\":\"auto\",\"top_logprobs\":2");
    UNIT_TEXT(body.model, "gpt-5");
    ck_assert_int_eq(body.max_output, 50);
    UNIT_TEXT(body.max_output_tokens_raw, "50");
    ck_assert_int_eq(body.max_tool_calls, 3);
    ck_assert(body.stream);
    ck_assert(!body.usage_asked);
    UNIT_TEXT(body.temperature_raw, "0.5");
    UNIT_TEXT(body.user, "alice");
    UNIT_TEXT(body.prompt_cache_key, "k");
    UNIT_TEXT(body.service_tier, "flex");
    UNIT_TEXT(body.session, "s1");
    ck_assert_uint_eq(body.tag_count, 2);
    ck_assert_int_eq(body.choices, 1);
    ck_assert_int_eq(body.input_bound, (int64_t)body.raw.size + 3);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(what_is_absent_or_null_is_absent)
{
    static const char *const bodies[] = {
        "",
        "\"input\":null,\"instructions\":null,\"tools\":null,\"text\":null,\"stream\":null,"
        "\"max_output_tokens\":null,\"max_tool_calls\":null,\"background\":null,\"prompt\":null,"
        "\"previous_response_id\":null,\"conversation\":null,\"context_management\":null",
        "\"background\":false,\"input\":[],\"store\":true",
    };
    for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
        respond(bodies[i]);
        ck_assert_int_eq(body.max_output, BODY_ABSENT);
        ck_assert_int_eq(body.max_tool_calls, BODY_ABSENT);
        ck_assert_ptr_null(body.previous_response.at);
        ck_assert_ptr_null(body.unbounded_param.at);
        ck_assert_int_eq(body.input_bound, (int64_t)body.raw.size + 3);
        ck_assert(!body.searches);
    }
}
END_TEST

START_TEST(refuses_what_it_cannot_read)
{
    static const struct {
        const char *more, *code, *param;
    } cases[] = {
        {"\"input\":7", "invalid_type", "input"},
        {"\"input\":{}", "invalid_type", "input"},
        {"\"input\":[\"a\"]", "invalid_type", "input"},
        {"\"input\":[[]]", "invalid_type", "input"},
        {"\"instructions\":[{\"type\":\"input_image\"}]", "invalid_type", "instructions"},
        {"\"text\":\"json\"", "invalid_type", "text"},
        {"\"tools\":{}", "invalid_type", "tools"},
        {"\"max_output_tokens\":\"5\"", "invalid_type", "max_output_tokens"},
        {"\"max_output_tokens\":0", "invalid_value", "max_output_tokens"},
        {"\"max_output_tokens\":1.5", "invalid_value", "max_output_tokens"},
        {"\"max_output_tokens\":1000000001", "invalid_value", "max_output_tokens"},
        {"\"max_tool_calls\":0", "invalid_value", "max_tool_calls"},
        {"\"max_tool_calls\":1001", "invalid_value", "max_tool_calls"},
        {"\"stream\":1", "invalid_type", "stream"},
        {"\"store\":\"no\"", "invalid_type", "store"},
        {"\"background\":1", "invalid_type", "background"},
        {"\"previous_response_id\":[]", "invalid_type", "previous_response_id"},
        {"\"conversation\":7", "invalid_type", "conversation"},
        {"\"input\":\"a\",\"in\\u0070ut\":\"b\"", "duplicate_member", "input"},
        {"\"max_output_tokens\":5,\"max_output_tokens\":6", "duplicate_member",
         "max_output_tokens"},
        {"\"tools\":[],\"tools\":[]", "duplicate_member", "tools"},
        {"\"Max_Output_Tokens\":5", "misspelt_member", "max_output_tokens"},
        {"\"STORE\":false", "misspelt_member", "store"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++)
        refuses(cases[i].more, cases[i].code, cases[i].param);
    ck_assert(!reads(TEXT("{\"input\":\"a\"}")));
    ck_assert_str_eq(error.code, "missing_member");
}
END_TEST

START_TEST(text_has_a_byte_bound_whatever_item_it_is_in)
{
    static const char *const inputs[] = {
        "[{\"role\":\"user\",\"content\":\"hi\"}]",
        "[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
        "\"a\"}]},{\"content\":[{\"text\":\"b\",\"type\":\"output_text\"},{\"type\":\"refusal\"}],"
        "\"role\":\"assistant\",\"id\":\"msg_1\",\"type\":\"message\"}]",
        "[{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"f\","
        "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":"
        "\"ok\"}]",
        "[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":"
        "\"input_text\",\"text\":\"ok\"}]}]",
        "[{\"type\":\"custom_tool_call\",\"input\":\"x\"},{\"type\":\"custom_tool_call_output\","
        "\"output\":\"y\"},{\"type\":\"local_shell_call\"},{\"type\":\"apply_patch_call_output\"},"
        "{\"type\":\"mcp_approval_response\"}]",
        "[{\"type\":\"reasoning\",\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]}]",
    };
    for (size_t i = 0; i < UNIT_COUNT(inputs); i++) {
        struct text more = arena_printf(&scratch, "\"input\":%s%c", inputs[i], '\0');
        ck_assert_int_eq(hidden_tokens(more.at), 0);
        ck_assert_ptr_null(body.unbounded_param.at);
    }
}
END_TEST

START_TEST(images_are_counted_apart)
{
    respond("\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":"
            "\"data:image/png;base64,AAAA\"},{\"type\":\"input_image\",\"file_id\":\"f\"}]},"
            "{\"type\":\"function_call_output\",\"output\":[{\"type\":\"input_image\"}]}]");
    ck_assert_int_eq(body.images, 3);
    ck_assert_int_eq(body.image_bytes, 28);
    ck_assert_int_eq(body.input_bound, (int64_t)body.raw.size - 28 + 3);
}
END_TEST

/* What a request names of items, with commas between. */
static void names_items(const char *input, const char *wanted)
{
    struct buffer names = {0};
    struct text more = arena_printf(&scratch, "\"input\":%s%c", input, '\0');
    respond(more.at);
    for (size_t i = 0; i < body.item_count; i++)
        buffer_printf(&names, "%s%.*s", i > 0 ? "," : "", TEXT_ARG(body.items[i]));
    ck_assert_msg(text_equal(buffer_text(&names), text_of(wanted)), "%s: %.*s", input,
                  TEXT_ARG(buffer_text(&names)));
    buffer_close(&names);
}

START_TEST(items_are_named_where_their_id_stands_for_more)
{
    names_items("[{\"type\":\"item_reference\",\"id\":\"msg_1\"},{\"id\":\"msg_2\"}]",
                "msg_1,msg_2");
    names_items("[{\"type\":\"item_reference\",\"ID\":\"a\",\"\\u0069d\":\"b\\u0063\"}]", "a,bc");
    names_items("[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}]", "rs_1");
    names_items("[{\"type\":\"web_search_call\",\"id\":\"ws_1\"},"
                "{\"type\":\"unheard_of\",\"id\":\"u_1\"},"
                "{\"type\":\"image_generation_call\",\"id\":\"ig_1\"}]",
                "ws_1,u_1,ig_1");
    names_items("[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"QUJD\"},"
                "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_1\",\"content\":\"x\"},"
                "{\"type\":\"function_call\",\"id\":\"fc_1\",\"name\":\"f\",\"arguments\":\"\"}]",
                "");
    respond("\"input\":\"x\",\"tools\":[{\"type\":\"function\",\"id\":\"no\",\"name\":\"f\"}]");
    ck_assert_uint_eq(body.item_count, 0);
}
END_TEST

START_TEST(of_many_items_the_first_are_told)
{
    struct buffer more = {0};
    buffer_put(&more, TEXT("\"input\":[{\"id\":\"i0\"}"));
    for (int i = 1; i <= BODY_MOST_ITEMS; i++)
        buffer_printf(&more, ",{\"id\":\"i%d\"}", i);
    buffer_put(&more, TEXT("]"));
    buffer_put_byte(&more, '\0');
    respond(more.at);
    ck_assert_uint_eq(body.item_count, BODY_MOST_ITEMS + 1);
    UNIT_TEXT(body.items[BODY_MOST_ITEMS - 1], "i1023");
    buffer_close(&more);
}
END_TEST

START_TEST(a_conversation_is_noted)
{
    respond("\"input\":\"x\",\"conversation\":{\"id\":\"conv_1\"}");
    ck_assert(body.conversation && body.previous_response.size == 0);
    respond("\"input\":\"x\",\"conversation\":null,\"previous_response_id\":\"resp_1\"");
    ck_assert(!body.conversation);
    UNIT_TEXT(body.previous_response, "resp_1");
}
END_TEST

START_TEST(what_is_not_text_has_no_byte_bound)
{
    static const char *const inputs[] = {
        "[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_id\":\"f\"}]}]",
        "[{\"type\":\"custom_tool_call_output\",\"output\":[{\"type\":\"input_file\"}]}]",
        "[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]",
        "[{\"id\":\"msg_1\"}]",
        "[{\"type\":null,\"id\":\"msg_1\"}]",
        "[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}]",
        "[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_content\":null}]",
        "[{\"type\":\"computer_call_output\",\"output\":{\"type\":\"computer_screenshot\"}}]",
        "[{\"type\":\"web_search_call\",\"id\":\"ws_1\"}]",
    };
    for (size_t i = 0; i < UNIT_COUNT(inputs); i++) {
        struct text more = arena_printf(&scratch, "\"input\":%s%c", inputs[i], '\0');
        has_no_byte_bound(more.at);
        ck_assert(!body.audio);
    }
    has_no_byte_bound("\"previous_response_id\":\"resp_1\"");
    UNIT_TEXT(body.previous_response, "resp_1");
    has_no_byte_bound("\"conversation\":\"conv_1\"");
    has_no_byte_bound("\"conversation\":{\"id\":\"conv_1\"}");
    has_no_byte_bound("\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]");
    ck_assert(body.audio);
    has_no_byte_bound("\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                      "\"type\":\"input_image\"}]}]");
}
END_TEST

START_TEST(encrypted_reasoning_counts_twice)
{
    ck_assert_int_eq(hidden_tokens("\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\","
                                   "\"encrypted_content\":\"0123456789\"}]"),
                     12);
    ck_assert_int_eq(hidden_tokens("\"input\":[{\"type\":\"compaction\",\"id\":\"cmp_1\","
                                   "\"encrypted_content\":\"0123456789\"}]"),
                     12);
}
END_TEST

START_TEST(items_of_unknown_kinds_may_cost_anything)
{
    static const char *const inputs[] = {
        "[{\"type\":\"compaction_trigger\"}]",
        "[{\"type\":\"Message\",\"role\":\"user\"}]",
        "[{\"type\":\"message\",\"type\":\"item_reference\",\"role\":\"user\"}]",
        "[{\"type\":\"message\",\"TYPE\":\"program\",\"role\":\"user\"}]",
        "[{\"type\":7,\"role\":\"user\"}]",
        "[{\"type\":\"additional_tools\",\"tools\":[{\"type\":\"code_interpreter\"}]}]",
        "[{\"type\":\"tool_search_output\",\"tools\":[{\"type\":\"mcp\"}]}]",
    };
    for (size_t i = 0; i < UNIT_COUNT(inputs); i++) {
        struct text more = arena_printf(&scratch, "\"input\":%s%c", inputs[i], '\0');
        costs_without_a_bound(more.at, "input");
    }
    respond("\"input\":[{\"type\":\"additional_tools\",\"tools\":[{\"type\":\"function\"}]}]");
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(counts_the_hidden_tokens_of_tools_and_schemas)
{
    ck_assert_int_eq(hidden_tokens("\"tools\":[]"), 32);
    ck_assert_int_eq(hidden_tokens("\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"}]"),
                     32 + 2 * 16);
    ck_assert_int_eq(hidden_tokens("\"tools\":[{\"type\":\"function\",\"parameters\":{"
                                   "\"properties\":{\"a\":1,\"b\":2}}}]"),
                     32 + 16 + 2 * 8);
    ck_assert_int_eq(hidden_tokens("\"tools\":[{\"type\":\"namespace\",\"tools\":[{\"type\":"
                                   "\"function\"},{\"type\":\"function\"}]}]"),
                     32 + 3 * 16);
    ck_assert_int_eq(hidden_tokens("\"text\":{\"format\":{\"type\":\"json_schema\"}}"), 64);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(tools_that_the_provider_runs_cost_without_a_bound)
{
    static const char *const tools[] = {
        "{\"type\":\"file_search\"}",
        "{\"type\":\"code_interpreter\"}",
        "{\"type\":\"image_generation\"}",
        "{\"type\":\"mcp\",\"server_url\":\"u\"}",
        "{\"type\":\"shell\"}",
        "{\"type\":\"tool_search\"}",
        "{\"type\":\"namespace\",\"tools\":[{\"type\":\"mcp\"}]}",
        "{\"type\":\"namespace\",\"tools\":[{\"type\":\"namespace\",\"tools\":[]}]}",
        "{\"type\":\"function\",\"type\":\"mcp\"}",
        "{\"name\":\"f\"}",
        "\"web_search\"",
        "{\"type\":\"w\\u0065b_search_2030\"}",
    };
    for (size_t i = 0; i < UNIT_COUNT(tools); i++) {
        struct text more =
            arena_printf(&scratch, "\"tools\":[{\"type\":\"function\"},%s]%c", tools[i], '\0');
        costs_without_a_bound(more.at, "tools");
    }
    costs_without_a_bound("\"background\":true,\"stream\":true", "background");
    costs_without_a_bound("\"prompt\":{\"id\":\"pmpt_1\"}", "prompt");
    costs_without_a_bound("\"context_management\":[{\"type\":\"compaction\"}]",
                          "context_management");
    costs_without_a_bound("\"max_tokens\":5", "max_tokens");
    costs_without_a_bound("\"n\":2", "n");
    costs_without_a_bound("\"messages\":[]", "messages");
}
END_TEST

START_TEST(searches_of_the_web_are_told_apart)
{
    static const char *const types[] = {"web_search", "web_search_preview", "web_search_2025_08_26",
                                        "w\\u0065b_search"};
    for (size_t i = 0; i < UNIT_COUNT(types); i++) {
        struct text more =
            arena_printf(&scratch, "\"tools\":[{\"type\":\"%s\"}]%c", types[i], '\0');
        has_no_byte_bound(more.at);
        ck_assert(body.searches);
    }
    has_no_byte_bound("\"tools\":[{\"type\":\"local_shell\"},{\"type\":\"apply_patch\"}]");
    ck_assert(!body.searches);
}
END_TEST

START_TEST(the_provider_keeps_what_it_is_not_told_to_forget)
{
    respond("");
    ck_assert(body.kept_by_provider);
    ck_assert(!body.not_stored);
    respond("\"store\":false");
    ck_assert(!body.kept_by_provider);
    ck_assert(body.not_stored);
    respond("\"store\":false,\"conversation\":\"c\"");
    ck_assert(body.kept_by_provider);
}
END_TEST

/* ---- forwarding ---- */

static void sends(const char *raw, const struct body_changes *changes, const char *want)
{
    struct text pieces[BODY_MAX_PIECES];
    struct buffer sent = {0};
    ck_assert_msg(reads(text_of(raw)), "%s", error.message);
    size_t count = body_forward(&body, changes, &arena, pieces);
    for (size_t i = 0; i < count; i++)
        buffer_put(&sent, pieces[i]);
    UNIT_TEXT(buffer_text(&sent), want);
    buffer_close(&sent);
}

START_TEST(the_maximum_is_spliced_in_under_its_own_name)
{
    const struct body_changes changes = {.max_output = 64, .max_field = TEXT("max_output_tokens")};
    sends("{\"model\":\"m\"}", &changes, "{\"max_output_tokens\":64,\"model\":\"m\"}");
    sends("{\"model\":\"m\",\"max_output_tokens\": null}", &changes,
          "{\"model\":\"m\",\"max_output_tokens\": 64}");
    sends("{\"model\":\"m\",\"max_output_tokens\":1e3}", &changes,
          "{\"model\":\"m\",\"max_output_tokens\":64}");
    sends("{\"model\":\"m\",\"max_output_tokens\":63}", &changes,
          "{\"model\":\"m\",\"max_output_tokens\":63}");
}
END_TEST

START_TEST(the_maximum_of_searches_is_added_where_there_is_none)
{
    const struct body_changes changes = {
        .model = TEXT("n"),
        .max_output = 64,
        .max_field = TEXT("max_output_tokens"),
        .max_tool_calls = 4,
    };
    sends("{\"model\":\"m\"}", &changes,
          "{\"max_output_tokens\":64,\"max_tool_calls\":4,\"model\":\"n\"}");
    sends("{\"max_tool_calls\":null,\"model\":\"m\"}", &changes,
          "{\"max_output_tokens\":64,\"max_tool_calls\":4,\"model\":\"n\"}");
}
END_TEST

UNIT_MAIN(reads_the_members_that_matter, what_is_absent_or_null_is_absent,
          refuses_what_it_cannot_read, text_has_a_byte_bound_whatever_item_it_is_in,
          items_are_named_where_their_id_stands_for_more, of_many_items_the_first_are_told,
          a_conversation_is_noted, images_are_counted_apart, what_is_not_text_has_no_byte_bound,
          encrypted_reasoning_counts_twice, items_of_unknown_kinds_may_cost_anything,
          counts_the_hidden_tokens_of_tools_and_schemas,
          tools_that_the_provider_runs_cost_without_a_bound, searches_of_the_web_are_told_apart,
          the_provider_keeps_what_it_is_not_told_to_forget,
          the_maximum_is_spliced_in_under_its_own_name,
          the_maximum_of_searches_is_added_where_there_is_none)
