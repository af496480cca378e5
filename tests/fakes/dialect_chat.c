/*
 * Chats and completions, as OpenAI's API answers them; see dialect.h.
 */
#include "dialect.h"

#include <inttypes.h>

static void print_usage(struct bytes *out, const struct answer *answer, int64_t completion)
{
    if (answer->lie != WISH_ABSENT)
        completion = answer->lie;
    bytes_print(out, "\"usage\":{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64,
                answer->prompt, completion);
    bytes_print(out, ",\"total_tokens\":%" PRId64, answer->prompt + completion);
    if (answer->api == ASK_CHAT || answer->cached > 0)
        bytes_print(out,
                    ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64
                    ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":"
                    "%" PRId64 ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                    "\"rejected_prediction_tokens\":0}",
                    answer->cached, answer->reasoning * answer->tries);
    answer_cost(out, answer);
    bytes_print(out, "}");
}

static void print_tier(struct bytes *out, const struct answer *answer)
{
    if (answer->tier != NULL)
        bytes_print(out, ",\"service_tier\":\"%s\"", answer->tier);
}

static bool calls_tool(const struct answer *answer)
{
    return answer->tool[0] != 0;
}

static const char *finish_reason(const struct answer *answer)
{
    return answer->cut ? "length" : calls_tool(answer) ? "tool_calls" : "stop";
}

static void begin_object(struct bytes *out, const struct answer *answer, const char *object)
{
    bytes_print(out,
                "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", answer->id,
                object, answer->created);
    bytes_add_json(out, text_of(answer->model));
}

/* The head of a tool call, up to its arguments; in a stream it has an index, too. */
static void begin_tool_call(struct bytes *out, const struct answer *answer, const char *index)
{
    bytes_print(out, "\"content\":null,\"tool_calls\":[{%s\"id\":\"call_%s\",", index, answer->id);
    bytes_print(out, "\"type\":\"function\",\"function\":{\"name\":");
    bytes_add_json(out, text_of(answer->tool));
    bytes_print(out, ",\"arguments\":\"");
}

static void begin_choice(struct bytes *out, const struct answer *answer, int64_t index)
{
    bytes_print(out, "{\"index\":%" PRId64 ",", index);
    if (answer->api == ASK_CHAT)
        bytes_print(out, "\"message\":{\"role\":\"assistant\",");
    if (calls_tool(answer)) {
        begin_tool_call(out, answer, "");
    } else {
        bytes_print(out, answer->api == ASK_CHAT ? "\"content\":\"" : "\"text\":\"");
    }
    answer_whole(out, answer);
}

static void end_choice(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "%s", calls_tool(answer) ? "\"}}]" : "\"");
    bytes_print(out, "%s,\"logprobs\":null,\"finish_reason\":\"%s\"}",
                answer->api == ASK_CHAT ? ",\"refusal\":null,\"annotations\":[]}" : "",
                finish_reason(answer));
}

static void begin_whole(struct bytes *out, const struct answer *answer)
{
    begin_object(out, answer, answer->api == ASK_CHAT ? "chat.completion" : "text_completion");
    bytes_print(out, ",\"choices\":[");
    for (int64_t i = 0; i < answer->choices - 1; i++) {
        begin_choice(out, answer, i);
        end_choice(out, answer);
        bytes_print(out, ",");
    }
    begin_choice(out, answer, answer->choices - 1);
}

static void end_whole(struct bytes *out, const struct answer *answer)
{
    end_choice(out, answer);
    bytes_print(out, "],\"system_fingerprint\":\"fp_fake\"");
    print_tier(out, answer);
    if (!answer->usage_missing) {
        bytes_print(out, ",");
        print_usage(out, answer, answer_tokens(answer));
    }
    bytes_print(out, "}");
}

static void begin_event(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "data: ");
    begin_object(out, answer,
                 answer->api == ASK_CHAT ? "chat.completion.chunk" : "text_completion");
    print_tier(out, answer);
    bytes_print(out, ",\"system_fingerprint\":\"fp_fake\",\"choices\":[");
}

