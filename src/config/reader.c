/*
 * The walk over the document, led by the table of options. Each shape of an option has one
 * function here; what the values mean is the kinds' affair.
 */
#include "config/reader.h"

#include "base/table.h"
#include "config/amend.h"
#include "config/expand.h"
#include "config/node.h"
#include "config/suggest.h"

#define SHOWN_MOST 60 /* bytes of a name or value quoted in a finding */

static void read_table(struct reader *reader, const struct option_table *table, int node,
                       void *target);

/* ---- findings ---- */

static void put_place(struct buffer *out, const struct reader_place *place)
{
    if (place == NULL)
        return;
    put_place(out, place->outer);
    buffer_printf(out, "%s%s", out->size > 0 ? "." : "", place->name);
    if (place->has_index)
        buffer_printf(out, "[%zu]", place->index);
}

static void report_here(struct reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void report_here(struct reader *reader, int line, const char *format, ...)
{
    struct buffer message = {0};
    put_place(&message, reader->place);
    if (message.size > 0)
        buffer_put(&message, TEXT(": "));
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(&message, format, arguments);
    va_end(arguments);
    reader_report(reader, FINDING_ERROR, line, "%s", buffer_string(&message));
    buffer_close(&message);
}

void reader_report(struct reader *reader, enum finding_kind kind, int line, const char *format, ...)
{
    struct buffer message = {0};
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(&message, format, arguments);
    va_end(arguments);
    amend_message(reader, &message);
    findings_add(reader->findings, kind, reader->has_lines ? line : 0, "%s",
                 buffer_string(&message));
    buffer_close(&message);
}

void reader_refuse(struct reader *reader, const struct option *option, const struct scalar *scalar,
                   const char *format, ...)
{
    struct buffer message = {0};
    if (scalar->name.at != NULL)
        buffer_printf(&message, "%.*s: ", TEXT_ARG(text_slice(scalar->name, 0, SHOWN_MOST)));
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(&message, format, arguments);
    va_end(arguments);
    if ((option->flags & OPTION_SECRET) == 0)
        buffer_printf(&message, " (it is \"%.*s\")",
                      TEXT_ARG(text_slice(scalar->written, 0, SHOWN_MOST)));
    report_here(reader, scalar->line, "%s", buffer_string(&message));
    buffer_close(&message);
}

/* ---- values ---- */

/* False, and reported once, when the document's aliases multiply into too much. */
static bool count_nodes(struct reader *reader, size_t more)
{
    if (reader->nodes > READER_MOST_NODES)
        return false;
    reader->nodes += more;
    if (reader->nodes > READER_MOST_NODES)
        report_here(reader, 0,
                    "the aliases (*name) of this file multiply into more than %d values: write "
                    "fewer",
                    READER_MOST_NODES);
    return reader->nodes <= READER_MOST_NODES;
}

static bool take_scalar(struct reader *reader, int node, struct scalar *scalar)
{
    scalar->line = node_line(reader->document, node);
    struct fault fault;
    if (node_type(reader->document, node) != YAML_SCALAR_NODE) {
        report_here(reader, scalar->line, "must be a single value, not %s",
                    node_type_name(reader->document, node));
        return false;
    }
    if (node_is_null(reader->document, node)) {
        report_here(reader, scalar->line, "has no value: write one, or take the line out");
        return false;
    }
    scalar->written = node_text(reader->document, node);
    if (node > reader->own_nodes && text_find(scalar->written, TEXT("${"), 0) != SIZE_MAX) {
        report_here(reader, scalar->line,
                    "names a variable of the environment, which stands for something in a file "
                    "alone: write the value");
        return false;
    }
    if (expand_text(&reader->config->arena, reader->env, scalar->written, &scalar->value, &fault))
        return true;
    report_here(reader, scalar->line, "%s", fault.message);
    return false;
}

static void read_one(struct reader *reader, const struct option *option, int node, void *target)
{
    struct scalar scalar = {0};
    if (take_scalar(reader, node, &scalar))
        option->kind->read(reader, option, &scalar, target);
}

/* A list or mapping of a size that is allowed; else false, and reported. */
static bool expect(struct reader *reader, const struct option *option, int node,
                   yaml_node_type_t type)
{
    size_t size = node_size(reader->document, node);
    int line = node_line(reader->document, node);
    if (node_type(reader->document, node) != type) {
        report_here(reader, line, "must be a %s, not %s",
                    type == YAML_SEQUENCE_NODE
                        ? "list (write [..], or lines that begin with \"- \")"
                        : "mapping (write {name: value})",
                    node_type_name(reader->document, node));
        return false;
    }
    if (size > (size_t)option->most) {
        report_here(reader, line, "has %zu entries: at most %lld are allowed", size,
                    (long long)option->most);
        return false;
    }
    return count_nodes(reader, size);
}

static void read_many(struct reader *reader, const struct option *option, int node, void *target)
{
    if (!expect(reader, option, node, YAML_SEQUENCE_NODE))
        return;
    size_t size = node_size(reader->document, node);
    option->kind->begin(reader, size, target);
    for (size_t i = 0; i < size; i++)
        read_one(reader, option, node_item(reader->document, node, i), target);
}

/* The name on the left of a pair; an error if it is not a single line. */
static bool take_name(struct reader *reader, int node, struct text *name)
{
    if (node_type(reader->document, node) != YAML_SCALAR_NODE ||
        expand_has_control(node_text(reader->document, node))) {
        report_here(reader, node_line(reader->document, node),
                    "a name must be a single value without line breaks, not %s",
                    node_type_name(reader->document, node));
        return false;
    }
    *name = arena_copy(&reader->config->arena, node_text(reader->document, node));
    return true;
}

static void read_inner_pairs(struct reader *reader, const struct option *option, int node,
                             struct scalar *scalar, void *target)
{
    size_t size = node_size(reader->document, node);
    if (!count_nodes(reader, size))
        return;
    for (size_t i = 0; i < size; i++) {
        yaml_node_pair_t pair = node_pair(reader->document, node, i);
        if (take_name(reader, pair.key, &scalar->member) && take_scalar(reader, pair.value, scalar))
            option->kind->read(reader, option, scalar, target);
    }
}

static void read_pairs(struct reader *reader, const struct option *option, int node, void *target)
{
    if (!expect(reader, option, node, YAML_MAPPING_NODE))
        return;
    size_t size = node_size(reader->document, node);
    if (option->kind->begin != NULL)
        option->kind->begin(reader, size, target);
    for (size_t i = 0; i < size; i++) {
        struct scalar scalar = {0};
        yaml_node_pair_t pair = node_pair(reader->document, node, i);
        if (!take_name(reader, pair.key, &scalar.name))
            continue;
        if (option->kind->shape == SHAPE_NESTED &&
            node_type(reader->document, pair.value) == YAML_MAPPING_NODE)
            read_inner_pairs(reader, option, pair.value, &scalar, target);
        else if (take_scalar(reader, pair.value, &scalar))
            option->kind->read(reader, option, &scalar, target);
    }
}

static void read_either(struct reader *reader, const struct option *option, int node, void *target)
{
    if (node_type(reader->document, node) == YAML_MAPPING_NODE &&
        node_size(reader->document, node) > 0)
        read_pairs(reader, option, node, target);
    else
        read_one(reader, option, node, target);
}

static void read_section(struct reader *reader, const struct option *option, int node, void *target)
{
    read_table(reader, option->table, node, target);
}

static void read_item(struct reader *reader, const struct option_table *table, int node, void *item)
{
    if (table->blank != NULL)
        memcpy(item, table->blank, table->size);
    int line = reader->has_lines ? node_line(reader->document, node) : 0;
    if (table->line_offset != 0)
        memcpy((char *)item + table->line_offset, &line, sizeof(line));
    read_table(reader, table, node, item);
}

static void read_list(struct reader *reader, const struct option *option, int node, void *target)
{
    if (!expect(reader, option, node, YAML_SEQUENCE_NODE))
        return;
    size_t count = node_size(reader->document, node);
    char *items = arena_new(&reader->config->arena, count * option->table->size);
    memcpy(target, &items, sizeof(items));
    memcpy((char *)reader->config + option->count_offset, &count, sizeof(count));
    const struct reader_place *list = reader->place;
    struct reader_place place = *list;
    place.has_index = true;
    reader->place = &place;
    for (place.index = 0; place.index < count; place.index++)
        read_item(reader, option->table, node_item(reader->document, node, place.index),
                  items + place.index * option->table->size);
    reader->place = list;
}

/* ---- options ---- */

/* A default is a single value, "[a, b]" or "{}". */
static void read_fallback(struct reader *reader, const struct option *option, void *target)
{
    const struct option_kind *kind = option->kind;
    struct text rest = text_of(option->fallback);
    struct scalar scalar = {.written = rest, .value = rest};
    if (kind->shape == SHAPE_ONE || kind->shape == SHAPE_EITHER) {
        if (!text_equal(rest, TEXT("\"\"")))
            kind->read(reader, option, &scalar, target);
        return;
    }
    rest = text_slice(rest, 1, rest.size - 1);
    kind->begin(reader, rest.size, target);
    while (rest.size > 0) {
        scalar.written = scalar.value = text_trim(text_split(&rest, ','));
        kind->read(reader, option, &scalar, target);
    }
}

static void read_missing(struct reader *reader, const struct option *option, int line, void *target)
{
    if (option->kind->shape == SHAPE_SECTION)
        read_table(reader, option->table, 0, target);
    else if (option->fallback != NULL)
        read_fallback(reader, option, target);
    else if (option->flags & OPTION_REQUIRED)
        report_here(reader, line, "is missing: write %s: %s", option->name, option->example);
}

static void read_option(struct reader *reader, const struct option *option, int node, void *target)
{
    static void (*const READ[])(struct reader *, const struct option *, int, void *) = {
        [SHAPE_ONE] = read_one,       [SHAPE_MANY] = read_many,    [SHAPE_PAIRS] = read_pairs,
        [SHAPE_EITHER] = read_either, [SHAPE_NESTED] = read_pairs, [SHAPE_SECTION] = read_section,
        [SHAPE_LIST] = read_list,
    };
    READ[option->kind->shape](reader, option, node, target);
}

static bool is_later(const struct option_table *table, struct text name)
{
    for (const char *const *at = table->later; at != NULL && *at != NULL; at++)
        if (text_equal(name, text_of(*at)))
            return true;
    return false;
}

static void report_unknown(struct reader *reader, const struct option_table *table, int line,
                           struct text name)
{
    struct text shown = text_slice(name, 0, SHOWN_MOST);
    struct suggest suggest = {.wrong = name, .left = &reader->comparisons};
    for (const struct option *option = table->options; option->name != NULL; option++)
        suggest_offer(&suggest, text_of(option->name));
    if (is_later(table, name))
        report_here(reader, line, "the option \"%.*s\" is not supported yet: take it out for now",
                    TEXT_ARG(shown));
    else if (text_equal(name, TEXT("<<")))
        report_here(reader, line, "merging (<<) is not supported: write the options out");
    else if (suggest.best.at != NULL)
        report_here(reader, line, "there is no option \"%.*s\": did you mean \"%.*s\"?",
                    TEXT_ARG(shown), TEXT_ARG(suggest.best));
    else
        report_here(reader, line,
                    "there is no option \"%.*s\": `purser check --reference` lists all",
                    TEXT_ARG(shown));
}

static void check_names(struct reader *reader, const struct option_table *table, int node)
{
    size_t size = node_size(reader->document, node);
    for (size_t i = 0; i < size; i++) {
        struct text name;
        int key = node_pair(reader->document, node, i).key;
        if (take_name(reader, key, &name) && option_find(table, name) == NULL)
            report_unknown(reader, table, node_line(reader->document, key), name);
    }
}

/* The options in the order of the table, so that one may rely on those above it. `node` 0: nothing
 * was written. */
static void read_options(struct reader *reader, const struct option_table *table, int node,
                         void *target)
{
    struct reader_place place = {.outer = reader->place};
    reader->place = &place;
    for (const struct option *option = table->options; option->name != NULL; option++) {
        int member = node == 0 ? 0 : node_member(reader->document, node, text_of(option->name));
        bool empty = member != 0 && option->kind->shape != SHAPE_ONE &&
                     node_is_null(reader->document, member);
        place.name = option->name;
        void *at = (char *)target + option->offset;
        if (member == 0 || empty)
            read_missing(reader, option, node == 0 ? 0 : node_line(reader->document, node), at);
        else
            read_option(reader, option, member, at);
    }
    reader->place = place.outer;
}

static void read_table(struct reader *reader, const struct option_table *table, int node,
                       void *target)
{
    if (node != 0 && node_type(reader->document, node) != YAML_MAPPING_NODE) {
        report_here(reader, node_line(reader->document, node),
                    "must be a mapping, not %s: write lines like \"%s: ...\"",
                    node_type_name(reader->document, node), table->options[0].name);
        return;
    }
    if (node != 0 && !count_nodes(reader, 1 + node_size(reader->document, node)))
        return;
    read_options(reader, table, node, target);
    if (node != 0)
        check_names(reader, table, node);
}

void reader_read(struct reader *reader, const struct option_table *table)
{
    bool empty =
        yaml_document_get_root_node(reader->document) == NULL || node_is_null(reader->document, 1);
    read_table(reader, table, empty ? 0 : 1, reader->config);
}

/* ---- the document as a whole ---- */

static void check_mapping(struct reader *reader, int node)
{
    struct table seen = {0};
    size_t size = node_size(reader->document, node);
    for (size_t i = 0; i < size; i++) {
        int key = node_pair(reader->document, node, i).key;
        struct text name = node_text(reader->document, key);
        if (name.at != NULL && table_put(&seen, name, reader) != NULL)
            report_here(reader, node_line(reader->document, key),
                        "\"%.*s\" stands here twice: take one out",
                        TEXT_ARG(text_slice(name, 0, SHOWN_MOST)));
    }
    table_close(&seen);
}

void reader_check_duplicates(struct reader *reader)
{
    for (int node = 1; yaml_document_get_node(reader->document, node) != NULL; node++)
        if (node_type(reader->document, node) == YAML_MAPPING_NODE)
            check_mapping(reader, node);
}

/* The entry of a list (or the section) itself, its option, or 0. `*nearest` is the last node on
 * the way that was written. */
static int find(const struct reader *reader, const char *list, size_t index, const char *option,
                int *nearest)
{
    *nearest = 0;
    if (yaml_document_get_root_node(reader->document) == NULL)
        return 0;
    int node = node_member(reader->document, 1, text_of(list));
    if (node == 0)
        return 0;
    *nearest = node;
    if (node_is_null(reader->document, node))
        return 0;
    if (node_type(reader->document, node) == YAML_SEQUENCE_NODE) {
        if (index >= node_size(reader->document, node))
            return 0;
        *nearest = node = node_item(reader->document, node, index);
    }
    if (option == NULL)
        return node;
    node = node_member(reader->document, node, text_of(option));
    if (node != 0)
        *nearest = node;
    return node;
}

int reader_line(const struct reader *reader, const char *list, size_t index, const char *option)
{
    int nearest;
    (void)find(reader, list, index, option, &nearest);
    return nearest == 0 ? 0 : node_line(reader->document, nearest);
}

bool reader_has_error(const struct reader *reader, int line)
{
    const struct findings *findings = reader->findings;
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->at[i].line == line && findings->at[i].kind == FINDING_ERROR)
            return true;
    }
    return false;
}

bool reader_wrote(const struct reader *reader, const char *list, size_t index, const char *option)
{
    int nearest;
    return find(reader, list, index, option, &nearest) != 0;
}
