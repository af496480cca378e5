/*
 * The body to send: the client's bytes with the few changes spliced in. See body_forward in
 * wire/body.h.
 */
#include <inttypes.h>

#include "wire/body.h"

#define MOST_SPLICES 8
_Static_assert(2 * MOST_SPLICES + 1 <= BODY_MAX_PIECES, "each splice and what is around them");

/* `replaced` is a part of the raw body, empty to insert before its place. */
struct splice {
    struct text replaced;
    struct text by;
};

struct splices {
    struct arena *arena;
    struct splice list[MOST_SPLICES];
    size_t count;
};

static void add_splice(struct splices *splices, struct text replaced, struct text by)
{
    ASSERT(splices->count < MOST_SPLICES);
    splices->list[splices->count++] = (struct splice){replaced, by};
}

/* The place behind the opening brace of a raw object. */
static struct text behind_brace(struct text object)
{
    size_t brace = text_find(object, TEXT("{"), 0);

    ASSERT(brace != SIZE_MAX);
    return text_make(object.at + brace + 1, 0);
}

static bool is_null(struct text raw)
{
    return raw.size > 0 && raw.at[0] == 'n';
}

static void change_model(const struct body *body, const struct body_changes *changes,
                         struct arena *arena, struct splices *splices)
{
    struct buffer quoted = {0};

    if (changes->model.at == NULL || text_equal(changes->model, body->model)) {
        return;
    }
    if (body->form) {
        add_splice(splices, body->model_raw, changes->model);
        return;
    }
    bool absent = body->model_raw.size == 0; /* moderations have a usual one */
    if (absent) {
        buffer_put(&quoted, TEXT("\"model\":"));
    }
    json_put_string(&quoted, changes->model);
    if (absent) {
        buffer_put_byte(&quoted, ',');
    }
    add_splice(splices, absent ? behind_brace(body->raw) : body->model_raw,
               arena_copy(arena, buffer_text(&quoted)));
    buffer_close(&quoted);
}

/* ---- the maximum ---- */

static void lower(struct text raw, int64_t most, struct arena *arena, struct splices *splices)
{
    struct json_value number = {JSON_NUMBER, raw};
    int64_t value;

    if (raw.size == 0 || is_null(raw) || (json_int(number, &value) && value <= most)) {
        return;
    }
    add_splice(splices, raw, arena_printf(arena, "%" PRId64, most));
}

/* The place of the name, with its quotes, of the member whose raw value this is. The name has no
 * quote inside. */
static struct text name_before(struct text body, struct text value)
{
    size_t end = (size_t)(value.at - body.at);

    while (body.at[end - 1] != '"') {
        end--;
    }
    size_t start = end - 1;
    while (body.at[start - 1] != '"') {
        start--;
    }
    return text_slice(body, start - 1, end);
}

/* An upstream that knows max_tokens alone would pay no heed to a maximum of the newer name, and
 * the hold would bound nothing. (One that knows the newer name knows the older one, too, or says
 * that it does not.) */
static void rename_max(const struct body *body, const struct body_changes *changes,
                       struct splices *splices)
{
    struct text older = body->max_tokens_raw;
    struct text newer = body->max_completion_tokens_raw;
    bool has_newer = newer.size > 0 && !is_null(newer);

    if (!text_equal(changes->max_field, TEXT("max_tokens")) || !has_newer ||
        (older.size > 0 && !is_null(older))) {
        return;
    }
    if (older.size > 0) { /* null: it may not stand twice */
        add_splice(splices, name_before(body->raw, older), TEXT("\"max_completion_tokens\""));
    }
    add_splice(splices, name_before(body->raw, newer), TEXT("\"max_tokens\""));
}

/* Where the field to add stands as null in the body, if it does. */
static struct text null_field(const struct body *body, struct text field)
{
    struct text raw = TEXT_NONE;

    if (text_equal(field, TEXT("max_tokens"))) {
        raw = body->max_tokens_raw;
    } else if (text_equal(field, TEXT("max_completion_tokens"))) {
        raw = body->max_completion_tokens_raw;
    } else if (text_equal(field, TEXT("max_output_tokens"))) {
        raw = body->max_output_tokens_raw;
    }
    ASSERT(raw.size == 0 || is_null(raw));
    return raw;
}

/* Adds a member, or sets the one that stands there as `null` (empty: none does). */
static void put_count(const struct body *body, struct text field, struct text null, int64_t count,
                      struct splices *splices)
{
    struct text number = arena_printf(splices->arena, "%" PRId64, count);
    const struct text member[] = {TEXT("\""), field, TEXT("\":"), number, TEXT(",")};

