/*
 * Looking into what a Responses request sends: the items of its input, and its tools, as far as
 * its cost depends on them. See wire/body_reader.h.
 *
 * What an item or a tool adds is told from its `type`, by two tables. A type that is not in them
 * may add anything: it counts as a cost without a bound.
 */
#include "wire/body_reader.h"

/* What there is to know of an object before one goes through it. */
struct item {
    struct text type; /* TEXT_NONE: none, or none that all parsers agree on */
    int types;        /* how many it has, and whether one is of a wrong kind */
    bool odd;
    bool role, id;  /* its id is the last of body.items until it is known what it stands for */
    int64_t sealed; /* bytes of `encrypted_content` */
};

static void note_id(struct body_reader *reader, struct json_value id)
{
    struct body *body = &reader->body;

    if (id.kind != JSON_STRING) {
        return;
    }
    if (body->items == NULL) {
        body->items = arena_new(reader->arena, BODY_MOST_ITEMS * sizeof(*body->items));
    }
    if (body->item_count < BODY_MOST_ITEMS) {
        body->items[body->item_count] = json_string(reader->arena, id);
    }
    body->item_count++;
}

static void look_at_member(struct body_reader *reader, struct item *item, struct text name)
{
    struct json_value value = skim_value(&reader->skim);

    if (body_name_is(reader, name, TEXT("type"))) {
        bool text = value.kind == JSON_STRING;
        item->types++;
        item->odd = item->odd || item->types > 1 || !(text || value.kind == JSON_NULL);
        item->type = text ? text_slice(value.raw, 1, value.raw.size - 1) : TEXT_NONE;
    } else if (body_name_is(reader, name, TEXT("role"))) {
        item->role = true;
    } else if (body_name_is(reader, name, TEXT("id"))) {
        item->id = item->id || value.kind != JSON_NULL;
        note_id(reader, value);
    } else if (body_name_is(reader, name, TEXT("encrypted_content")) && value.kind == JSON_STRING) {
        item->sealed += (int64_t)value.raw.size;
    }
}

/* Passes the object that comes next. */
static struct item look_at(struct body_reader *reader)
{
    struct item item = {.type = TEXT_NONE};
    struct text name;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        look_at_member(reader, &item, name);
    }
    if (item.odd) {
        item.type = TEXT_NONE;
    }
    return item;
}

/* ---- input ---- */

enum item_adds {
    ADDS_ITS_BYTES, /* all it says is text, and here */
    ADDS_PARTS,     /* its `content` or `output` may have images, files, audio */
    ADDS_SEALED,    /* text that the provider has encrypted, or keeps under its id */
    ADDS_TOOLS,     /* its `tools` are as good as the request's */
    ADDS_FAR,       /* input that no byte of it bounds: what the provider keeps, screenshots */
    ADDS_ANYTHING,
};

static const struct {
    struct text type;
    enum item_adds adds;
} items[] = {
    {TEXT("message"), ADDS_PARTS},
    {TEXT("function_call"), ADDS_ITS_BYTES},
    {TEXT("function_call_output"), ADDS_PARTS},
    {TEXT("custom_tool_call"), ADDS_ITS_BYTES},
    {TEXT("custom_tool_call_output"), ADDS_PARTS},
    {TEXT("reasoning"), ADDS_SEALED},
    {TEXT("compaction"), ADDS_SEALED},
    {TEXT("item_reference"), ADDS_FAR},
    {TEXT("local_shell_call"), ADDS_ITS_BYTES},
    {TEXT("local_shell_call_output"), ADDS_ITS_BYTES},
    {TEXT("shell_call"), ADDS_ITS_BYTES},
    {TEXT("shell_call_output"), ADDS_ITS_BYTES},
    {TEXT("apply_patch_call"), ADDS_ITS_BYTES},
    {TEXT("apply_patch_call_output"), ADDS_ITS_BYTES},
    {TEXT("mcp_list_tools"), ADDS_ITS_BYTES},
    {TEXT("mcp_approval_request"), ADDS_ITS_BYTES},
    {TEXT("mcp_approval_response"), ADDS_ITS_BYTES},
    {TEXT("mcp_call"), ADDS_ITS_BYTES},
    {TEXT("tool_search_call"), ADDS_ITS_BYTES},
    {TEXT("tool_search_output"), ADDS_TOOLS},
    {TEXT("additional_tools"), ADDS_TOOLS},
    {TEXT("computer_call"), ADDS_ITS_BYTES},
    {TEXT("computer_call_output"), ADDS_FAR},
    /* Of these the provider may put in again what they had brought. */
    {TEXT("web_search_call"), ADDS_FAR},
    {TEXT("file_search_call"), ADDS_FAR},
    {TEXT("code_interpreter_call"), ADDS_FAR},
    {TEXT("image_generation_call"), ADDS_FAR},
};

