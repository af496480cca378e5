/*
 * Looking into the content of a request in Anthropic's dialect, only as far as its cost depends on
 * it. See wire/body_reader.h.
 */
#include "wire/body_reader.h"

/* wire/body.h */
#define TOOLS_TOKENS      1024
#define FUNCTION_TOKENS   16
#define PROPERTY_TOKENS   8
#define DEFINITION_TOKENS 1280
#define CITATIONS_TOKENS  1024

/* ---- blocks ---- */

/* The kinds of blocks that have at most a token for each byte. */
static bool is_bounded(struct json_value type)
{
    static const struct text bounded[] = {
        TEXT("text"),     TEXT("tool_use"),          TEXT("tool_result"),     TEXT("search_result"),
        TEXT("thinking"), TEXT("redacted_thinking"), TEXT("server_tool_use"),
    };

    for (size_t i = 0; i < sizeof(bounded) / sizeof(bounded[0]); i++) {
        if (json_is(type, bounded[i])) {
            return true;
        }
    }
    return false;
}

static void read_blocks(struct body_reader *reader);

static bool is_image(struct json_value type)
{
    return json_is(type, TEXT("image"));
}

/* The data of a picture is no text: {"type":"base64","media_type":...,"data":...}. */
static void read_source(struct body_reader *reader)
{
    struct skim *skim = &reader->skim;
    struct text name;

    if (skim_peek(skim) != JSON_OBJECT) {
        (void)skim_value(skim);
        return;
    }
    skim_enter(skim);
    while (skim_member(skim, &name)) {
        struct json_value value = skim_value(skim);
        if (json_name_equal(name, TEXT("data")) && value.kind == JSON_STRING) {
            reader->body.image_bytes += (int64_t)value.raw.size;
        }
    }
}

/* To cite what a search found has a prompt of its own, whatever it finds. */
static void note_search_result(struct body_reader *reader, struct json_value type)
{
    if (!reader->cites && json_is(type, TEXT("search_result"))) {
        reader->cites = true;
        reader->hidden_tokens += CITATIONS_TOKENS;
    }
}

/* Passes a block that is an image. If it names several, each of them counts. */
static void read_image(struct body_reader *reader)
{
    struct text name;
    int64_t sources = 0;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (body_name_is(reader, name, TEXT("source"))) {
            read_source(reader);
            sources++;
        } else {
            (void)skim_value(&reader->skim);
        }
    }
    reader->body.images += sources > 0 ? sources : 1;
}

/* What a tool or a search gave has blocks of its own. */
static void read_block(struct body_reader *reader)
{
    struct skim *skim = &reader->skim;
    struct skim start = *skim;
    struct text name;
    bool bounded = false, image = false, other = false;

    if (skim_peek(skim) != JSON_OBJECT) {
        (void)skim_value(skim);
        return;
    }
    skim_enter(skim);
    while (skim_member(skim, &name)) {
        if (body_name_is(reader, name, TEXT("type"))) {
            struct json_value type = skim_value(skim);
            note_search_result(reader, type);
            image = image || is_image(type);
            bounded = bounded || is_bounded(type);
            other = other || (!is_bounded(type) && !is_image(type));
        } else if (body_name_is(reader, name, TEXT("content"))) {
            read_blocks(reader);
        } else {
            (void)skim_value(skim);
        }
    }
    if (image && !bounded && !other) {
        reader->skim = start;
        read_image(reader);
        return;
    }
    reader->input_unbounded |= !bounded || image || other;
}

static void read_blocks(struct body_reader *reader)
{
    content_read_each(reader, read_block);
}

static void read_turn(struct body_reader *reader)
{
    struct text name;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (body_name_is(reader, name, TEXT("content"))) {
            read_blocks(reader);
        } else {
            (void)skim_value(&reader->skim);
        }
    }
}

bool content_read_turns(struct body_reader *reader, const struct member *member)
{
    skim_enter(&reader->skim);
    while (skim_element(&reader->skim)) {
        if (skim_peek(&reader->skim) != JSON_OBJECT) {
            return body_refuse(reader, "invalid_type", member->name,
                               "'messages' must be an array of objects.");
        }
        read_turn(reader);
    }
    return true;
}

