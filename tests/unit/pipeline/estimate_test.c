/* The input tokens of requests, by the formulas in pipeline/estimate.h. */
#include <stdio.h>

#include "../unit.h"
#include "pipeline/estimate.h"

static struct estimate estimate_of(enum endpoint endpoint, const char *model, const char *body)
{
    struct json_value request;
    struct estimate estimate;
    ck_assert_msg(json_parse(text_of(body), &request, NULL) == JSON_OK, "%s", body);
    struct estimate_ask ask = {.endpoint = endpoint,
                               .body = text_of(body),
                               .model = estimate_model_named(text_of(model)),
                               .likely = true};
    estimate_input(&ask, &estimate);
    return estimate;
}

static size_t tokens_of(const char *body)
{
    struct estimate estimate = estimate_of(ENDPOINT_CHAT, "gpt-4o", body);
    ck_assert_ptr_null(estimate.uncounted.at);
    ck_assert_int_ge(estimate.bound, estimate.tokens);
    return (size_t)estimate.tokens;
}

static size_t plain(const char *text)
{
    return tokens_count(TOKENS_O200K_BASE, text_of(text));
}

START_TEST(the_example_of_openais_api_description_has_19_tokens)
{
    ck_assert_uint_eq(
        tokens_of("{\"model\":\"gpt-4o\",\"messages\":["
                  "{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"},"
                  "{\"role\":\"user\",\"content\":\"Hello!\"}]}"),
        19);
}
END_TEST

START_TEST(a_message_costs_3_and_its_role_and_content)
{
    ck_assert_uint_eq(tokens_of("{\"messages\":[]}"), 3);
    ck_assert_uint_eq(tokens_of("{\"messages\":[{\"role\":\"user\"}]}"), 3 + 3 + 1);
    ck_assert_uint_eq(tokens_of("{\"messages\":[{\"role\":\"user\",\"content\":null}]}"),
                      3 + 3 + 1);
    ck_assert_uint_eq(
        tokens_of(
            "{\"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9\\n<|endoftext|>\"}]}"),
        3 + 3 + 1 + plain("caf\xC3\xA9\n<|endoftext|>"));
}
END_TEST

START_TEST(a_name_costs_1_more)
{
    ck_assert_uint_eq(
        tokens_of("{\"messages\":[{\"role\":\"user\",\"name\":\"alice\",\"content\":\"Hi\"}]}"),
        3 + 3 + 1 + plain("alice") + 1 + 1);
}
END_TEST

START_TEST(parts_of_text_add_up)
{
    ck_assert_uint_eq(tokens_of("{\"messages\":[{\"role\":\"user\",\"content\":["
                                "{\"type\":\"text\",\"text\":\"Hello\"},"
                                "{\"text\":\" world\",\"type\":\"text\"},"
                                "{\"type\":\"refusal\",\"refusal\":\"No\"}]}]}"),
                      3 + 3 + 1 + 3);
}
END_TEST

START_TEST(a_message_with_tool_calls_costs_its_json_and_16)
{
    ck_assert_uint_eq(
        tokens_of("{\"messages\":[{\"role\": \"assistant\",\n \"content\": \"a \\\" b\\\\\",\n"
                  "\"tool_calls\": [ {\"id\": \"x\"} ]}]}"),
        3 + 16 +
            plain("{\"role\":\"assistant\",\"content\":\"a \\\" b\\\\\",\"tool_calls\":[{\"id\":"
                  "\"x\"}]}"));
}
END_TEST

START_TEST(tools_cost_their_json_and_16_each_and_8_for_each_property_and_32)
{
#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","    \
    "\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"object\",\"properties\":{"      \
    "\"c\":{}}}}}}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]"
    size_t want = 3 + plain(TOOLS) + 2 * 16 + 3 * 8 + 32;
    ck_assert_uint_eq(tokens_of("{\"messages\":[],\"tools\":" TOOLS "}"), want);
    ck_assert_uint_eq(tokens_of("{\"functions\":" TOOLS ",\"messages\":[]}"), want);
    ck_assert_uint_eq(tokens_of("{\"messages\":[],\"tools\":[]}"), 3);
}
END_TEST

