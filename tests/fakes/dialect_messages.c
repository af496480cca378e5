/*
 * Anthropic's Messages; see dialect.h. Input from the cache, and written to it, stands apart from
 * `input_tokens`. Thinking is shown as a summary of a few words, however long it was.
 */
#include "dialect.h"

#include <inttypes.h>

#define THINKING "Let me think about it."

static bool calls_tool(const struct answer *answer)
{
    return answer->tool[0] != 0;
}

static const char *stop_reason(const struct answer *answer)
{
    return answer->cut ? "max_tokens" : calls_tool(answer) ? "tool_use" : "end_turn";
}

/* ,"usage":{...}: of a whole answer and of message_start with everything (`whole`), of the last
 * event with the sums alone. */
static void print_usage(struct bytes *out, const struct answer *answer, int64_t output, bool whole)
{
    int64_t written = answer->written + answer->written_1h;
    if (answer->usage_missing)
        return;
    bytes_print(out, ",\"usage\":{\"input_tokens\":%" PRId64,
                answer->prompt - answer->cached - written);
    bytes_print(out, ",\"cache_creation_input_tokens\":%" PRId64, written);
    bytes_print(out, ",\"cache_read_input_tokens\":%" PRId64, answer->cached);
    if (whole) {
        bytes_print(out, ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":%" PRId64,
                    answer->written);
        bytes_print(out, ",\"ephemeral_1h_input_tokens\":%" PRId64 "}", answer->written_1h);
    }
    bytes_print(out, ",\"output_tokens\":%" PRId64, output);
    if (answer->searches > 0)
        bytes_print(out, ",\"server_tool_use\":{\"web_search_requests\":%" PRId64 "}",
                    answer->searches);
    if (whole && answer->tier != NULL)
        bytes_print(out, ",\"service_tier\":\"%s\"", answer->tier);
    answer_cost(out, answer);
    bytes_print(out, "}");
}

static void begin_message(struct bytes *out, const struct answer *answer)
{
    bytes_print(
        out, "{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", answer->id);
    bytes_add_json(out, text_of(answer->model));
    bytes_print(out, ",\"content\":[");
}

static void begin_tool(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":", answer->id);
    bytes_add_json(out, text_of(answer->tool));
    bytes_print(out, ",\"input\":{");
}

static void begin_whole(struct bytes *out, const struct answer *answer)
{
    begin_message(out, answer);
    if (answer->reasoning > 0)
        bytes_print(out, "{\"type\":\"thinking\",\"thinking\":\"" THINKING
                         "\",\"signature\":\"fake\"},");
    if (calls_tool(answer)) {
        begin_tool(out, answer);
        bytes_print(out, "\"words\":\"");
    } else {
        bytes_print(out, "{\"type\":\"text\",\"text\":\"");
    }
    answer_text(out, answer, 0, answer->visible);
}

static void end_whole(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "\"%s}],\"stop_reason\":\"%s\",\"stop_sequence\":null",
                calls_tool(answer) ? "}" : "", stop_reason(answer));
    print_usage(out, answer, answer_reported(answer), true);
    bytes_print(out, "}");
}

/* ---- events */

static void begin_event(struct bytes *out, const struct answer *answer, const char *type)
{
    bytes_print(out, "event: %s%sdata: {\"type\":\"%s\"", type, answer->newline, type);
}

static void begin_block_event(struct bytes *out, const struct answer *answer, const char *type,
                              int64_t index)
{
    begin_event(out, answer, type);
    bytes_print(out, ",\"index\":%" PRId64, index);
}

static int64_t text_index(const struct answer *answer)
{
    return answer->reasoning > 0 ? 1 : 0;
}

static void print_start(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "message_start");
    bytes_print(out, ",\"message\":");
    begin_message(out, answer);
    bytes_print(out, "],\"stop_reason\":null,\"stop_sequence\":null");
    print_usage(out, answer, answer_tokens(answer) > 0 ? 1 : 0, true);
    bytes_print(out, "}}");
}

static void print_ping(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "ping");
    bytes_print(out, "}");
}

static void print_thinking_start(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_start", 0);
    bytes_print(out, ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
                     "\"signature\":\"\"}}");
}

