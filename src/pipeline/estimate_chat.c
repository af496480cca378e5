/* Counting the input of OpenAI's endpoints: see pipeline/estimate.h. */
#include "pipeline/estimate_parts.h"
#include "wire/image_size.h"
#include "wire/skim.h"

#define NAME_TOKENS     1
#define TOOLS_TOKENS    32
#define TOOL_TOKENS     16
#define PROPERTY_TOKENS 8
#define SCHEMA_TOKENS   64

/* ---- images ---- */

struct image {
    struct json_value url;
    bool low;
    bool irregular; /* members stand twice, or are of strange kinds: any of them may count */
    int addresses;
};

static void note_image_member(struct image *image, struct text name, struct json_value value)
{
    if (json_name_equal(name, TEXT("url"))) {
        image->url = value;
        image->addresses++;
        image->irregular = image->irregular || value.kind != JSON_STRING;
    } else if (json_name_equal(name, TEXT("detail"))) {
        image->irregular = image->irregular || image->low;
        image->low = json_is(value, TEXT("low"));
    }
}

static void note_address(struct image *image, struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct text name;
    struct json_value member;
    if (value.kind == JSON_STRING)
        note_image_member(image, TEXT("url"), value);
    while (json_next(&walk, &name, &member))
        note_image_member(image, name, member);
}

static void add_image(struct counting *counting, struct json_value part)
{
    int64_t width, height;
    struct image image = {.low = false};
    struct json_walk walk = json_walk(part);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("image_url")))
            note_address(&image, value);
        else
            note_image_member(&image, name, value);
    }
    if (image.irregular || image.addresses != 1)
        estimate_add_unknown_image(counting, image.addresses > 0 ? image.addresses : 1);
    else if (image_size(json_string(&counting->arena, image.url), &width, &height))
        estimate_add_sized_image(counting, width, height, image.low);
    else
        estimate_add_unknown_image(counting, 1);
}

/* ---- messages ---- */

static bool is_text_part(struct json_value type)
{
    return json_is(type, TEXT("text")) || json_is(type, TEXT("refusal")) ||
           json_is(type, TEXT("output_text")) || json_is(type, TEXT("input_text"));
}

static void add_text_part(struct counting *counting, struct json_value part)
{
    struct json_walk walk = json_walk(part);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        bool text = json_name_equal(name, TEXT("text")) || json_name_equal(name, TEXT("refusal"));
        if (text && value.kind == JSON_STRING)
            estimate_add_string(counting, value, HOW_EXACT);
        else if (!json_name_equal(name, TEXT("type")))
            estimate_add_json(counting, value, HOW_MARGIN);
    }
}

static void add_part(struct counting *counting, struct json_value part)
{
    struct json_value type;
    if (part.kind == JSON_STRING)
        estimate_add_string(counting, part, HOW_ESTIMATED);
    else if (!json_member(part, TEXT("type"), &type))
        estimate_leave_out(counting, TEXT("a part of a message without a type"));
    else if (is_text_part(type))
        add_text_part(counting, part);
    else if (json_is(type, TEXT("image_url")) || json_is(type, TEXT("input_image")))
        add_image(counting, part);
    else
        estimate_leave_out(counting, type.raw);
}

void estimate_add_content(struct counting *counting, struct json_value content)
{
    struct json_walk walk = json_walk(content);
    struct text name;
    struct json_value part;
    if (content.kind == JSON_STRING)
        estimate_add_string(counting, content, HOW_EXACT);
    else if (content.kind == JSON_OBJECT)
        add_part(counting, content);
    else if (content.kind != JSON_ARRAY && content.kind != JSON_NULL)
        estimate_add_json(counting, content, HOW_MARGIN);
    while (content.kind == JSON_ARRAY && json_next(&walk, &name, &part))
        add_part(counting, part);
}

