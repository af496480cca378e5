/*
 * Embeddings; see dialect.h.
 */
#include "dialect.h"

#include <inttypes.h>

static void print_vector(struct bytes *out, const struct answer *answer, int64_t index)
{
    float vector[8];
    for (int i = 0; i < 8; i++)
        vector[i] = (float)((index + i) % 16 - 8) / 16.0F;
    bytes_print(out, "%s{\"object\":\"embedding\",\"index\":%" PRId64 ",\"embedding\":",
                index > 0 ? "," : "", index);
    if (answer->base64) {
        bytes_print(out, "\"");
        bytes_add_base64(out, vector, sizeof vector);
        bytes_print(out, "\"}");
        return;
    }
    for (int i = 0; i < 8; i++)
        bytes_print(out, "%s%.4f", i > 0 ? "," : "[", (double)vector[i]);
    bytes_print(out, "]}");
}

static void begin_whole(struct bytes *out, const struct answer *answer)
{
    bytes_print(out, "{\"object\":\"list\",\"data\":[");
    for (int64_t i = 0; i < answer->inputs; i++)
        print_vector(out, answer, i);
    bytes_print(out, "],\"model\":");
    bytes_add_json(out, text_of(answer->model));
}

static void end_whole(struct bytes *out, const struct answer *answer)
{
    if (answer->tier != NULL)
        bytes_print(out, ",\"service_tier\":\"%s\"", answer->tier);
    if (!answer->usage_missing) {
        bytes_print(out, ",\"usage\":{\"prompt_tokens\":%" PRId64, answer->prompt);
        bytes_print(out, ",\"total_tokens\":%" PRId64, answer->prompt);
        answer_cost(out, answer);
        bytes_print(out, "}");
    }
    bytes_print(out, "}");
}

const struct dialect dialect_embeddings = {
    .prefix = "embd-",
    .type = "application/json",
    .filler = ' ',
    .begin = begin_whole,
    .end = end_whole,
    .error = dialect_error,
};
