/*
 * Ending a Responses stream; see wire/ending.h.
 *
 * Its last event has the whole response, so what was said is remembered: items that came to their
 * end as they were told, and the text of the message that is open. A call that is cut is left out:
 * nobody shall carry out half of one.
 */
#include <inttypes.h>

#include "wire/ending.h"

static struct text inside(struct json_value value)
{
    return value.kind == JSON_STRING ? text_slice(value.raw, 1, value.raw.size - 1) : TEXT_NONE;
}

static struct text text_member(struct json_value object, struct text name)
{
    struct json_value value;

    return json_member(object, name, &value) ? inside(value) : TEXT_NONE;
}

static void set(struct buffer *buffer, struct text text)
{
    buffer_clear(buffer);
    buffer_put(buffer, text);
}

/* ---- what passes ---- */

/* Of a response that is too large to be remembered only the members that it must have are. */
static void note_created(struct ending *ending, struct json_value whole)
{
    struct json_value response, created;

    if (ending->id.size > 0 || !json_member(whole, TEXT("response"), &response)) {
        return;
    }
    ending->begun = true;
    set(&ending->id, text_member(response, TEXT("id")));
    set(&ending->model, text_member(response, TEXT("model")));
    if (json_member(response, TEXT("created_at"), &created)) {
        buffer_clear(&ending->created);
        ending_keep(&ending->created, created.raw);
    }
    if (response.raw.size <= ENDING_MOST_RESPONSE) {
        buffer_clear(&ending->response);
        ending_keep(&ending->response, response.raw);
    }
}

static void note_item(struct ending *ending, struct json_value whole)
{
    struct json_value item, index;
    bool message = json_member(whole, TEXT("item"), &item) &&
                   json_name_equal(text_member(item, TEXT("type")), TEXT("message"));

    ending->item_open = message && json_member(whole, TEXT("output_index"), &index) &&
                        json_int(index, &ending->item);
    ending->part_open = false;
    buffer_clear(&ending->parts);
    if (ending->item_open) {
        set(&ending->item_id, text_member(item, TEXT("id")));
    }
}

static void put_comma(struct buffer *list)
{
    if (list->size > 0) {
        buffer_put_byte(list, ',');
    }
}

/* True if there is room for it; else what was said before is not told either. */
static bool make_room(struct ending *ending, size_t size)
{
    size_t used = ending->items.size + ending->parts.size + ending->text.size;

    ending->forgotten = ending->forgotten || size > ENDING_MOST_OUTPUT - used;
    return !ending->forgotten;
}

static void note_item_end(struct ending *ending, struct json_value whole)
{
    struct json_value item;

    ending->item_open = false;
    ending->part_open = false;
    buffer_clear(&ending->parts);
    buffer_clear(&ending->text);
    if (json_member(whole, TEXT("item"), &item) && make_room(ending, item.raw.size)) {
        put_comma(&ending->items);
        ending_keep(&ending->items, item.raw);
    }
}

static void note_part(struct ending *ending, struct json_value whole)
{
    struct json_value part, index;

    ending->part_open = ending->item_open && json_member(whole, TEXT("part"), &part) &&
                        json_member(whole, TEXT("content_index"), &index) &&
                        json_int(index, &ending->part);
    buffer_clear(&ending->text);
    if (ending->part_open) {
        ending->refusal = json_name_equal(text_member(part, TEXT("type")), TEXT("refusal"));
    }
}

static void note_part_end(struct ending *ending, struct json_value whole)
{
    struct json_value part;

    ending->part_open = false;
    buffer_clear(&ending->text);
    if (json_member(whole, TEXT("part"), &part) && make_room(ending, part.raw.size)) {
        put_comma(&ending->parts);
        ending_keep(&ending->parts, part.raw);
    }
}

/* The inside of a JSON string behind that of another is the inside of a JSON string. */
static void note_text(struct ending *ending, struct text delta)
{
    if (ending->part_open && make_room(ending, delta.size)) {
        buffer_put(&ending->text, delta);
    }
}

static void note_delta(struct ending *ending, struct json_value whole)
{
    note_text(ending, text_member(whole, TEXT("delta")));
}

static void note_end(struct ending *ending, struct json_value whole)
{
    (void)whole;
    ending->over = true;
}

