/*
 * UTF-8: checking and encoding single characters.
 */
#include "base/utf8.h"

/* What the second byte may be depends on the first; RFC 3629, section 4. */
struct form {
    unsigned char first_least, first_most;
    unsigned char second_least, second_most;
    int size;
};

static const struct form forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static int size_in_form(struct text rest, const struct form *form)
{
    const unsigned char *at = (const unsigned char *)rest.at;
    if (rest.size < 2)
        return UTF8_CUT;
    if (at[1] < form->second_least || at[1] > form->second_most)
        return UTF8_MALFORMED;
    for (size_t i = 2; i < (size_t)form->size; i++) {
        if (i == rest.size)
            return UTF8_CUT;
        if ((at[i] & 0xC0) != 0x80)
            return UTF8_MALFORMED;
    }
    return form->size;
}

int utf8_size(struct text rest)
{
    unsigned char first = (unsigned char)rest.at[0];
    if (first < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (first >= forms[i].first_least && first <= forms[i].first_most)
            return size_in_form(rest, &forms[i]);
    return UTF8_MALFORMED;
}

size_t utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
