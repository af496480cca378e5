/* Ending streams before their time. */
#include "../unit.h"
#include "wire/ending.h"

static struct buffer out;

static const struct ending_facts length = {
    .id = TEXT("req_1"), .model = TEXT("m"), .created_s = 7, .input_tokens = 3, .output_tokens = 4};

/* The end of a stream of these events; NULL ends the list. */
static const char *end_of(enum endpoint endpoint, int64_t choices, const char *const *events,
                          const struct ending_facts *facts)
{
    struct delta_reader reader = {.endpoint = endpoint};
    struct ending ending;
    ending_open(&ending, endpoint, choices);
    for (; *events != NULL; events++) {
        delta_read(&reader, text_of(*events));
        ending_note(&ending, text_of(*events), &reader);
    }
    buffer_clear(&out);
    ending_put(&ending, facts, &out);
    ending_close(&ending);
    delta_reader_close(&reader);
    return buffer_string(&out);
}

START_TEST(a_chat_ends_with_length)
{
    const char *events[] = {
        "{\"id\":\"c\\u0031\",\"object\":\"chat.completion.chunk\",\"created\":5,"
        "\"model\":\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
        "\"Hi\"},\"finish_reason\":null}]}",
        NULL};
    ck_assert_str_eq(
        end_of(ENDPOINT_CHAT, 1, events, &length),
        "data: {\"id\":\"c\\u0031\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":"
        "\"gpt\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
        "\"length\"}]}\n\ndata: [DONE]\n\n");
}
END_TEST

START_TEST(completions_have_another_shape)
{
    const char *events[] = {"{\"id\":\"c\",\"created\":5,\"model\":\"gpt\",\"choices\":[{\"index\":"
                            "0,\"text\":\"Hi\"}]}",
                            NULL};
    ck_assert_str_eq(end_of(ENDPOINT_COMPLETIONS, 1, events, &length),
                     "data: {\"id\":\"c\",\"object\":\"text_completion\",\"created\":5,\"model\":"
                     "\"gpt\",\"choices\":[{\"index\":0,\"text\":\"\",\"logprobs\":null,"
                     "\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n");
}
END_TEST

START_TEST(only_open_choices_are_ended)
{
    const char *events[] = {"{\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}",
                            NULL};
    const char *end = end_of(ENDPOINT_CHAT, 3, events, &length);
    ck_assert_ptr_nonnull(strstr(end, "{\"index\":0,"));
    ck_assert_ptr_null(strstr(end, "{\"index\":1,"));
    ck_assert_ptr_nonnull(strstr(end, "{\"index\":2,"));
    ck_assert_ptr_null(strstr(end, "{\"index\":3,"));
}
END_TEST

START_TEST(the_usage_comes_if_asked_for)
{
    const char *events[] = {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}", NULL};
    struct ending_facts facts = length;
    facts.usage = true;
    facts.cost = TEXT("0.0001");
    ck_assert_str_eq(end_of(ENDPOINT_CHAT, 1, events, &facts),
                     "data: {\"id\":\"req_1\",\"object\":\"chat.completion.chunk\",\"created\":7,"
                     "\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                     "\"completion_tokens\":4,\"total_tokens\":7,\"cost\":0.0001}}\n\n"
                     "data: [DONE]\n\n");
}
END_TEST

START_TEST(an_error_says_why)
{
    const char *events[] = {NULL};
    const struct ending_facts facts = {.manner = ENDING_ERROR,
                                       .usage = true,
                                       .message = TEXT("No \"more\"."),
                                       .code = TEXT("budget_exceeded"),
                                       .type = TEXT("insufficient_quota")};
    ck_assert_str_eq(end_of(ENDPOINT_CHAT, 1, events, &facts),
                     "data: {\"error\":{\"message\":\"No \\\"more\\\".\",\"type\":"
                     "\"insufficient_quota\",\"param\":null,\"code\":\"budget_exceeded\"}}\n\n"
                     "data: [DONE]\n\n");
}
END_TEST

