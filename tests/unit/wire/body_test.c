/* Reading request bodies: what is taken from them, and what is refused. */
#include <stdio.h>

#include "../unit.h"
#include "wire/body.h"

static struct arena arena;   /* what body_read makes */
static struct arena scratch; /* bodies put together by the tests */
static char *copy;           /* the raw body that was read last */
static struct body body;
static struct body_error error;

/* Reads a copy that ends where its memory ends, so that the sanitizer sees a step too far. */
static bool reads_text(enum endpoint endpoint, struct text raw)
{
    arena_close(&arena);
    free(copy);
    copy = malloc(raw.size > 0 ? raw.size : 1);
    if (raw.size > 0)
        memcpy(copy, raw.at, raw.size);
    error = (struct body_error){0};
    return body_read(endpoint, text_make(copy, raw.size), &arena, &body, &error);
}

static bool reads(enum endpoint endpoint, const char *raw)
{
    return reads_text(endpoint, text_of(raw));
}

static void chat(const char *more)
{
    struct text raw = arena_printf(&scratch, "{\"model\":\"gpt-4o\",\"messages\":[]%s%s}",
                                   *more ? "," : "", more);
    ck_assert_msg(reads_text(ENDPOINT_CHAT, raw), "%s: %s", more, error.message);
}

static void refuses(enum endpoint endpoint, const char *raw, const char *code, const char *param)
{
    ck_assert_msg(!reads(endpoint, raw), "taken: %s", raw);
    ck_assert_msg(strcmp(error.code, code) == 0, "%s: %s, not %s", raw, error.code, code);
    ck_assert_int_eq(error.status, 400);
    ck_assert_msg(text_equal(error.param, text_of(param)), "%s blames %.*s", raw,
                  TEXT_ARG(error.param));
    ck_assert_uint_gt(strlen(error.message), 0);
}

static void refuses_chat(const char *more, const char *code, const char *param)
{
    struct text raw = arena_printf(&scratch, "{\"model\":\"m\",\"messages\":[],%s}%c", more, '\0');
    refuses(ENDPOINT_CHAT, raw.at, code, param);
}

START_TEST(names_the_endpoints)
{
    ck_assert_str_eq(endpoint_facts(ENDPOINT_CHAT)->name, "chat.completions");
    ck_assert_str_eq(endpoint_facts(ENDPOINT_COMPLETIONS)->name, "completions");
    ck_assert_str_eq(endpoint_facts(ENDPOINT_EMBEDDINGS)->name, "embeddings");
    ck_assert_str_eq(endpoint_facts(ENDPOINT_RESPONSES)->name, "responses");
}
END_TEST