static void add_message_member(struct counting *counting, struct text name, struct json_value value)
{
    if (json_name_equal(name, TEXT("content"))) {
        estimate_add_content(counting, value);
    } else if (json_name_equal(name, TEXT("role")) && value.kind == JSON_STRING) {
        estimate_add_string(counting, value, HOW_EXACT);
    } else if (json_name_equal(name, TEXT("name")) && value.kind == JSON_STRING) {
        estimate_add_string(counting, value, HOW_EXACT);
        estimate_add(counting, NAME_TOKENS, HOW_EXACT);
    } else if (json_name_equal(name, TEXT("audio")) && value.kind != JSON_NULL) {
        estimate_leave_out(counting, TEXT("an earlier answer's audio"));
    } else if (json_name_equal(name, TEXT("tool_call_id"))) {
        estimate_add_json(counting, value, HOW_MARGIN);
        estimate_add(counting, ESTIMATE_CALLS, HOW_MARGIN); /* whose answer it is */
    } else if (value.kind != JSON_NULL) {
        estimate_add_json(counting, value, HOW_MARGIN);
    }
}

static bool has_calls(struct json_value message)
{
    struct json_value calls;
    return (json_member(message, TEXT("tool_calls"), &calls) && calls.kind == JSON_ARRAY) ||
           (json_member(message, TEXT("function_call"), &calls) && calls.kind == JSON_OBJECT);
}

/* Its JSON tells what text costs, but not what images do. */
static void add_parts_of_calls(struct counting *counting, struct json_value message)
{
    struct json_walk walk = json_walk(message);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("content")) && value.kind != JSON_STRING)
            estimate_add_content(counting, value);
    }
}

static void add_message(struct counting *counting, struct json_value message)
{
    struct json_walk walk = json_walk(message);
    struct text name;
    struct json_value value;
    if (!counting->ask->model.exact)
        counting->estimate->bound += ESTIMATE_FOREIGN_MESSAGE - ESTIMATE_MESSAGE;
    if (has_calls(message)) {
        estimate_add_json(counting, message, HOW_ESTIMATED);
        estimate_add(counting, ESTIMATE_CALLS, HOW_ESTIMATED);
        add_parts_of_calls(counting, message);
        return;
    }
    estimate_add(counting, ESTIMATE_MESSAGE, HOW_EXACT);
    while (json_next(&walk, &name, &value))
        add_message_member(counting, name, value);
}

void estimate_add_messages(struct counting *counting, struct json_value messages)
{
    struct skim skim = skim_begin(messages);
    estimate_add(counting, ESTIMATE_ANSWER, HOW_EXACT);
    if (messages.kind != JSON_ARRAY)
        return;
    skim_enter(&skim);
    while (skim_element(&skim))
        add_message(counting, skim_value(&skim));
}

/* ---- what comes beside them ---- */

static int64_t element_count(struct json_value list)
{
    struct json_walk walk = json_walk(list);
    struct text name;
    struct json_value element;
    int64_t elements = 0;
    while (json_next(&walk, &name, &element))
        elements++;
    return elements;
}

void estimate_add_tools(struct counting *counting, struct json_value tools)
{
    int64_t count = element_count(tools);
    if (count == 0)
        return;
    estimate_add_json(counting, tools, HOW_TOOLS);
    estimate_add(counting,
                 TOOLS_TOKENS + TOOL_TOKENS * count +
                     PROPERTY_TOKENS * skim_count_members_of(tools, TEXT("properties")),
                 HOW_TOOLS);
}

void estimate_add_format(struct counting *counting, struct json_value format)
{
    struct json_walk walk = json_walk(format);
    struct text name;
    struct json_value schema;
    while (json_next(&walk, &name, &schema)) {
        if (!json_name_equal(name, TEXT("json_schema")))
            continue;
        estimate_add_json(counting, schema, HOW_ESTIMATED);
        estimate_add(counting, SCHEMA_TOKENS, HOW_ESTIMATED);
    }
}

/* A text, token ids, or a list of either. */
void estimate_add_prompts(struct counting *counting, struct json_value prompts)
{
    struct json_walk walk = json_walk(prompts);
    struct text name;
    struct json_value prompt;
    if (prompts.kind == JSON_STRING)
        estimate_add_string(counting, prompts, HOW_EXACT);
    while (json_next(&walk, &name, &prompt)) {
        if (prompt.kind == JSON_STRING)
            estimate_add_string(counting, prompt, HOW_EXACT);
        else
            estimate_add(counting, prompt.kind == JSON_ARRAY ? element_count(prompt) : 1,
                         HOW_EXACT);
    }
}

void estimate_add_input(struct counting *counting, struct json_value input)
{
    struct text other = counting->ask->input;
    if (other.size > 0) {
        struct skim skim = {other.at, other.at + other.size};
        input = skim_value(&skim);
    }
    estimate_add_prompts(counting, input);
}