START_TEST(nothing_follows_a_stream_that_is_over)
{
    const char *events[] = {"{\"choices\":[{\"index\":0}]}", " [DONE] ", NULL};
    ck_assert_str_eq(end_of(ENDPOINT_CHAT, 1, events, &length), "");
}
END_TEST

START_TEST(strange_indices_are_passed_over)
{
    const char *events[] = {
        "{\"choices\":[{\"index\":-1,\"finish_reason\":\"stop\"},{\"index\":128,"
        "\"finish_reason\":\"stop\"},{\"index\":\"0\",\"finish_reason\":"
        "\"stop\"},{\"index\":127,\"finish_reason\":\"stop\"},7]}",
        NULL};
    const char *end = end_of(ENDPOINT_CHAT, 1, events, &length);
    ck_assert_ptr_nonnull(strstr(end, "{\"index\":0,"));
    ck_assert_ptr_nonnull(strstr(end, "{\"index\":126,"));
    ck_assert_ptr_null(strstr(end, "{\"index\":127,"));
    ck_assert_ptr_null(strstr(end, "{\"index\":128,"));
}
END_TEST

#define MESSAGE "{\"type\":\"message_start\",\"message\":{}}"
#define BLOCK(index)                                                                               \
    "{\"type\":\"content_block_start\",\"index\":" #index                                          \
    ",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}"
#define STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define DELTA                                                                                      \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"          \
    "\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":4}}\n\n"

START_TEST(messages_close_their_block_and_say_why)
{
    const char *in_a_block[] = {MESSAGE, BLOCK(0), "{\"type\":\"content_block_stop\",\"index\":0}",
                                BLOCK(1), NULL};
    ck_assert_str_eq(end_of(ENDPOINT_MESSAGES, 1, in_a_block, &length),
                     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
                     "\"index\":1}\n\n" DELTA STOP);
    const char *between[] = {MESSAGE, BLOCK(0), "{\"type\":\"content_block_stop\",\"index\":0}",
                             NULL};
    ck_assert_str_eq(end_of(ENDPOINT_MESSAGES, 1, between, &length), DELTA STOP);
    const char *finished[] = {MESSAGE, "{\"type\":\"message_delta\",\"delta\":{}}", NULL};
    ck_assert_str_eq(end_of(ENDPOINT_MESSAGES, 1, finished, &length), STOP);
    const char *over[] = {MESSAGE, "{\"type\":\"message_stop\"}", NULL};
    ck_assert_str_eq(end_of(ENDPOINT_MESSAGES, 1, over, &length), "");
}
END_TEST

START_TEST(a_message_that_has_not_begun_begins_and_ends)
{
    const char *none[] = {NULL};
    struct ending_facts with_cost = length;
    with_cost.cost = TEXT("0.5");
    ck_assert_str_eq(
        end_of(ENDPOINT_MESSAGES, 1, none, &with_cost),
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"req_1\","
        "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,"
        "\"output_tokens\":0}}}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
        "\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":4,\"cost\":0.5}}"
        "\n\n" STOP);
}
END_TEST

START_TEST(messages_may_end_with_an_error)
{
    const char *events[] = {MESSAGE, BLOCK(0), NULL};
    const struct ending_facts error = {.manner = ENDING_ERROR,
                                       .message = TEXT("Too \"much\"."),
                                       .code = TEXT("budget_exceeded"),
                                       .type = TEXT("insufficient_quota")};
    ck_assert_str_eq(end_of(ENDPOINT_MESSAGES, 1, events, &error),
                     "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                     "\"rate_limit_error\",\"message\":\"Too \\\"much\\\".\",\"code\":"
                     "\"budget_exceeded\"}}\n\n");
}
END_TEST

UNIT_MAIN(messages_close_their_block_and_say_why, a_message_that_has_not_begun_begins_and_ends,
          messages_may_end_with_an_error, a_chat_ends_with_length, completions_have_another_shape,
          only_open_choices_are_ended, the_usage_comes_if_asked_for, an_error_says_why,
          nothing_follows_a_stream_that_is_over, strange_indices_are_passed_over)
