/*
 * OpenAI's Responses; see dialect.h.
 */
#include "dialect.h"

#include <inttypes.h>

static bool calls_tool(const struct answer *answer)
{
    return answer->tool[0] != 0;
}

static const char *status_of(const struct answer *answer)
{
    static const char *const words[] = {
        [ANSWER_DONE] = "completed",          [ANSWER_QUEUED] = "queued",
        [ANSWER_IN_PROGRESS] = "in_progress", [ANSWER_FAILED] = "failed",
        [ANSWER_CANCELLED] = "cancelled",
    };
    return answer->state == ANSWER_DONE && answer->cut ? "incomplete" : words[answer->state];
}

static const char *yes_or_no(bool yes)
{
    return yes ? "true" : "false";
}

/* ---- the response */

static void print_search(struct bytes *out, const struct answer *answer, int64_t number)
{
    bytes_print(out,
                "{\"id\":\"ws_%" PRId64 "_%s\",\"type\":\"web_search_call\",\"status\":"
                "\"completed\",\"action\":{\"type\":\"search\",\"query\":\"fake\"}}",
                number, answer->id);
}

static void print_reasoning(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"id\":\"rs_%s\",\"type\":\"reasoning\",\"summary\":[]}", answer->id);
}

/* The item that holds the text: up to it, and behind it. */
static void begin_item(struct bytes *out, const struct answer *answer, const char *status)
{
    if (calls_tool(answer)) {
        bytes_print(out, "{\"id\":\"fc_%s\",\"type\":\"function_call\",\"status\":\"%s\",",
                    answer->id, status);
        bytes_print(out, "\"call_id\":\"call_%s\",\"name\":", answer->id);
        bytes_add_json(out, text_of(answer->tool));
        bytes_print(out, ",\"arguments\":\"");
    } else {
        bytes_print(out, "{\"id\":\"msg_%s\",\"type\":\"message\",\"status\":\"%s\",", answer->id,
                    status);
        bytes_print(out, "\"role\":\"assistant\",\"content\":[");
    }
}

static void begin_part(struct bytes *out)
{
    bytes_print(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"");
}

static void end_item(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, calls_tool(answer) ? "\"}" : "]}");
}

static void begin_response(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"id\":\"%s\",\"object\":\"response\",\"created_at\":%" PRId64, answer->id,
                answer->created);
    bytes_print(out, ",\"status\":\"%s\",\"background\":%s,\"error\":%s", status_of(answer),
                yes_or_no(answer->background),
                answer->state == ANSWER_FAILED
                    ? "{\"code\":\"server_error\",\"message\":\"The fake was asked to fail.\"}"
                    : "null");
    bytes_print(out, ",\"incomplete_details\":%s,\"instructions\":null,\"max_output_tokens\":",
                answer->state == ANSWER_DONE && answer->cut ? "{\"reason\":\"max_output_tokens\"}"
                                                            : "null");
    if (answer->max_output > 0)
        bytes_print(out, "%" PRId64 ",\"model\":", answer->max_output);
    else
        bytes_print(out, "null,\"model\":");
    bytes_add_json(out, text_of(answer->model));
    bytes_print(out, ",\"output\":[");
}

static void print_usage(struct bytes *out, const struct answer *answer)
{
    int64_t output = answer_reported(answer);
    if (answer->usage_missing || answer->state != ANSWER_DONE) {
        bytes_print(out, "null");
        return;
    }
    bytes_print(out, "{\"input_tokens\":%" PRId64 ",\"input_tokens_details\":{\"cached_tokens\":",
                answer->prompt);
    bytes_print(out, "%" PRId64 "},\"output_tokens\":%" PRId64, answer->cached, output);
    bytes_print(out, ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}",
                answer->reasoning);
    bytes_print(out, ",\"total_tokens\":%" PRId64, answer->prompt + output);
    answer_cost(out, answer);
    bytes_print(out, "}");
}

