/*
 * Answers of upstreams: whatever bytes come, cut wherever they may be, they mean the same: status,
 * headers, body, and where the answer ends.
 *
 * The first two bytes choose the cuts, the rest is the stream.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "wire/http1.h"

struct reading {
    struct http1 answer;
    struct buffer body;
    enum http1_result result;
    size_t used;
};

/* Feeds a piece in memory of its own, so that the sanitizer sees a step too far. */
static void feed(struct reading *reading, struct text piece)
{
    char *copy = memory_copy(piece);
    struct text bytes = text_make(copy, piece.size), body;
    while ((reading->result = http1_next(&reading->answer, &bytes, &body)) == HTTP1_BODY) {
        demand(body.size > 0);
        buffer_put(&reading->body, body);
    }
    demand(reading->result != HTTP1_MORE || bytes.size == 0);
    reading->used += piece.size - bytes.size;
    free(copy);
}

static struct reading read_whole(struct text stream)
{
    struct reading reading = {0};
    feed(&reading, stream);
    return reading;
}

/* Pieces of 1 to 64 bytes, as a small generator says. */
static struct reading read_cut(struct text stream, uint32_t seed)
{
    struct reading reading = {.result = HTTP1_MORE};
    size_t at = 0;
    while (at < stream.size && reading.result == HTTP1_MORE) {
        seed = seed * 1664525u + 1013904223u;
        size_t most = (seed >> 8 & 1) != 0 ? 2 : 64;
        size_t end = at + 1 + (seed >> 16) % most;
        feed(&reading, text_slice(stream, at, end));
        at = end;
    }
    return reading;
}

static void compare(const struct reading *a, const struct reading *b)
{
    struct text name[2], value[2];
    size_t at[2] = {0, 0};
    demand(a->result == b->result);
    if (a->result == HTTP1_BROKEN)
        return;
    demand(a->used == b->used);
    demand(a->answer.status == b->answer.status);
    demand(a->answer.head_done == b->answer.head_done);
    demand(a->answer.keep_alive == b->answer.keep_alive);
    demand(http1_eof(&a->answer) == http1_eof(&b->answer));
    demand(text_equal(buffer_text(&a->body), buffer_text(&b->body)));
    while (a->answer.head_done && http1_header(&a->answer, &at[0], &name[0], &value[0])) {
        demand(http1_header(&b->answer, &at[1], &name[1], &value[1]));
        demand(text_equal(name[0], name[1]));
        demand(text_equal(value[0], value[1]));
    }
}

static void forget(struct reading *reading)
{
    buffer_close(&reading->body);
    http1_close(&reading->answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct text stream = text_make((const char *)data + 2, size - 2);
    struct reading whole = read_whole(stream);
    struct reading cut = read_cut(stream, (uint32_t)data[0] << 8 | data[1]);
    compare(&whole, &cut);
    forget(&whole);
    forget(&cut);
    return 0;
}
