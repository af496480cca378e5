/* Ending a stream of Anthropic's Messages; see wire/ending.h. */
#include "wire/ending.h"

static bool is_type(struct json_value whole, struct text type)
{
    return json_member_is(whole, TEXT("type"), type);
}

static void note_block(struct ending *ending, struct json_value whole)
{
    struct json_value index;

    ending->block_open =
        json_member(whole, TEXT("index"), &index) && json_int(index, &ending->block);
}

void ending_note_messages(struct ending *ending, struct json_value whole)
{
    if (is_type(whole, TEXT("content_block_start"))) {
        note_block(ending, whole);
    } else if (is_type(whole, TEXT("content_block_stop"))) {
        ending->block_open = false;
    } else if (is_type(whole, TEXT("message_start"))) {
        ending->begun = true;
    } else if (is_type(whole, TEXT("message_delta"))) {
        ending->finished[0] = true;
    } else if (is_type(whole, TEXT("message_stop")) || is_type(whole, TEXT("error"))) {
        ending->over = true;
    }
}

/* Up to its further members. */
static void begin_event(struct buffer *out, const char *type)
{
    buffer_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void put_start(const struct ending_facts *facts, struct buffer *out)
{
    begin_event(out, "message_start");
    buffer_put(out, TEXT(",\"message\":{"));
    json_put_text_member(out, TEXT("id"), facts->id);
    buffer_put(out, TEXT(",\"type\":\"message\",\"role\":\"assistant\""));
    json_put_text_member(out, TEXT("model"), facts->model);
    buffer_put(out,
               TEXT(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"));
    json_put_int_member(out, TEXT("input_tokens"), facts->input_tokens);
    json_put_int_member(out, TEXT("output_tokens"), 0);
    buffer_put(out, TEXT("}}}\n\n"));
}

static void put_block_end(const struct ending *ending, struct buffer *out)
{
    begin_event(out, "content_block_stop");
    json_put_int_member(out, TEXT("index"), ending->block);
    buffer_put(out, TEXT("}\n\n"));
}

/* The input was told in the beginning. */
static void put_finish(const struct ending_facts *facts, struct buffer *out)
{
    begin_event(out, "message_delta");
    buffer_put(out, TEXT(",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},"
                         "\"usage\":{"));
    json_put_int_member(out, TEXT("output_tokens"), facts->output_tokens);
    if (facts->cost.at != NULL) {
        json_put_raw_member(out, TEXT("cost"), facts->cost);
    }
    buffer_put(out, TEXT("}}\n\n"));
}

/* Of the type that a refusal for the same reason has. */
static void put_error(const struct ending_facts *facts, struct buffer *out)
{
    begin_event(out, "error");
    buffer_put(out, TEXT(",\"error\":{\"type\":\"rate_limit_error\""));
    json_put_text_member(out, TEXT("message"), facts->message);
    json_put_text_member(out, TEXT("code"), facts->code);
    buffer_put(out, TEXT("}}\n\n"));
}

void ending_put_messages(const struct ending *ending, const struct ending_facts *facts,
                         struct buffer *out)
{
    if (facts->manner == ENDING_ERROR) {
        put_error(facts, out);
        return;
    }
    if (!ending->begun) {
        put_start(facts, out);
    }
    if (ending->block_open) {
        put_block_end(ending, out);
    }
    if (!ending->finished[0]) {
        put_finish(facts, out);
    }
    begin_event(out, "message_stop");
    buffer_put(out, TEXT("}\n\n"));
}
