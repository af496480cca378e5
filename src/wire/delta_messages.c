/*
 * The text that an event of Anthropic's Messages generates, or a whole answer; see wire/delta.h.
 *
 * Thinking is told as a summary of what was thought, or encrypted, or not at all: its text does
 * not tell its tokens.
 */
#include "wire/delta.h"

/* A member of a block, or of what is added to one: what of it was generated. */
static const struct {
    struct text name;
    enum delta_kind kind;
} generated[] = {
    {TEXT("text"), DELTA_TEXT},          {TEXT("partial_json"), DELTA_TOOL},
    {TEXT("name"), DELTA_TOOL},          {TEXT("input"), DELTA_TOOL},
    {TEXT("citation"), DELTA_OTHER},     {TEXT("citations"), DELTA_OTHER},
    {TEXT("thinking"), DELTA_REASONING},
};

/* The types of blocks and additions whose text is all there is; false of any other. */
static bool is_open(struct text type)
{
    static const struct text open[] = {
        TEXT("text"),       TEXT("tool_use"),         TEXT("server_tool_use"),
        TEXT("text_delta"), TEXT("input_json_delta"), TEXT("citations_delta"),
    };

    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (json_name_equal(type, open[i])) {
            return true;
        }
    }
    return false;
}

static struct text type_of(struct json_value object)
{
    struct json_value type;

    return json_member(object, TEXT("type"), &type) && type.kind == JSON_STRING
               ? text_slice(type.raw, 1, type.raw.size - 1)
               : TEXT_NONE;
}

static void read_block(struct delta_reader *reader, int64_t part, struct json_value block)
{
    struct json_walk walk = json_walk(block);
    struct json_value value;
    struct text name;

    reader->opaque = reader->opaque || !is_open(type_of(block));
    while (json_next(&walk, &name, &value)) {
        for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]); i++) {
            const struct delta where = {.part = part, .kind = generated[i].kind};
            if (json_name_equal(name, generated[i].name)) {
                delta_add(reader, &where, value);
            }
        }
    }
}

static void read_blocks(struct delta_reader *reader, struct json_value blocks)
{
    struct json_walk walk = json_walk(blocks);
    struct json_value block;

    for (int64_t part = 0; json_next(&walk, NULL, &block); part++) {
        read_block(reader, part, block);
    }
}

void delta_messages(struct delta_reader *reader)
{
    struct json_walk walk = json_walk(reader->whole);
    struct json_value value;
    struct text name;
    int64_t part = 0;

    if (json_member(reader->whole, TEXT("index"), &value)) {
        (void)!json_int(value, &part);
    }
    bool addition = json_name_equal(type_of(reader->whole), TEXT("content_block_delta"));
    reader->plain = addition;
    while (json_next(&walk, &name, &value)) {
        if (json_name_equal(name, TEXT("content_block")) ||
            (addition && json_name_equal(name, TEXT("delta")))) {
            read_block(reader, part, value);
        } else if (json_name_equal(name, TEXT("content"))) { /* of a whole answer */
            read_blocks(reader, value);
        }
    }
}
