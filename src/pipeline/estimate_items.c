/* Counting the input of Responses and Messages: see pipeline/estimate.h. */
#include "pipeline/estimate_parts.h"
#include "wire/image_size.h"

/* ---- Responses ---- */

static bool is_one_of(struct json_value type, const struct text *names)
{
    for (; names->at != NULL; names++) {
        if (json_is(type, *names))
            return true;
    }
    return false;
}

/* Texts and images stand in it; the rest is small. */
static void add_members(struct counting *counting, struct json_value item)
{
    struct json_walk walk = json_walk(item);
    struct text name;
    struct json_value value;
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("content")) || json_name_equal(name, TEXT("output")))
            estimate_add_content(counting, value);
        else
            estimate_add_json(counting, value, HOW_ESTIMATED);
    }
}

/* What the provider makes of other items nobody knows: their bytes are a bound (wire/body.h has
 * what they add beside them). */
static void add_item(struct counting *counting, struct json_value item)
{
    static const struct text texts[] = {TEXT("message"),
                                        TEXT("function_call"),
                                        TEXT("custom_tool_call"),
                                        TEXT("function_call_output"),
                                        TEXT("custom_tool_call_output"),
                                        TEXT_NONE};
    struct json_value type;
    bool typed = json_member(item, TEXT("type"), &type) && type.kind != JSON_NULL;
    if (typed && !is_one_of(type, texts)) {
        counting->estimate->bound += (int64_t)item.raw.size;
        return;
    }
    estimate_add(counting, ESTIMATE_CALLS, HOW_ESTIMATED);
    add_members(counting, item);
}

void estimate_add_items(struct counting *counting, struct json_value input)
{
    struct json_walk walk = json_walk(input);
    struct text name;
    struct json_value item;
    if (input.kind == JSON_STRING)
        estimate_add_string(counting, input, HOW_EXACT);
    while (input.kind == JSON_ARRAY && json_next(&walk, &name, &item))
        add_item(counting, item);
}

void estimate_add_instructions(struct counting *counting, struct json_value instructions)
{
    estimate_add(counting, ESTIMATE_MESSAGE, HOW_EXACT);
    if (instructions.kind == JSON_STRING)
        estimate_add_string(counting, instructions, HOW_EXACT);
    else
        estimate_add_json(counting, instructions, HOW_ESTIMATED);
}

/* What the provider adds for each of them is among the hidden tokens. */
void estimate_add_definitions(struct counting *counting, struct json_value tools)
{
    estimate_add_json(counting, tools, HOW_ESTIMATED);
}

/* ---- Messages ---- */

/* What names an address or a file as well may mean that one. */
static bool is_of_data(struct text name, struct json_value value)
{
    return json_name_equal(name, TEXT("data")) || json_name_equal(name, TEXT("media_type")) ||
           (json_name_equal(name, TEXT("type")) && json_is(value, TEXT("base64")));
}

static void add_source(struct counting *counting, struct json_value source)
{
    struct json_walk walk = json_walk(source);
    struct text name;
    struct json_value value, data = {.kind = JSON_NULL};
    int64_t width, height, count = 0;
    bool only_data = true;
    while (json_next(&walk, &name, &value)) {
        only_data = only_data && is_of_data(name, value);
        if (!json_name_equal(name, TEXT("data")))
            continue;
        data = value;
        count++;
    }
    struct text base64 = json_string(&counting->arena, data);
    if (only_data && count == 1 && image_size_base64(base64, &width, &height))
        estimate_add_sized_image(counting, width, height, false);
    else
        estimate_add_unknown_image(counting, count > 0 ? count : 1);
}

static void add_image_block(struct counting *counting, struct json_value block)
{
    struct json_walk walk = json_walk(block);
    struct text name;
    struct json_value value;
    bool any = false;
    while (json_next(&walk, &name, &value)) {
        if (!json_name_equal(name, TEXT("source")))
            continue;
        add_source(counting, value);
        any = true;
    }
    if (!any)
        estimate_add_unknown_image(counting, 1);
}

/* What a tool gave may have images in it. No deeper than JSON_MAX_DEPTH. */
static void add_block(struct counting *counting, struct json_value block)
{
    struct json_walk walk = json_walk(block);
    struct text name;
    struct json_value value, type;
    if (json_member(block, TEXT("type"), &type) && json_is(type, TEXT("image"))) {
        add_image_block(counting, block);
        return;
    }
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("content")))
            estimate_add_blocks(counting, value);
        else if (value.kind == JSON_STRING)
            estimate_add_string(counting, value, HOW_ESTIMATED);
        else
            estimate_add_json(counting, value, HOW_ESTIMATED);
    }
}

void estimate_add_blocks(struct counting *counting, struct json_value blocks)
{
    struct json_walk walk = json_walk(blocks);
    struct text name;
    struct json_value block;
    if (blocks.kind == JSON_OBJECT)
        add_block(counting, blocks);
    else if (blocks.kind == JSON_STRING)
        estimate_add_string(counting, blocks, HOW_EXACT);
    else if (blocks.kind != JSON_ARRAY)
        estimate_add_json(counting, blocks, HOW_ESTIMATED);
    while (blocks.kind == JSON_ARRAY && json_next(&walk, &name, &block)) {
        if (block.kind == JSON_OBJECT)
            add_block(counting, block);
        else
            estimate_add_json(counting, block, HOW_ESTIMATED);
    }
}

void estimate_add_turns(struct counting *counting, struct json_value turns)
{
    struct json_walk walk = json_walk(turns);
    struct text name;
    struct json_value turn;
    while (json_next(&walk, &name, &turn)) {
        estimate_add(counting, ESTIMATE_FOREIGN_MESSAGE, HOW_MARGIN);
        estimate_add_blocks(counting, turn);
    }
}