/* `so_far`: the completion tokens generated up to this event. */
static void end_event(struct bytes *out, const struct answer *answer, int64_t so_far)
{
    bytes_print(out, "]");
    if (answer->running_usage) {
        bytes_print(out, ",");
        print_usage(out, answer, so_far);
    } else if (answer->null_usage) {
        bytes_print(out, ",\"usage\":null");
    }
    bytes_print(out, "}");
}

static void begin_delta(struct bytes *out, const struct answer *answer, int64_t choice)
{
    const char *delta = "\"text\":\"";
    if (calls_tool(answer))
        delta = "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"";
    else if (answer->api == ASK_CHAT)
        delta = "\"delta\":{\"content\":\"";
    bytes_print(out, "{\"index\":%" PRId64 ",%s", choice, delta);
}

static void end_delta(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "\"%s%s,\"logprobs\":null,\"finish_reason\":null}",
                calls_tool(answer) ? "}}]" : "", answer->api == ASK_CHAT ? "}" : "");
}

/* A chat stream begins with one event per choice that only names the role. */
static bool print_opening(struct bytes *out, const struct answer *answer, int64_t number)
{
    if (answer->api != ASK_CHAT || number >= answer->choices)
        return false;
    begin_event(out, answer);
    bytes_print(out, "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",", number);
    if (calls_tool(answer))
        begin_tool_call(out, answer, "\"index\":0,");
    else
        bytes_print(out, "\"content\":\"");
    bytes_print(out, "\"%s,\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}",
                calls_tool(answer) ? "}}]" : "");
    end_event(out, answer, answer->reasoning * answer->choices);
    return true;
}

static void print_content(struct bytes *out, const struct answer *answer, int64_t choice,
                          int64_t from, int64_t to)
{
    begin_event(out, answer);
    begin_delta(out, answer, choice);
    answer_part(out, answer, from, to);
    end_delta(out, answer);
    int64_t shown = to * (choice + 1) + from * (answer->choices - choice - 1);
    end_event(out, answer, answer->reasoning * answer->choices + shown);
}

static void print_filling(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_event(out, answer);
    begin_delta(out, answer, 0);
    bytes_fill(out, 'x', size);
    end_delta(out, answer);
    end_event(out, answer, answer_tokens(answer));
}

/* The event with a choice's finish_reason. */
static void print_finish(struct bytes *out, const struct answer *answer, int64_t choice)
{
    struct answer shown = *answer;
    bool last = choice + 1 == answer->choices;
    shown.running_usage = answer->running_usage || (answer->usage_in_choice && last);
    begin_event(out, &shown);
    bytes_print(out, "{\"index\":%" PRId64 ",%s,\"logprobs\":null,\"finish_reason\":\"%s\"}",
                choice, answer->api == ASK_CHAT ? "\"delta\":{}" : "\"text\":\"\"",
                finish_reason(answer));
    end_event(out, &shown, answer_tokens(answer));
}

static bool print_closing(struct bytes *out, const struct answer *answer, int64_t number)
{
    int64_t end = answer->choices + (answer->usage_event ? 1 : 0);
    if (number < answer->choices) {
        print_finish(out, answer, number);
    } else if (number < end) { /* choices: [] */
        begin_event(out, answer);
        bytes_print(out, "],");
        print_usage(out, answer, answer_tokens(answer));
        bytes_print(out, "}");
    } else if (number == end) {
        bytes_print(out, "data: [DONE]");
    }
    return number <= end;
}

static void print_failing(struct bytes *out, const struct answer *answer)
{
    (void)answer;
    bytes_print(out, "data: ");
    dialect_error(out, 500, "The fake provider was asked to fail in mid-stream.", NULL);
}

const struct dialect dialect_chat = {
    .prefix = "chatcmpl-",
    .type = "application/json",
    .filler = 'x',
    .begin = begin_whole,
    .end = end_whole,
    .opening = print_opening,
    .closing = print_closing,
    .content = print_content,
    .filling = print_filling,
    .failing = print_failing,
    .error = dialect_error,
};

const struct dialect dialect_completions = {
    .prefix = "cmpl-",
    .type = "application/json",
    .filler = 'x',
    .begin = begin_whole,
    .end = end_whole,
    .opening = print_opening,
    .closing = print_closing,
    .content = print_content,
    .filling = print_filling,
    .failing = print_failing,
    .error = dialect_error,
};