START_TEST(reads_the_members_that_matter)
{
    chat("\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":10,"
         "\"n\":3,\"user\":\"al\\u0069ce\",\"prompt_cache_key\":\"k\",\"metadata\":"
         "{\"session_id\":\"s1\",\"label\":\"l\",\"tags\":[\"a\",\" b \",\"\"],\"x\":1}");
    UNIT_TEXT(body.model, "gpt-4o");
    UNIT_TEXT(body.model_raw, "\"gpt-4o\"");
    ck_assert(body.stream);
    ck_assert(body.usage_asked);
    ck_assert_int_eq(body.max_output, 10);
    ck_assert_int_eq(body.prompts, 1);
    ck_assert_int_eq(body.choices, 3);
    UNIT_TEXT(body.user, "alice");
    UNIT_TEXT(body.prompt_cache_key, "k");
    UNIT_TEXT(body.session, "s1");
    UNIT_TEXT(body.label, "l");
    ck_assert_uint_eq(body.tag_count, 2);
    UNIT_TEXT(body.tags[0], "a");
    UNIT_TEXT(body.tags[1], "b");
    ck_assert_int_eq(body.input_bound, (int64_t)body.raw.size + 3);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(what_is_absent_or_null_is_absent)
{
    static const char *const bodies[] = {
        "",
        "\"stream\":null,\"stream_options\":null,\"max_tokens\":null,\"n\":null,\"user\":null,"
        "\"max_completion_tokens\":null,\"metadata\":null,\"tools\":null,\"audio\":null,"
        "\"service_tier\":null,\"web_search_options\":null,\"plugins\":null,\"prediction\":null,"
        "\"response_format\":null,\"modalities\":null,\"cached_content\":null",
        "\"metadata\":{\"tags\":null},\"stream_options\":{\"include_usage\":null}",
        "\"metadata\":{\"session_id\":null},\"enable_search\":false",
    };
    for (size_t i = 0; i < UNIT_COUNT(bodies); i++) {
        chat(bodies[i]);
        ck_assert(!body.stream);
        ck_assert(!body.usage_asked);
        ck_assert_int_eq(body.max_output, BODY_ABSENT);
        ck_assert_int_eq(body.choices, 1);
        ck_assert_int_eq(body.extra_output, 0);
        ck_assert(!body.audio);
        ck_assert_ptr_null(body.user.at);
        ck_assert_ptr_null(body.session.at);
        ck_assert_uint_eq(body.tag_count, 0);
        ck_assert_int_eq(body.input_bound, (int64_t)body.raw.size + 3);
        ck_assert_ptr_null(body.unbounded_param.at);
    }
}
END_TEST

START_TEST(takes_tags_as_one_text_too)
{
    chat("\"metadata\":{\"tags\":\"a, b,,c\"}");
    ck_assert_uint_eq(body.tag_count, 3);
    UNIT_TEXT(body.tags[1], "b");
    refuses_chat("\"metadata\":{\"tags\":\"1,2,3,4,5,6,7,8,9\"}", "invalid_value", "metadata.tags");
    refuses_chat("\"metadata\":{\"tags\":[1]}", "invalid_type", "metadata.tags");
    refuses_chat("\"metadata\":{\"tags\":{}}", "invalid_type", "metadata.tags");
    refuses_chat("\"metadata\":{\"session_id\":5}", "invalid_type", "metadata.session_id");
    refuses_chat("\"metadata\":{\"session_id\":\"a\",\"session\\u005fid\":\"b\"}",
                 "duplicate_member", "metadata");
}
END_TEST

START_TEST(the_larger_maximum_counts)
{
    chat("\"max_tokens\":10,\"max_completion_tokens\":20");
    ck_assert_int_eq(body.max_output, 20);
    chat("\"max_tokens\":30,\"max_completion_tokens\":null");
    ck_assert_int_eq(body.max_output, 30);
    chat("\"max_tokens\":1e3");
    ck_assert_int_eq(body.max_output, 1000);
    chat("\"max_tokens\":1000000000");
    ck_assert_int_eq(body.max_output, BODY_MOST);
    ck_assert(reads(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"\",\"max_tokens\":0}"));
    ck_assert_int_eq(body.max_output, 0);
}
END_TEST

START_TEST(refuses_counts_that_are_none)
{
    static const char *const counts[] = {"-1", "1.5", "1e30", "1000000001", "0", "-0"};
    static const char *const others[] = {"\"10\"", "true", "[1]", "{}"};
    static const char *const fields[] = {"max_tokens", "max_completion_tokens", "n", "best_of"};
    for (size_t f = 0; f < UNIT_COUNT(fields); f++) {
        char more[64];
        for (size_t i = 0; i < UNIT_COUNT(counts); i++) {
            (void)snprintf(more, sizeof(more), "\"%s\":%s", fields[f], counts[i]);
            refuses_chat(more, "invalid_value", fields[f]);
        }
        for (size_t i = 0; i < UNIT_COUNT(others); i++) {
            (void)snprintf(more, sizeof(more), "\"%s\":%s", fields[f], others[i]);
            refuses_chat(more, "invalid_type", fields[f]);
        }
    }
    refuses_chat("\"n\":129", "invalid_value", "n");
    refuses_chat("\"best_of\":10000", "invalid_value", "best_of");
    refuses(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"\",\"max_tokens\":-1}",
            "invalid_value", "max_tokens");
}
END_TEST

START_TEST(counts_prompts_and_choices)
{
    static const struct {
        const char *prompt;
        int64_t prompts;
    } cases[] = {
        {"\"text\"", 1},          {"[\"a\",\"b\"]", 2}, {"[1,2,3]", 1},
        {" [ [1,2] , [3] ] ", 2}, {"[\"[{\"]", 1},      {"[[]]", 1},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char raw[128];
        (void)snprintf(raw, sizeof(raw), "{\"model\":\"m\",\"n\":2,\"best_of\":5,\"prompt\":%s}",
                       cases[i].prompt);
        ck_assert_msg(reads(ENDPOINT_COMPLETIONS, raw), "%s: %s", raw, error.message);
        ck_assert_int_eq(body.prompts, cases[i].prompts);
        ck_assert_int_eq(body.choices, 5 * cases[i].prompts);
        (void)snprintf(raw, sizeof(raw), "{\"input\":%s,\"model\":\"m\",\"n\":\"mine\"}",
                       cases[i].prompt);
        ck_assert_msg(reads(ENDPOINT_EMBEDDINGS, raw), "%s: %s", raw, error.message);
        ck_assert_int_eq(body.prompts, cases[i].prompts);
        ck_assert_int_eq(body.choices, cases[i].prompts);
    }
}
END_TEST

START_TEST(refuses_lists_whose_length_two_parsers_may_count_differently)
{
    static const char *const mixed[] = {
        "[1,\"a\"]", "[\"a\",1]", "[1,[2]]", "[[1],2]", "[[1],\"a\"]", "[{}]",
        "[[{}]]",    "[null]",    "[true]",  "[1,{}]",  "[[\"a\"]]",
    };
    for (size_t i = 0; i < UNIT_COUNT(mixed); i++) {
        char raw[128];
        (void)snprintf(raw, sizeof(raw), "{\"model\":\"m\",\"prompt\":%s}", mixed[i]);
        refuses(ENDPOINT_COMPLETIONS, raw, "invalid_type", "prompt");
    }
    refuses(ENDPOINT_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[]}", "invalid_value", "prompt");
    refuses(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":{}}", "invalid_type", "input");
    refuses(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\",\"input\":[ ]}", "invalid_value", "input");
}
END_TEST

START_TEST(refuses_what_is_not_a_json_object)
{
    static const char *const raws[] = {"",
                                       " ",
                                       "{",
                                       "[]",
                                       "null",
                                       "{\"a\"}",
                                       "{\"a\":1,}",
                                       "{}{}",
                                       "{'a':1}",
                                       "\"{}\"",
                                       "{\"model\":\"\xff\"}",
                                       "{\"model\":\"\n\"}"};
    for (size_t i = 0; i < UNIT_COUNT(raws); i++)
        refuses(ENDPOINT_CHAT, raws[i], "invalid_json", "");

    struct buffer deep = {0};
    buffer_put(&deep, TEXT("{\"model\":\"m\",\"messages\":"));
    for (int i = 0; i < 100000; i++)
        buffer_put_byte(&deep, '[');
    refuses(ENDPOINT_CHAT, buffer_string(&deep), "invalid_json", "");
    ck_assert_ptr_nonnull(strstr(error.message, "deep"));
    buffer_close(&deep);
}
END_TEST

START_TEST(leaves_the_body_alone_when_it_refuses)
{
    body = (struct body){.prompts = 77};
    ck_assert(!reads(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":[],\"n\":0}"));
    ck_assert_int_eq(body.prompts, 77);
}
END_TEST

START_TEST(refuses_a_missing_member)
{
    refuses(ENDPOINT_CHAT, "{}", "missing_member", "model");
    refuses(ENDPOINT_CHAT, "{\"messages\":[]}", "missing_member", "model");
    refuses(ENDPOINT_CHAT, "{\"model\":\"m\"}", "missing_member", "messages");
    refuses(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":null}", "missing_member", "messages");
    refuses(ENDPOINT_CHAT, "{\"model\":null,\"messages\":[]}", "missing_member", "model");
    refuses(ENDPOINT_COMPLETIONS, "{\"model\":\"m\"}", "missing_member", "prompt");
    refuses(ENDPOINT_EMBEDDINGS, "{\"model\":\"m\"}", "missing_member", "input");
    refuses(ENDPOINT_CHAT, "{\"model\":\"\",\"messages\":[]}", "invalid_value", "model");
}
END_TEST

START_TEST(refuses_wrong_types)
{
    refuses(ENDPOINT_CHAT, "{\"model\":4,\"messages\":[]}", "invalid_type", "model");
    refuses(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":\"hi\"}", "invalid_type", "messages");
    refuses(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":[\"hi\"]}", "invalid_type", "messages");
    refuses_chat("\"stream\":\"true\"", "invalid_type", "stream");
    refuses_chat("\"stream\":1", "invalid_type", "stream");
    refuses_chat("\"stream_options\":[]", "invalid_type", "stream_options");
    refuses_chat("\"stream_options\":{\"include_usage\":1}", "invalid_type",
                 "stream_options.include_usage");
    refuses_chat("\"user\":7", "invalid_type", "user");
    refuses_chat("\"metadata\":\"x\"", "invalid_type", "metadata");
    refuses_chat("\"tools\":{}", "invalid_type", "tools");
    refuses_chat("\"service_tier\":1", "invalid_type", "service_tier");
    ck_assert_str_eq(error.message, "'service_tier' must be a string.");
}
END_TEST

START_TEST(refuses_members_that_stand_twice)
{
    refuses_chat("\"model\":\"n\"", "duplicate_member", "model");
    refuses_chat("\"mod\\u0065l\":\"n\"", "duplicate_member", "model");
    refuses_chat("\"n\":1,\"\\u006e\":2", "duplicate_member", "n");
    refuses_chat("\"n\":null,\"n\":2", "duplicate_member", "n");
    refuses_chat("\"messages\":[]", "duplicate_member", "messages");
    refuses_chat("\"stream_options\":{\"include_usage\":true,\"include\\u005fusage\":false}",
                 "duplicate_member", "stream_options.include_usage");
    refuses_chat("\"tools\":[],\"tools\":[]", "duplicate_member", "tools");
    refuses_chat("\"temperature\":0,\"temperature\":1", "duplicate_member", "temperature");
    refuses_chat("\"store\":false,\"store\":true", "duplicate_member", "store");
    chat("\"top_p\":0,\"top_p\":1,\"seed\":1,\"seed\":2");
}
END_TEST

START_TEST(refuses_names_that_some_parser_would_take_for_ours)
{
    refuses_chat("\"Max_Tokens\":1", "misspelt_member", "max_tokens");
    refuses_chat("\"MAX_TOKENS\":1", "misspelt_member", "max_tokens");
    refuses_chat("\"max_to\xE2\x84\xAA"
                 "ens\":1",
                 "misspelt_member", "max_tokens");
    refuses_chat("\"max_toKen\\u017f\":1", "misspelt_member", "max_tokens");
    refuses_chat("\"\\u004e\":128", "misspelt_member", "n");
    refuses_chat("\"Tools\":[]", "misspelt_member", "tools");
    refuses_chat("\"stream_options\":{\"Include_usage\":true}", "misspelt_member",
                 "stream_options.include_usage");
    ck_assert_ptr_nonnull(strstr(error.message, "must be written 'include_usage'"));
    refuses_chat("\"Temperature\":1", "misspelt_member", "temperature");
    refuses_chat("\"STORE\":true", "misspelt_member", "store");
    chat("\"Top_p\":1,\"N\\u0000\":1,\"max_tokens \":2,\"\":3");
    chat("\"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\":1");
}
END_TEST

static void check_content(const char *content, bool bounded, bool audio)
{
    char raw[512];
    (void)snprintf(raw, sizeof(raw),
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"x\"},"
                   "{\"content\":%s,\"role\":\"user\"}]}",
                   content);
    ck_assert_msg(reads(ENDPOINT_CHAT, raw), "%s: %s", raw, error.message);
    int64_t bound = bounded ? (int64_t)strlen(raw) + 3 : BODY_UNBOUNDED;
    ck_assert_msg(body.input_bound == bound, "%s: %ld", content, (long)body.input_bound);
    ck_assert_msg(body.audio == audio, "%s: audio", content);
}

START_TEST(content_that_is_not_text_has_no_byte_bound)
{
    check_content("\"image_url\"", true, false);
    check_content("null", true, false);
    check_content("[]", true, false);
    check_content("[{\"type\":\"text\",\"text\":\"[{}]\"},{\"type\":\"refusal\"},\"plain\"]", true,
                  false);
    check_content("[{\"type\":\"file\"}]", false, false);
    check_content("[{\"type\":\"input_audio\"}]", false, true);
    check_content("[{\"type\":\"video_url\"}]", false, true);
    check_content("{\"type\":\"text\"}", true, false);
    check_content("[[\"deeper\"]]", false, true);
}
END_TEST

static void check_images(const char *content, int64_t images, const char *not_text)
{
    char raw[512];
    (void)snprintf(raw, sizeof(raw),
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":%s}]}", content);
    ck_assert_msg(reads(ENDPOINT_CHAT, raw), "%s: %s", raw, error.message);
    ck_assert_msg(body.images == images, "%s: %ld images", content, (long)body.images);
    ck_assert_int_eq(body.image_bytes, (int64_t)strlen(not_text));
    ck_assert_int_eq(body.input_bound, (int64_t)(strlen(raw) - strlen(not_text)) + 3);
    ck_assert(!body.audio);
}

START_TEST(images_are_counted_apart_and_their_data_is_no_text)
{
#define DATA "\"data:image/png;base64,AAAA\""
    check_images("[{\"type\":\"image_url\",\"image_url\":{\"url\":" DATA "}}]", 1, DATA);
    check_images("{\"type\":\"image_url\",\"image_url\":{\"url\":" DATA "}}", 1, DATA);
    check_images("[{\"image_url\":" DATA ",\"type\":\"input_image\"}]", 1, DATA);
    check_images("[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a\"}}]", 1, "");
    check_images("[{\"type\":\"image_url\",\"text\":" DATA "}]", 1, "");
    check_images("[{\"type\":\"image_url\",\"image_url\":{\"text\":" DATA "}}]", 1, "");
    check_images("[{\"type\":\"image_url\"},{\"type\":\"input_image\"}]", 2, "");
    check_images("[{\"type\":\"image_url\",\"image_url\":" DATA ",\"Image_Url\":" DATA "}]", 2,
                 DATA DATA);
    check_images("[{\"type\":\"text\",\"image_url\":" DATA "}]", 0, "");
}
END_TEST

START_TEST(a_part_cannot_hide_what_it_is)
{
    check_content("[{\"text\":\"no type\"}]", false, true);
    check_content("[{\"type\":\"text\",\"type\":\"image_url\"}]", false, true);
    check_content("[{\"type\":\"image_url\",\"type\":\"text\"}]", false, true);
    check_content("[{\"type\":\"text\",\"Type\":\"image_url\"}]", false, true);
    check_content("[{\"type\":\"text\",\"t\\u0079pe\":\"image_url\"}]", false, true);
    check_content("[{\"type\":\"te\\u0078t\"}]", true, false);
    check_content("[{\"type\":7}]", false, true);
    check_content("\"x\",\"content\":[{\"type\":\"file\"}]", false, false);
    check_content("\"x\",\"c\\u006fntent\":[{\"type\":\"file\"}]", false, false);
    check_content("\"x\",\"Content\":[{\"type\":\"file\"}]", false, false);
    check_content("null,\"audio\":{\"id\":\"audio_1\"}", false, true);
    check_content("\"x\",\"audio\":null", true, false);
}
END_TEST

START_TEST(input_from_elsewhere_has_no_byte_bound)
{
    static const char *const far[] = {"cached_content", "extra_body", "chat_template",
                                      "previous_response_id", "conversation"};
    for (size_t i = 0; i < UNIT_COUNT(far); i++) {
        char more[64];
        (void)snprintf(more, sizeof(more), "\"%s\":\"x\"", far[i]);
        chat(more);
        ck_assert_int_eq(body.input_bound, BODY_UNBOUNDED);
    }
}
END_TEST

static int64_t hidden_tokens(const char *more)
{
    chat(more);
    return body.input_bound - (int64_t)body.raw.size - 3;
}

START_TEST(counts_functions_and_properties)
{
    ck_assert_int_eq(hidden_tokens("\"tools\":[]"), 32);
    ck_assert_int_eq(hidden_tokens("\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"}]"),
                     32 + 2 * 16);
    ck_assert_int_eq(
        hidden_tokens("\"tools\":[{\"type\":\"function\",\"function\":{\"parameters\":{"
                      "\"properties\":{\"a\":{\"type\":\"object\",\"properties\" : {\"b\":1,\"c\":"
                      "[{\"d\":2}]}},\"e\":{\"enum\":[\"properties\",\"x\"]}}}}}]"),
        32 + 16 + 4 * 8);
    ck_assert_int_eq(hidden_tokens("\"tools\":[{\"type\":\"function\",\"p\\u0072operties\":"
                                   "{\"a\":\"\\\"b\\\":\"}}]"),
                     32 + 16 + 8);
    ck_assert_int_eq(hidden_tokens("\"functions\":[{\"name\":\"f\",\"properties\":{\"a\":1}}]"),
                     32 + 16 + 8);
    ck_assert_int_eq(hidden_tokens("\"response_format\":{\"type\":\"json_schema\"}"), 64);
    ck_assert_ptr_null(body.unbounded_param.at);
}
END_TEST

