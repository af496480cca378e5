/*
 * Growing runs of bytes. They grow by doubling, so that appending costs constant time each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define LEAST_ROOM 64

void buffer_close(struct buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct buffer){0};
}

void buffer_grow(struct buffer *buffer, size_t more)
{
    ASSERT(more <= SIZE_MAX / 4);
    ASSERT(buffer->size <= SIZE_MAX / 4);
    size_t room = buffer->room < LEAST_ROOM ? LEAST_ROOM : buffer->room;
    while (room - buffer->size < more)
        room *= 2;
    buffer->at = memory_resize(buffer->at, room);
    buffer->room = room;
}

void buffer_put_int(struct buffer *buffer, int64_t value)
{
    char digits[20]; /* the longest is -9223372036854775808 */
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        digits[--at] = '-';
    buffer_put(buffer, text_make(digits + at, sizeof(digits) - at));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(buffer, format, arguments);
    va_end(arguments);
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments)
{
    buffer_reserve(buffer, LEAST_ROOM);
    size_t room = buffer->room - buffer->size;
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(buffer->at + buffer->size, room, format, arguments);
    ASSERT(size >= 0);
    if ((size_t)size >= room) {
        buffer_reserve(buffer, (size_t)size + 1);
        (void)vsnprintf(buffer->at + buffer->size, (size_t)size + 1, format, again);
    }
    va_end(again);
    buffer->size += (size_t)size;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    if (size >= buffer->size) {
        buffer->size = 0;
        return;
    }
    buffer->size -= size;
    memmove(buffer->at, buffer->at + size, buffer->size);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

const char *buffer_string(struct buffer *buffer)
{
    buffer_reserve(buffer, 1);
    buffer->at[buffer->size] = '\0';
    return buffer->at;
}
