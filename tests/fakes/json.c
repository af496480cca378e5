/*
 * A walk over JSON in place; see json.h.
 */
#include "json.h"

#include <string.h>

static struct text skip_blanks(struct text text)
{
    while (text.size > 0 && strchr(" \t\r\n", text.at[0]) != NULL && text.at[0] != 0)
        text = text_after(text, 1);
    return text;
}

/* The size of the string literal at the start, quotes included; 0: it does not end. Bodies are
 * mostly long strings: so it looks for quotes only, and then whether they are escaped. */
static size_t string_size(struct text text)
{
    struct text rest = text_after(text, 1);
    while (rest.size > 0) {
        const char *quote = memchr(rest.at, '"', rest.size);
        if (quote == NULL)
            return 0;
        size_t before = (size_t)(quote - text.at);
        size_t slashes = 0;
        while (text.at[before - 1 - slashes] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            return before + 1;
        rest = text_after(text, before + 1);
    }
    return 0;
}

static size_t scalar_size(struct text text)
{
    size_t size = 0;
    while (size < text.size && strchr(",]} \t\r\n", text.at[size]) == NULL)
        size++;
    return size;
}

static size_t nested_size(struct text text)
{
    size_t depth = 0;
    size_t i = 0;
    while (i < text.size) {
        char c = text.at[i];
        if (c == '"') {
            size_t size = string_size(text_after(text, i));
            if (size == 0)
                return 0;
            i += size;
            continue;
        }
        i++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return i;
    }
    return 0;
}

/* The size of the value at the start; 0: there is none, or it is cut off. */
static size_t value_size(struct text text)
{
    if (text.size == 0)
        return 0;
    if (text.at[0] == '"')
        return string_size(text);
    if (text.at[0] == '{' || text.at[0] == '[')
        return nested_size(text);
    return scalar_size(text);
}

bool json_enter(struct json_walk *walk, struct text value)
{
    value = skip_blanks(value);
    if (value.size == 0 || (value.at[0] != '{' && value.at[0] != '['))
        return false;
    *walk = (struct json_walk){.rest = text_after(value, 1), .object = value.at[0] == '{'};
    return true;
}

static bool take_name(struct json_walk *walk, struct text *name)
{
    struct text rest = walk->rest;
    if (rest.size == 0 || rest.at[0] != '"')
        return false;
    size_t size = string_size(rest);
    if (size == 0)
        return false;
    *name = (struct text){rest.at + 1, size - 2};
    rest = skip_blanks(text_after(rest, size));
    if (rest.size == 0 || rest.at[0] != ':')
        return false;
    walk->rest = skip_blanks(text_after(rest, 1));
    return true;
}

enum json_got json_next(struct json_walk *walk, struct text *name, struct text *value)
{
    walk->rest = skip_blanks(walk->rest);
    if (walk->rest.size == 0)
        return JSON_BAD;
    if (walk->rest.at[0] == (walk->object ? '}' : ']'))
        return JSON_END;
    if (walk->started) {
        if (walk->rest.at[0] != ',')
            return JSON_BAD;
        walk->rest = skip_blanks(text_after(walk->rest, 1));
    }
    walk->started = true;
    *name = (struct text){"", 0};
    if (walk->object && !take_name(walk, name))
        return JSON_BAD;
    size_t size = value_size(walk->rest);
    if (size == 0)
        return JSON_BAD;
    *value = (struct text){walk->rest.at, size};
    walk->rest = text_after(walk->rest, size);
    return JSON_ITEM;
}

bool json_whole(struct text text)
{
    text = skip_blanks(text);
    size_t size = value_size(text);
    return size > 0 && skip_blanks(text_after(text, size)).size == 0;
}

bool json_raw_string(struct text value, struct text *raw)
{
    if (value.size < 2 || value.at[0] != '"')
        return false;
    *raw = (struct text){value.at + 1, value.size - 2};
    return true;
}

static bool read_hex(struct text four, uint32_t *unit)
{
    uint32_t value = 0;
    if (four.size < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = (char)(four.at[i] | 32);
        bool digit = four.at[i] >= '0' && four.at[i] <= '9';
        if (!digit && (c < 'a' || c > 'f'))
            return false;
        value = value * 16 + (uint32_t)(digit ? four.at[i] - '0' : c - 'a' + 10);
    }
    *unit = value;
    return true;
}

/* Takes one \uXXXX, or a pair of surrogates, off the front of *rest (which stands behind "\u"). */
static bool take_unicode(struct text *rest, uint32_t *point)
{
    uint32_t low = 0;
    if (!read_hex(*rest, point))
        return false;
    *rest = text_after(*rest, 4);
    bool high = *point >= 0xd800 && *point < 0xdc00;
    if (high && text_starts(*rest, TEXT("\\u")) && read_hex(text_after(*rest, 2), &low)) {
        *point = 0x10000 + ((*point & 0x3ff) << 10) + (low & 0x3ff);
        *rest = text_after(*rest, 6);
    }
    return true;
}

static size_t put_utf8(uint32_t point, char out[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 63));
    out[0] = (char)(lead[size < 2 ? 0 : size] | point);
    return size;
}

static bool take_char(struct text *rest, char out[4], size_t *size)
{
    static const char plain[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    uint32_t point = 0;
    char c = rest->at[0];
    *rest = text_after(*rest, 1);
    *size = 1;
    out[0] = c;
    if (c != '\\')
        return true;
    if (rest->size == 0)
        return false;
    c = rest->at[0];
    *rest = text_after(*rest, 1);
    const char *known = c != 0 ? strchr(plain, c) : NULL;
    if (known != NULL) {
        out[0] = means[known - plain];
        return true;
    }
    if (c != 'u' || !take_unicode(rest, &point))
        return false;
    *size = put_utf8(point, out);
    return true;
}

bool json_decode(struct text raw, char *to, size_t room)
{
    size_t used = 0;
    while (raw.size > 0) {
        char out[4];
        size_t size = 0;
        if (!take_char(&raw, out, &size) || used + size >= room)
            return false;
        memcpy(to + used, out, size);
        used += size;
    }
    to[used] = 0;
    return true;
}
