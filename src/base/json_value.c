/*
 * What the raw bytes of a validated string or number mean.
 */
#include "base/json.h"
#include "base/utf8.h"

#define REPLACEMENT 0xFFFD

/* ---- escapes ---- */

static uint32_t hex4(const char *at)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t digit = (uint32_t)(at[i] & 0x0F) + (at[i] > '9' ? 9 : 0);
        code = code << 4 | digit;
    }
    return code;
}

/* The code of the \u escape that `rest` begins with; `*taken` is 12 for a pair of surrogates. */
static uint32_t unicode_escape(struct text rest, size_t *taken)
{
    *taken = 6;
    uint32_t code = hex4(rest.at + 2);
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code > 0xDBFF || rest.size < 12 || rest.at[6] != '\\' || rest.at[7] != 'u')
        return REPLACEMENT;
    uint32_t low = hex4(rest.at + 8);
    if (low < 0xDC00 || low > 0xDFFF)
        return REPLACEMENT;
    *taken = 12;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* Resolves the escape that `rest` begins with: writes 1 to 4 bytes and returns how many; `*taken`
 * is the size of the escape. */
static size_t unescape(struct text rest, size_t *taken, char out[4])
{
    static const char meanings[256] = {
        ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    *taken = rest.size;
    if (rest.size < 2)
        return 0;
    char letter = rest.at[1];
    if (letter == 'u')
        return rest.size < 6 ? 0 : utf8_encode(unicode_escape(rest, taken), out);
    char meaning = meanings[(unsigned char)letter];
    out[0] = meaning == '\0' ? letter : meaning;
    *taken = 2;
    return 1;
}

static size_t next_backslash(struct text raw)
{
    const char *found = raw.size == 0 ? NULL : memchr(raw.at, '\\', raw.size);
    return found == NULL ? raw.size : (size_t)(found - raw.at);
}

bool json_name_equal(struct text raw_inside, struct text plain)
{
    struct text raw = raw_inside;
    for (;;) {
        size_t run = next_backslash(raw);
        if (run == raw.size)
            return text_equal(raw, plain);
        if (!text_starts(plain, text_slice(raw, 0, run)))
            return false;
        char bytes[4];
        size_t taken;
        size_t size = unescape(text_from(raw, run), &taken, bytes);
        plain = text_from(plain, run);
        if (!text_starts(plain, text_make(bytes, size)))
            return false;
        plain = text_from(plain, size);
        raw = text_from(raw, run + taken);
    }
}

size_t json_unescape(struct text raw_inside, char *out)
{
    struct text raw = raw_inside;
    size_t size = 0;
    for (;;) {
        size_t run = next_backslash(raw);
        if (run > 0)
            memcpy(out + size, raw.at, run);
        size += run;
        raw = text_from(raw, run);
        if (raw.size == 0)
            return size;
        char bytes[4];
        size_t taken;
        size_t count = unescape(raw, &taken, bytes);
        memcpy(out + size, bytes, count);
        size += count;
        raw = text_from(raw, taken);
    }
}

struct text json_inside(struct json_value string)
{
    if (string.kind != JSON_STRING || string.raw.size < 2)
        return TEXT_NONE;
    return text_slice(string.raw, 1, string.raw.size - 1);
}

struct text json_shown(struct json_value value)
{
    return value.kind == JSON_STRING ? json_inside(value) : value.raw;
}

bool json_is(struct json_value value, struct text plain)
{
    return value.kind == JSON_STRING && json_name_equal(json_inside(value), plain);
}

bool json_member_is(struct json_value object, struct text name, struct text plain)
{
    struct json_value value;
    return json_member(object, name, &value) && json_is(value, plain);
}

struct text json_name(struct arena *arena, struct text raw_inside)
{
    if (next_backslash(raw_inside) == raw_inside.size)
        return raw_inside;
    char *plain = arena_new(arena, raw_inside.size);
    return text_make(plain, json_unescape(raw_inside, plain));
}

struct text json_string(struct arena *arena, struct json_value string)
{
    return json_name(arena, json_inside(string));
}

/* ---- numbers ---- */

#define EXPONENT_MOST                                                                              \
    (INT64_C(1) << 60) /* beyond the size of any text: what is cut makes no odds */

static int64_t read_exponent(struct text digits)
{
    bool negative = digits.size > 0 && digits.at[0] == '-';
    int64_t exponent = 0;
    for (size_t i = 0; i < digits.size && exponent < EXPONENT_MOST / 10; i++)
        if (digits.at[i] != '-' && digits.at[i] != '+')
            exponent = 10 * exponent + (digits.at[i] - '0');
    return negative ? -exponent : exponent;
}

struct json_decimal json_decimal(struct json_value value)
{
    struct text raw = value.kind == JSON_NUMBER ? value.raw : TEXT_NONE;
    struct json_decimal number = {.negative = raw.size > 0 && raw.at[0] == '-'};
    size_t e = 0;
    while (e < raw.size && (raw.at[e] | 0x20) != 'e')
        e++;
    number.exponent = read_exponent(text_from(raw, e + 1));

    struct text digits = text_slice(raw, number.negative ? 1 : 0, e);
    size_t point = text_find(digits, TEXT("."), 0);
    if (point != SIZE_MAX)
        number.exponent -= (int64_t)(digits.size - point - 1);
    while (digits.size > 0 && (digits.at[0] == '0' || digits.at[0] == '.'))
        digits = text_from(digits, 1);
    for (; digits.size > 0; digits.size--) {
        char last = digits.at[digits.size - 1];
        if (last != '0' && last != '.')
            break;
        number.exponent += last == '0' ? 1 : 0;
    }
    number.digits = digits;
    return number;
}

bool json_int(struct json_value number, int64_t *value)
{
    if (number.kind != JSON_NUMBER)
        return false;
    struct json_decimal decimal = json_decimal(number);
    int64_t below = 0; /* counted downwards: INT64_MIN has no positive twin */
    for (size_t i = 0; i < decimal.digits.size; i++) {
        int digit = decimal.digits.at[i] - '0';
        if (decimal.digits.at[i] == '.')
            continue;
        if (__builtin_mul_overflow(below, 10, &below) ||
            __builtin_sub_overflow(below, digit, &below))
            return false;
    }
    if (below != 0 && decimal.exponent < 0)
        return false;
    for (; below != 0 && decimal.exponent > 0; decimal.exponent--)
        if (__builtin_mul_overflow(below, 10, &below))
            return false;
    if (!decimal.negative && below == INT64_MIN)
        return false;
    *value = decimal.negative ? below : -below;
    return true;
}