static enum item_adds adds_of(const struct item *item)
{
    if (item->odd) {
        return ADDS_ANYTHING;
    }
    if (item->type.at == NULL) { /* a message may leave its type out, and so may a reference */
        return item->role ? ADDS_PARTS : ADDS_FAR;
    }
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        if (json_name_equal(item->type, items[i].type)) {
            return items[i].adds;
        }
    }
    return ADDS_ANYTHING;
}

bool body_item_is_far(struct json_value item)
{
    struct json_value type;

    if (!json_member(item, TEXT("type"), &type) || type.kind != JSON_STRING) {
        return false;
    }
    struct text name = text_slice(type.raw, 1, type.raw.size - 1);
    enum item_adds adds = adds_of(&(struct item){.type = name});
    return adds == ADDS_FAR || adds == ADDS_ANYTHING;
}

typedef void read_inner(struct body_reader *reader, const struct member *member);

/* Goes through the object that comes next, and into its member of either name. */
static void go_into(struct body_reader *reader, const struct member *member,
                    const struct text names[2], read_inner *read)
{
    struct text name;

    skim_enter(&reader->skim);
    while (skim_member(&reader->skim, &name)) {
        if (body_name_is(reader, name, names[0]) || body_name_is(reader, name, names[1])) {
            read(reader, member);
        } else {
            (void)skim_value(&reader->skim);
        }
    }
}

static void go_into_parts(struct body_reader *reader, const struct member *member)
{
    (void)member;
    content_read_parts(reader);
}

/* How the provider packs what it encrypts is not public. Counting it twice (here, and among the
 * bytes of the body) bounds text of four bytes a token that was packed ten times smaller. What has
 * an id and is not here the provider looks up. */
static void add_sealed(struct body_reader *reader, const struct item *item)
{
    reader->hidden_tokens += item->sealed;
    reader->input_unbounded |= item->sealed == 0 && item->id;
}

/* Whether the provider looks up by its id what is not here. */
static bool stands_for_more(const struct item *item, enum item_adds adds)
{
    return adds == ADDS_FAR || adds == ADDS_ANYTHING || (adds == ADDS_SEALED && item->sealed == 0);
}

static read_inner read_tools;

static void read_item(struct body_reader *reader, const struct member *member)
{
    static const struct text with_parts[] = {TEXT("content"), TEXT("output")};
    static const struct text with_tools[] = {TEXT("tools"), TEXT("tools")};
    const struct skim start = reader->skim;
    size_t named = reader->body.item_count;
    const struct item item = look_at(reader);
    const struct skim end = reader->skim;
    enum item_adds adds = adds_of(&item);

    if (!stands_for_more(&item, adds)) {
        reader->body.item_count = named;
    }
    reader->skim = start;
    switch (adds) {
    case ADDS_ITS_BYTES:
        break;
    case ADDS_PARTS:
        go_into(reader, member, with_parts, go_into_parts);
        break;
    case ADDS_SEALED:
        add_sealed(reader, &item);
        break;
    case ADDS_TOOLS:
        go_into(reader, member, with_tools, read_tools);
        break;
    case ADDS_FAR:
        reader->input_unbounded = true;
        break;
    case ADDS_ANYTHING:
        body_note_unbounded(reader, member);
        break;
    }
    reader->skim = end;
}

