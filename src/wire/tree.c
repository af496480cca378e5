/* Reading answers of either shape into one tree: see wire/tree.h. */
#include "wire/tree.h"

/* ---- the rules: what becomes of a member that comes again ---- */

enum how {
    HOW_LAST,    /* the last one counts */
    HOW_JOIN,    /* texts and arrays are joined, of anything else the last one counts */
    HOW_KEEP,    /* a text that comes once, or stays the same */
    HOW_INTO,    /* an object: its members, one by one */
    HOW_INDEXED, /* an array of objects that are told apart by their index */
    HOW_DROP,
    HOW_REFUSE,
};

enum level {
    LEVEL_TOP,
    LEVEL_CHAT,
    LEVEL_PROMPT,
    LEVEL_MESSAGE,
    LEVEL_CALL,
    LEVEL_FUNCTION,
    LEVEL_LOGPROBS
};

enum shape { IN_WHOLE = 1, IN_EVENTS = 2, IN_BOTH = 3 };

struct rule {
    enum level level;
    struct text name;
    enum how how;
    enum level into;
    enum shape shapes;  /* where it may stand; 0: in both */
    struct text stored; /* its name in the tree, if another one */
};

static const enum how others[] = {
    [LEVEL_TOP] = HOW_LAST,      [LEVEL_CHAT] = HOW_LAST, [LEVEL_PROMPT] = HOW_LAST,
    [LEVEL_MESSAGE] = HOW_JOIN,  [LEVEL_CALL] = HOW_LAST, [LEVEL_FUNCTION] = HOW_JOIN,
    [LEVEL_LOGPROBS] = HOW_JOIN,
};

/* The level of choices is put right for completions. */
static const struct rule rules[] = {
    {LEVEL_TOP, TEXT("choices"), HOW_INDEXED, LEVEL_CHAT, IN_BOTH, TEXT_NONE},
    {LEVEL_TOP, TEXT("error"), HOW_REFUSE, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_TOP, TEXT("obfuscation"), HOW_DROP, 0, IN_BOTH, TEXT_NONE}, /* OpenAI: padding */

    {LEVEL_CHAT, TEXT("index"), HOW_DROP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_CHAT, TEXT("message"), HOW_INTO, LEVEL_MESSAGE, IN_WHOLE, TEXT_NONE},
    {LEVEL_CHAT, TEXT("delta"), HOW_INTO, LEVEL_MESSAGE, IN_EVENTS, TEXT("message")},
    {LEVEL_CHAT, TEXT("logprobs"), HOW_INTO, LEVEL_LOGPROBS, IN_BOTH, TEXT_NONE},
    {LEVEL_CHAT, TEXT("error"), HOW_REFUSE, 0, IN_BOTH, TEXT_NONE},

    {LEVEL_PROMPT, TEXT("index"), HOW_DROP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_PROMPT, TEXT("text"), HOW_JOIN, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_PROMPT, TEXT("logprobs"), HOW_INTO, LEVEL_LOGPROBS, IN_BOTH, TEXT_NONE},
    {LEVEL_PROMPT, TEXT("error"), HOW_REFUSE, 0, IN_BOTH, TEXT_NONE},

    {LEVEL_MESSAGE, TEXT("role"), HOW_KEEP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_MESSAGE, TEXT("tool_calls"), HOW_INDEXED, LEVEL_CALL, IN_BOTH, TEXT_NONE},
    {LEVEL_MESSAGE, TEXT("function_call"), HOW_INTO, LEVEL_FUNCTION, IN_BOTH, TEXT_NONE},

    {LEVEL_CALL, TEXT("index"), HOW_DROP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_CALL, TEXT("id"), HOW_KEEP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_CALL, TEXT("type"), HOW_KEEP, 0, IN_BOTH, TEXT_NONE},
    {LEVEL_CALL, TEXT("function"), HOW_INTO, LEVEL_FUNCTION, IN_BOTH, TEXT_NONE},
    {LEVEL_CALL, TEXT("custom"), HOW_INTO, LEVEL_FUNCTION, IN_BOTH, TEXT_NONE},

    {LEVEL_FUNCTION, TEXT("name"), HOW_KEEP, 0, IN_BOTH, TEXT_NONE},
};

static const struct rule *find_rule(enum level level, struct text name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].level == level && text_equal(rules[i].name, name)) {
            return &rules[i];
        }
    }
    return NULL;
}

