/*
 * Nodes of a YAML document, by their number (1 is the root; libyaml's own numbering).
 */
#ifndef PURSER_CONFIG_NODE_H
#define PURSER_CONFIG_NODE_H

#include <yaml.h>

#include "base/text.h"

yaml_node_type_t node_type(yaml_document_t *document, int node);
const char *node_type_name(yaml_document_t *document, int node); /* "a list", ... */
int node_line(yaml_document_t *document, int node);              /* from 1 */

/* What a scalar says; TEXT_NONE for other nodes. */
struct text node_text(yaml_document_t *document, int node);

/* A scalar without quotes that stands for nothing: empty, ~ or null. */
bool node_is_null(yaml_document_t *document, int node);

/* The entries of a sequence or mapping; 0 for a scalar. */
size_t node_size(yaml_document_t *document, int node);
/* The entry `at` (below node_size) of a sequence; the pair of a mapping. */
int node_item(yaml_document_t *document, int node, size_t at);
yaml_node_pair_t node_pair(yaml_document_t *document, int node, size_t at);

/* The value under that name in a mapping; 0 if there is none or the node is no mapping. */
int node_member(yaml_document_t *document, int node, struct text name);

#endif
