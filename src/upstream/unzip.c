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

/* gzip may be several members, one after the other (RFC 1952, 2.2); what follows otherwise is
 * padding. */
static bool another_member(const struct unzip *unzip)
{
    return unzip->done && unzip->used < unzip->input.size && unzip->input.at[unzip->used] == 0x1f;
}

/* One call of zlib; false if the data is broken. */
static bool undo_some(struct unzip *unzip, struct buffer *out)
{
    unsigned char room[STEP_SIZE];
    z_stream *stream = &unzip->stream;
    struct text rest = text_from(buffer_text(&unzip->input), unzip->used);
    stream->next_in = (unsigned char *)(uintptr_t)rest.at;
    stream->avail_in = (unsigned)rest.size;
    stream->next_out = room;
    stream->avail_out = sizeof room;
    int result = inflate(stream, Z_NO_FLUSH);
    unzip->used += rest.size - stream->avail_in;
    unzip->done = result == Z_STREAM_END;
    unzip->full = stream->avail_out == 0 && !unzip->done;
    buffer_put(out, text_make((char *)room, sizeof room - stream->avail_out));
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

bool unzip_step(struct unzip *unzip, struct buffer *out, size_t most)
{
    while (unzip_waiting(unzip) && out->size < most) {
        if (unzip->done) {
            inflateReset(&unzip->stream);
            unzip->done = false;
        }
        if (!undo_some(unzip, out))
            return false;
    }
    return true;
}

bool unzip_waiting(const struct unzip *unzip)
{
    if (unzip->done)
        return another_member(unzip);
    return unzip->full || unzip->used < unzip->input.size;
}

bool unzip_done(const struct unzip *unzip)
{
    bool begun = unzip->stream.total_in > 0 || unzip->input.size > 0;
    return unzip->done ? !another_member(unzip) : !begun;
}
