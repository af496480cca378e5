/*
 * Looking at the nodes of a YAML document.
 */
#include "config/node.h"

static const yaml_node_t *look(yaml_document_t *document, int node)
{
    const yaml_node_t *found = yaml_document_get_node(document, node);
    ASSERT(found != NULL);
    return found;
}

yaml_node_type_t node_type(yaml_document_t *document, int node)
{
    return look(document, node)->type;
}

const char *node_type_name(yaml_document_t *document, int node)
{
    static const char *const NAMES[] = {[YAML_NO_NODE] = "nothing",
                                        [YAML_SCALAR_NODE] = "a single value",
                                        [YAML_SEQUENCE_NODE] = "a list",
                                        [YAML_MAPPING_NODE] = "a mapping"};
    return NAMES[look(document, node)->type];
}

int node_line(yaml_document_t *document, int node)
{
    return (int)look(document, node)->start_mark.line + 1;
}

struct text node_text(yaml_document_t *document, int node)
{
    const yaml_node_t *at = look(document, node);
    if (at->type != YAML_SCALAR_NODE)
        return TEXT_NONE;
    return text_make((const char *)at->data.scalar.value, at->data.scalar.length);
}

bool node_is_null(yaml_document_t *document, int node)
{
    const yaml_node_t *at = look(document, node);
    if (at->type != YAML_SCALAR_NODE || at->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct text value = node_text(document, node);
    return value.size == 0 || text_equal(value, TEXT("~")) ||
           text_equal_nocase(value, TEXT("null"));
}

size_t node_size(yaml_document_t *document, int node)
{
    const yaml_node_t *at = look(document, node);
    if (at->type == YAML_SEQUENCE_NODE)
        return (size_t)(at->data.sequence.items.top - at->data.sequence.items.start);
    if (at->type == YAML_MAPPING_NODE)
        return (size_t)(at->data.mapping.pairs.top - at->data.mapping.pairs.start);
    return 0;
}

int node_item(yaml_document_t *document, int node, size_t at)
{
    ASSERT(node_type(document, node) == YAML_SEQUENCE_NODE);
    ASSERT(at < node_size(document, node));
    return look(document, node)->data.sequence.items.start[at];
}

yaml_node_pair_t node_pair(yaml_document_t *document, int node, size_t at)
{
    ASSERT(node_type(document, node) == YAML_MAPPING_NODE);
    ASSERT(at < node_size(document, node));
    return look(document, node)->data.mapping.pairs.start[at];
}

int node_member(yaml_document_t *document, int node, struct text name)
{
    if (node_type(document, node) != YAML_MAPPING_NODE)
        return 0;
    size_t size = node_size(document, node);
    for (size_t i = 0; i < size; i++) {
        yaml_node_pair_t pair = node_pair(document, node, i);
        if (node_type(document, pair.key) == YAML_SCALAR_NODE &&
            text_equal(node_text(document, pair.key), name))
            return pair.value;
    }
    return 0;
}
