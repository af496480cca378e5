/*
 * Looking into the content of a request, only as far as its cost depends on it: parts that are not
 * text, how many prompts there are, what the tools add. See wire/body_reader.h.
 */
#include <string.h>

#include "wire/body_reader.h"

#define TOOLS_TOKENS    32 /* wire/body.h */
#define FUNCTION_TOKENS 16
#define PROPERTY_TOKENS 8

/* True if the value is one of `wanted`, a list that ends with TEXT_NONE. */
static bool is_one_of(struct json_value value, const struct text *wanted)
{
    for (; wanted->at != NULL; wanted++) {
        if (json_is(value, *wanted)) {
            return true;
        }
    }
    return false;
}

/* Passes an object. True if it has a `type` and every member that a parser may take for its type
 * is one of `wanted`. */
static bool has_type(struct body_reader *reader, const struct text *wanted)
{
    struct skim *skim = &reader->skim;
    struct text name;
    bool typed = false;
    bool other = false;

    if (skim_peek(skim) != JSON_OBJECT) {
        (void)skim_value(skim);
        return false;
    }
    skim_enter(skim);
    while (skim_member(skim, &name)) {
        struct json_value value = skim_value(skim);
        if (body_name_is(reader, name, TEXT("type"))) {
            typed = true;
            other = other || !is_one_of(value, wanted);
        }
    }
    return typed && !other;
}

/* ---- messages ---- */

/* The address of an image: what it is made of stands in it, and is no text. */
static void read_address(struct body_reader *reader)
{
    struct json_value value = skim_value(&reader->skim);

    if (text_starts_nocase(json_inside(value), TEXT("data:"))) {
        reader->body.image_bytes += (int64_t)value.raw.size;
    }
}

static void read_image(struct body_reader *reader)
{
    struct text name;

    if (skim_peek(&reader->skim) != JSON_OBJECT) {
        read_address(reader);
        return;
    }
    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (json_name_equal(name, TEXT("url"))) {
            read_address(reader);
        } else {
            (void)skim_value(&reader->skim);
        }
    }
}

/* Passes a part that is an image. If it names several, each of them counts: who knows which one a
 * provider takes. */
static void read_image_part(struct body_reader *reader)
{
    int64_t images = 0;
    struct text name;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (body_name_is(reader, name, TEXT("image_url"))) {
            read_image(reader);
            images++;
        } else {
            (void)skim_value(&reader->skim);
        }
    }
    reader->body.images += images > 0 ? images : 1;
}

/* What is not text: its tokens are not bounded by its bytes. Any of it may be audio. */
static void read_part(struct body_reader *reader)
{
    static const struct text plain[] = {TEXT("text"), TEXT("refusal"), TEXT("output_text"),
                                        TEXT("input_text"), TEXT_NONE};
    static const struct text image[] = {TEXT("image_url"), TEXT("input_image"), TEXT_NONE};
    static const struct text silent[] = {TEXT("file"), TEXT("input_file"), TEXT_NONE};
    struct skim part = reader->skim;

    if (skim_peek(&part) == JSON_STRING) {
        (void)skim_value(&reader->skim);
        return;
    }
    if (has_type(reader, plain)) {
        return;
    }
    reader->skim = part;
    if (has_type(reader, image)) {
        reader->skim = part;
        read_image_part(reader);
        return;
    }
    reader->skim = part;
    reader->body.audio |= !has_type(reader, silent);
    reader->input_unbounded = true;
}

void content_read_each(struct body_reader *reader, void (*read)(struct body_reader *reader))
{
    enum json_kind kind = skim_peek(&reader->skim);

    if (kind == JSON_OBJECT) {
        read(reader);
        return;
    }
    if (kind != JSON_ARRAY) {
        (void)skim_value(&reader->skim);
        return;
    }
    skim_enter(&reader->skim);
    while (skim_element(&reader->skim)) {
        read(reader);
    }
}

void content_read_parts(struct body_reader *reader)
{
    content_read_each(reader, read_part);
}

/* An earlier answer's audio, named by its id. */
static void read_earlier_audio(struct body_reader *reader)
{
    if (skim_value(&reader->skim).kind != JSON_NULL) {
        reader->input_unbounded = true;
        reader->body.audio = true;
    }
}