/* ---- children ---- */

struct tree *tree_member(const struct tree *object, struct text name)
{
    struct tree *child = object->children;

    while (child != NULL && !text_equal(child->name, name)) {
        child = child->next;
    }
    return child;
}

/* The member, made if need be; NULL if there are too many. */
static struct tree *take_member(struct tree_reader *reader, struct tree *object, struct text name)
{
    struct tree **place = &object->children;

    while (*place != NULL && !text_equal((*place)->name, name)) {
        place = &(*place)->next;
    }
    if (*place == NULL && object->count < TREE_MOST_MEMBERS) {
        object->count++;
        *place = arena_new(reader->arena, sizeof(**place));
        (*place)->name = name;
    }
    return *place;
}

static struct tree *take_indexed(struct tree_reader *reader, struct tree *list, int64_t index)
{
    struct tree **place = &list->children;

    while (*place != NULL && (*place)->index < index) {
        place = &(*place)->next;
    }
    if (*place == NULL || (*place)->index > index) {
        struct tree *made = arena_new(reader->arena, sizeof(*made));
        made->index = index;
        made->next = *place;
        *place = made;
        list->count++;
    }
    return *place;
}

/* ---- merging ---- */

static void add_piece(struct tree_reader *reader, struct tree *node, struct text raw)
{
    struct tree_piece *piece;

    if (raw.size == 0) {
        return;
    }
    piece = arena_new(reader->arena, sizeof(*piece));
    piece->raw = raw;
    if (node->first == NULL) {
        node->first = piece;
    } else {
        node->last->next = piece;
    }
    node->last = piece;
}

static enum tree_kind kind_of(struct json_value value)
{
    if (value.kind == JSON_STRING) {
        return TREE_TEXT;
    }
    return value.kind == JSON_ARRAY ? TREE_LIST : TREE_RAW;
}

/* True if a value of that kind may come here. */
static bool becomes(struct tree *node, enum tree_kind kind)
{
    if (node->kind == TREE_NULL) {
        node->kind = kind;
    }
    return node->kind == kind;
}

/* Without quotes or brackets. */
static struct text inside_of(struct json_value value)
{
    return text_slice(value.raw, 1, value.raw.size - 1);
}

static bool join(struct tree_reader *reader, struct tree *node, struct json_value value)
{
    enum tree_kind kind = kind_of(value);

    if (!becomes(node, kind)) {
        return false;
    }
    if (kind == TREE_RAW) {
        node->raw = value.raw;
    } else {
        add_piece(reader, node, kind == TREE_LIST ? text_trim(inside_of(value)) : inside_of(value));
    }
    return true;
}

/* Some upstreams say it in every chunk, some say "" later on. */
static bool keep(struct tree_reader *reader, struct tree *node, struct json_value value)
{
    if (value.kind != JSON_STRING || !becomes(node, TREE_TEXT)) {
        return false;
    }
    if (node->first == NULL) {
        add_piece(reader, node, inside_of(value));
        return true;
    }
    return value.raw.size == 2 || text_equal(inside_of(value), node->first->raw);
}

static bool read_object(struct tree_reader *reader, struct tree *node, enum level level,
                        struct json_value value);

/* An element of a whole answer without an index has its place as one; a stream with one choice
 * may do without. */
static bool index_of(const struct tree_reader *reader, struct json_value element, int64_t place,
                     int64_t *index)
{
    struct json_value member;

    if (!json_member(element, TEXT("index"), &member)) {
        *index = reader->events ? 0 : place;
        return true;
    }
    return json_int(member, index) && *index >= 0 && *index < TREE_MOST_INDEX;
}

/* Tool calls of a whole answer have no index of their own. */
static bool read_indexed(struct tree_reader *reader, struct tree *node, enum level level,
                         struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value element;
    int64_t index = 0;
    size_t before;

    if (value.kind != JSON_ARRAY || !becomes(node, TREE_INDEXED)) {
        return false;
    }
    for (int64_t place = 0; json_next(&walk, NULL, &element); place++) {
        bool by_place = level == LEVEL_CALL && !reader->events;
        if (place == TREE_MOST_INDEX || (!by_place && !index_of(reader, element, place, &index))) {
            return false;
        }
        before = node->count;
        struct tree *child = take_indexed(reader, node, by_place ? place : index);
        bool twice = !reader->events && node->count == before;
        if (twice || !read_object(reader, child, level, element)) {
            return false;
        }
    }
    return true;
}