static void end_response(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "],\"parallel_tool_calls\":true,\"previous_response_id\":");
    if (answer->previous[0] != 0)
        bytes_add_json(out, text_of(answer->previous));
    else
        bytes_print(out, "null");
    bytes_print(out, ",\"reasoning\":{\"effort\":null,\"summary\":null},\"service_tier\":");
    if (answer->tier != NULL)
        bytes_add_json(out, text_of(answer->tier));
    else
        bytes_print(out, "null");
    bytes_print(out, ",\"store\":%s,\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"}}",
                yes_or_no(answer->store));
    bytes_print(out, ",\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":"
                     "\"disabled\",\"user\":null,\"metadata\":{},\"usage\":");
    print_usage(out, answer);
    bytes_print(out, "}");
}

static void begin_whole(struct bytes *out, const struct answer *answer)
{
    begin_response(out, answer);
    if (answer->reasoning > 0) {
        print_reasoning(out, answer);
        bytes_print(out, ",");
    }
    for (int64_t i = 0; i < answer->searches; i++) {
        print_search(out, answer, i);
        bytes_print(out, ",");
    }
    begin_item(out, answer, status_of(answer));
    if (!calls_tool(answer))
        begin_part(out);
    answer_whole(out, answer);
}

static void end_whole(struct bytes *out, const struct answer *answer)
{
    if (!calls_tool(answer))
        bytes_print(out, "\"}");
    end_item(out, answer);
    end_response(out, answer);
}

void dialect_response(struct bytes *out, const struct answer *answer)
{
    if (answer->state == ANSWER_DONE) {
        begin_whole(out, answer);
        end_whole(out, answer);
        return;
    }
    begin_response(out, answer);
    end_response(out, answer);
}

/* What a POST answers: of a background response only that it is queued. */
static void begin_posted(struct bytes *out, const struct answer *answer)
{
    if (answer->state == ANSWER_DONE)
        begin_whole(out, answer);
    else
        begin_response(out, answer);
}

static void end_posted(struct bytes *out, const struct answer *answer)
{
    if (answer->state == ANSWER_DONE)
        end_whole(out, answer);
    else
        end_response(out, answer);
}

/* ---- events */

static void begin_event(struct bytes *out, const struct answer *answer, const char *type)
{
    bytes_print(out, "event: %s%sdata: {\"type\":\"%s\",\"sequence_number\":%" PRId64, type,
                answer->newline, type, answer->events);
}

static int64_t item_index(const struct answer *answer)
{
    return (answer->reasoning > 0 ? 1 : 0) + answer->searches;
}

static void begin_item_event(struct bytes *out, const struct answer *answer, const char *type)
{
    begin_event(out, answer, type);
    bytes_print(out, ",\"item_id\":\"%s_%s\",\"output_index\":%" PRId64,
                calls_tool(answer) ? "fc" : "msg", answer->id, item_index(answer));
    if (!calls_tool(answer))
        bytes_print(out, ",\"content_index\":0");
}

static void print_response_event(struct bytes *out, const struct answer *answer, const char *type,
                                 enum answer_state state)
{
    struct answer shown = *answer;
    shown.state = state;
    begin_event(out, answer, type);
    bytes_print(out, ",\"response\":");
    dialect_response(out, &shown);
    bytes_print(out, "}");
}

/* Reasoning (number 0, if there is any) and searches: items that are complete at once. */
static void print_early_item(struct bytes *out, const struct answer *answer, int64_t number,
                             const char *type)
{
    begin_event(out, answer, type);
    bytes_print(out, ",\"output_index\":%" PRId64 ",\"item\":", number);
    if (answer->reasoning > 0 && number == 0)
        print_reasoning(out, answer);
    else
        print_search(out, answer, number);
    bytes_print(out, "}");
}

static void print_item_added(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "response.output_item.added");
    bytes_print(out, ",\"output_index\":%" PRId64 ",\"item\":", item_index(answer));
    begin_item(out, answer, "in_progress");
    end_item(out, answer);
    bytes_print(out, "}");
}

static void print_part_added(struct bytes *out, const struct answer *answer)
{
    begin_item_event(out, answer, "response.content_part.added");
    bytes_print(out, ",\"part\":");
    begin_part(out);
    bytes_print(out, "\"}}");
}

