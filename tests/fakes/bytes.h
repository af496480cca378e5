/*
 * Text that belongs to somebody else (struct text) and bytes that grow (struct bytes).
 * Out of memory ends the program: a test's fake has nothing better to do.
 */
#ifndef FAKES_BYTES_H
#define FAKES_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A slice. It owns nothing and is not terminated. */
struct text {
    const char *at;
    size_t size;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

struct text text_of(const char *terminated);
bool text_equal(struct text a, struct text b);
/* As text_equal, but ASCII letters of either case are the same. */
bool text_same_word(struct text a, struct text b);
bool text_starts(struct text text, struct text start);
struct text text_after(struct text text, size_t bytes);
/* Without blanks (space, tab, CR, LF) at both ends. */
struct text text_trim(struct text text);
/* Cuts at the first `mark`: returns what stands before it and leaves in *rest what stands behind
 * it; without a mark returns everything and leaves nothing. */
struct text text_cut(struct text *rest, char mark);
/* Reads a whole decimal number, all digits, at most 10^15. False: it is something else. */
bool text_number(struct text text, int64_t *number);
/* Copies at most room - 1 bytes and terminates them. */
void text_copy(char *to, size_t room, struct text from);

/* Bytes that grow. {0} is empty; the owner calls bytes_free. */
struct bytes {
    char *at;
    size_t size;
    size_t room;
};

/* Makes room for `more` bytes behind the end. */
void bytes_reserve(struct bytes *bytes, size_t more);
void bytes_add(struct bytes *bytes, const void *from, size_t size);
void bytes_add_text(struct bytes *bytes, struct text text);
void bytes_fill(struct bytes *bytes, char with, size_t size);
void bytes_print(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds a quoted JSON string; bytes above 127 are taken for Latin-1, so any bytes come out valid. */
void bytes_add_json(struct bytes *bytes, struct text text);
void bytes_add_base64(struct bytes *bytes, const void *from, size_t size);
/* Removes `size` bytes at the front. */
void bytes_drop(struct bytes *bytes, size_t size);
struct text bytes_text(const struct bytes *bytes);
void bytes_free(struct bytes *bytes);

#endif
