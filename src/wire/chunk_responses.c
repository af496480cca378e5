/*
 * Reading the events of Responses streams; see chunk_read in wire/usage.h.
 *
 * Each event has a `type`. The last one of a stream has the whole response in it, with its usage;
 * the first ones have it, too, as far as it is known.
 */
#include "wire/chunk.h"

/* ---- visible output ---- */

static bool is_empty(struct json_value value)
{
    struct json_walk walk = json_walk(value);

    if (value.kind == JSON_STRING) {
        return value.raw.size == 2;
    }
    return !json_next(&walk, &(struct text){0}, &(struct json_value){0});
}

/* An item as such says something, but for reasoning and messages that have no content yet. */
static bool item_visible(struct json_value event)
{
    struct json_value item, content;

    if (!json_member(event, TEXT("item"), &item) || item.kind != JSON_OBJECT) {
        return false;
    }
    struct text type = chunk_word(item, TEXT("type"));
    if (json_name_equal(type, TEXT("message"))) {
        return json_member(item, TEXT("content"), &content) && !is_empty(content);
    }
    return !json_name_equal(type, TEXT("reasoning"));
}

/* Summaries of reasoning are no part of the answer either. */
static bool event_visible(struct text type, struct json_value event)
{
    struct json_value delta;

    if (text_starts(type, TEXT("response.output_item."))) {
        return item_visible(event);
    }
    return text_ends(type, TEXT(".delta")) && !text_starts(type, TEXT("response.reasoning")) &&
           json_member(event, TEXT("delta"), &delta) && !is_empty(delta);
}

/* ---- the event ---- */

static bool is_last(struct text type)
{
    return json_name_equal(type, TEXT("response.completed")) ||
           json_name_equal(type, TEXT("response.incomplete")) ||
           json_name_equal(type, TEXT("response.failed")) || json_name_equal(type, TEXT("error"));
}

void chunk_read_responses(struct json_value event, bool look_for_visible, struct chunk *chunk)
{
    struct json_value response, usage, output;
    struct text type = chunk_word(event, TEXT("type"));

    chunk->done = is_last(type);
    chunk->error =
        json_name_equal(type, TEXT("error")) || json_name_equal(type, TEXT("response.failed"));
    if (look_for_visible) {
        chunk->visible = event_visible(type, event);
    }
    if (json_name_equal(type, TEXT("response.output_item.done"))) {
        (void)json_member(event, TEXT("item"), &chunk->item);
    }
    if (!json_member(event, TEXT("response"), &response)) {
        return;
    }
    chunk->id = chunk_word(response, TEXT("id"));
    chunk->service_tier = chunk_word(response, TEXT("service_tier"));
    if (json_member(response, TEXT("usage"), &usage)) {
        chunk->usage_result = usage_read(usage, &chunk->usage);
    }
    if (chunk->usage_result == USAGE_FOUND && json_member(response, TEXT("output"), &output)) {
        usage_count_searches(&chunk->usage, output);
    }
}
