/*
 * The endpoints whose requests run through the chain, and what is the same for all requests to one.
 */
#ifndef PURSER_WIRE_ENDPOINT_H
#define PURSER_WIRE_ENDPOINT_H

#include "base/text.h"

enum endpoint {
    ENDPOINT_CHAT,
    ENDPOINT_COMPLETIONS,
    ENDPOINT_EMBEDDINGS,
    ENDPOINT_RESPONSES,
    ENDPOINT_COUNT
};

struct endpoint_facts {
    const char *name;      /* in the books: "chat.completions" */
    struct text path;      /* at the upstream, behind its base URL: "/chat/completions" */
    struct text max_field; /* its maximum of output; TEXT_NONE: as the upstream is configured */
    bool output_free;      /* its answers have no output tokens */
    bool usage_asked; /* its streams tell usage only if stream_options.include_usage asks for it */
    bool stored;      /* its answers stay at the provider, by their ids: they belong to the key that
                         asked (pipeline/objects.h), which alone may name them later */
    bool kept;        /* its answers may be cached and shared (wire/reshape.h knows their shapes) */
};

const struct endpoint_facts *endpoint_facts(enum endpoint endpoint);

#endif