static void read_message(struct body_reader *reader)
{
    struct text name;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (body_name_is(reader, name, TEXT("content"))) {
            content_read_parts(reader);
        } else if (body_name_is(reader, name, TEXT("audio"))) {
            read_earlier_audio(reader);
        } else {
            (void)skim_value(&reader->skim);
        }
    }
}

bool content_read_messages(struct body_reader *reader, const struct member *member)
{
    skim_enter(&reader->skim);
    while (skim_element(&reader->skim)) {
        if (skim_peek(&reader->skim) != JSON_OBJECT) {
            return body_refuse(reader, "invalid_type", member->name,
                               "'messages' must be an array of objects.");
        }
        read_message(reader);
    }
    return true;
}

/* ---- prompts and inputs ---- */

static bool has_byte(struct text raw, char byte)
{
    return raw.size > 0 && memchr(raw.at, byte, raw.size) != NULL;
}

#define PROMPTS_MIXED (-1)

/* The elements of a list that must all be of one kind. */
static int64_t count_elements(struct json_value list, enum json_kind kind)
{
    struct json_walk walk = json_walk(list);
    struct json_value element;
    int64_t count = 0;

    while (json_next(&walk, NULL, &element)) {
        if (element.kind != kind) {
            return PROMPTS_MIXED;
        }
        count++;
    }
    return count;
}

/* A text, token ids, or a list of either; 0 for an empty list. Token ids can be many: a flat list
 * of scalars is told from its bytes, without a look at each. */
static int64_t count_prompts(struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value first;

    if (value.kind == JSON_STRING) {
        return 1;
    }
    if (!json_next(&walk, NULL, &first)) {
        return 0;
    }
    if (first.kind == JSON_STRING || first.kind == JSON_ARRAY) {
        bool mixed =
            first.kind == JSON_ARRAY && (has_byte(value.raw, '"') || has_byte(value.raw, '{'));
        return mixed ? PROMPTS_MIXED : count_elements(value, first.kind);
    }
    bool flat = !has_byte(value.raw, '"') && !has_byte(value.raw, '{') &&
                !has_byte(text_from(value.raw, 1), '[');
    return first.kind == JSON_NUMBER && flat ? 1 : PROMPTS_MIXED;
}

bool content_read_prompts(struct body_reader *reader, const struct member *member,
                          struct json_value value)
{
    int64_t prompts = count_prompts(value);

    if (prompts == 0) {
        return body_refuse(reader, "invalid_value", member->name, "'%.*s' is empty.",
                           TEXT_ARG(member->name));
    }
    if (prompts == PROMPTS_MIXED) {
        return body_refuse(reader, "invalid_type", member->name,
                           "'%.*s' must be a string, token ids, or a list of strings or of lists "
                           "of token ids.",
                           TEXT_ARG(member->name));
    }
    reader->body.prompts = prompts;
    return true;
}

/* ---- tools ---- */

void content_add_tools(struct body_reader *reader, int64_t functions, struct json_value tools)
{
    reader->hidden_tokens += TOOLS_TOKENS + FUNCTION_TOKENS * functions;
    reader->hidden_tokens += PROPERTY_TOKENS * skim_count_members_of(tools, TEXT("properties"));
}

bool content_read_tools(struct body_reader *reader, const struct member *member)
{
    static const struct text run_by_client[] = {TEXT("function"), TEXT("custom"), TEXT_NONE};
    const char *start = reader->skim.at;
    int64_t functions = 0;

    skim_enter(&reader->skim);
    for (; skim_element(&reader->skim); functions++) {
        if (!has_type(reader, run_by_client)) {
            body_note_unbounded(reader, member);
        }
    }
    struct text raw = text_make(start, (size_t)(reader->skim.at - start));
    content_add_tools(reader, functions, (struct json_value){JSON_ARRAY, raw});
    return true;
}

bool content_read_functions(struct body_reader *reader, const struct member *member,
                            struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value function;
    int64_t functions = 0;

    (void)member;
    while (json_next(&walk, NULL, &function)) {
        functions++;
    }
    content_add_tools(reader, functions, value);
    return true;
}