START_TEST(a_schema_of_the_answer_costs_its_json_and_64)
{
    ck_assert_uint_eq(tokens_of("{\"messages\":[],\"response_format\":{\"type\":\"json_schema\","
                                "\"json_schema\": {\"name\": \"x y\"}}}"),
                      3 + 64 + plain("{\"name\":\"x y\"}"));
    ck_assert_uint_eq(tokens_of("{\"messages\":[],\"response_format\":{\"type\":\"json_object\"}}"),
                      3);
}
END_TEST

START_TEST(a_schema_standing_twice_counts_twice)
{
    ck_assert_uint_eq(tokens_of("{\"messages\":[],\"response_format\":{\"json_schema\":{\"a\":1},"
                                "\"json_schema\":{\"name\":\"x y\"}}}"),
                      3 + 64 + plain("{\"a\":1}") + 64 + plain("{\"name\":\"x y\"}"));
}
END_TEST

START_TEST(an_image_in_a_message_with_tool_calls_counts_too)
{
    struct estimate estimate =
        estimate_of(ENDPOINT_CHAT, "gpt-4o",
                    "{\"messages\":[{\"role\":\"user\",\"tool_calls\":[],\"content\":["
                    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b\"}}]}]}");
    ck_assert_int_ge(estimate.bound, image_tokens_most(image_family(TEXT("gpt-4o"))));
}
END_TEST

START_TEST(text_is_exact_and_so_is_its_bound)
{
    struct estimate estimate = estimate_of(
        ENDPOINT_CHAT, "gpt-4o",
        "{\"model\":\"gpt-4o\",\"temperature\":0,\"stop\":[\"a long word that is no input\"],"
        "\"messages\":[{\"role\":\"user\",\"name\":\"bob\",\"content\":[{\"type\":\"text\","
        "\"text\":\"Hello!\"}]}]}");
    ck_assert(estimate.exact);
    ck_assert_int_eq(estimate.tokens, 3 + 3 + 1 + 2 + 2);
    ck_assert_int_eq(estimate.bound, estimate.tokens);
}
END_TEST

START_TEST(the_bound_has_half_as_much_again_of_what_is_estimated)
{
    struct estimate estimate = estimate_of(ENDPOINT_CHAT, "gpt-4o",
                                           "{\"messages\":[],\"tools\":[{\"type\":\"function\"}]}");
    int64_t tools = (int64_t)plain("[{\"type\":\"function\"}]");
    ck_assert(!estimate.exact);
    ck_assert_int_eq(estimate.tokens, 3 + tools + 32 + 16);
    ck_assert_int_eq(estimate.bound, 3 + tools + (tools + 1) / 2 + (32 + 16) * 3 / 2);
}
END_TEST

START_TEST(tools_whose_estimate_was_confirmed_are_bounded_by_it)
{
    const char *body = "{\"messages\":[],\"tools\":[{\"type\":\"function\"}]}";
    struct estimate estimate;
    struct estimate_ask ask = {.endpoint = ENDPOINT_CHAT,
                               .body = text_of(body),
                               .model = estimate_model_named(TEXT("gpt-4o")),
                               .tools_confirmed = true};
    estimate_input(&ask, &estimate);
    ck_assert(estimate.with_tools);
    ck_assert(!estimate.plain);
    ck_assert_int_eq(estimate.bound, estimate.tokens);
    ask.body = TEXT("{\"messages\":[{\"role\":\"user\",\"tool_calls\":[]}],\"tools\":[{}]}");
    estimate_input(&ask, &estimate); /* it says nothing of calls */
    ck_assert(!estimate.with_tools);
    ck_assert_int_gt(estimate.bound, estimate.tokens);
    ask.body = TEXT("{\"messages\":[],\"tools\":[{}],\"tool_choice\":\"auto\"}");
    estimate_input(&ask, &estimate); /* nor of what nobody knows */
    ck_assert(!estimate.with_tools);
    ck_assert_int_gt(estimate.bound, estimate.tokens);
}
END_TEST

