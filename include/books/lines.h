/*
 * Reading a file line by line, of any length, from any place in it. A line counts only when its
 * line end is there.
 */
#ifndef PURSER_BOOKS_LINES_H
#define PURSER_BOOKS_LINES_H

#include "base/text.h"

/* No line is longer; an `open` line of a million accounts stays below. */
#define LINES_MOST ((size_t)1 << 29)

/* Start with {.fd = fd, .offset = place}; the descriptor stays the caller's. */
struct lines {
    int fd;
    int64_t offset; /* where the next line begins */
    struct buffer buffer;
    size_t at; /* in the buffer: the same place */
};

enum lines_step {
    LINES_LINE,
    LINES_END,    /* no whole line follows (now) */
    LINES_FAILED, /* errno says why; EFBIG: a line above LINES_MOST */
};

/* The next line without its line end; valid until the next call. */
enum lines_step lines_next(struct lines *lines, struct text *line);
void lines_close(struct lines *lines); /* frees the buffer */

#endif