static void print_thinking(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_delta", 0);
    bytes_print(out, ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"" THINKING "\"}}");
}

static void print_signature(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_delta", 0);
    bytes_print(out, ",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"fake\"}}");
}

static void print_thinking_stop(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_stop", 0);
    bytes_print(out, "}");
}

static void print_block_start(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_start", text_index(answer));
    bytes_print(out, ",\"content_block\":");
    if (calls_tool(answer)) {
        begin_tool(out, answer);
        bytes_print(out, "}}}");
    } else {
        bytes_print(out, "{\"type\":\"text\",\"text\":\"\"}}");
    }
}

static void print_block_stop(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_stop", text_index(answer));
    bytes_print(out, "}");
}

static void print_message_delta(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "message_delta");
    bytes_print(out, ",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null}",
                stop_reason(answer));
    print_usage(out, answer, answer_reported(answer), false);
    bytes_print(out, "}");
}

static void print_message_stop(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "message_stop");
    bytes_print(out, "}");
}

typedef void print_event(struct bytes *, const struct answer *);

static bool print_numbered(print_event *const *events, struct bytes *out,
                           const struct answer *answer, int64_t number)
{
    if (events[number] == NULL)
        return false;
    events[number](out, answer);
    return true;
}

static bool print_opening(struct bytes *out, const struct answer *answer, int64_t number)
{
    static print_event *const plain[] = {print_start, print_block_start, print_ping, NULL};
    static print_event *const thinking[] = {
        print_start,     print_thinking_start, print_ping,        print_thinking,
        print_signature, print_thinking_stop,  print_block_start, NULL};
    return print_numbered(answer->reasoning > 0 ? thinking : plain, out, answer, number);
}

static bool print_closing(struct bytes *out, const struct answer *answer, int64_t number)
{
    static print_event *const events[] = {print_block_stop, print_message_delta, print_message_stop,
                                          NULL};
    return print_numbered(events, out, answer, number);
}

static void begin_delta(struct bytes *out, const struct answer *answer)
{
    begin_block_event(out, answer, "content_block_delta", text_index(answer));
    bytes_print(out, ",\"delta\":{\"type\":\"%s\":\"",
                calls_tool(answer) ? "input_json_delta\",\"partial_json" : "text_delta\",\"text");
}

static void print_content(struct bytes *out, const struct answer *answer, int64_t choice,
                          int64_t from, int64_t to)
{
    (void)choice;
    begin_delta(out, answer);
    answer_part(out, answer, from, to);
    bytes_print(out, "\"}}");
}

static void print_filling(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_delta(out, answer);
    bytes_fill(out, 'x', size);
    bytes_print(out, "\"}}");
}

/* ---- errors */

static void print_error(struct bytes *out, int status, const char *message, const char *param)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"}, {403, "permission_error"},
        {404, "not_found_error"},       {413, "request_too_large"},    {429, "rate_limit_error"},
        {529, "overloaded_error"},
    };
    const char *type = status >= 500 ? "api_error" : "invalid_request_error";
    (void)param;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].status == status)
            type = types[i].type;
    bytes_print(out, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", type);
    bytes_add_json(out, text_of(message));
    bytes_print(out, "},\"request_id\":\"req_fake\"}");
}

static void print_failing(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "event: error%sdata: ", answer->newline);
    print_error(out, 529, "Overloaded", NULL);
}

const struct dialect dialect_messages = {
    .prefix = "msg_",
    .type = "application/json",
    .filler = 'x',
    .begin = begin_whole,
    .end = end_whole,
    .opening = print_opening,
    .closing = print_closing,
    .content = print_content,
    .filling = print_filling,
    .failing = print_failing,
    .error = print_error,
};

static void begin_count(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"input_tokens\":%" PRId64, answer->prompt);
}

static void end_count(struct bytes *out, const struct answer *answer)
{
    (void)answer;
    bytes_print(out, "}");
}

const struct dialect dialect_count = {
    .prefix = "count_",
    .type = "application/json",
    .filler = ' ',
    .begin = begin_count,
    .end = end_count,
    .error = print_error,
};
