/*
 * Quoting for YAML. What is not surely plain is written in double quotes.
 */
#include "config/yaml_text.h"

#include "base/utf8.h"

static bool is_plain_byte(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("._-+/@%$()*", byte) != NULL);
}

/* A URL, a time or a port may have colons inside, but a colon at the end makes a name of it. */
static bool is_plain(struct text value)
{
    if (value.size == 0 || value.at[value.size - 1] == ':' || strchr("*@%-.", value.at[0]) != NULL)
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (!is_plain_byte(value.at[i]) && value.at[i] != ':')
            return false;
    return !text_equal_nocase(value, TEXT("null"));
}

/* The bytes of the character at the front, and its code; a byte that is no UTF-8 stands for the
 * code of its value. */
static size_t decode(struct text rest, unsigned *code)
{
    static const unsigned char LEAD[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    int size = utf8_size(rest);
    if (size <= 0) {
        *code = (unsigned char)rest.at[0];
        return 1;
    }
    *code = (unsigned char)rest.at[0] & LEAD[size];
    for (int i = 1; i < size; i++)
        *code = *code << 6 | ((unsigned char)rest.at[i] & 0x3f);
    return (size_t)size;
}

/* Characters that YAML does not take as they are, or takes for line breaks. */
static bool needs_escape(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff;
}

static void put_quoted(struct buffer *out, struct text value)
{
    buffer_put_byte(out, '"');
    while (value.size > 0) {
        unsigned code;
        size_t size = decode(value, &code);
        bool raw = utf8_size(value) > 0 && !needs_escape(code);
        if (!raw)
            buffer_printf(out, "\\u%04x", code);
        else if (code == '"' || code == '\\')
            buffer_printf(out, "\\%c", (char)code);
        else
            buffer_put(out, text_slice(value, 0, size));
        value = text_from(value, size);
    }
    buffer_put_byte(out, '"');
}

void yaml_put_text(struct buffer *out, struct text value)
{
    if (is_plain(value))
        buffer_put(out, value);
    else
        put_quoted(out, value);
}