static bool print_opening(struct bytes *out, const struct answer *answer, int64_t number)
{
    int64_t early = 2 * item_index(answer);
    if (number == 0)
        print_response_event(out, answer, "response.created",
                             answer->background ? ANSWER_QUEUED : ANSWER_IN_PROGRESS);
    else if (number == 1)
        print_response_event(out, answer, "response.in_progress", ANSWER_IN_PROGRESS);
    else if (number < 2 + early)
        print_early_item(out, answer, (number - 2) / 2,
                         number % 2 == 0 ? "response.output_item.added"
                                         : "response.output_item.done");
    else if (number == 2 + early)
        print_item_added(out, answer);
    else if (number == 3 + early && !calls_tool(answer))
        print_part_added(out, answer);
    else
        return false;
    return true;
}

static void print_text_done(struct bytes *out, const struct answer *answer)
{
    begin_item_event(out, answer,
                     calls_tool(answer) ? "response.function_call_arguments.done"
                                        : "response.output_text.done");
    bytes_print(out, calls_tool(answer) ? ",\"arguments\":\"" : ",\"logprobs\":[],\"text\":\"");
    answer_whole(out, answer);
    bytes_print(out, "\"}");
}

static void print_part_done(struct bytes *out, const struct answer *answer)
{
    begin_item_event(out, answer, "response.content_part.done");
    bytes_print(out, ",\"part\":");
    begin_part(out);
    answer_whole(out, answer);
    bytes_print(out, "\"}}");
}

static void print_item_done(struct bytes *out, const struct answer *answer)
{
    begin_event(out, answer, "response.output_item.done");
    bytes_print(out, ",\"output_index\":%" PRId64 ",\"item\":", item_index(answer));
    begin_item(out, answer, answer->cut ? "incomplete" : "completed");
    if (!calls_tool(answer))
        begin_part(out);
    answer_whole(out, answer);
    if (!calls_tool(answer))
        bytes_print(out, "\"}");
    end_item(out, answer);
    bytes_print(out, "}");
}

static bool print_closing(struct bytes *out, const struct answer *answer, int64_t number)
{
    int64_t parts = calls_tool(answer) ? 1 : 2;
    if (number == 0)
        print_text_done(out, answer);
    else if (number < parts)
        print_part_done(out, answer);
    else if (number == parts)
        print_item_done(out, answer);
    else if (number == parts + 1)
        print_response_event(
            out, answer, answer->cut ? "response.incomplete" : "response.completed", ANSWER_DONE);
    else
        return false;
    return true;
}

static void begin_delta(struct bytes *out, const struct answer *answer)
{
    begin_item_event(out, answer,
                     calls_tool(answer) ? "response.function_call_arguments.delta"
                                        : "response.output_text.delta");
    bytes_print(out, calls_tool(answer) ? ",\"delta\":\"" : ",\"logprobs\":[],\"delta\":\"");
}

static void print_content(struct bytes *out, const struct answer *answer, int64_t choice,
                          int64_t from, int64_t to)
{
    (void)choice;
    begin_delta(out, answer);
    answer_part(out, answer, from, to);
    bytes_print(out, "\"}");
}

static void print_filling(struct bytes *out, const struct answer *answer, size_t size)
{
    begin_delta(out, answer);
    bytes_fill(out, 'x', size);
    bytes_print(out, "\"}");
}

static void print_failing(struct bytes *out, const struct answer *answer)
{
    print_response_event(out, answer, "response.failed", ANSWER_FAILED);
}

const struct dialect dialect_responses = {
    .prefix = "resp_",
    .type = "application/json",
    .filler = 'x',
    .begin = begin_posted,
    .end = end_posted,
    .opening = print_opening,
    .closing = print_closing,
    .content = print_content,
    .filling = print_filling,
    .failing = print_failing,
    .error = dialect_error,
};

static void begin_count(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"object\":\"response.input_tokens\",\"input_tokens\":%" PRId64,
                answer->prompt);
}

static void end_count(struct bytes *out, const struct answer *answer)
{
    (void)answer;
    bytes_print(out, "}");
}

const struct dialect dialect_input_count = {
    .prefix = "count_",
    .type = "application/json",
    .filler = ' ',
    .begin = begin_count,
    .end = end_count,
    .error = dialect_error,
};
