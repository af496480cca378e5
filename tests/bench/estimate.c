/*
 * For bench.py: times the counting of a chat request's input.
 *
 *     estimate FILE BYTES...
 *
 * A line for each BYTES: the least nanoseconds of a thousand rounds for a request of one message
 * with so many bytes of the file, which is taken again and again where it is too short.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "pipeline/estimate.h"

#define ROUNDS 1000

static void make_body(struct text prose, size_t bytes, struct buffer *body)
{
    struct buffer text = {0};
    while (text.size < bytes)
        buffer_put(&text, text_slice(prose, 0, bytes - text.size));
    buffer_put(body, TEXT("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":"));
    json_put_string(body, buffer_text(&text));
    buffer_put(body, TEXT("}],\"max_tokens\":100}"));
    buffer_close(&text);
}

static int64_t count_ns(const struct estimate_ask *ask)
{
    struct estimate estimate;
    int64_t begun = measure_ns();
    estimate_input(ask, &estimate);
    int64_t took = measure_ns() - begun;
    ASSERT(estimate.exact);
    return took;
}

static void measure(struct text prose, size_t bytes)
{
    struct buffer body = {0};
    make_body(prose, bytes, &body);
    const struct estimate_ask ask = {.endpoint = ENDPOINT_CHAT,
                                     .body = buffer_text(&body),
                                     .model = estimate_model_named(TEXT("gpt-4o"))};
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t took = count_ns(&ask);
        best = took < best ? took : best;
    }
    printf("%lld\n", (long long)best);
    buffer_close(&body);
}

int main(int argc, char **argv)
{
    struct buffer prose = {0};
    ASSERT(argc > 2);
    measure_read(argv[1], &prose);
    for (int i = 2; i < argc; i++)
        measure(buffer_text(&prose), strtoul(argv[i], NULL, 10));
    buffer_close(&prose);
    return 0;
}
