/*
 * Server-sent events: whatever an upstream sends, in whatever pieces, the events hold its bytes
 * exactly, and their data do not depend on the pieces.
 *
 * The first byte chooses the size of the pieces, the rest is the stream.
 */
#include "fuzz.h"
#include "wire/sse.h"

/* Appends raw bytes to one buffer, data and names to the other. */
static void split(struct text stream, size_t by, struct buffer *raw, struct buffer *meaning)
{
    struct sse sse = {0};
    struct sse_event event;

    for (size_t at = 0; at < stream.size; at += by) {
        sse_feed(&sse, text_slice(stream, at, at + by));
        while (sse_next(&sse, &event) == SSE_EVENT) {
            demand(event.raw.size > 0);
            buffer_put(raw, event.raw);
            if (event.data.at == NULL)
                continue;
            buffer_put(meaning, event.name);
            buffer_put_byte(meaning, '\0');
            buffer_put(meaning, event.data);
            buffer_put_byte(meaning, '\0');
        }
    }
    struct text whole = buffer_text(raw);
    demand(text_equal(whole, text_slice(stream, 0, whole.size)));
    if (sse_last(&sse, &event)) {
        demand(text_equal(event.raw, text_from(stream, whole.size)));
        buffer_put(meaning, event.data);
    }
    sse_close(&sse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer raw[2] = {0}, meaning[2] = {0};

    if (size == 0)
        return 0;
    struct text stream = text_make((const char *)data + 1, size - 1);
    split(stream, stream.size + 1, &raw[0], &meaning[0]);
    split(stream, (size_t)data[0] + 1, &raw[1], &meaning[1]);
    demand(text_equal(buffer_text(&meaning[0]), buffer_text(&meaning[1])));
    for (int i = 0; i < 2; i++) {
        buffer_close(&raw[i]);
        buffer_close(&meaning[i]);
    }
    return 0;
}
