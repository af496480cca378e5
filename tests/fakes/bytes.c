/*
 * Slices and growing bytes; see bytes.h.
 */
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_of(const char *terminated)
{
    return (struct text){terminated, strlen(terminated)};
}

bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool text_same_word(struct text a, struct text b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool text_starts(struct text text, struct text start)
{
    return text.size >= start.size && memcmp(text.at, start.at, start.size) == 0;
}

struct text text_after(struct text text, size_t bytes)
{
    return (struct text){text.at + bytes, text.size - bytes};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text text)
{
    while (text.size > 0 && is_blank(text.at[0]))
        text = text_after(text, 1);
    while (text.size > 0 && is_blank(text.at[text.size - 1]))
        text.size--;
    return text;
}

struct text text_cut(struct text *rest, char mark)
{
    struct text all = *rest;
    const char *found = all.size > 0 ? memchr(all.at, mark, all.size) : NULL;
    if (found == NULL) {
        *rest = text_after(all, all.size);
        return all;
    }
    size_t before = (size_t)(found - all.at);
    *rest = text_after(all, before + 1);
    return (struct text){all.at, before};
}

bool text_number(struct text text, int64_t *number)
{
    const int64_t largest = 1000000000000000;
    int64_t value = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (text.at[i] - '0');
        if (value > largest)
            return false;
    }
    *number = value;
    return true;
}

void text_copy(char *to, size_t room, struct text from)
{
    size_t size = from.size < room - 1 ? from.size : room - 1;
    memcpy(to, from.at, size);
    to[size] = 0;
}

void bytes_reserve(struct bytes *bytes, size_t more)
{
    if (bytes->room - bytes->size >= more)
        return;
    size_t room = bytes->room < 512 ? 512 : bytes->room;
    while (room - bytes->size < more)
        room *= 2;
    bytes->at = realloc(bytes->at, room);
    if (bytes->at == NULL) {
        fputs("fake provider: out of memory\n", stderr);
        abort();
    }
    bytes->room = room;
}

void bytes_add(struct bytes *bytes, const void *from, size_t size)
{
    if (size == 0)
        return;
    bytes_reserve(bytes, size);
    memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

void bytes_add_text(struct bytes *bytes, struct text text)
{
    bytes_add(bytes, text.at, text.size);
}

void bytes_fill(struct bytes *bytes, char with, size_t size)
{
    if (size == 0)
        return;
    bytes_reserve(bytes, size);
    memset(bytes->at + bytes->size, with, size);
    bytes->size += size;
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
    va_list first;
    va_list second;
    va_start(first, format);
    va_copy(second, first);
    bytes_reserve(bytes, 256);
    int size = vsnprintf(bytes->at + bytes->size, bytes->room - bytes->size, format, first);
    if (size >= 0 && (size_t)size >= bytes->room - bytes->size) {
        bytes_reserve(bytes, (size_t)size + 1);
        vsnprintf(bytes->at + bytes->size, bytes->room - bytes->size, format, second);
    }
    bytes->size += size > 0 ? (size_t)size : 0;
    va_end(first);
    va_end(second);
}

void bytes_add_json(struct bytes *bytes, struct text text)
{
    bytes_add(bytes, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\')
            bytes_print(bytes, "\\%c", c);
        else if (c < 32 || c > 126)
            bytes_print(bytes, "\\u%04x", c);
        else
            bytes_add(bytes, &text.at[i], 1);
    }
    bytes_add(bytes, "\"", 1);
}

void bytes_add_base64(struct bytes *bytes, const void *from, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = from;
    bytes_reserve(bytes, (size + 2) / 3 * 4);
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)in[i] << 16;
        three |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        three |= left > 2 ? in[i + 2] : 0;
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};
        bytes_add(bytes, four, sizeof four);
    }
}

void bytes_drop(struct bytes *bytes, size_t size)
{
    bytes->size -= size;
    if (bytes->size > 0 && size > 0)
        memmove(bytes->at, bytes->at + size, bytes->size);
}

struct text bytes_text(const struct bytes *bytes)
{
    return (struct text){bytes->at, bytes->size};
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}