bool items_read_input(struct body_reader *reader, const struct member *member)
{
    if (skim_peek(&reader->skim) == JSON_STRING) {
        (void)skim_value(&reader->skim);
        return true;
    }
    skim_enter(&reader->skim);
    while (skim_element(&reader->skim)) {
        if (skim_peek(&reader->skim) != JSON_OBJECT) {
            return body_refuse(reader, "invalid_type", member->name,
                               "'input' must be a string or an array of objects.");
        }
        read_item(reader, member);
    }
    return true;
}

/* ---- tools ---- */

enum tool_kind {
    TOOL_OF_CLIENT, /* the model says what it wants called, no more */
    TOOL_BUILT_IN,  /* so it does, but how such a tool is told to the model is not public */
    TOOL_NAMESPACE, /* a list of the client's tools */
    TOOL_SEARCH,    /* the provider searches the web: a fee and a further round for each call */
    TOOL_HOSTED,    /* the provider runs it, at fees that are not known */
};

/* The kind of tools whose type begins so. */
static const struct {
    struct text type;
    bool begins; /* dated versions too */
    enum tool_kind kind;
} kinds[] = {
    {TEXT("function"), false, TOOL_OF_CLIENT},
    {TEXT("custom"), false, TOOL_OF_CLIENT},
    {TEXT("namespace"), false, TOOL_NAMESPACE},
    {TEXT("local_shell"), false, TOOL_BUILT_IN},
    {TEXT("apply_patch"), false, TOOL_BUILT_IN},
    {TEXT("computer"), false, TOOL_BUILT_IN},
    {TEXT("computer_use_preview"), false, TOOL_BUILT_IN},
    {TEXT("web_search"), true, TOOL_SEARCH},
};

static enum tool_kind kind_of(struct text type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (json_name_equal(type, kinds[i].type) ||
            (kinds[i].begins && text_starts(type, kinds[i].type))) {
            return kinds[i].kind;
        }
    }
    return TOOL_HOSTED;
}

static read_inner read_inner_tools;

static void read_tool(struct body_reader *reader, const struct member *member, bool inner)
{
    static const struct text with_tools[] = {TEXT("tools"), TEXT("tools")};
    const struct skim start = reader->skim;
    size_t named = reader->body.item_count;
    bool object = skim_peek(&reader->skim) == JSON_OBJECT;
    struct text type = object ? look_at(reader).type : skim_value(&reader->skim).raw;
    reader->body.item_count = named;
    enum tool_kind kind = object ? kind_of(type) : TOOL_HOSTED;
    const struct skim end = reader->skim;

    reader->functions++;
    if (kind == TOOL_NAMESPACE && !inner) {
        reader->skim = start;
        go_into(reader, member, with_tools, read_inner_tools);
        reader->skim = end;
    } else if (kind == TOOL_SEARCH) {
        reader->body.searches = true;
        reader->input_unbounded = true;
    } else if (kind == TOOL_BUILT_IN) {
        reader->input_unbounded = true;
    } else if (kind != TOOL_OF_CLIENT) {
        body_note_unbounded(reader, member);
    }
}

static void read_list(struct body_reader *reader, const struct member *member, bool inner)
{
    if (skim_peek(&reader->skim) != JSON_ARRAY) {
        (void)skim_value(&reader->skim);
        return;
    }
    skim_enter(&reader->skim);
    while (skim_element(&reader->skim)) {
        read_tool(reader, member, inner);
    }
}

static void read_inner_tools(struct body_reader *reader, const struct member *member)
{
    read_list(reader, member, true);
}

static void read_tools(struct body_reader *reader, const struct member *member)
{
    const char *start = reader->skim.at;

    reader->functions = 0;
    read_list(reader, member, false);
    struct text raw = text_make(start, (size_t)(reader->skim.at - start));
    content_add_tools(reader, reader->functions, (struct json_value){JSON_ARRAY, raw});
}

bool items_read_tools(struct body_reader *reader, const struct member *member)
{
    read_tools(reader, member);
    return true;
}
