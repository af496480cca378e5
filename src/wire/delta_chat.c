/*
 * The text that a chunk of chat completions or completions generates; see wire/delta.h.
 *
 * One table says what the members of a generated message are, for all who speak this dialect:
 * reasoning comes as `reasoning_content` (DeepSeek, vLLM), as `reasoning` (OpenRouter, Groq), as
 * both with the same text, and as parts of the content (Mistral).
 */
#include "wire/delta.h"

/* Adds what a member of a message has; `where` says of which choice. */
typedef void read_member(struct delta_reader *reader, struct delta where, struct json_value value);

static void read_nothing(struct delta_reader *reader, struct delta where, struct json_value value)
{
    (void)reader;
    (void)where;
    (void)value;
}

static void read_other(struct delta_reader *reader, struct delta where, struct json_value value)
{
    where.kind = DELTA_OTHER;
    delta_add(reader, &where, value);
}

static void read_media(struct delta_reader *reader, struct delta where, struct json_value value)
{
    (void)where;
    reader->opaque = reader->opaque || value.kind != JSON_NULL;
}

static bool type_is(struct json_value part, struct text type)
{
    return json_member_is(part, TEXT("type"), type);
}

/* {"type":"text","text":"..."}, or a part whose text has another kind. */
static void read_part(struct delta_reader *reader, struct delta where, struct json_value part)
{
    struct json_walk walk = json_walk(part);
    struct json_value value;
    struct text name;

    if (!type_is(part, TEXT("text")) && !type_is(part, TEXT("refusal"))) {
        reader->opaque = true;
        return;
    }
    while (json_next(&walk, &name, &value)) {
        if (!json_name_equal(name, TEXT("type"))) {
            delta_add(reader, &where, value);
        }
    }
}

static void read_parts(struct delta_reader *reader, struct delta where, struct json_value parts)
{
    struct json_walk walk = json_walk(parts);
    struct json_value part;

    while (json_next(&walk, NULL, &part)) {
        read_part(reader, where, part);
    }
}

/* {"type":"thinking","thinking":[parts]} */
static void read_thinking(struct delta_reader *reader, struct delta where, struct json_value part)
{
    struct json_value thinking;

    where.kind = DELTA_REASONING;
    if (!json_member(part, TEXT("thinking"), &thinking)) {
        reader->opaque = true;
    } else if (thinking.kind == JSON_ARRAY) {
        read_parts(reader, where, thinking);
    } else {
        delta_add(reader, &where, thinking);
    }
}

static void read_text(struct delta_reader *reader, struct delta where, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value part;

    where.kind = DELTA_TEXT;
    if (value.kind != JSON_ARRAY) {
        delta_add(reader, &where, value);
        return;
    }
    while (json_next(&walk, NULL, &part)) {
        if (type_is(part, TEXT("thinking"))) {
            read_thinking(reader, where, part);
        } else {
            read_part(reader, where, part);
        }
    }
}

/* The first of several members, if they say the same. */
static void read_reasoning(struct delta_reader *reader, struct delta where, struct json_value value)
{
    const struct delta *last = reader->count > 0 ? &reader->at[reader->count - 1] : NULL;
    bool second = last != NULL && last->kind == DELTA_REASONING && last->choice == where.choice;
    struct text before = second ? last->text : TEXT_NONE;

    where.kind = DELTA_REASONING;
    delta_add(reader, &where, value);
    if (second && text_equal(reader->at[reader->count - 1].text, before)) {
        reader->count--;
    }
}

/* Says once more what `reasoning` says, unless it is encrypted or a summary. */
static void read_details(struct delta_reader *reader, struct delta where, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value detail, text;

    while (json_next(&walk, NULL, &detail)) {
        bool told = type_is(detail, TEXT("reasoning.text"));
        if (told && json_member(detail, TEXT("text"), &text)) {
            read_reasoning(reader, where, text);
        }
        reader->opaque = reader->opaque || !told;
    }
}

/* {"name":"f","arguments":"..."}: all of it was generated. */
static void read_function(struct delta_reader *reader, struct delta where, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value inside;

    where.kind = DELTA_TOOL;
    while (json_next(&walk, &(struct text){0}, &inside)) {
        delta_add(reader, &where, inside);
    }
}

static void read_call(struct delta_reader *reader, struct delta where, struct json_value call)
{
    struct json_walk walk = json_walk(call);
    struct json_value value;
    struct text name;

    if (json_member(call, TEXT("index"), &value)) {
        (void)!json_int(value, &where.part);
    }
    while (json_next(&walk, &name, &value)) {
        if (value.kind == JSON_OBJECT) { /* "function", "custom" */
            read_function(reader, where, value);
        }
    }
}

static void read_calls(struct delta_reader *reader, struct delta where, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value call;

    while (json_next(&walk, NULL, &call)) {
        read_call(reader, where, call);
    }
}

static void read_message(struct delta_reader *reader, struct delta where, struct json_value value)
{
    static const struct {
        struct text name;
        read_member *read;
    } table[] = {
        {TEXT("content"), read_text},
        {TEXT("role"), read_nothing},
        {TEXT("refusal"), read_text},
        {TEXT("tool_calls"), read_calls},
        {TEXT("reasoning_content"), read_reasoning},
        {TEXT("reasoning"), read_reasoning},
        {TEXT("reasoning_details"), read_details},
        {TEXT("function_call"), read_function},
        {TEXT("audio"), read_media},
        {TEXT("images"), read_media},
    };
    struct json_walk walk = json_walk(value);
    struct json_value member;
    struct text name;

    while (json_next(&walk, &name, &member)) {
        read_member *read = read_other;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && read == read_other; i++) {
            read = json_name_equal(name, table[i].name) ? table[i].read : read_other;
        }
        read(reader, where, member);
    }
}

static void read_choice(struct delta_reader *reader, struct json_value choice)
{
    struct json_walk walk = json_walk(choice);
    struct delta where = {0};
    struct json_value value;
    struct text name;

    if (json_member(choice, TEXT("index"), &value)) {
        (void)!json_int(value, &where.choice);
    }
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("delta")) || json_name_equal(name, TEXT("message"))) {
            read_message(reader, where, value);
        } else if (json_name_equal(name, TEXT("text"))) {
            read_text(reader, where, value);
        }
    }
}

static bool is_null(struct json_value object, struct text name)
{
    struct json_value value;

    return !json_member(object, name, &value) || value.kind == JSON_NULL;
}

/* No usage, no error, and no end of a choice. */
static bool is_plain(struct json_value whole)
{
    struct json_value choices, choice;

    if (!is_null(whole, TEXT("usage")) || !is_null(whole, TEXT("x_groq")) ||
        !is_null(whole, TEXT("error")) || !json_member(whole, TEXT("choices"), &choices)) {
        return false;
    }
    struct json_walk walk = json_walk(choices);
    while (json_next(&walk, NULL, &choice)) {
        if (!is_null(choice, TEXT("finish_reason"))) {
            return false;
        }
    }
    return true;
}

void delta_chat(struct delta_reader *reader)
{
    struct json_walk walk = json_walk(reader->whole);
    struct json_value value, choice;
    struct text name;

    reader->plain = is_plain(reader->whole);
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("obfuscation"))) { /* OpenAI's padding */
            reader->padding = value;
        }
        struct json_walk choices = json_walk(value);
        while (json_name_equal(name, TEXT("choices")) && json_next(&choices, NULL, &choice)) {
            read_choice(reader, choice);
        }
    }
}