START_TEST(the_bound_has_what_nobody_knows_as_text)
{
    static const char *const requests[] = {
        "{\"messages\":[],\"documents\":[\"some text that a provider may add\"]}",
        "{\"messages\":[{\"role\":\"user\",\"thoughts\":\"some text that a provider may add\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\","
        "\"more\":\"some text that a provider may add\"}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"Content\":\"some text that a provider may add\"}]}",
        "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"some text that a provider may "
        "add\"}]}",
    };
    for (size_t i = 0; i < UNIT_COUNT(requests); i++) {
        struct estimate estimate = estimate_of(ENDPOINT_CHAT, "gpt-4o", requests[i]);
        ck_assert_msg(!estimate.exact, "%s", requests[i]);
        ck_assert_msg(estimate.bound >= estimate.tokens + 7, "%s", requests[i]);
    }
}
END_TEST

START_TEST(content_standing_twice_counts_twice)
{
    struct estimate once = estimate_of(ENDPOINT_CHAT, "gpt-4o",
                                       "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}");
    struct estimate twice =
        estimate_of(ENDPOINT_CHAT, "gpt-4o",
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\",\"content\":\"Hi\"}]}");
    ck_assert_int_eq(twice.bound, once.bound + 1);
}
END_TEST

START_TEST(prompts_and_inputs_add_up_and_token_ids_count_one_each)
{
    static const struct {
        const char *value;
        int64_t tokens;
    } cases[] = {{"\"hello world\"", 2},
                 {"[\"hello world\",\"hello\"]", 3},
                 {"[1,22,333]", 3},
                 {"[[1,2],[3]]", 3}};
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char body[200];
        (void)snprintf(body, sizeof(body), "{\"prompt\":%s,\"n\":4}", cases[i].value);
        struct estimate estimate = estimate_of(ENDPOINT_COMPLETIONS, "davinci-002", body);
        ck_assert_msg(estimate.exact && estimate.bound == cases[i].tokens, "%s", body);
        (void)snprintf(body, sizeof(body), "{\"input\":%s,\"dimensions\":4}", cases[i].value);
        estimate = estimate_of(ENDPOINT_EMBEDDINGS, "text-embedding-3-small", body);
        ck_assert_msg(estimate.exact && estimate.bound == cases[i].tokens, "%s", body);
    }
}
END_TEST

START_TEST(an_input_that_is_asked_for_in_place_of_all_is_what_counts)
{
    struct estimate estimate;
    struct estimate_ask ask = {.endpoint = ENDPOINT_EMBEDDINGS,
                               .body = TEXT("{\"input\":[\"a\",\"b\",\"c\"],\"model\":\"m\"}"),
                               .input = TEXT("[\"b\"]"),
                               .model = estimate_model_named(TEXT("text-embedding-3-small"))};
    estimate_input(&ask, &estimate);
    ck_assert_int_eq(estimate.bound, 1);
}
END_TEST

START_TEST(without_a_public_tokeniser_the_bound_is_the_bytes_of_the_texts)
{
    const char *body =
        "{\"model\":\"llama\",\"user\":\"somebody\",\"messages\":[{\"role\":\"user\","
        "\"content\":\"caf\\u00e9 au lait\"}]}";
    struct estimate estimate = estimate_of(ENDPOINT_CHAT, "llama", body);
    ck_assert(!estimate.exact);
    ck_assert_int_eq(estimate.bound, 3 + 16 + 4 + 13);
    ck_assert_int_gt(estimate.tokens, 3 + 3);
    ck_assert_int_lt(estimate.tokens, estimate.bound);
}
END_TEST

START_TEST(gpt_oss_has_a_public_tokeniser_but_its_servers_add_text)
{
    ck_assert(!estimate_model_named(TEXT("gpt-oss-120b")).exact);
    ck_assert(!estimate_model_named(TEXT("openai/gpt-oss-20b")).exact);
}
END_TEST

