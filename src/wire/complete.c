/*
 * Whether an answer came to its end: the other part of wire/reshape.h. This runs for every stream
 * that may be kept, so only events that tell of an end are parsed.
 */
#include "wire/events.h"
#include "wire/inputs.h"
#include "wire/reshape.h"
#include "wire/usage.h"

/* Which choices ended. */
struct ends {
    bool *ended;
    int64_t choices, found;
};

static bool begin(struct ends *ends, int64_t choices, struct text answer, struct arena *arena)
{
    if (choices < 1 || (uint64_t)choices > answer.size) {
        return false;
    }
    *ends = (struct ends){arena_new(arena, (size_t)choices), choices, 0};
    return true;
}

static bool is_null(struct json_value object, struct text name)
{
    struct json_value value;

    return !json_member(object, name, &value) || value.kind == JSON_NULL;
}

/* False for a choice that was not asked for, or went wrong. */
static bool note_choice(struct ends *ends, struct json_value choice, int64_t index)
{
    struct json_value value;

    if (json_member(choice, TEXT("index"), &value) && !json_int(value, &index)) {
        return false;
    }
    if (index < 0 || index >= ends->choices || !is_null(choice, TEXT("error"))) {
        return false;
    }
    if (is_null(choice, TEXT("finish_reason")) || ends->ended[index]) {
        return true;
    }
    (void)json_member(choice, TEXT("finish_reason"), &value);
    ends->ended[index] = true;
    ends->found++;
    return !text_equal(value.raw, TEXT("\"error\""));
}

/* ---- streams ---- */

static bool note_chunk(struct ends *ends, struct text data)
{
    struct json_value chunk, choices, choice;

    if (json_parse(data, &chunk, NULL) != JSON_OK ||
        !json_member(chunk, TEXT("choices"), &choices)) {
        return false;
    }
    struct json_walk walk = json_walk(choices);
    while (json_next(&walk, NULL, &choice)) {
        if (!note_choice(ends, choice, 0)) {
            return false;
        }
    }
    return true;
}

static bool tells_of_an_end(struct text data)
{
    const struct text name = TEXT("\"finish_reason\"");
    size_t at = text_find(data, name, 0);

    for (; at != SIZE_MAX; at = text_find(data, name, at)) {
        at += name.size;
        while (at < data.size && strchr(": \t\r\n", data.at[at]) != NULL && data.at[at] != '\0') {
            at++;
        }
        if (at < data.size && data.at[at] != 'n') {
            return true;
        }
    }
    return false;
}

static bool note_event(enum endpoint endpoint, struct ends *ends, struct text data)
{
    struct chunk chunk;

    chunk_read(endpoint, data, false, &chunk);
    return !chunk.error && (!tells_of_an_end(data) || note_chunk(ends, data));
}

bool reshape_events_are_complete(enum endpoint endpoint, struct text stream, int64_t choices)
{
    struct arena arena = {0};
    struct events events;
    struct ends ends;
    struct text data;
    enum events_next next;

    if (endpoint == ENDPOINT_EMBEDDINGS || !begin(&ends, choices, stream, &arena)) {
        return false;
    }
    events_begin(&events, stream, &arena);
    do {
        next = events_next(&events, &data);
    } while (next == EVENTS_DATA && note_event(endpoint, &ends, data));
    events_close(&events);
    arena_close(&arena);
    return next == EVENTS_DONE && ends.found == choices;
}

/* ---- whole answers ---- */

static bool has_all_choices(struct json_value answer, struct ends *ends)
{
    struct json_value choices, choice;
    int64_t place = 0;

    if (!is_null(answer, TEXT("error")) || !json_member(answer, TEXT("choices"), &choices)) {
        return false;
    }
    struct json_walk walk = json_walk(choices);
    for (; json_next(&walk, NULL, &choice); place++) {
        if (!note_choice(ends, choice, place)) {
            return false;
        }
    }
    return place == ends->choices && ends->found == place;
}

static bool has_all_embeddings(struct text whole, int64_t count, struct arena *arena)
{
    struct text *embeddings = arena_new(arena, (size_t)count * sizeof(*embeddings));

    return inputs_read_answer(whole, embeddings, (size_t)count);
}

bool reshape_whole_is_complete(enum endpoint endpoint, struct text whole, int64_t choices)
{
    struct arena arena = {0};
    struct json_value answer;
    struct ends ends;
    bool complete = begin(&ends, choices, whole, &arena);

    if (complete && endpoint == ENDPOINT_EMBEDDINGS) {
        complete = has_all_embeddings(whole, choices, &arena);
    } else if (complete) {
        complete = json_parse(whole, &answer, NULL) == JSON_OK && answer.kind == JSON_OBJECT &&
                   has_all_choices(answer, &ends);
    }
    arena_close(&arena);
    return complete;
}
