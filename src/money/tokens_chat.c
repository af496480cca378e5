/*
 * The input tokens of a chat request.
 */
#include "money/tokens_chat.h"

#define MESSAGE_TOKENS  3
#define NAME_TOKENS     1
#define ANSWER_TOKENS   3
#define CALLS_TOKENS    16
#define TOOLS_TOKENS    32
#define TOOL_TOKENS     16
#define PROPERTY_TOKENS 8
#define SCHEMA_TOKENS   64

struct counting {
    enum tokens_encoding encoding;
    size_t tokens;
    struct arena arena;
    struct fault *fault;
};

static void add_string(struct counting *counting, struct json_value string)
{
    counting->tokens += tokens_count(counting->encoding, json_string(&counting->arena, string));
}

/* The bytes of the string that `rest` begins with, quotes included. */
static size_t string_size(struct text rest)
{
    size_t at = 1;
    while (rest.at[at] != '"')
        at += rest.at[at] == '\\' ? 2 : 1;
    return at + 1;
}

static void add_json(struct counting *counting, struct json_value value)
{
    struct buffer small = {0};
    struct text rest = value.raw;
    while (rest.size > 0) {
        size_t size = rest.at[0] == '"' ? string_size(rest) : 1;
        if (strchr(" \t\r\n", rest.at[0]) == NULL)
            buffer_put(&small, text_slice(rest, 0, size));
        rest = text_from(rest, size);
    }
    counting->tokens += tokens_count(counting->encoding, buffer_text(&small));
    buffer_close(&small);
}

static size_t member_count(struct json_value container)
{
    struct json_walk walk = json_walk(container);
    struct text name;
    struct json_value value;
    size_t count = 0;
    while (json_next(&walk, &name, &value))
        count++;
    return count;
}

/* No deeper than JSON_MAX_DEPTH. */
static size_t property_count(struct json_value container)
{
    struct json_walk walk = json_walk(container);
    struct text name;
    struct json_value value;
    size_t count = 0;
    while (json_next(&walk, &name, &value)) {
        bool properties = value.kind == JSON_OBJECT && json_name_equal(name, TEXT("properties"));
        count += property_count(value) + (properties ? member_count(value) : 0);
    }
    return count;
}

static bool add_part(struct counting *counting, struct json_value part, size_t index)
{
    struct json_value type, content;
    struct text kind = TEXT_NONE;
    if (json_member(part, TEXT("type"), &type))
        kind = json_string(&counting->arena, type);
    if (!text_equal(kind, TEXT("text")) && !text_equal(kind, TEXT("refusal")))
        return fault_set(counting->fault,
                         "content[%zu] is of type '%.*s', and only text is counted", index,
                         TEXT_ARG(kind));
    if (!json_member(part, kind, &content) || content.kind != JSON_STRING)
        return fault_set(counting->fault, "content[%zu] has no text", index);
    add_string(counting, content);
    return true;
}

static bool add_parts(struct counting *counting, struct json_value parts)
{
    struct json_walk walk = json_walk(parts);
    struct text name;
    struct json_value part;
    for (size_t index = 0; json_next(&walk, &name, &part); index++) {
        if (!add_part(counting, part, index))
            return false;
    }
    return true;
}

static bool add_content(struct counting *counting, struct json_value message)
{
    struct json_value content;
    if (!json_member(message, TEXT("content"), &content) || content.kind == JSON_NULL)
        return true;
    if (content.kind == JSON_ARRAY)
        return add_parts(counting, content);
    if (content.kind != JSON_STRING)
        return fault_set(counting->fault, "content is neither text nor a list of parts");
    add_string(counting, content);
    return true;
}

static bool add_message(struct counting *counting, struct json_value message)
{
    struct json_value role, value;
    if (!json_member(message, TEXT("role"), &role) || role.kind != JSON_STRING)
        return fault_set(counting->fault, "it has no role");
    if (json_member(message, TEXT("tool_calls"), &value) && value.kind == JSON_ARRAY) {
        add_json(counting, message);
        counting->tokens += CALLS_TOKENS;
        return true;
    }
    counting->tokens += MESSAGE_TOKENS;
    add_string(counting, role);
    if (json_member(message, TEXT("name"), &value) && value.kind == JSON_STRING) {
        add_string(counting, value);
        counting->tokens += NAME_TOKENS;
    }
    return add_content(counting, message);
}

static bool add_messages(struct counting *counting, struct json_value request)
{
    struct json_value messages, message;
    struct text name;
    if (!json_member(request, TEXT("messages"), &messages) || messages.kind != JSON_ARRAY)
        return fault_set(counting->fault, "it is no chat request: it has no list of messages");
    struct json_walk walk = json_walk(messages);
    for (size_t index = 0; json_next(&walk, &name, &message); index++) {
        if (!add_message(counting, message))
            return fault_prefix(counting->fault, "messages[%zu]", index);
    }
    counting->tokens += ANSWER_TOKENS;
    return true;
}

static void add_tools(struct counting *counting, struct json_value request, struct text member)
{
    struct json_value tools;
    if (!json_member(request, member, &tools) || member_count(tools) == 0)
        return;
    add_json(counting, tools);
    counting->tokens +=
        TOOLS_TOKENS + TOOL_TOKENS * member_count(tools) + PROPERTY_TOKENS * property_count(tools);
}

static void add_schema(struct counting *counting, struct json_value request)
{
    struct json_value format, schema;
    if (!json_member(request, TEXT("response_format"), &format) ||
        !json_member(format, TEXT("json_schema"), &schema))
        return;
    add_json(counting, schema);
    counting->tokens += SCHEMA_TOKENS;
}

bool tokens_chat(enum tokens_encoding encoding, struct json_value request, size_t *tokens,
                 struct fault *fault)
{
    struct counting counting = {.encoding = encoding, .fault = fault};
    bool counted = add_messages(&counting, request);
    add_tools(&counting, request, TEXT("tools"));
    add_tools(&counting, request, TEXT("functions"));
    add_schema(&counting, request);
    arena_close(&counting.arena);
    if (counted)
        *tokens = counting.tokens;
    return counted;
}
