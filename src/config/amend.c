/* Amendments: JSON objects become nodes of the YAML document. */
#include "config/amend.h"

#include "base/json.h"
#include "config/expand.h"
#include "config/node.h"
#include "config/reader.h"

/* What was added has no line. */
#define NO_LINE ((size_t)-1)

/* ---- nodes ---- */

static int placed(yaml_document_t *document, int node)
{
    ASSERT(node > 0);
    document->nodes.start[node - 1].start_mark.line = NO_LINE;
    return node;
}

static int add_scalar(yaml_document_t *document, struct text value, bool plain)
{
    return placed(document,
                  yaml_document_add_scalar(
                      document, NULL, (const yaml_char_t *)(value.size == 0 ? "" : value.at),
                      (int)value.size,
                      plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static void put_pair(yaml_document_t *document, int mapping, struct text name, int value)
{
    int key = add_scalar(document, name, true);
    int done = yaml_document_append_mapping_pair(document, mapping, key, value);
    ASSERT(done);
}

static int add_value(struct reader *reader, struct json_value value);

static int add_mapping(struct reader *reader, struct json_value value)
{
    yaml_document_t *document = reader->document;
    int mapping =
        placed(document, yaml_document_add_mapping(document, NULL, YAML_FLOW_MAPPING_STYLE));
    struct json_walk walk = json_walk(value);
    struct json_value member;
    struct text raw;
    while (json_next(&walk, &raw, &member)) {
        struct text name = json_name(&reader->config->arena, raw);
        put_pair(document, mapping, name, add_value(reader, member));
    }
    return mapping;
}

static int add_sequence(struct reader *reader, struct json_value value)
{
    yaml_document_t *document = reader->document;
    int sequence =
        placed(document, yaml_document_add_sequence(document, NULL, YAML_FLOW_SEQUENCE_STYLE));
    struct json_walk walk = json_walk(value);
    struct json_value element;
    struct text none;
    while (json_next(&walk, &none, &element)) {
        int done =
            yaml_document_append_sequence_item(document, sequence, add_value(reader, element));
        ASSERT(done);
    }
    return sequence;
}

static int add_value(struct reader *reader, struct json_value value)
{
    if (value.kind == JSON_OBJECT)
        return add_mapping(reader, value);
    if (value.kind == JSON_ARRAY)
        return add_sequence(reader, value);
    if (value.kind == JSON_STRING)
        return add_scalar(reader->document, json_string(&reader->config->arena, value), false);
    return add_scalar(reader->document, value.raw, true);
}

/* ---- lists of the document ---- */

static void set_member(yaml_document_t *document, int mapping, struct text name, int value)
{
    for (size_t i = 0; i < node_size(document, mapping); i++) {
        yaml_node_pair_t *pair = &document->nodes.start[mapping - 1].data.mapping.pairs.start[i];
        if (text_equal(node_text(document, pair->key), name)) {
            pair->value = value;
            return;
        }
    }
    put_pair(document, mapping, name, value);
}

/* 0 if something else stands there. */
static int find_list(yaml_document_t *document, const char *name)
{
    int list = node_member(document, 1, text_of(name));
    if (list != 0 && !node_is_null(document, list))
        return node_type(document, list) == YAML_SEQUENCE_NODE ? list : 0;
    list = placed(document, yaml_document_add_sequence(document, NULL, YAML_FLOW_SEQUENCE_STYLE));
    set_member(document, 1, text_of(name), list);
    return list;
}

/* ---- entries by their names ---- */

static struct text name_of(struct reader *reader, int entry, const char *option)
{
    struct text name;
    bool mapping = node_type(reader->document, entry) == YAML_MAPPING_NODE;
    int member = mapping ? node_member(reader->document, entry, text_of(option)) : 0;
    struct text written = member == 0 ? TEXT_NONE : node_text(reader->document, member);
    if (written.at == NULL ||
        !expand_text(&reader->config->arena, reader->env, written, &name, NULL))
        return TEXT_NONE;
    return name;
}

/* An entry that has no name is an error, and found later. */
static void note_entry(struct reader_list *list, struct text name, int entry)
{
    if (name.at != NULL && table_get(&list->entries, name) == NULL)
        table_put(&list->entries, name, (void *)(uintptr_t)entry);
}

static int find_entry(const struct reader_list *list, struct text name)
{
    return (int)(uintptr_t)table_get(&list->entries, name);
}

/* Makes the list if there is none. False: something else stands there. */
static bool open_list(struct reader *reader, struct reader_list *list)
{
    if (list->node == 0) {
        list->node = find_list(reader->document, list->name);
        list->own = list->node == 0 ? 0 : node_size(reader->document, list->node);
        for (size_t i = 0; i < list->own; i++) {
            int entry = node_item(reader->document, list->node, i);
            note_entry(list, name_of(reader, entry, list->id), entry);
        }
    }
    return list->node != 0;
}

/* ---- amendments ---- */

/* A mapping of its own, for another entry may have the same one (an alias): with the pairs of
 * `mapping`, if it is one. */
static int copy_mapping(yaml_document_t *document, int mapping)
{
    int copy = placed(document, yaml_document_add_mapping(document, NULL, YAML_FLOW_MAPPING_STYLE));
    if (mapping == 0 || node_type(document, mapping) != YAML_MAPPING_NODE)
        return copy;
    for (size_t i = 0; i < node_size(document, mapping); i++) {
        yaml_node_pair_t pair = node_pair(document, mapping, i);
        int done = yaml_document_append_mapping_pair(document, copy, pair.key, pair.value);
        ASSERT(done);
    }
    return copy;
}

static void set_limits(struct reader *reader, int mapping, struct json_value limits)
{
    struct json_walk walk = json_walk(limits);
    struct json_value limit;
    struct text name;
    while (json_next(&walk, &name, &limit))
        set_member(reader->document, mapping, name, add_value(reader, limit));
}

/* A number in the place of an id's limits is in the only unit of the budget, which is then the only
 * one that the others may name. */
static int change_overrides(struct reader *reader, int mapping, struct json_value overrides)
{
    yaml_document_t *document = reader->document;
    int changed = copy_mapping(document, mapping);
    struct json_walk walk = json_walk(overrides);
    struct json_value limits;
    struct text raw;
    while (json_next(&walk, &raw, &limits)) {
        struct text id = json_name(&reader->config->arena, raw);
        int of_id = copy_mapping(document, node_member(document, changed, id));
        set_limits(reader, of_id, limits);
        set_member(document, changed, id, of_id);
    }
    return changed;
}

static void change_limits(struct reader *reader, int entry, struct json_value limits)
{
    static const struct text overrides = {"overrides", 9};
    struct json_walk walk = json_walk(limits);
    struct json_value limit;
    struct text name;
    while (json_next(&walk, &name, &limit)) {
        int old = node_member(reader->document, entry, name);
        bool of_ids = text_equal(name, overrides);
        set_member(reader->document, entry, name,
                   of_ids ? change_overrides(reader, old, limit) : add_value(reader, limit));
    }
}

static void add_entry(struct reader *reader, struct reader_list *list, struct text name,
                      struct json_value body)
{
    if (find_entry(list, name) != 0)
        return;
    int entry = add_value(reader, body);
    int done = yaml_document_append_sequence_item(reader->document, list->node, entry);
    ASSERT(done);
    list->added.at[list->added.count++] = arena_copy(&reader->config->arena, name);
    note_entry(list, name, entry);
}

static void amend(struct reader *reader, struct reader_list *list,
                  const struct config_amendment *amendment)
{
    struct json_value body;
    enum json_error error = json_parse(amendment->body, &body, NULL);
    ASSERT(error == JSON_OK);
    bool limits = amendment->kind == AMEND_LIMITS;
    if (limits && node_member(reader->document, 1, text_of(list->name)) == 0)
        return;
    if (!open_list(reader, list))
        return;
    int entry = find_entry(list, amendment->name);
    if (!limits)
        add_entry(reader, list, amendment->name, body);
    else if (entry != 0)
        change_limits(reader, entry, body);
}

static void begin_list(struct reader *reader, struct reader_list *list, size_t most)
{
    list->added.at = arena_new(&reader->config->arena, (most + 1) * sizeof(*list->added.at));
}

/* Limits last: they may be another run-time entry's. */
void amend_document(struct reader *reader, const struct config_amendments *amendments)
{
    yaml_document_t *document = reader->document;
    reader->own_nodes = (int)(document->nodes.top - document->nodes.start);
    reader->keys = (struct reader_list){.name = "keys", .id = "id"};
    reader->budgets = (struct reader_list){.name = "budgets", .id = "name"};
    if (amendments == NULL || yaml_document_get_root_node(document) == NULL ||
        node_type(document, 1) != YAML_MAPPING_NODE)
        return;
    begin_list(reader, &reader->keys, amendments->count);
    begin_list(reader, &reader->budgets, amendments->count);
    for (int limits = 0; limits < 2; limits++) {
        for (size_t i = 0; i < amendments->count; i++) {
            const struct config_amendment *amendment = &amendments->at[i];
            bool key = amendment->kind == AMEND_KEY;
            if ((amendment->kind == AMEND_LIMITS) == (limits == 1))
                amend(reader, key ? &reader->keys : &reader->budgets, amendment);
        }
    }
    table_close(&reader->keys.entries);
    table_close(&reader->budgets.entries);
}

/* ---- findings ---- */

struct text amend_name(const struct reader *reader, struct text list, size_t at)
{
    const struct reader_list *lists[] = {&reader->keys, &reader->budgets};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct reader_list *of = lists[i];
        if (of->name != NULL && text_equal(list, text_of(of->name)) && at >= of->own &&
            at - of->own < of->added.count)
            return of->added.at[at - of->own];
    }
    return TEXT_NONE;
}

/* The bytes of "[12]" at the front, and its number; 0 if there is nothing like it. */
static size_t index_of(struct text rest, int64_t *at)
{
    size_t close = text_find(rest, TEXT("]"), 0);
    if (!text_starts(rest, TEXT("[")) || close == SIZE_MAX ||
        !text_to_int(text_slice(rest, 1, close), at) || *at < 0)
        return 0;
    return close + 1;
}

static bool put_named(const struct reader *reader, const struct reader_list *list,
                      struct text *rest, struct buffer *out)
{
    struct text name = text_of(list->name);
    int64_t at;
    if (!text_starts(*rest, name))
        return false;
    size_t size = index_of(text_from(*rest, name.size), &at);
    struct text entry = size == 0 ? TEXT_NONE : amend_name(reader, name, (size_t)at);
    if (entry.at == NULL)
        return false;
    buffer_printf(out, "the run-time %s \"%.*s\"", list == &reader->keys ? "key" : "budget",
                  TEXT_ARG(entry));
    *rest = text_from(*rest, name.size + size);
    return true;
}

void amend_message(const struct reader *reader, struct buffer *message)
{
    struct buffer out = {0};
    struct text rest = buffer_text(message);
    if (reader->keys.added.count + reader->budgets.added.count == 0)
        return;
    while (rest.size > 0) {
        if (put_named(reader, &reader->keys, &rest, &out) ||
            put_named(reader, &reader->budgets, &rest, &out))
            continue;
        buffer_put_byte(&out, rest.at[0]);
        rest = text_from(rest, 1);
    }
    buffer_close(message);
    *message = out;
}
