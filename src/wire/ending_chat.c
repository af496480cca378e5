/* Ending a stream of chat completions or completions; see wire/ending.h. */
#include "wire/ending.h"

#define MEMBER_MOST 1024 /* bytes: of an id or a model; longer ones are not repeated */

static void note_member(struct buffer *kept, struct json_value whole, struct text name)
{
    struct json_value value;

    if (kept->size == 0 && json_member(whole, name, &value) && value.kind != JSON_NULL &&
        value.raw.size <= MEMBER_MOST) {
        ending_keep(kept, value.raw);
    }
}

static void note_choice(struct ending *ending, struct json_value choice)
{
    struct json_value value;
    int64_t index = 0;

    if (json_member(choice, TEXT("index"), &value) && !json_int(value, &index)) {
        return;
    }
    if (index < 0 || index >= ENDING_MOST_CHOICES) {
        return;
    }
    if (index >= ending->choices) {
        ending->choices = index + 1;
    }
    if (json_member(choice, TEXT("finish_reason"), &value) && value.kind != JSON_NULL) {
        ending->finished[index] = true;
    }
}

void ending_note_chat(struct ending *ending, struct json_value whole)
{
    struct json_value choices, choice;

    note_member(&ending->id, whole, TEXT("id"));
    note_member(&ending->created, whole, TEXT("created"));
    note_member(&ending->model, whole, TEXT("model"));
    if (json_member(whole, TEXT("choices"), &choices)) {
        struct json_walk walk = json_walk(choices);
        while (json_next(&walk, NULL, &choice)) {
            note_choice(ending, choice);
        }
    }
}

static void put_text(struct buffer *out, struct text name, const struct buffer *raw,
                     struct text else_plain)
{
    if (raw->size > 0) {
        json_put_raw_member(out, name, buffer_text(raw));
    } else {
        json_put_text_member(out, name, else_plain);
    }
}

/* Up to the value of `choices`. */
static void begin_chunk(const struct ending *ending, const struct ending_facts *facts,
                        struct buffer *out)
{
    bool chat = ending->endpoint == ENDPOINT_CHAT;

    buffer_put(out, TEXT("data: {"));
    put_text(out, TEXT("id"), &ending->id, facts->id);
    json_put_text_member(out, TEXT("object"),
                         chat ? TEXT("chat.completion.chunk") : TEXT("text_completion"));
    if (ending->created.size > 0) {
        json_put_raw_member(out, TEXT("created"), buffer_text(&ending->created));
    } else {
        json_put_int_member(out, TEXT("created"), facts->created_s);
    }
    put_text(out, TEXT("model"), &ending->model, facts->model);
    json_put_name(out, TEXT("choices"));
}

static void put_finish(const struct ending *ending, const struct ending_facts *facts, int64_t index,
                       struct buffer *out)
{
    bool chat = ending->endpoint == ENDPOINT_CHAT;

    begin_chunk(ending, facts, out);
    buffer_put(out, TEXT("[{"));
    json_put_int_member(out, TEXT("index"), index);
    json_put_raw_member(out, chat ? TEXT("delta") : TEXT("text"), chat ? TEXT("{}") : TEXT("\"\""));
    json_put_raw_member(out, TEXT("logprobs"), TEXT("null"));
    json_put_text_member(out, TEXT("finish_reason"), TEXT("length"));
    buffer_put(out, TEXT("}]}\n\n"));
}

static void put_usage(const struct ending *ending, const struct ending_facts *facts,
                      struct buffer *out)
{
    begin_chunk(ending, facts, out);
    buffer_put(out, TEXT("[]"));
    json_put_name(out, TEXT("usage"));
    buffer_put_byte(out, '{');
    json_put_int_member(out, TEXT("prompt_tokens"), facts->input_tokens);
    json_put_int_member(out, TEXT("completion_tokens"), facts->output_tokens);
    json_put_int_member(out, TEXT("total_tokens"), facts->input_tokens + facts->output_tokens);
    if (facts->cost.at != NULL) {
        json_put_raw_member(out, TEXT("cost"), facts->cost);
    }
    buffer_put(out, TEXT("}}\n\n"));
}

static void put_error(const struct ending_facts *facts, struct buffer *out)
{
    buffer_put(out, TEXT("data: {\"error\":{"));
    json_put_text_member(out, TEXT("message"), facts->message);
    json_put_text_member(out, TEXT("type"), facts->type);
    json_put_raw_member(out, TEXT("param"), TEXT("null"));
    json_put_text_member(out, TEXT("code"), facts->code);
    buffer_put(out, TEXT("}}\n\n"));
}

void ending_put_chat(const struct ending *ending, const struct ending_facts *facts,
                     struct buffer *out)
{
    if (facts->manner == ENDING_ERROR) {
        put_error(facts, out);
    }
    for (int64_t i = 0; facts->manner == ENDING_LENGTH && i < ending->choices; i++) {
        if (!ending->finished[i]) {
            put_finish(ending, facts, i, out);
        }
    }
    if (facts->manner == ENDING_LENGTH && facts->usage) {
        put_usage(ending, facts, out);
    }
    buffer_put(out, TEXT("data: [DONE]\n\n"));
}