START_TEST(names_what_adds_cost_without_a_bound)
{
    static const struct {
        const char *more, *param;
    } cases[] = {
        {"\"web_search_options\":{}", "web_search_options"},
        {"\"plugins\":[{\"id\":\"web\"}]", "plugins"},
        {"\"models\":[\"a\",\"b\"]", "models"},
        {"\"preset\":\"mine\"", "preset"},
        {"\"enable_search\":true", "enable_search"},
        {"\"search_parameters\":{\"mode\":\"on\"}", "search_parameters"},
        {"\"data_sources\":[]", "data_sources"},
        {"\"modalities\":[\"image\",\"text\"]", "modalities"},
        {"\"tools\":[{\"type\":\"web_search\"}]", "tools"},
        {"\"tools\":[{\"type\":\"function\"},{\"google_search\":{}}]", "tools"},
        {"\"tools\":[{\"type\":\"function\",\"type\":\"mcp\"}]", "tools"},
        {"\"tools\":[{\"type\":\"function\",\"TYPE\":\"mcp\"}]", "tools"},
        {"\"tools\":[\"web_search\"]", "tools"},
        {"\"n_predict\":9", "n_predict"},
        {"\"prompt\":[\"a\",\"b\"]", "prompt"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        chat(cases[i].more);
        ck_assert_msg(text_equal(body.unbounded_param, text_of(cases[i].param)), "%s: %.*s",
                      cases[i].more, TEXT_ARG(body.unbounded_param));
        ck_assert_uint_gt(strlen(body.unbounded_why), 20);
    }
    chat("\"service_tier\":\"flex\",\"background\":true,\"store\":true,\"transforms\":[],"
         "\"modalities\":[\"text\"],\"provider\":{\"sort\":\"price\"}");
    ck_assert_ptr_null(body.unbounded_param.at);
    UNIT_TEXT(body.service_tier, "flex"); /* what it costs is a matter of its price */
}
END_TEST

START_TEST(reads_the_temperature_as_it_stands)
{
    static const char *const good[] = {"0",    "-0",       "0.70",       "1e9",     "-1000000000.0",
                                       "1E-2", "0.1e0010", "99999999.9", "0e99999", "1e-99999"};
    static const char *const bad[] = {"1000000001", "1.1e9", "-1e10", "1e99999999999999999999",
                                      "0.01e12"};
    char more[64];

    chat("");
    ck_assert_ptr_null(body.temperature_raw.at);
    chat("\"temperature\":null");
    ck_assert_ptr_null(body.temperature_raw.at);
    for (size_t i = 0; i < UNIT_COUNT(good); i++) {
        (void)snprintf(more, sizeof(more), "\"temperature\": %s ", good[i]);
        chat(more);
        UNIT_TEXT(body.temperature_raw, good[i]);
    }
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        (void)snprintf(more, sizeof(more), "\"temperature\":%s", bad[i]);
        refuses_chat(more, "invalid_value", "temperature");
    }
    refuses_chat("\"temperature\":\"0\"", "invalid_type", "temperature");
}
END_TEST