bool content_read_system(struct body_reader *reader, const struct member *member)
{
    (void)member;
    read_blocks(reader);
    return true;
}

/* ---- tools ---- */

/* One of the client's own; one that Anthropic defines and the client runs; a search of the web; or
 * one that Anthropic runs, or that nobody knows. */
enum tool { TOOL_FUNCTION, TOOL_DEFINED, TOOL_SEARCH, TOOL_HOSTED };

/* "20250124" */
static bool is_date(struct text text)
{
    size_t digits = 0;

    while (digits < text.size && text.at[digits] >= '0' && text.at[digits] <= '9') {
        digits++;
    }
    return digits == 8 && text.size == 8;
}

static enum tool tool_typed(struct body_reader *reader, struct json_value type)
{
    static const struct text defined[] = {TEXT("bash_"), TEXT("text_editor_"), TEXT("computer_"),
                                          TEXT("memory_")};
    struct text name = json_string(reader->arena, type);

    if (type.kind == JSON_NULL || text_equal(name, TEXT("custom"))) {
        return TOOL_FUNCTION;
    }
    if (text_equal(name, TEXT("web_search_20250305"))) { /* later ones run code, too */
        return TOOL_SEARCH;
    }
    for (size_t i = 0; i < sizeof(defined) / sizeof(defined[0]); i++) {
        if (text_starts(name, defined[i]) && is_date(text_from(name, defined[i].size))) {
            return TOOL_DEFINED;
        }
    }
    return TOOL_HOSTED;
}

/* Each search has a fee and makes the model read its input once more; `max_uses` bounds how many
 * there are. */
static enum tool note_search(struct body_reader *reader, int64_t uses)
{
    struct body *body = &reader->body;
    int64_t before = body->max_tool_calls == BODY_ABSENT ? 0 : body->max_tool_calls;

    if (uses == BODY_ABSENT || uses > BODY_MOST - before) {
        return TOOL_HOSTED;
    }
    body->max_tool_calls = before + uses;
    body->searches = true;
    reader->input_unbounded = true;
    return TOOL_SEARCH;
}

static enum tool read_tool(struct body_reader *reader)
{
    struct skim *skim = &reader->skim;
    struct text name;
    enum tool tool = TOOL_FUNCTION;
    int64_t uses = BODY_ABSENT, count;
    bool doubtful = false;

    if (skim_peek(skim) != JSON_OBJECT) {
        (void)skim_value(skim);
        return TOOL_FUNCTION;
    }
    skim_enter(skim);
    while (skim_member(skim, &name)) {
        struct json_value value = skim_value(skim);
        if (body_name_is(reader, name, TEXT("type"))) {
            enum tool typed = tool_typed(reader, value);
            tool = typed > tool ? typed : tool; /* of two types the dearer one */
        } else if (body_name_is(reader, name, TEXT("max_uses"))) {
            bool told = json_name_equal(name, TEXT("max_uses")) && value.kind == JSON_NUMBER &&
                        json_int(value, &count);
            doubtful = doubtful || !told; /* to some parser there may be none */
            uses = told && count > uses ? count : uses;
        }
    }
    return tool == TOOL_SEARCH ? note_search(reader, doubtful ? BODY_ABSENT : uses) : tool;
}

bool content_read_message_tools(struct body_reader *reader, const struct member *member)
{
    const char *start = reader->skim.at;
    int64_t tools = 0, hidden = 0;

    skim_enter(&reader->skim);
    for (; skim_element(&reader->skim); tools++) {
        enum tool tool = read_tool(reader);
        hidden += tool == TOOL_DEFINED ? DEFINITION_TOKENS : FUNCTION_TOKENS;
        if (tool == TOOL_HOSTED) {
            body_note_unbounded(reader, member);
        }
    }
    struct text raw = text_make(start, (size_t)(reader->skim.at - start));
    hidden += PROPERTY_TOKENS *
              skim_count_members_of((struct json_value){JSON_ARRAY, raw}, TEXT("properties"));
    reader->hidden_tokens += tools > 0 ? TOOLS_TOKENS + hidden : 0;
    return true;
}
