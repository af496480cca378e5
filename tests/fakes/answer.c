/*
 * OpenAI-shaped JSON; see answer.h.
 */
#include "answer.h"

#include <inttypes.h>
#include <string.h>

/* Common words: each of them is one token in o200k_base and cl100k_base, bare at the start of a
 * text and with its leading space elsewhere. */
static const char *const words[] = {
    "the",  "of",   "and",   "to",     "in",   "is",   "for",   "that", "with",  "as",   "at",
    "by",   "from", "this",  "be",     "an",   "or",   "are",   "not",  "can",   "all",  "will",
    "one",  "has",  "more",  "new",    "time", "if",   "out",   "up",   "about", "them", "then",
    "some", "her",  "would", "make",   "like", "him",  "into",  "look", "two",   "go",   "see",
    "no",   "way",  "could", "people", "my",   "than", "first", "been", "call",  "who",  "now",
    "find", "long", "down",  "day",    "did",  "get",  "come",  "made", "may",
};

/* Around the words when they are the argument of a tool: {"words":"..."} inside a string. */
#define WORDS_OPEN  "{\\\"words\\\":\\\""
#define WORDS_CLOSE "\\\"}"

static const int64_t word_count = sizeof words / sizeof words[0];

void answer_words(struct bytes *out, int64_t from, int64_t count)
{
    for (int64_t i = from; i < from + count; i++) {
        if (i > 0)
            bytes_add(out, " ", 1);
        bytes_add_text(out, text_of(words[i % word_count]));
    }
}

static void print_usage(struct bytes *out, const struct answer *answer, int64_t completion)
{
    if (answer->lie != WISH_ABSENT)
        completion = answer->lie;
    bytes_print(out, "\"usage\":{\"prompt_tokens\":%" PRId64, answer->prompt);
    if (answer->api != ASK_EMBEDDINGS)
        bytes_print(out, ",\"completion_tokens\":%" PRId64, completion);
    bytes_print(out, ",\"total_tokens\":%" PRId64, answer->prompt + completion);
    if (answer->api == ASK_CHAT || answer->cached > 0)
        bytes_print(out,
                    ",\"prompt_tokens_details\":{\"cached_tokens\":%" PRId64
                    ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":"
                    "%" PRId64 ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
                    "\"rejected_prediction_tokens\":0}",
                    answer->cached, answer->reasoning * answer->tries);
    if (answer->cost != WISH_ABSENT)
        bytes_print(out, ",\"cost\":%" PRId64 ".%09" PRId64, answer->cost / 1000000000,
                    answer->cost % 1000000000);
    bytes_print(out, "}");
}

static void print_tier(struct bytes *out, const struct answer *answer)
{
    if (answer->tier != NULL)
        bytes_print(out, ",\"service_tier\":\"%s\"", answer->tier);
}

static int64_t completion_tokens(const struct answer *answer)
{
    return (answer->visible + answer->reasoning) * answer->tries;
}

static bool calls_tool(const struct answer *answer)
{
    return answer->api == ASK_CHAT && answer->tool[0] != 0;
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
        bytes_print(out, WORDS_OPEN);
    } else {
        bytes_print(out, answer->api == ASK_CHAT ? "\"content\":\"" : "\"text\":\"");
    }
    answer_words(out, 0, answer->visible);
}

static void end_choice(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "%s", calls_tool(answer) ? WORDS_CLOSE "\"}}]" : "\"");
    bytes_print(out, "%s,\"logprobs\":null,\"finish_reason\":\"%s\"}",
                answer->api == ASK_CHAT ? ",\"refusal\":null,\"annotations\":[]}" : "",
                finish_reason(answer));
}

static void print_vector(struct bytes *out, const struct answer *answer, int64_t index)
{
    float vector[8];
    for (int i = 0; i < 8; i++)
        vector[i] = (float)((index + i) % 16 - 8) / 16.0F;
    bytes_print(out, "%s{\"object\":\"embedding\",\"index\":%" PRId64 ",\"embedding\":",
                index > 0 ? "," : "", index);
    if (answer->base64) {
        bytes_print(out, "\"");
        bytes_add_base64(out, vector, sizeof vector);
        bytes_print(out, "\"}");
        return;
    }
    for (int i = 0; i < 8; i++)
        bytes_print(out, "%s%.4f", i > 0 ? "," : "[", (double)vector[i]);
    bytes_print(out, "]}");
}

static void begin_embeddings(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"object\":\"list\",\"data\":[");
    for (int64_t i = 0; i < answer->inputs; i++)
        print_vector(out, answer, i);
    bytes_print(out, "],\"model\":");
    bytes_add_json(out, text_of(answer->model));
}

