/* The input tokens of chat requests, by the formulas in money/tokens_chat.h. */
#include "../unit.h"
#include "money/tokens_chat.h"

static bool count(const char *body, size_t *tokens, struct fault *fault)
{
    struct json_value request;
    ck_assert_int_eq(json_parse(text_of(body), &request, NULL), JSON_OK);
    return tokens_chat(TOKENS_O200K_BASE, request, tokens, fault);
}

static size_t tokens_of(const char *body)
{
    struct fault fault = {""};
    size_t tokens = 0;
    ck_assert_msg(count(body, &tokens, &fault), "%s", fault.message);
    return tokens;
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

START_TEST(what_is_not_text_is_refused_by_its_place)
{
    static const struct {
        const char *body, *told;
    } cases[] = {
        {"{}", "it is no chat request: it has no list of messages"},
        {"[]", "it is no chat request: it has no list of messages"},
        {"{\"messages\":{}}", "it is no chat request: it has no list of messages"},
        {"{\"messages\":[1]}", "messages[0]: it has no role"},
        {"{\"messages\":[{\"role\":1}]}", "messages[0]: it has no role"},
        {"{\"messages\":[{\"role\":\"user\"},{\"role\":\"user\",\"content\":7}]}",
         "messages[1]: content is neither text nor a list of parts"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
         "{\"type\":\"image_url\",\"image_url\":{}}]}]}",
         "messages[0]: content[1] is of type 'image_url', and only text is counted"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]}",
         "messages[0]: content[0] is of type '', and only text is counted"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
         "messages[0]: content[0] has no text"},
    };
    for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
        struct fault fault = {""};
        size_t tokens = 77;
        ck_assert_msg(!count(cases[i].body, &tokens, &fault), "%s", cases[i].body);
        ck_assert_str_eq(fault.message, cases[i].told);
        ck_assert_uint_eq(tokens, 77);
    }
}
END_TEST

UNIT_MAIN(the_example_of_openais_api_description_has_19_tokens,
          a_message_costs_3_and_its_role_and_content, a_name_costs_1_more, parts_of_text_add_up,
          a_message_with_tool_calls_costs_its_json_and_16,
          tools_cost_their_json_and_16_each_and_8_for_each_property_and_32,
          a_schema_of_the_answer_costs_its_json_and_64, what_is_not_text_is_refused_by_its_place)
