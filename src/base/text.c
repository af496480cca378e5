/*
 * Looking at text that somebody else owns. Letters are ASCII's here: what purser compares without
 * case are header names and the like, and the locale must not change what they mean.
 */
#include "base/text.h"

static unsigned char lower(char byte)
{
    unsigned char code = (unsigned char)byte;
    return (unsigned char)(code - 'A') < 26 ? (unsigned char)(code + 32) : code;
}

bool text_same_nocase(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool text_equal_secret(struct text a, struct text b)
{
    if (a.size != b.size)
        return false;
    /* volatile: a compiler that sees the purpose would leave the loop early */
    volatile unsigned char differences = 0;
    for (size_t i = 0; i < a.size; i++)
        differences |= (unsigned char)(a.at[i] ^ b.at[i]);
    return differences == 0;
}

bool text_starts_nocase(struct text whole, struct text prefix)
{
    return whole.size >= prefix.size &&
           text_equal_nocase(text_slice(whole, 0, prefix.size), prefix);
}

bool text_ends(struct text whole, struct text suffix)
{
    return whole.size >= suffix.size &&
           text_equal(text_from(whole, whole.size - suffix.size), suffix);
}

size_t text_find(struct text whole, struct text what, size_t from)
{
    if (from > whole.size || whole.size - from < what.size)
        return SIZE_MAX;
    if (what.size == 0)
        return from;
    const char *found = memmem(whole.at + from, whole.size - from, what.at, what.size);
    return found == NULL ? SIZE_MAX : (size_t)(found - whole.at);
}

static bool is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct text text_trim(struct text whole)
{
    while (whole.size > 0 && is_white(whole.at[0]))
        whole = text_from(whole, 1);
    while (whole.size > 0 && is_white(whole.at[whole.size - 1]))
        whole.size--;
    return whole;
}

struct text text_split(struct text *rest, char separator)
{
    struct text part = *rest;
    const char *found = part.size == 0 ? NULL : memchr(part.at, separator, part.size);
    if (found == NULL) {
        *rest = TEXT_NONE;
        return part;
    }
    size_t size = (size_t)(found - part.at);
    *rest = text_from(part, size + 1);
    return text_make(part.at, size);
}

/* Only the last star seen can matter: what an earlier one could still take, the last one can take
 * too. So one place to come back to suffices and the work stays below whole × pattern. */
bool text_matches(struct text whole, struct text pattern)
{
    size_t w = 0, p = 0;
    size_t star = SIZE_MAX, taken = 0;
    while (w < whole.size) {
        if (p < pattern.size && pattern.at[p] == '*') {
            star = p++;
            taken = w;
        } else if (p < pattern.size && pattern.at[p] == whole.at[w]) {
            p++;
            w++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            w = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.at[p] == '*')
        p++;
    return p == pattern.size;
}

bool text_to_int(struct text digits, int64_t *value)
{
    bool negative = digits.size > 0 && digits.at[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == digits.size)
        return false;
    int64_t below = 0; /* counted downwards: INT64_MIN has no positive twin */
    for (; at < digits.size; at++) {
        int digit = digits.at[at] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(below, 10, &below) ||
            __builtin_sub_overflow(below, digit, &below))
            return false;
    }
    if (!negative && below == INT64_MIN)
        return false;
    *value = negative ? below : -below;
    return true;
}