START_TEST(a_name_is_believed_of_openai_and_azure_only)
{
    static const struct {
        const char *provider, *sent, *priced;
        bool exact;
    } rows[] = {
        {"openai", "gpt-4o", NULL, true},      {"azure", "my-deployment", "gpt-4o", true},
        {"openai", "my-own", "my-own", false}, {"openrouter", "openai/gpt-4o", NULL, true},
        {"openrouter", "gpt-4o", NULL, false}, {"", "gpt-4o", "gpt-4o", false},
        {"groq", "my-llama", "gpt-4o", false},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        const struct upstream upstream = {.provider = text_of(rows[i].provider)};
        const struct model priced = {.name = text_of(rows[i].priced)};
        struct estimate_model model = estimate_model_of(&upstream, text_of(rows[i].sent),
                                                        rows[i].priced != NULL ? &priced : NULL);
        ck_assert_msg(model.exact == rows[i].exact, "%s at %s", rows[i].sent, rows[i].provider);
    }
}
END_TEST

/* ---- images ---- */

#define GIF_50_BY_20 "data:image/gif;base64,R0lGODlhMgAUAAAAACwAAAAAMgAUAAA="

static struct estimate image_of(const char *model, const char *part)
{
    char body[1000];
    (void)snprintf(body, sizeof(body),
                   "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",%s}]}]}",
                   part);
    return estimate_of(ENDPOINT_CHAT, model, body);
}

START_TEST(an_image_costs_what_its_size_says)
{
    struct estimate estimate =
        image_of("gpt-4o", "\"image_url\":{\"url\":\"" GIF_50_BY_20 "\",\"detail\":\"high\"}");
    ck_assert_int_eq(estimate.tokens, 3 + 3 + 1 + 85 + 170);
    ck_assert_int_eq(estimate.bound, estimate.tokens);
    ck_assert(!estimate.exact);
    estimate =
        image_of("gpt-4o", "\"image_url\":{\"detail\":\"low\",\"url\":\"" GIF_50_BY_20 "\"}");
    ck_assert_int_eq(estimate.tokens, 3 + 3 + 1 + 85);
    estimate = image_of("claude-sonnet-4-5", "\"image_url\":{\"url\":\"" GIF_50_BY_20 "\"}");
    ck_assert_int_eq(estimate.tokens, 3 + 3 + 1 + 3);
}
END_TEST

START_TEST(an_image_of_unknown_size_costs_its_familys_most)
{
    static const struct {
        const char *part;
        int64_t images;
    } cases[] = {
        {"\"image_url\":{\"url\":\"https://example.org/a.png\"}", 1},
        {"\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}", 1},
        {"\"image_url\":{\"url\":7}", 1},
        {"\"file_id\":\"x\"", 1},
        {"\"image_url\":{\"url\":\"" GIF_50_BY_20 "\",\"url\":\"https://example.org\"}", 2},
        {"\"image_url\":\"" GIF_50_BY_20 "\",\"image_url\":{\"url\":\"https://example.org\"}", 2},
        {"\"image_url\":{\"url\":\"" GIF_50_BY_20 "\",\"detail\":\"low\",\"detail\":\"high\"}", 1},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct estimate estimate = image_of("gpt-4o", cases[i].part);
        ck_assert_msg(estimate.bound == 3 + 3 + 1 + cases[i].images * 1445, "%s: %lld",
                      cases[i].part, (long long)estimate.bound);
    }
}
END_TEST

START_TEST(what_is_not_counted_is_named)
{
    static const struct {
        const char *part, *told;
    } cases[] = {
        {"{\"type\":\"input_audio\"}", "\"input_audio\""},
        {"{\"type\":\"file\"}", "\"file\""},
        {"{\"text\":\"a\"}", "a part of a message without a type"},
        {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}",
         "an image, and what this model takes for one is not known"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        char body[300];
        (void)snprintf(body, sizeof(body), "{\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}",
                       cases[i].part);
        struct estimate estimate = estimate_of(ENDPOINT_CHAT, "gpt-5.2", body);
        UNIT_TEXT(estimate.uncounted, cases[i].told);
    }
    struct estimate audio =
        estimate_of(ENDPOINT_CHAT, "gpt-4o",
                    "{\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"x\"}}]}");
    UNIT_TEXT(audio.uncounted, "an earlier answer's audio");
}
END_TEST

