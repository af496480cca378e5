/*
 * Quoting for YAML. What is not surely plain is written in double quotes with JSON's escapes,
 * which YAML's double quotes understand.
 */
#include "config/yaml_text.h"

#include "base/json.h"

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

void yaml_put_text(struct buffer *out, struct text value)
{
    if (is_plain(value))
        buffer_put(out, value);
    else
        json_put_string(out, value);
}
