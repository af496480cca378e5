/*
 * Counting the tokens of a text while it arrives.
 */
#include "money/tokens_stream.h"

#include "base/utf8.h"
#include "money/tokens_parts.h"

#define REPLACEMENT TEXT("\xEF\xBF\xBD")

void tokens_stream_close(struct tokens_stream *stream)
{
    buffer_close(&stream->tail);
}

/* The bytes of a character that the text ends within; 0 if it ends with a whole one. */
static size_t cut_at_end(struct text text)
{
    for (size_t size = 1; size <= 3 && size <= text.size; size++) {
        struct text last = text_from(text, text.size - size);
        if ((last.at[0] & 0xC0) != 0x80)
            return utf8_size(last) == UTF8_CUT ? size : 0;
    }
    return 0;
}

/* Only the new part may be malformed; a character begun before it is moved there first. */
static void append(struct tokens_stream *stream, struct text addition)
{
    struct buffer *tail = &stream->tail;
    size_t before = tail->size;
    buffer_put(tail, text_make(stream->cut, stream->cut_size));
    buffer_put(tail, addition);
    struct text added = text_from(buffer_text(tail), before);
    stream->cut_size = cut_at_end(added);
    memcpy(stream->cut, added.at + added.size - stream->cut_size, stream->cut_size);
    tail->size -= stream->cut_size;
    added.size -= stream->cut_size;
    if (utf8_valid(added))
        return;
    struct buffer repaired = {0};
    utf8_repair(added, &repaired);
    tail->size = before;
    buffer_put(tail, buffer_text(&repaired));
    buffer_close(&repaired);
}

static size_t count_piece(const struct token_ranks *ranks, struct text piece, const char *end)
{
    bool whole = token_find(ranks, piece, end) != TOKEN_NONE;
    return whole ? 1 : token_merge(ranks, piece, NULL);
}

/* Adds up the pieces of `rest` to *tokens up to the first that is open; with `last`, all of them.
 * Returns the bytes of those. */
static size_t count_pieces(enum tokens_encoding encoding, struct text rest, bool last,
                           size_t *tokens)
{
    size_t done = 0;
    while (done < rest.size) {
        bool open = false;
        struct text left = text_from(rest, done);
        size_t size = token_split(encoding, left, &open);
        if (open && !last)
            break;
        struct text piece = text_make(left.at, size);
        *tokens += count_piece(token_ranks(encoding), piece, rest.at + rest.size);
        done += size;
    }
    return done;
}

/* Not what was begun of a character: that may become one. */
static void close_tail(struct tokens_stream *stream)
{
    (void)count_pieces(stream->encoding, buffer_text(&stream->tail), true, &stream->closed);
    buffer_clear(&stream->tail);
}

static size_t recount(struct tokens_stream *stream)
{
    struct buffer *tail = &stream->tail;
    buffer_drop(tail, count_pieces(stream->encoding, buffer_text(tail), false, &stream->closed));
    size_t size = tail->size;
    if (stream->cut_size > 0)
        buffer_put(tail, REPLACEMENT);
    stream->tokens = stream->closed;
    (void)count_pieces(stream->encoding, buffer_text(tail), true, &stream->tokens);
    tail->size = size;
    if (size >= TOKENS_LONG_TAIL)
        close_tail(stream);
    return stream->tokens;
}

size_t tokens_stream_add(struct tokens_stream *stream, struct text addition)
{
    if (addition.size == 0)
        return stream->tokens;
    append(stream, addition);
    return recount(stream);
}
