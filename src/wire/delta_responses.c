/*
 * The text that an event of a Responses stream generates, or a whole response; see wire/delta.h.
 *
 * What streams is told once more in events that end a part, an item and the whole; those are
 * passed over. What was thought is told as a summary, or encrypted, or not at all, and what the
 * provider's own tools add is told nowhere: such text does not tell its tokens.
 */
#include "wire/delta.h"

static struct text type_of(struct json_value object)
{
    struct json_value type;

    return json_member(object, TEXT("type"), &type) && type.kind == JSON_STRING
               ? text_slice(type.raw, 1, type.raw.size - 1)
               : TEXT_NONE;
}

static void add_member(struct delta_reader *reader, const struct delta *where,
                       struct json_value object, struct text wanted)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;
    struct text name;

    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, wanted)) {
            delta_add(reader, where, value);
        }
    }
}

/* ---- items ---- */

static bool is_one_of(struct text type, const struct text *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_name_equal(type, list[i])) {
            return true;
        }
    }
    return false;
}

static bool is_call(struct text type)
{
    static const struct text calls[] = {TEXT("function_call"), TEXT("custom_tool_call")};

    return is_one_of(type, calls, 2);
}

/* An item that begins: of a call its name was generated. */
static void read_item_start(struct delta_reader *reader, int64_t part, struct json_value item)
{
    const struct delta where = {.part = part, .kind = DELTA_TOOL};
    struct text type = type_of(item);

    if (is_call(type)) {
        add_member(reader, &where, item, TEXT("name"));
    } else if (!json_name_equal(type, TEXT("message"))) {
        reader->opaque = true;
    }
}

static void read_message(struct delta_reader *reader, int64_t part, struct json_value item)
{
    const struct delta where = {.part = part, .kind = DELTA_TEXT};
    struct json_value content, piece;

    if (!json_member(item, TEXT("content"), &content)) {
        return;
    }
    struct json_walk walk = json_walk(content);
    while (json_next(&walk, NULL, &piece)) {
        add_member(reader, &where, piece, TEXT("text"));
        add_member(reader, &where, piece, TEXT("refusal"));
    }
}

static void read_whole_item(struct delta_reader *reader, int64_t part, struct json_value item)
{
    const struct delta where = {.part = part, .kind = DELTA_TOOL};

    read_item_start(reader, part, item);
    if (is_call(type_of(item))) {
        add_member(reader, &where, item, TEXT("arguments"));
        add_member(reader, &where, item, TEXT("input"));
    } else {
        read_message(reader, part, item);
    }
}

static void read_whole(struct delta_reader *reader)
{
    struct json_value output, item;

    if (!json_member(reader->whole, TEXT("output"), &output)) {
        return;
    }
    struct json_walk walk = json_walk(output);
    for (int64_t part = 0; json_next(&walk, NULL, &item); part++) {
        read_whole_item(reader, part, item);
    }
}

/* ---- events ---- */

enum brings { BRINGS_NOTHING, BRINGS_DELTA, BRINGS_ITEM, BRINGS_SECRETS };

static const struct {
    struct text type;
    enum brings brings;
    enum delta_kind kind;
} events[] = {
    {TEXT("response.output_text.delta"), BRINGS_DELTA, DELTA_TEXT},
    {TEXT("response.function_call_arguments.delta"), BRINGS_DELTA, DELTA_TOOL},
    {TEXT("response.custom_tool_call_input.delta"), BRINGS_DELTA, DELTA_TOOL},
    {TEXT("response.refusal.delta"), BRINGS_DELTA, DELTA_TEXT},
    {TEXT("response.output_item.added"), BRINGS_ITEM, DELTA_TOOL},
    {TEXT("response.output_item.done"), BRINGS_NOTHING, 0},
    {TEXT("response.content_part.added"), BRINGS_NOTHING, 0},
    {TEXT("response.content_part.done"), BRINGS_NOTHING, 0},
    {TEXT("response.output_text.done"), BRINGS_NOTHING, 0},
    {TEXT("response.output_text.annotation.added"), BRINGS_NOTHING, 0},
    {TEXT("response.refusal.done"), BRINGS_NOTHING, 0},
    {TEXT("response.function_call_arguments.done"), BRINGS_NOTHING, 0},
    {TEXT("response.custom_tool_call_input.done"), BRINGS_NOTHING, 0},
    {TEXT("response.created"), BRINGS_NOTHING, 0},
    {TEXT("response.queued"), BRINGS_NOTHING, 0},
    {TEXT("response.in_progress"), BRINGS_NOTHING, 0},
    {TEXT("response.completed"), BRINGS_NOTHING, 0},
    {TEXT("response.incomplete"), BRINGS_NOTHING, 0},
    {TEXT("response.failed"), BRINGS_NOTHING, 0},
    {TEXT("error"), BRINGS_NOTHING, 0},
};

/* Nothing but one delta: of two, other readers of the event (ending_responses.c) take the first. */
static bool is_plain(const struct delta_reader *reader)
{
    struct json_walk walk = json_walk(reader->whole);
    struct json_value value;
    struct text name;
    size_t deltas = 0;

    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("response"))) {
            return false;
        }
        deltas += json_name_equal(name, TEXT("delta")) ? 1 : 0;
    }
    return deltas == 1 && (reader->counter.kind == JSON_NULL || delta_is_count(reader->counter));
}

static void read_delta(struct delta_reader *reader, const struct delta *where)
{
    struct json_value value;

    add_member(reader, where, reader->whole, TEXT("delta"));
    if (json_member(reader->whole, TEXT("obfuscation"), &value)) { /* OpenAI's padding */
        reader->padding = value;
    }
    if (json_member(reader->whole, TEXT("sequence_number"), &value)) {
        reader->counter = value;
    }
    reader->plain = is_plain(reader);
}

static void read_event(struct delta_reader *reader, enum brings brings, const struct delta *where)
{
    struct json_value item;

    switch (brings) {
    case BRINGS_NOTHING:
        break;
    case BRINGS_DELTA:
        read_delta(reader, where);
        break;
    case BRINGS_ITEM:
        if (json_member(reader->whole, TEXT("item"), &item)) {
            read_item_start(reader, where->part, item);
        }
        break;
    case BRINGS_SECRETS:
        reader->opaque = true;
        break;
    }
}

void delta_responses(struct delta_reader *reader)
{
    struct text type = type_of(reader->whole);
    struct delta where = {0};
    enum brings brings = BRINGS_SECRETS;
    struct json_value index;

    if (type.at == NULL) {
        read_whole(reader);
        return;
    }
    if (json_member(reader->whole, TEXT("output_index"), &index)) {
        (void)!json_int(index, &where.part);
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (json_name_equal(type, events[i].type)) {
            brings = events[i].brings;
            where.kind = events[i].kind;
            break;
        }
    }
    read_event(reader, brings, &where);
}