START_TEST(tells_what_the_provider_keeps)
{
    static const struct {
        const char *more;
        bool kept;
    } cases[] = {
        {"\"store\":true", true},
        {"\"store\":false", false},
        {"\"store\":null,\"background\":null,\"previous_response_id\":null", false},
        {"\"store\":true,\"background\":false", true},
        {"\"background\":true,\"store\":false", true},
        {"\"previous_response_id\":\"resp_1\"", true},
        {"\"conversation\":{\"id\":\"c\"}", true},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        chat(cases[i].more);
        ck_assert_msg(body.kept_by_provider == cases[i].kept, "%s", cases[i].more);
    }
    refuses_chat("\"store\":\"yes\"", "invalid_type", "store");
    refuses_chat("\"background\":1", "invalid_type", "background");
    refuses_chat("\"previous_response_id\":1", "invalid_type", "previous_response_id");
}
END_TEST

START_TEST(a_prediction_and_audio_add_output)
{
    chat("\"prediction\":{\"type\":\"content\"},\"n\":2");
    ck_assert_int_eq(body.extra_output, 2 * (int64_t)strlen("{\"type\":\"content\"}"));
    chat("\"modalities\":[\"text\",\"audio\"]");
    ck_assert(body.audio);
    chat("\"audio\":{\"voice\":\"v\"}");
    ck_assert(body.audio);
    ck_assert_int_ne(body.input_bound, BODY_UNBOUNDED);
}
END_TEST

UNIT_MAIN(reads_the_temperature_as_it_stands, tells_what_the_provider_keeps, names_the_endpoints,
          reads_the_members_that_matter, what_is_absent_or_null_is_absent,
          takes_tags_as_one_text_too, the_larger_maximum_counts, refuses_counts_that_are_none,
          counts_prompts_and_choices, refuses_lists_whose_length_two_parsers_may_count_differently,
          refuses_what_is_not_a_json_object, leaves_the_body_alone_when_it_refuses,
          refuses_a_missing_member, refuses_wrong_types, refuses_members_that_stand_twice,
          refuses_names_that_some_parser_would_take_for_ours,
          content_that_is_not_text_has_no_byte_bound,
          images_are_counted_apart_and_their_data_is_no_text, a_part_cannot_hide_what_it_is,
          input_from_elsewhere_has_no_byte_bound, counts_functions_and_properties,
          names_what_adds_cost_without_a_bound, a_prediction_and_audio_add_output)
