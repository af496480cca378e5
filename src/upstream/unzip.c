/* gzip, undone in steps. */
#include "upstream/unzip.h"

#include <stdlib.h>
#include <zlib.h>

#define STEP_SIZE 16384

struct unzip {
    z_stream stream;
    struct buffer input;
    size_t used; /* of input */
    bool done, full;
};

struct unzip *unzip_open(void)
{
    struct unzip *unzip = memory_new(sizeof *unzip);
    int result = inflateInit2(&unzip->stream, 15 + 32);
    ASSERT(result == Z_OK);
    return unzip;
}

void unzip_close(struct unzip *unzip)
{
    if (unzip == NULL)
        return;
    inflateEnd(&unzip->stream);
    buffer_close(&unzip->input);
    free(unzip);
}

void unzip_feed(struct unzip *unzip, struct text piece)
{
    buffer_drop(&unzip->input, unzip->used);
    unzip->used = 0;
    buffer_put(&unzip->input, piece);
}

bool unzip_step(struct unzip *unzip, struct buffer *out, size_t most)
{
    unsigned char room[STEP_SIZE];
    z_stream *stream = &unzip->stream;
    do {
        if (out->size >= most)
            return true;
        struct text rest = text_from(buffer_text(&unzip->input), unzip->used);
        stream->next_in = (unsigned char *)(uintptr_t)rest.at;
        stream->avail_in = (unsigned)rest.size;
        stream->next_out = room;
        stream->avail_out = sizeof room;
        int result = unzip->done ? Z_BUF_ERROR : inflate(stream, Z_NO_FLUSH);
        unzip->used += rest.size - stream->avail_in;
        unzip->done = unzip->done || result == Z_STREAM_END;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return false;
        buffer_put(out, text_make((char *)room, sizeof room - stream->avail_out));
        unzip->full = stream->avail_out == 0 && !unzip->done;
    } while (unzip->full || (stream->avail_in > 0 && !unzip->done));
    return true;
}

bool unzip_waiting(const struct unzip *unzip)
{
    return !unzip->done && (unzip->full || unzip->used < unzip->input.size);
}

bool unzip_done(const struct unzip *unzip)
{
    return unzip->done || (unzip->stream.total_in == 0 && unzip->input.size == 0);
}
