/*
 * Writing JSON into a buffer.
 */
#include "base/json.h"
#include "base/json_run.h"
#include "base/utf8.h"

static void put_control(struct buffer *out, char byte)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char letter = letters[(unsigned char)byte];
    if (letter == '\0') {
        buffer_printf(out, "\\u%04x", (unsigned)(unsigned char)byte);
        return;
    }
    buffer_put_byte(out, '\\');
    buffer_put_byte(out, letter);
}

/* Puts what `rest` begins with, which cannot stand as it is or has to be checked, and returns the
 * size of it. */
static size_t put_special(struct buffer *out, struct text rest)
{
    char first = rest.at[0];
    if (first == '"' || first == '\\') {
        buffer_put_byte(out, '\\');
        buffer_put_byte(out, first);
        return 1;
    }
    if ((unsigned char)first < 0x20) {
        put_control(out, first);
        return 1;
    }
    size_t run = utf8_run(rest);
    if (run == 0) {
        buffer_put(out, TEXT("\xEF\xBF\xBD"));
        return 1;
    }
    buffer_put(out, text_slice(rest, 0, run));
    return run;
}

void json_put_string(struct buffer *out, struct text plain)
{
    buffer_reserve(out, plain.size + 2);
    buffer_put_byte(out, '"');
    while (plain.size > 0) {
        size_t run = json_run(plain.at, plain.at + plain.size, true);
        buffer_put(out, text_slice(plain, 0, run));
        plain = text_from(plain, run);
        if (plain.size > 0)
            plain = text_from(plain, put_special(out, plain));
    }
    buffer_put_byte(out, '"');
}

void json_put_name(struct buffer *out, struct text name)
{
    char last = out->size == 0 ? '{' : out->at[out->size - 1];
    if (last != '{' && last != '[')
        buffer_put_byte(out, ',');
    json_put_string(out, name);
    buffer_put_byte(out, ':');
}

void json_put_text_member(struct buffer *out, struct text name, struct text plain)
{
    json_put_name(out, name);
    json_put_string(out, plain);
}

void json_put_int_member(struct buffer *out, struct text name, int64_t value)
{
    json_put_name(out, name);
    buffer_put_int(out, value);
}

void json_put_bool_member(struct buffer *out, struct text name, bool value)
{
    json_put_name(out, name);
    buffer_put(out, value ? TEXT("true") : TEXT("false"));
}

void json_put_raw_member(struct buffer *out, struct text name, struct text raw)
{
    json_put_name(out, name);
    buffer_put(out, raw);
}
