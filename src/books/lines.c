/*
 * Reading line by line through a buffer that slides over the file. Reading rather than mapping: a
 * file that shrinks or a disk that fails is an error here, and would be a signal there.
 */
#include "books/lines.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

/* Reads one more piece behind what is in the buffer. */
static enum lines_step read_more(struct lines *lines)
{
    struct buffer *buffer = &lines->buffer;
    buffer_drop(buffer, lines->at);
    lines->at = 0;
    if (buffer->size > LINES_MOST) {
        errno = EFBIG;
        return LINES_FAILED;
    }
    buffer_reserve(buffer, PIECE);
    ssize_t size = 0;
    do
        size = pread(lines->fd, buffer->at + buffer->size, PIECE,
                     (off_t)(lines->offset + (int64_t)buffer->size));
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return LINES_FAILED;
    buffer->size += (size_t)size;
    return size == 0 ? LINES_END : LINES_LINE;
}

enum lines_step lines_next(struct lines *lines, struct text *line)
{
    size_t searched = 0;
    for (;;) {
        struct text rest = text_from(buffer_text(&lines->buffer), lines->at);
        size_t end = text_find(rest, TEXT("\n"), searched);
        if (end != SIZE_MAX) {
            *line = text_slice(rest, 0, end);
            lines->at += end + 1;
            lines->offset += (int64_t)end + 1;
            return LINES_LINE;
        }
        searched = rest.size;
        enum lines_step step = read_more(lines);
        if (step != LINES_LINE)
            return step;
    }
}

void lines_close(struct lines *lines)
{
    buffer_close(&lines->buffer);
}