START_TEST(texts_beyond_what_is_counted_are_bounded_by_their_bytes)
{
    struct buffer body = {0};
    size_t each = ESTIMATE_MOST_BYTES * 3 / 4;
    buffer_put(&body, TEXT("{\"input\":[\""));
    for (size_t i = 0; i < each / 4; i++)
        buffer_put(&body, TEXT("word"));
    buffer_put(&body, TEXT("\",\""));
    for (size_t i = 0; i < each / 4; i++)
        buffer_put(&body, TEXT(" any"));
    buffer_put(&body, TEXT("\"]}"));
    struct estimate estimate =
        estimate_of(ENDPOINT_EMBEDDINGS, "text-embedding-3-small", buffer_string(&body));
    ck_assert(!estimate.exact);
    ck_assert_int_eq(estimate.bound, (int64_t)(each / 4 + each));
    buffer_close(&body);
}
END_TEST

/* ---- Responses and Messages: bounds only ---- */

START_TEST(responses_are_bounded_by_their_texts_and_what_is_added)
{
    struct estimate estimate =
        estimate_of(ENDPOINT_RESPONSES, "gpt-4o",
                    "{\"input\":\"Tell me a three sentence bedtime story about a unicorn.\"}");
    ck_assert(!estimate.exact);
    ck_assert_int_ge(estimate.bound, 36); /* as OpenAI's API description reports */
    ck_assert_int_eq(estimate.bound,
                     64 +
                         (int64_t)plain("Tell me a three sentence bedtime story about a unicorn."));
    estimate = estimate_of(
        ENDPOINT_RESPONSES, "gpt-4o",
        "{\"instructions\":\"Hello world\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
        "\"input_text\",\"text\":\"Hello\"},{\"type\":\"input_image\",\"image_url\":\"" GIF_50_BY_20
        "\"}]},{\"type\":\"reasoning\",\"encrypted_content\":\"AAAA\"}]}");
    int64_t role = (int64_t)plain("\"user\"");
    ck_assert_int_eq(estimate.bound, 64 + 3 + 2 + 24 + role + (role + 1) / 2 + 1 + 255 + 47);
}
END_TEST

START_TEST(tools_of_responses_have_what_the_body_says_is_added)
{
    const char *body = "{\"input\":\"Hello\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}";
    struct estimate without = estimate_of(ENDPOINT_RESPONSES, "gpt-4o", body), with;
    struct estimate_ask ask = {.endpoint = ENDPOINT_RESPONSES,
                               .body = text_of(body),
                               .model = estimate_model_named(TEXT("gpt-4o")),
                               .hidden = 48};
    estimate_input(&ask, &with);
    ck_assert_int_eq(with.bound, without.bound + 48);
    int64_t tools = (int64_t)plain("[{\"type\":\"function\",\"name\":\"f\"}]");
    ck_assert_int_eq(without.bound, 64 + 1 + tools + (tools + 1) / 2);
}
END_TEST

START_TEST(messages_are_bounded_by_the_bytes_of_their_texts_and_their_images)
{
    struct estimate estimate = estimate_of(
        ENDPOINT_MESSAGES, "claude-sonnet-4-5",
        "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":9,\"metadata\":{\"user_id\":\"x\"},"
        "\"system\":\"caf\\u00e9\",\"messages\":[{\"role\":\"user\",\"content\":\"12345\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"content\":[{\"type\":"
        "\"image\","
        "\"source\":{\"type\":\"base64\",\"data\":\"R0lGODlhMgAUAAAAACwAAAAAMgAUAAA=\"}}]}]}]}");
    ck_assert(estimate.uncounted.at == NULL);
    ck_assert_int_eq(estimate.bound,
                     64 + 5 + (16 + 4 + 5) + (16 + 4 + (int64_t)strlen("tool_result") + 3));
}
END_TEST

START_TEST(an_image_of_messages_of_unknown_size_costs_the_most)
{
    static const char *const blocks[] = {
        "{\"type\":\"image\"}",
        "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a\"}}",
        "{\"type\":\"image\",\"source\":{\"data\":7}}",
        "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://a\","
        "\"data\":\"R0lGODlhMgAUAAAAACwAAAAAMgAUAAA=\"}}",
    };
    for (size_t i = 0; i < UNIT_COUNT(blocks); i++) {
        char body[300];
        (void)snprintf(body, sizeof(body), "{\"messages\":[{\"role\":\"user\",\"content\":[%s]}]}",
                       blocks[i]);
        ck_assert_int_eq(estimate_of(ENDPOINT_MESSAGES, "claude-sonnet-4-5", body).bound,
                         64 + 16 + 4 + 5024);
    }
}
END_TEST