static bool read_value(struct tree_reader *reader, const struct rule *rule, struct tree *node,
                       struct json_value value)
{
    enum level into = rule->into;

    if (into == LEVEL_CHAT && reader->endpoint == ENDPOINT_COMPLETIONS) {
        into = LEVEL_PROMPT;
    }
    if (value.kind == JSON_NULL) {
        return true;
    }
    switch (rule->how) {
    case HOW_JOIN:
        return join(reader, node, value);
    case HOW_KEEP:
        return keep(reader, node, value);
    case HOW_INTO:
        return read_object(reader, node, into, value);
    case HOW_INDEXED:
        return read_indexed(reader, node, into, value);
    case HOW_LAST:
        node->kind = TREE_RAW;
        node->raw = value.raw;
        return true;
    case HOW_DROP:
    case HOW_REFUSE:
        break;
    }
    return false;
}

static bool read_member(struct tree_reader *reader, struct tree *object, enum level level,
                        struct text name, struct json_value value)
{
    const struct rule other = {
        .level = level, .name = name, .how = others[level], .shapes = IN_BOTH};
    const struct rule *rule = find_rule(level, name);

    rule = rule == NULL ? &other : rule;
    if (rule->how == HOW_DROP) {
        return true;
    }
    if ((rule->shapes & (reader->events ? IN_EVENTS : IN_WHOLE)) == 0) {
        return false;
    }
    struct tree *child =
        take_member(reader, object, rule->stored.at != NULL ? rule->stored : rule->name);
    if (child == NULL || child->seen == object->reading) {
        return false;
    }
    child->seen = object->reading;
    return read_value(reader, rule, child, value);
}

static bool read_object(struct tree_reader *reader, struct tree *node, enum level level,
                        struct json_value value)
{
    struct json_walk walk = json_walk(value);
    struct json_value member;
    struct text raw;

    if (value.kind != JSON_OBJECT || !becomes(node, TREE_OBJECT)) {
        return false;
    }
    node->reading = ++reader->readings;
    while (json_next(&walk, &raw, &member)) {
        struct json_value quoted = {JSON_STRING, text_make(raw.at - 1, raw.size + 2)};
        if (!read_member(reader, node, level, json_string(reader->arena, quoted), member)) {
            return false;
        }
    }
    return true;
}

bool tree_read(struct tree_reader *reader, struct tree *answer, struct json_value value)
{
    return read_object(reader, answer, LEVEL_TOP, value);
}

/* ---- writing ---- */

static void put_pieces(struct buffer *out, const struct tree *node, struct text between)
{
    for (const struct tree_piece *piece = node->first; piece != NULL; piece = piece->next) {
        buffer_put(out, piece == node->first ? TEXT("") : between);
        buffer_put(out, piece->raw);
    }
}

static void put_children(struct buffer *out, const struct tree *node)
{
    for (const struct tree *child = node->children; child != NULL; child = child->next) {
        if (node->kind == TREE_OBJECT) {
            tree_put_member(out, child);
            continue;
        }
        buffer_put(out, child == node->children ? TEXT("") : TEXT(","));
        tree_put(out, child);
    }
}

void tree_put(struct buffer *out, const struct tree *node)
{
    static const struct {
        struct text open, close, between;
    } marks[] = {
        [TREE_TEXT] = {TEXT("\""), TEXT("\""), TEXT("")},
        [TREE_LIST] = {TEXT("["), TEXT("]"), TEXT(",")},
        [TREE_OBJECT] = {TEXT("{"), TEXT("}"), TEXT("")},
        [TREE_INDEXED] = {TEXT("["), TEXT("]"), TEXT("")},
    };

    if (node->kind == TREE_NULL || node->kind == TREE_RAW) {
        buffer_put(out, node->kind == TREE_NULL ? TEXT("null") : node->raw);
        return;
    }
    buffer_put(out, marks[node->kind].open);
    put_pieces(out, node, marks[node->kind].between);
    put_children(out, node);
    buffer_put(out, marks[node->kind].close);
}

void tree_put_member(struct buffer *out, const struct tree *member)
{
    json_put_name(out, member->name);
    tree_put(out, member);
}
