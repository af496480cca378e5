/*
 * Looking into the content of a request, only as far as its cost depends on it: parts that are not
 * text, how many prompts there are, what the tools add. See wire/reader.h.
 */
#include <string.h>

#include "wire/reader.h"

#define TOOLS_TOKENS    32 /* wire/body.h */
#define FUNCTION_TOKENS 16
#define PROPERTY_TOKENS 8

static struct text inside_quotes(struct json_value string)
{
    return text_slice(string.raw, 1, string.raw.size - 1);
}

/* True if the value is one of `wanted`, a list that ends with TEXT_NONE. */
static bool is_one_of(struct json_value value, const struct text *wanted)
{
    if (value.kind != JSON_STRING) {
        return false;
    }
    for (; wanted->at != NULL; wanted++) {
        if (json_name_equal(inside_quotes(value), *wanted)) {
            return true;
        }
    }
    return false;
}

/* True if the object has a `type` and every member that a parser may take for its type is one of
 * `wanted`. */
static bool has_type(struct reader *reader, struct json_value object, const struct text *wanted)
{
    struct json_walk walk = json_walk(object);
    struct json_value value;
    struct text name;
    bool typed = false;

    while (json_next(&walk, &name, &value)) {
        if (!reader_name_is(reader, name, TEXT("type"))) {
            continue;
        }
        if (!is_one_of(value, wanted)) {
            return false;
        }
        typed = true;
    }
    return typed;
}

/* ---- messages ---- */

/* A part that is not text: its tokens are not bounded by its bytes. */
static void read_part(struct reader *reader, struct json_value part)
{
    static const struct text plain[] = {TEXT("text"), TEXT("refusal"), TEXT("output_text"),
                                        TEXT_NONE};
    static const struct text audio[] = {TEXT("input_audio"), TEXT("audio"), TEXT_NONE};

    if (part.kind == JSON_STRING || has_type(reader, part, plain)) {
        return;
    }
    reader->input_unbounded = true;
    if (has_type(reader, part, audio)) {
        reader->body.audio = true;
    }
}

static void read_content(struct reader *reader, struct json_value content)
{
    struct json_walk walk = json_walk(content);
    struct json_value part;

    if (content.kind == JSON_OBJECT) {
        read_part(reader, content);
        return;
    }
    while (json_next(&walk, NULL, &part)) {
        read_part(reader, part);
    }
}

static void read_message(struct reader *reader, struct json_value message)
{
    struct json_walk walk = json_walk(message);
    struct json_value value;
    struct text name;

    while (json_next(&walk, &name, &value)) {
        if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT) {
            continue;
        }
        if (reader_name_is(reader, name, TEXT("content"))) {
            read_content(reader, value);
        } else if (reader_name_is(reader, name, TEXT("audio"))) {
            /* an earlier answer's audio, by its id */
            reader->input_unbounded = true;
            reader->body.audio = true;
        }
    }
}

bool content_read_messages(struct reader *reader, const struct member *member,
                           struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value message;

    while (json_next(&walk, NULL, &message)) {
        if (message.kind != JSON_OBJECT) {
            return reader_refuse(reader, "invalid_type", member->name,
                                 "'messages' must be an array of objects.");
        }
        read_message(reader, message);
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

bool content_read_prompts(struct reader *reader, const struct member *member,
                          struct json_value value)
{
    int64_t prompts = count_prompts(value);

    if (prompts == 0) {
        return reader_refuse(reader, "invalid_value", member->name, "'%.*s' is empty.",
                             TEXT_ARG(member->name));
    }
    if (prompts == PROMPTS_MIXED) {
        return reader_refuse(reader, "invalid_type", member->name,
                             "'%.*s' must be a string, token ids, or a list of strings or of lists "
                             "of token ids.",
                             TEXT_ARG(member->name));
    }
    reader->body.prompts = prompts;
    return true;
}

/* ---- tools ---- */

/*
 * Counting the members of all objects called `properties`, in one pass over validated JSON however
 * deep they are nested (a walk per level would cost bytes × depth).
 */
struct property_scan {
    struct text rest;
    bool named;                             /* the name just read is `properties` */
    size_t depth;                           /* open containers */
    bool in_properties[JSON_MAX_DEPTH + 1]; /* by depth */
    int64_t count;
};

/* Cuts the string off that `rest` begins with; returns what is inside. */
static struct text take_string(struct text *rest)
{
    struct text inside = text_from(*rest, 1);
    size_t at = 0;

    while (at < inside.size && inside.at[at] != '"') {
        at += inside.at[at] == '\\' ? 2 : 1;
    }
    *rest = text_from(inside, at + 1);
    return text_slice(inside, 0, at);
}

static bool is_name(struct text behind)
{
    size_t at = 0;

    while (at < behind.size && memchr(" \t\r\n", behind.at[at], 4) != NULL) {
        at++;
    }
    return at < behind.size && behind.at[at] == ':';
}

static void scan_string(struct property_scan *scan)
{
    struct text inside = take_string(&scan->rest);

    if (is_name(scan->rest)) {
        scan->named = json_name_equal(inside, TEXT("properties"));
        scan->count += scan->in_properties[scan->depth] ? 1 : 0;
    }
}

static void scan_byte(struct property_scan *scan, char byte)
{
    if (byte == '{' || byte == '[') {
        scan->depth++;
        ASSERT(scan->depth <= JSON_MAX_DEPTH);
        scan->in_properties[scan->depth] = byte == '{' && scan->named;
        scan->named = false;
    } else if (byte == '}' || byte == ']') {
        ASSERT(scan->depth > 0);
        scan->depth--;
    }
}

static int64_t count_properties(struct text tools)
{
    struct property_scan scan = {.rest = tools};

    while (scan.rest.size > 0) {
        char byte = scan.rest.at[0];
        if (byte == '"') {
            scan_string(&scan);
            continue;
        }
        scan_byte(&scan, byte);
        scan.rest = text_from(scan.rest, 1);
    }
    return scan.count;
}

static void add_tools(struct reader *reader, int64_t functions, struct text raw)
{
    reader->hidden_tokens += TOOLS_TOKENS + FUNCTION_TOKENS * functions;
    reader->hidden_tokens += PROPERTY_TOKENS * count_properties(raw);
}

bool content_read_tools(struct reader *reader, const struct member *member, struct json_value value)
{
    static const struct text run_by_client[] = {TEXT("function"), TEXT("custom"), TEXT_NONE};
    struct json_walk walk = json_walk(value);
    struct json_value tool;
    int64_t functions = 0;

    while (json_next(&walk, NULL, &tool)) {
        if (!has_type(reader, tool, run_by_client)) {
            reader_unbounded(reader, member);
        }
        functions++;
    }
    add_tools(reader, functions, value.raw);
    return true;
}

bool content_read_functions(struct reader *reader, const struct member *member,
                            struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value function;
    int64_t functions = 0;

    (void)member;
    while (json_next(&walk, NULL, &function)) {
        functions++;
    }
    add_tools(reader, functions, value.raw);
    return true;
}