    if (null.size > 0) {
        add_splice(splices, null, number);
    } else {
        add_splice(splices, behind_brace(body->raw), arena_join(splices->arena, member, 5));
    }
}

static void change_max(const struct body *body, const struct body_changes *changes,
                       struct arena *arena, struct splices *splices)
{
    int64_t most = changes->max_output;

    if (most == BODY_ABSENT) {
        return;
    }
    if (body->max_output != BODY_ABSENT) {
        lower(body->max_tokens_raw, most, arena, splices);
        lower(body->max_completion_tokens_raw, most, arena, splices);
        lower(body->max_output_tokens_raw, most, arena, splices);
        return;
    }
    if (changes->max_field.size == 0) {
        return;
    }
    put_count(body, changes->max_field, null_field(body, changes->max_field), most, splices);
}

static void change_calls(const struct body *body, const struct body_changes *changes,
                         struct splices *splices)
{
    if (changes->max_tool_calls == 0) {
        return;
    }
    ASSERT(body->max_tool_calls == BODY_ABSENT);
    put_count(body, TEXT("max_tool_calls"), body->max_tool_calls_raw, changes->max_tool_calls,
              splices);
}

/* It must stay below the maximum. */
static void change_thinking(const struct body *body, const struct body_changes *changes,
                            struct arena *arena, struct splices *splices)
{
    if (changes->max_output > 0) {
        lower(body->thinking_raw, changes->max_output - 1, arena, splices);
    }
}

/* ---- the usage of streams ---- */

static void set_include_usage(struct text options, struct splices *splices)
{
    struct json_walk walk = json_walk((struct json_value){JSON_OBJECT, options});
    struct json_value value;
    struct text name;
    bool empty = true;

    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("include_usage"))) {
            add_splice(splices, value.raw, TEXT("true"));
            return;
        }
        empty = false;
    }
    add_splice(splices, behind_brace(options),
               empty ? TEXT("\"include_usage\":true") : TEXT("\"include_usage\":true,"));
}

static void change_usage(const struct body *body, const struct body_changes *changes,
                         struct splices *splices)
{
    if (!changes->include_usage || body->usage_asked) {
        return;
    }
    if (body->stream_options_raw.size == 0) {
        add_splice(splices, behind_brace(body->raw),
                   TEXT("\"stream_options\":{\"include_usage\":true},"));
    } else if (is_null(body->stream_options_raw)) {
        add_splice(splices, body->stream_options_raw, TEXT("{\"include_usage\":true}"));
    } else {
        set_include_usage(body->stream_options_raw, splices);
    }
}

/* ---- cutting ---- */

static void sort(struct splices *splices)
{
    for (size_t i = 1; i < splices->count; i++) {
        struct splice moved = splices->list[i];
        size_t to = i;
        for (; to > 0 && splices->list[to - 1].replaced.at > moved.replaced.at; to--) {
            splices->list[to] = splices->list[to - 1];
        }
        splices->list[to] = moved;
    }
}

static size_t cut(struct text raw, const struct splices *splices, struct text *pieces)
{
    const char *at = raw.at;
    size_t count = 0;

    for (size_t i = 0; i < splices->count; i++) {
        const struct splice *splice = &splices->list[i];
        ASSERT(splice->replaced.at >= at);
        if (splice->replaced.at > at) {
            pieces[count++] = text_make(at, (size_t)(splice->replaced.at - at));
        }
        pieces[count++] = splice->by;
        at = splice->replaced.at + splice->replaced.size;
    }
    pieces[count++] = text_make(at, (size_t)(raw.at + raw.size - at));
    ASSERT(count <= BODY_MAX_PIECES);
    return count;
}

static void change_input(const struct body *body, const struct body_changes *changes,
                         struct arena *arena, struct splices *splices)
{
    if (changes->input.at != NULL) {
        ASSERT(body->input_raw.size > 0);
        add_splice(splices, body->input_raw, arena_copy(arena, changes->input));
    }
}

size_t body_forward(const struct body *body, const struct body_changes *changes,
                    struct arena *arena, struct text pieces[BODY_MAX_PIECES])
{
    struct splices splices = {.arena = arena};

    change_model(body, changes, arena, &splices);
    change_input(body, changes, arena, &splices);
    change_max(body, changes, arena, &splices);
    change_thinking(body, changes, arena, &splices);
    change_calls(body, changes, &splices);
    change_usage(body, changes, &splices);
    rename_max(body, changes, &splices); /* last: what is inserted at its place comes before it */
    sort(&splices);
    return cut(body->raw, &splices, pieces);
}