/* ---- property: the count is never above the bound by bytes ---- */

static uint64_t dice = 7;

static unsigned roll(unsigned sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % sides;
}

static void put_words(struct buffer *out)
{
    static const char *const words[] = {"Hello",   " world", "\\n", "\\\"",       "\xE6\x97\xA5",
                                        "\\u00e9", " 12",    "!",   "aaaaaaaaaa", "\\ud83d\\ude00"};
    for (unsigned i = roll(12); i > 0; i--)
        buffer_put(out, text_of(words[roll(UNIT_COUNT(words))]));
}

static void put_message(struct buffer *out)
{
    static const char *const roles[] = {"user", "system", "assistant", "tool", "developer"};
    buffer_printf(out, "{\"role\":\"%s\",\"content\":\"", roles[roll(5)]);
    put_words(out);
    buffer_put(out, TEXT("\""));
    if (roll(4) == 0)
        buffer_put(out, TEXT(",\"name\":\"bob\""));
    buffer_put(out, TEXT("}"));
}

START_TEST(the_count_of_plain_chats_is_never_above_the_bound_by_bytes)
{
    for (int turn = 0; turn < 2000; turn++) {
        struct buffer raw = {0};
        struct arena arena = {0};
        struct body body;
        struct body_error error;
        buffer_put(&raw, TEXT("{\"model\":\"gpt-4o\",\"messages\":["));
        for (unsigned i = 0, messages = 1 + roll(5); i < messages; i++) {
            buffer_put(&raw, i > 0 ? TEXT(",") : TEXT(""));
            put_message(&raw);
        }
        buffer_put(&raw, TEXT("]}"));
        ck_assert(body_read(ENDPOINT_CHAT, buffer_text(&raw), &arena, &body, &error));
        const char *model = turn % 2 == 0 ? "gpt-4o" : "llama";
        struct estimate estimate = estimate_of(ENDPOINT_CHAT, model, buffer_string(&raw));
        ck_assert_int_le(estimate.bound, body.input_bound);
        ck_assert_int_le(estimate.tokens, estimate.bound);
        arena_close(&arena);
        buffer_close(&raw);
    }
}
END_TEST

UNIT_MAIN(tools_whose_estimate_was_confirmed_are_bounded_by_it,
          the_example_of_openais_api_description_has_19_tokens,
          a_message_costs_3_and_its_role_and_content, a_name_costs_1_more, parts_of_text_add_up,
          a_message_with_tool_calls_costs_its_json_and_16,
          tools_cost_their_json_and_16_each_and_8_for_each_property_and_32,
          a_schema_of_the_answer_costs_its_json_and_64, a_schema_standing_twice_counts_twice,
          an_image_in_a_message_with_tool_calls_counts_too, text_is_exact_and_so_is_its_bound,
          the_bound_has_half_as_much_again_of_what_is_estimated,
          the_bound_has_what_nobody_knows_as_text, content_standing_twice_counts_twice,
          prompts_and_inputs_add_up_and_token_ids_count_one_each,
          an_input_that_is_asked_for_in_place_of_all_is_what_counts,
          without_a_public_tokeniser_the_bound_is_the_bytes_of_the_texts,
          gpt_oss_has_a_public_tokeniser_but_its_servers_add_text,
          a_name_is_believed_of_openai_and_azure_only, an_image_costs_what_its_size_says,
          an_image_of_unknown_size_costs_its_familys_most, what_is_not_counted_is_named,
          texts_beyond_what_is_counted_are_bounded_by_their_bytes,
          the_count_of_plain_chats_is_never_above_the_bound_by_bytes,
          responses_are_bounded_by_their_texts_and_what_is_added,
          tools_of_responses_have_what_the_body_says_is_added,
          messages_are_bounded_by_the_bytes_of_their_texts_and_their_images,
          an_image_of_messages_of_unknown_size_costs_the_most)
