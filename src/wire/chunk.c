/*
 * Reading the chunks of a stream: see wire/usage.h. This runs for every streamed event, so most
 * chunks are only searched for two names and never parsed.
 */
#include "wire/chunk.h"
#include "wire/find.h"

#define NAME_SIZE 7 /* "usage" and "error" with their quotes */

enum { HAS_USAGE = 1, HAS_ERROR = 2 };

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* True if behind a name, from `rest` on, stands something else than `: null`. */
static bool has_value(struct text rest)
{
    size_t at = 0;

    while (at < rest.size && (is_white(rest.at[at]) || rest.at[at] == ':')) {
        at++;
    }
    return at < rest.size && rest.at[at] != 'n';
}

static int name_at(struct text data, size_t at)
{
    bool usage = memcmp(data.at + at, "\"usage\"", NAME_SIZE) == 0;
    bool error = memcmp(data.at + at, "\"error\"", NAME_SIZE) == 0;

    if ((!usage && !error) || !has_value(text_from(data, at + NAME_SIZE))) {
        return 0;
    }
    return usage ? HAS_USAGE : HAS_ERROR;
}

/* Which of the two names stand anywhere with a value: a first look, deeper levels and texts may
 * fool it. Eight places at once: of a name of five letters both quotes are six bytes apart. */
static int names_in(struct text data)
{
    const uint64_t quotes = FIND_ONES * (uint8_t)'"';
    int found = 0;
    size_t at = 0;

    for (; at + NAME_SIZE - 1 + sizeof(quotes) <= data.size; at += sizeof(quotes)) {
        uint64_t opening = find_load(data.at + at) ^ quotes;
        uint64_t closing = find_load(data.at + at + NAME_SIZE - 1) ^ quotes;
        if (find_zero_byte(opening | closing) == 0) {
            continue;
        }
        for (size_t i = at; i < at + sizeof(quotes); i++) {
            bool name = data.at[i] == '"' && data.at[i + NAME_SIZE - 1] == '"';
            found |= name ? name_at(data, i) : 0;
        }
    }
    for (; at + NAME_SIZE <= data.size; at++) {
        found |= name_at(data, at);
    }
    return found;
}

bool chunk_has_names(struct text data)
{
    return names_in(data) != 0;
}

/* ---- visible output ---- */

static bool is_empty(struct json_value value)
{
    struct json_walk walk = json_walk(value);

    switch (value.kind) {
    case JSON_STRING:
        return value.raw.size == 2;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return !json_next(&walk, &(struct text){0}, &(struct json_value){0});
    default:
        return true;
    }
}

struct text chunk_word(struct json_value object, struct text name)
{
    struct json_value value;

    return json_member(object, name, &value) ? json_inside(value) : TEXT_NONE;
}

/* Some upstreams stream content as parts, thinking among them. */
static bool parts_visible(struct json_value parts)
{
    struct json_walk walk = json_walk(parts);
    struct json_value part;

    while (json_next(&walk, NULL, &part)) {
        if (!json_member_is(part, TEXT("type"), TEXT("thinking")) &&
            !json_member_is(part, TEXT("type"), TEXT("reasoning"))) {
            return true;
        }
    }
    return false;
}

static bool member_visible(struct text name, struct json_value value)
{
    static const struct text visible[] = {
        TEXT("content"),       TEXT("text"),  TEXT("refusal"), TEXT("tool_calls"),
        TEXT("function_call"), TEXT("audio"), TEXT("images"),
    };

    for (size_t i = 0; i < sizeof(visible) / sizeof(visible[0]); i++) {
        if (json_name_equal(name, visible[i])) {
            return value.kind == JSON_ARRAY && i == 0 ? parts_visible(value) : !is_empty(value);
        }
    }
    return false;
}

static bool any_visible(struct json_value object)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;
    struct text name;

    while (json_next(&walk, &name, &value)) {
        if (member_visible(name, value)) {
            return true;
        }
    }
    return false;
}

static bool choices_visible(struct json_value choices)
{
    struct json_walk walk = json_walk(choices);
    struct json_value choice, delta;

    while (json_next(&walk, NULL, &choice)) {
        if (any_visible(choice)) { /* completions: choices[].text */
            return true;
        }
        if (json_member(choice, TEXT("delta"), &delta) && any_visible(delta)) {
            return true;
        }
    }
    return false;
}

/* ---- the chunk ---- */

static void read_usage(struct json_value whole, struct chunk *chunk)
{
    struct json_value value;

    if (json_member(whole, TEXT("usage"), &value)) {
        chunk->usage_result = usage_read(value, &chunk->usage);
    }
    if (chunk->usage_result == USAGE_ABSENT && json_member(whole, TEXT("x_groq"), &value) &&
        json_member(value, TEXT("usage"), &value)) {
        chunk->usage_result = usage_read(value, &chunk->usage);
    }
}

void chunk_read(enum endpoint endpoint, struct text data, bool look_for_visible,
                struct chunk *chunk)
{
    struct json_value whole, value;

    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    *chunk = (struct chunk){.usage_result = USAGE_ABSENT};
    if (endpoint_facts(endpoint)->dialect == DIALECT_ANTHROPIC) {
        chunk_read_messages(data, look_for_visible, chunk);
        return;
    }
    if (data.size < 16 && text_equal(text_trim(data), TEXT("[DONE]"))) {
        chunk->done = true;
        return;
    }
    if (endpoint == ENDPOINT_RESPONSES) {
        if (json_parse(data, &whole, NULL) == JSON_OK) {
            chunk_read_responses(whole, look_for_visible, chunk);
        }
        return;
    }
    int names = names_in(data);
    if (names == 0 && !look_for_visible) {
        return;
    }
    if (json_parse(data, &whole, NULL) != JSON_OK) {
        return;
    }
    read_usage(whole, chunk);
    if (json_member(whole, TEXT("service_tier"), &value) && value.kind == JSON_STRING) {
        chunk->service_tier = text_slice(value.raw, 1, value.raw.size - 1);
    }
    chunk->error = json_member(whole, TEXT("error"), &value) && value.kind != JSON_NULL;
    if (json_member(whole, TEXT("choices"), &value)) {
        chunk->choices_empty = value.kind == JSON_ARRAY && is_empty(value);
        chunk->visible = look_for_visible && choices_visible(value);
    }
}
