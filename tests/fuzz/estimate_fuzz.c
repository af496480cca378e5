/*
 * Counting the input of any request that body_read takes: the bound is never below what is likely,
 * and where a count is exact, both are the same.
 *
 * The first byte chooses the endpoint and the model, the rest is the body.
 */
#include "fuzz.h"
#include "pipeline/estimate.h"

static const char *const models[] = {"gpt-4o", "gpt-4", "o4-mini", "claude-sonnet-4-5", "llama"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct body body;
    struct body_error error;
    if (size == 0)
        return 0;
    struct text raw = text_make((const char *)data + 1, size - 1);
    struct estimate_ask ask = {
        .endpoint = (enum endpoint)(data[0] % ENDPOINT_COUNT),
        .body = raw,
        .model = estimate_model_named(text_of(models[data[0] / ENDPOINT_COUNT % 5u])),
        .likely = true,
    };
    if (estimate_knows(ask.endpoint) && body_read(ask.endpoint, raw, &arena, &body, &error)) {
        struct estimate estimate;
        estimate_input(&ask, &estimate);
        demand(estimate.tokens >= 0 && estimate.bound >= 0);
        demand(!ask.model.exact || estimate.bound >= estimate.tokens);
        demand(!estimate.exact || estimate.bound == estimate.tokens);
        demand(estimate_free_bound(&body, &ask.model) >= 0);
    }
    arena_close(&arena);
    return 0;
}
