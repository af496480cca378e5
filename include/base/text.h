/*
 * Text: a pointer and a length, owned by somebody else; and buffers, which own what they hold.
 *
 * Nothing here relies on a terminating zero, and no text is modified. A `struct text` with size 0
 * may have any pointer; TEXT_NONE has NULL, to tell "absent" from "empty" where that matters.
 * Memory: allocation failure ends the process (memory_* asserts), as the ledger makes that safe.
 */
#ifndef PURSER_BASE_TEXT_H
#define PURSER_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

struct text {
    const char *at;
    size_t size; /* bytes */
};

#define TEXT(literal) ((struct text){("" literal ""), sizeof(literal) - 1})
#define TEXT_NONE     ((struct text){NULL, 0})
/* For printf: printf("%.*s", TEXT_ARG(t)) */
#define TEXT_ARG(t) ((int)(t).size), ((t).at == NULL ? "" : (t).at)

static inline struct text text_of(const char *string)
{
    return (struct text){string, string == NULL ? 0 : strlen(string)};
}

static inline struct text text_make(const char *at, size_t size)
{
    return (struct text){at, size};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* Like text_equal, ASCII letters compared without case. Most texts differ in size already. */
bool text_same_nocase(const char *a, const char *b, size_t size);
static inline bool text_equal_nocase(struct text a, struct text b)
{
    return a.size == b.size && text_same_nocase(a.at, b.at, a.size);
}

/* Compares in a time that depends on the sizes only; for keys and tokens. */
bool text_equal_secret(struct text a, struct text b);

static inline bool text_starts(struct text whole, struct text prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.at, prefix.at, prefix.size) == 0);
}

bool text_starts_nocase(struct text whole, struct text prefix);
bool text_ends(struct text whole, struct text suffix);

/* The offset of the first `what` in `whole` at or after `from`; SIZE_MAX if there is none. */
size_t text_find(struct text whole, struct text what, size_t from);

/* [from, to), both clamped; and the part from `from` to the end. */
static inline struct text text_slice(struct text whole, size_t from, size_t to)
{
    if (whole.at == NULL)
        return TEXT_NONE;
    if (to > whole.size)
        to = whole.size;
    if (from > to)
        from = to;
    return text_make(whole.at + from, to - from);
}

static inline struct text text_from(struct text whole, size_t from)
{
    return text_slice(whole, from, whole.size);
}

/* Without ASCII white space at both ends. */
struct text text_trim(struct text whole);

/* Cuts `*rest` at the first `separator`: returns what stood before it and moves `*rest` behind
 * it; without one returns all and leaves `*rest` TEXT_NONE. */
struct text text_split(struct text *rest, char separator);

/* True if `whole` matches `pattern`, in which each '*' stands for any run of bytes. */
bool text_matches(struct text whole, struct text pattern);

/* Reads a whole decimal integer (optional '-'); false if empty, overlong or anything else stands
 * there. `*value` is untouched on failure. */
MUST_USE bool text_to_int(struct text digits, int64_t *value);

/* A 64-bit hash for tables that live in memory; keyed by a secret chosen once per process, so
 * that outsiders cannot aim collisions. Differs from run to run: never store it. */
uint64_t text_hash(struct text key);

/* Zeroed memory, never NULL; freed with free(). */
void *memory_new(size_t size);
void *memory_resize(void *old, size_t size);
/* A zero-terminated copy, freed with free(). */
char *memory_copy(struct text original);

/*
 * A growing run of bytes. Zero-initialised is empty and valid; buffer_close frees and empties.
 * `at` has no terminating zero unless buffer_string added it.
 */
struct buffer {
    char *at;
    size_t size; /* bytes in use */
    size_t room; /* bytes allocated */
};

void buffer_close(struct buffer *buffer);
void buffer_grow(struct buffer *buffer, size_t more); /* what buffer_reserve calls if it must */

/* Makes room for `more` further bytes. */
static inline void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->room - buffer->size < more)
        buffer_grow(buffer, more);
}

static inline void buffer_put(struct buffer *buffer, struct text bytes)
{
    if (bytes.size == 0)
        return;
    buffer_reserve(buffer, bytes.size);
    memcpy(buffer->at + buffer->size, bytes.at, bytes.size);
    buffer->size += bytes.size;
}

static inline void buffer_put_byte(struct buffer *buffer, char byte)
{
    buffer_reserve(buffer, 1);
    buffer->at[buffer->size++] = byte;
}

void buffer_put_int(struct buffer *buffer, int64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments);
/* Drops the first `size` bytes (at most all). Moves what remains to the front. */
void buffer_drop(struct buffer *buffer, size_t size);
void buffer_clear(struct buffer *buffer); /* size = 0, room kept */
/* The content as a C string (a zero is put behind it, not counted). Valid until the next change. */
const char *buffer_string(struct buffer *buffer);

static inline struct text buffer_text(const struct buffer *buffer)
{
    return (struct text){buffer->at, buffer->size};
}

#endif