void ending_note_responses(struct ending *ending, struct json_value whole)
{
    static const struct {
        struct text type;
        void (*note)(struct ending *ending, struct json_value whole);
    } events[] = {
        {TEXT("response.output_text.delta"), note_delta},
        {TEXT("response.refusal.delta"), note_delta},
        {TEXT("response.created"), note_created},
        {TEXT("response.output_item.added"), note_item},
        {TEXT("response.output_item.done"), note_item_end},
        {TEXT("response.content_part.added"), note_part},
        {TEXT("response.content_part.done"), note_part_end},
        {TEXT("response.completed"), note_end},
        {TEXT("response.incomplete"), note_end},
        {TEXT("response.failed"), note_end},
        {TEXT("error"), note_end},
    };
    struct text type = text_member(whole, TEXT("type"));
    struct json_value number;

    if (json_member(whole, TEXT("sequence_number"), &number)) {
        (void)!json_int(number, &ending->sequence);
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (json_name_equal(type, events[i].type)) {
            events[i].note(ending, whole);
            return;
        }
    }
}

/* The form it has was that of an event of events[], above. */
void ending_note_responses_text(struct ending *ending, const struct delta_reader *reader)
{
    (void)!json_int(reader->number, &ending->sequence);
    if (reader->form.where.kind == DELTA_TEXT) {
        note_text(ending, reader->said);
    }
}

/* ---- the end ---- */

struct end {
    const struct ending *ending;
    const struct ending_facts *facts;
    struct buffer *out;
    int64_t sequence; /* of the event before */
};

/* Up to its further members. */
static void begin_event(struct end *end, const char *type)
{
    end->sequence++;
    buffer_printf(end->out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%" PRId64, type,
                  type, end->sequence);
}

static void end_event(struct end *end)
{
    buffer_put(end->out, TEXT("}\n\n"));
}

/* A member whose text is the inside of a JSON string already. */
static void put_inside(struct buffer *out, struct text name, const struct buffer *raw)
{
    json_put_name(out, name);
    buffer_put_byte(out, '"');
    buffer_put(out, buffer_text(raw));
    buffer_put_byte(out, '"');
}

static void put_place(struct end *end, bool part)
{
    put_inside(end->out, TEXT("item_id"), &end->ending->item_id);
    json_put_int_member(end->out, TEXT("output_index"), end->ending->item);
    if (part) {
        json_put_int_member(end->out, TEXT("content_index"), end->ending->part);
    }
}

static void put_open_part(const struct ending *ending, struct buffer *out)
{
    if (ending->refusal) {
        buffer_put(out, TEXT("{\"type\":\"refusal\""));
        put_inside(out, TEXT("refusal"), &ending->text);
    } else {
        buffer_put(out, TEXT("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[]"));
        put_inside(out, TEXT("text"), &ending->text);
    }
    buffer_put_byte(out, '}');
}

static void end_part(struct end *end)
{
    bool refusal = end->ending->refusal;

    begin_event(end, refusal ? "response.refusal.done" : "response.output_text.done");
    put_place(end, true);
    if (!refusal) {
        buffer_put(end->out, TEXT(",\"logprobs\":[]"));
    }
    put_inside(end->out, refusal ? TEXT("refusal") : TEXT("text"), &end->ending->text);
    end_event(end);
    begin_event(end, "response.content_part.done");
    put_place(end, true);
    json_put_name(end->out, TEXT("part"));
    put_open_part(end->ending, end->out);
    end_event(end);
}

static void put_open_item(const struct ending *ending, struct buffer *out)
{
    buffer_put(out, TEXT("{\"type\":\"message\",\"status\":\"incomplete\",\"role\":\"assistant\""));
    put_inside(out, TEXT("id"), &ending->item_id);
    buffer_put(out, TEXT(",\"content\":["));
    buffer_put(out, buffer_text(&ending->parts));
    if (ending->part_open) {
        buffer_put(out, ending->parts.size > 0 ? TEXT(",") : TEXT(""));
        put_open_part(ending, out);
    }
    buffer_put(out, TEXT("]}"));
}

static void end_item(struct end *end)
{
    begin_event(end, "response.output_item.done");
    json_put_int_member(end->out, TEXT("output_index"), end->ending->item);
    json_put_name(end->out, TEXT("item"));
    put_open_item(end->ending, end->out);
    end_event(end);
}

/* ---- the response ---- */

static void put_output(const struct ending *ending, struct buffer *out)
{
    bool told = !ending->forgotten;

    json_put_name(out, TEXT("output"));
    buffer_put_byte(out, '[');
    if (told) {
        buffer_put(out, buffer_text(&ending->items));
    }
    if (told && ending->item_open) {
        buffer_put(out, ending->items.size > 0 ? TEXT(",") : TEXT(""));
        put_open_item(ending, out);
    }
    buffer_put_byte(out, ']');
}

static void put_usage(const struct ending_facts *facts, struct buffer *out)
{
    buffer_put(out, TEXT(",\"usage\":{"));
    json_put_int_member(out, TEXT("input_tokens"), facts->input_tokens);
    buffer_put(out, TEXT(",\"input_tokens_details\":{\"cached_tokens\":0}"));
    json_put_int_member(out, TEXT("output_tokens"), facts->output_tokens);
    buffer_put(out, TEXT(",\"output_tokens_details\":{\"reasoning_tokens\":0}"));
    json_put_int_member(out, TEXT("total_tokens"), facts->input_tokens + facts->output_tokens);
    if (facts->cost.at != NULL) {
        json_put_raw_member(out, TEXT("cost"), facts->cost);
    }
    buffer_put_byte(out, '}');
}

