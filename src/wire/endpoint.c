/* The table of endpoints; see wire/endpoint.h. */
#include "wire/endpoint.h"

#include "base/assert.h"

static const struct endpoint_facts table[ENDPOINT_COUNT] = {
    [ENDPOINT_CHAT] = {.name = "chat.completions",
                       .path = TEXT("/chat/completions"),
                       .usage_asked = true,
                       .kept = true},
    [ENDPOINT_COMPLETIONS] = {.name = "completions",
                              .path = TEXT("/completions"),
                              .max_field = TEXT("max_tokens"),
                              .usage_asked = true,
                              .kept = true},
    [ENDPOINT_EMBEDDINGS] = {.name = "embeddings",
                             .path = TEXT("/embeddings"),
                             .output_free = true,
                             .kept = true},
    [ENDPOINT_RESPONSES] = {.name = "responses",
                            .path = TEXT("/responses"),
                            .max_field = TEXT("max_output_tokens"),
                            .stored = true},
};

const struct endpoint_facts *endpoint_facts(enum endpoint endpoint)
{
    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    return &table[endpoint];
}
