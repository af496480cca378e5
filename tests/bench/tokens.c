/*
 * For tokens.mjs: times the tokeniser.
 *
 *     tokens ENCODING FILE...
 *
 * A line for each file: its tokens, the least milliseconds of seven that counting took, and the
 * nanoseconds for an addition of five bytes to a stream.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "money/tokens_stream.h"

#define ROUNDS         7
#define ADDITION_BYTES 5

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t count_ns(enum tokens_encoding encoding, struct text text, size_t *tokens)
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begun = measure_ns();
        *tokens = tokens_count(encoding, text);
        best = least(best, measure_ns() - begun);
    }
    return best;
}

static int64_t stream_ns(enum tokens_encoding encoding, struct text text)
{
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        struct tokens_stream stream = {.encoding = encoding};
        int64_t begun = measure_ns();
        for (size_t at = 0; at < text.size; at += ADDITION_BYTES)
            (void)tokens_stream_add(&stream, text_slice(text, at, at + ADDITION_BYTES));
        best = least(best, measure_ns() - begun);
        tokens_stream_close(&stream);
    }
    return best / (int64_t)(text.size / ADDITION_BYTES + 1);
}

int main(int argc, char **argv)
{
    enum tokens_encoding encoding;
    if (argc < 3 || !tokens_by_name(text_of(argv[1]), &encoding)) {
        (void)fprintf(stderr, "usage: tokens ENCODING FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct buffer content = {0};
        size_t tokens;
        measure_read(argv[i], &content);
        int64_t ns = count_ns(encoding, buffer_text(&content), &tokens);
        printf("%zu %.3f %lld\n", tokens, (double)ns / 1e6,
               (long long)stream_ns(encoding, buffer_text(&content)));
        buffer_close(&content);
    }
    return EXIT_SUCCESS;
}