/* Members that change at the end. */
static bool changes(struct text name)
{
    static const struct text names[] = {TEXT("status"), TEXT("incomplete_details"), TEXT("error"),
                                        TEXT("output"), TEXT("usage")};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_name_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

static void put_raw_name(struct buffer *out, struct text name)
{
    if (out->at[out->size - 1] != '{') {
        buffer_put_byte(out, ',');
    }
    buffer_put_byte(out, '"');
    buffer_put(out, name);
    buffer_put(out, TEXT("\":"));
}

/* As the first event had it. */
static void put_remembered(const struct ending *ending, struct buffer *out)
{
    const struct json_value response = {JSON_OBJECT, buffer_text(&ending->response)};
    struct json_walk walk = json_walk(response);
    struct json_value value;
    struct text name;

    while (json_next(&walk, &name, &value)) {
        if (!changes(name)) {
            put_raw_name(out, name);
            buffer_put(out, value.raw);
        }
    }
}

static void put_least(const struct ending *ending, const struct ending_facts *facts,
                      struct buffer *out)
{
    if (ending->id.size > 0) {
        put_inside(out, TEXT("id"), &ending->id);
    } else {
        json_put_text_member(out, TEXT("id"), facts->id);
    }
    buffer_put(out, TEXT(",\"object\":\"response\""));
    if (ending->created.size > 0) {
        json_put_raw_member(out, TEXT("created_at"), buffer_text(&ending->created));
    } else {
        json_put_int_member(out, TEXT("created_at"), facts->created_s);
    }
    if (ending->model.size > 0) {
        put_inside(out, TEXT("model"), &ending->model);
    } else {
        json_put_text_member(out, TEXT("model"), facts->model);
    }
    buffer_put(out, TEXT(",\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[]"));
}

/* `status` is a literal; `more` further members, with a comma before each. */
static void put_response(struct end *end, const char *status, struct text more)
{
    struct buffer *out = end->out;

    json_put_name(out, TEXT("response"));
    buffer_put_byte(out, '{');
    if (end->ending->response.size > 0) {
        put_remembered(end->ending, out);
    } else {
        put_least(end->ending, end->facts, out);
    }
    json_put_text_member(out, TEXT("status"), text_of(status));
    buffer_put(out, more);
    put_output(end->ending, out);
    put_usage(end->facts, out);
    buffer_put_byte(out, '}');
}

static void end_by_length(struct end *end)
{
    begin_event(end, "response.incomplete");
    put_response(end, "incomplete",
                 TEXT(",\"error\":null,\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"));
    end_event(end);
}

/* Agents know the type as one that is not worth trying again. */
static void end_by_error(struct end *end)
{
    const struct ending_facts *facts = end->facts;
    struct buffer more = {0};

    begin_event(end, "error");
    json_put_text_member(end->out, TEXT("code"), facts->code);
    json_put_text_member(end->out, TEXT("message"), facts->message);
    buffer_put(end->out, TEXT(",\"param\":null"));
    end_event(end);
    buffer_put(&more, TEXT(",\"incomplete_details\":null,\"error\":{"));
    json_put_text_member(&more, TEXT("code"), facts->type);
    json_put_text_member(&more, TEXT("message"), facts->message);
    buffer_put_byte(&more, '}');
    begin_event(end, "response.failed");
    put_response(end, "failed", buffer_text(&more));
    end_event(end);
    buffer_close(&more);
}

static void put_start(struct end *end)
{
    begin_event(end, "response.created");
    json_put_name(end->out, TEXT("response"));
    buffer_put_byte(end->out, '{');
    put_least(end->ending, end->facts, end->out);
    buffer_put(end->out, TEXT(",\"status\":\"in_progress\",\"error\":null,\"incomplete_details\":"
                              "null,\"output\":[],\"usage\":null}"));
    end_event(end);
}

void ending_put_responses(const struct ending *ending, const struct ending_facts *facts,
                          struct buffer *out)
{
    struct end end = {.ending = ending,
                      .facts = facts,
                      .out = out,
                      .sequence = ending->begun ? ending->sequence : -1};

    if (!ending->begun) {
        put_start(&end);
    }
    if (ending->part_open && !ending->forgotten) {
        end_part(&end);
    }
    if (ending->item_open && !ending->forgotten) {
        end_item(&end);
    }
    if (facts->manner == ENDING_ERROR) {
        end_by_error(&end);
    } else {
        end_by_length(&end);
    }
}
