/* The table of endpoints; see wire/endpoint.h. */
#include "wire/endpoint.h"

#include "base/assert.h"

static const struct endpoint_facts table[ENDPOINT_COUNT] = {
    [ENDPOINT_CHAT] = {.name = "chat.completions",
                       .path = TEXT("/chat/completions"),
                       .input = TEXT("messages"),
                       .usage_asked = true,
                       .batched = true,
                       .kept = true},
    [ENDPOINT_COMPLETIONS] = {.name = "completions",
                              .path = TEXT("/completions"),
                              .input = TEXT("prompt"),
                              .max_field = TEXT("max_tokens"),
                              .usage_asked = true,
                              .batched = true,
                              .kept = true},
    [ENDPOINT_EMBEDDINGS] = {.name = "embeddings",
                             .path = TEXT("/embeddings"),
                             .input = TEXT("input"),
                             .output_free = true,
                             .batched = true,
                             .kept = true},
    [ENDPOINT_MESSAGES] = {.name = "messages",
                           .path = TEXT("/messages"),
                           .input = TEXT("messages"),
                           .dialect = DIALECT_ANTHROPIC,
                           .max_field = TEXT("max_tokens"),
                           .ends_told = true},
    [ENDPOINT_MESSAGES_TOKENS] = {.name = "messages.count_tokens",
                                  .path = TEXT("/messages/count_tokens"),
                                  .dialect = DIALECT_ANTHROPIC,
                                  .output_free = true,
                                  .free = true},
    [ENDPOINT_RESPONSES] = {.name = "responses",
                            .path = TEXT("/responses"),
                            .input = TEXT("input"),
                            .max_field = TEXT("max_output_tokens"),
                            .ends_told = true,
                            .batched = true,
                            .stored = true},
    [ENDPOINT_RESPONSES_TOKENS] = {.name = "responses.input_tokens",
                                   .path = TEXT("/responses/input_tokens"),
                                   .output_free = true,
                                   .free = true,
                                   .stored = true}, /* it may name one that is */
    [ENDPOINT_BATCHES] = {.name = "batches",
                          .path = TEXT("/batches"),
                          .output_free = true,
                          .by_file = true},
};

const struct endpoint_facts *endpoint_facts(enum endpoint endpoint)
{
    ASSERT((unsigned)endpoint < ENDPOINT_COUNT);
    return &table[endpoint];
}
