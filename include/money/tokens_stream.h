/*
 * Counting the tokens of a text while it arrives.
 *
 * Pieces that nothing behind them can change are counted once and forgotten; what stands behind the
 * last of them, the tail, is counted anew with each addition, as if the text ended there. So the
 * count is exact after every addition, whatever the sizes of the additions; it may fall by a few
 * when an addition joins what stood apart: it is a gauge. An addition of a word takes less than 1
 * us.
 *
 * A tail of TOKENS_LONG_TAIL, which only a text without an end to its words or lines has, is closed
 * where it stands, as if a text ended there: a token more or less in so many bytes. So counting it
 * takes a time proportional to its size, not to the square of it.
 */
#ifndef PURSER_MONEY_TOKENS_STREAM_H
#define PURSER_MONEY_TOKENS_STREAM_H

#include "money/tokens.h"

#define TOKENS_LONG_TAIL 1024 /* bytes */

/* Zero-initialised, but for the encoding, is the empty text. Read nothing but `tokens`. */
struct tokens_stream {
    enum tokens_encoding encoding;
    size_t tokens;      /* of the text so far: closed ones and the tail's */
    size_t closed;      /* tokens of what stood before the tail */
    struct buffer tail; /* well-formed, shorter than TOKENS_LONG_TAIL */
    char cut[3];        /* the begin of a character whose rest is to come; not in the tail */
    size_t cut_size;
};

void tokens_stream_close(struct tokens_stream *stream);

/* Adds to the text; additions may end within a character. Together they are at most
 * TOKENS_MAX_TEXT. Returns stream->tokens. */
size_t tokens_stream_add(struct tokens_stream *stream, struct text addition);

#endif
