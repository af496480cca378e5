/*
 * Reading the events of a stream of Anthropic's Messages. Most are bits of text: once one was seen
 * they are only searched for a few names and never parsed.
 */
#include "wire/chunk.h"

static bool is_silent(struct text type)
{
    static const struct text silent[] = {TEXT("thinking"), TEXT("redacted_thinking"),
                                         TEXT("thinking_delta"), TEXT("signature_delta")};

    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (json_name_equal(type, silent[i])) {
            return true;
        }
    }
    return false;
}

/* A block of text begins empty. */
static void read_start(struct json_value whole, struct chunk *chunk)
{
    struct json_value block, text;

    if (!json_member(whole, TEXT("content_block"), &block)) {
        return;
    }
    bool empty = json_member(block, TEXT("text"), &text) && json_inside(text).size == 0;
    chunk->visible = !empty && !is_silent(chunk_word(block, TEXT("type")));
}

static void read_delta(struct json_value whole, struct chunk *chunk)
{
    struct json_value delta;

    chunk->visible = json_member(whole, TEXT("delta"), &delta) &&
                     !is_silent(chunk_word(delta, TEXT("type"))) &&
                     (chunk_word(delta, TEXT("text")).size > 0 ||
                      chunk_word(delta, TEXT("partial_json")).size > 0 ||
                      json_member(delta, TEXT("citation"), &(struct json_value){0}));
}

static void read_message(struct json_value whole, struct chunk *chunk)
{
    struct json_value message, usage;

    if (!json_member(whole, TEXT("message"), &message) ||
        !json_member(message, TEXT("usage"), &usage)) {
        return;
    }
    chunk->usage_result = usage_read(usage, &chunk->usage);
    chunk->usage_first = true;
    chunk->service_tier = chunk_word(usage, TEXT("service_tier"));
}

static void read_later_usage(struct json_value whole, struct chunk *chunk)
{
    struct json_value usage, delta, reason;

    if (!json_member(whole, TEXT("usage"), &usage)) {
        return;
    }
    chunk->usage_result = usage_read_later(usage, &chunk->usage);
    chunk->usage_later = true;
    chunk->usage_ends = json_member(whole, TEXT("delta"), &delta) &&
                        json_member(delta, TEXT("stop_reason"), &reason) &&
                        reason.kind == JSON_STRING;
    chunk->service_tier = chunk_word(usage, TEXT("service_tier"));
}

static void read_stop(struct json_value whole, struct chunk *chunk)
{
    (void)whole;
    chunk->done = true;
}

void chunk_read_messages(struct text data, bool look_for_visible, struct chunk *chunk)
{
    static const struct {
        struct text type;
        void (*read)(struct json_value whole, struct chunk *chunk);
    } events[] = {
        {TEXT("content_block_delta"), read_delta}, {TEXT("content_block_start"), read_start},
        {TEXT("message_start"), read_message},     {TEXT("message_delta"), read_later_usage},
        {TEXT("message_stop"), read_stop},
    };
    struct json_value whole, error;
    bool may_end = text_find(data, TEXT("message_stop"), 0) != SIZE_MAX;

    if (!look_for_visible && !may_end && !chunk_has_names(data)) {
        return;
    }
    if (json_parse(data, &whole, NULL) != JSON_OK) {
        return;
    }
    chunk->error = json_member(whole, TEXT("error"), &error) && error.kind != JSON_NULL;
    struct text type = chunk_word(whole, TEXT("type"));
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (json_name_equal(type, events[i].type)) {
            events[i].read(whole, chunk);
        }
    }
    chunk->done = chunk->done && may_end; /* written with escapes it is none, to either look */
}