char answer_filler(const struct answer *answer)
{
    return answer->api == ASK_EMBEDDINGS ? ' ' : 'x';
}

void answer_begin(struct bytes *out, const struct answer *answer)
{
    if (answer->api == ASK_EMBEDDINGS) {
        begin_embeddings(out, answer);
        return;
    }
    begin_object(out, answer, answer->api == ASK_CHAT ? "chat.completion" : "text_completion");
    bytes_print(out, ",\"choices\":[");
    for (int64_t i = 0; i < answer->choices - 1; i++) {
        begin_choice(out, answer, i);
        end_choice(out, answer);
        bytes_print(out, ",");
    }
    begin_choice(out, answer, answer->choices - 1);
}

void answer_end(struct bytes *out, const struct answer *answer)
{
    if (answer->api != ASK_EMBEDDINGS) {
        end_choice(out, answer);
        bytes_print(out, "],\"system_fingerprint\":\"fp_fake\"");
    }
    print_tier(out, answer);
    if (!answer->usage_missing) {
        bytes_print(out, ",");
        print_usage(out, answer, completion_tokens(answer));
    }
    bytes_print(out, "}");
}

static void begin_event(struct bytes *out, const struct answer *answer)
{
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

void answer_role_event(struct bytes *out, const struct answer *answer, int64_t choice)
{
    begin_event(out, answer);
    bytes_print(out, "{\"index\":%" PRId64 ",\"delta\":{\"role\":\"assistant\",", choice);
    if (calls_tool(answer))
        begin_tool_call(out, answer, "\"index\":0,");
    else
        bytes_print(out, "\"content\":\"");
    bytes_print(out, "\"%s,\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}",
                calls_tool(answer) ? "}}]" : "");
    end_event(out, answer, answer->reasoning * answer->choices);
}

void answer_event(struct bytes *out, const struct answer *answer, int64_t choice, int64_t from,
                  int64_t to)
{
    begin_event(out, answer);
    begin_delta(out, answer, choice);
    if (calls_tool(answer) && from == 0 && to > 0)
        bytes_print(out, WORDS_OPEN);
    answer_words(out, from, to - from);
    if (calls_tool(answer) && to == answer->visible && from < to)
        bytes_print(out, WORDS_CLOSE);
    end_delta(out, answer);
    int64_t shown = to * (choice + 1) + from * (answer->choices - choice - 1);
    end_event(out, answer, answer->reasoning * answer->choices + shown);
}

void answer_filler_event(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_event(out, answer);
    begin_delta(out, answer, 0);
    bytes_fill(out, 'x', size);
    end_delta(out, answer);
    end_event(out, answer, completion_tokens(answer));
}

void answer_finish_event(struct bytes *out, const struct answer *answer, int64_t choice,
                         bool with_usage)
{
    struct answer shown = *answer;
    shown.running_usage = answer->running_usage || with_usage;
    begin_event(out, &shown);
    bytes_print(out, "{\"index\":%" PRId64 ",%s,\"logprobs\":null,\"finish_reason\":\"%s\"}",
                choice, answer->api == ASK_CHAT ? "\"delta\":{}" : "\"text\":\"\"",
                finish_reason(answer));
    end_event(out, &shown, completion_tokens(answer));
}

void answer_usage_event(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer);
    bytes_print(out, "],");
    print_usage(out, answer, completion_tokens(answer));
    bytes_print(out, "}");
}

static void print_optional(struct bytes *out, const char *string)
{
    if (string == NULL)
        bytes_print(out, "null");
    else
        bytes_print(out, "\"%s\"", string);
}

void answer_error(struct bytes *out, int status, const char *message, const char *param)
{
    static const struct {
        int status;
        const char *type;
        const char *code; /* NULL: null */
    } shapes[] = {
        {400, "invalid_request_error", NULL},     {401, "invalid_request_error", "invalid_api_key"},
        {403, "permission_error", "forbidden"},   {404, "invalid_request_error", "model_not_found"},
        {429, "requests", "rate_limit_exceeded"},
    };
    const char *type = status >= 500 ? "server_error" : "invalid_request_error";
    const char *code = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (shapes[i].status != status)
            continue;
        type = shapes[i].type;
        code = shapes[i].code;
    }
    bytes_print(out, "{\"error\":{\"message\":");
    bytes_add_json(out, text_of(message));
    bytes_print(out, ",\"type\":\"%s\",\"param\":", type);
    print_optional(out, param);
    bytes_print(out, ",\"code\":");
    print_optional(out, code);
    bytes_print(out, "}}");
}

void answer_page(struct bytes *out)
{
    bytes_print(out, "<!DOCTYPE html>\n<html><head><title>A gateway</title></head>\n"
                     "<body><h1>A page where JSON was expected</h1></body></html>\n");
}
