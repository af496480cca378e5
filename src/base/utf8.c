/*
 * UTF-8: checking and encoding single characters.
 */
#include "base/utf8.h"

/* What the second byte may be depends on the first; RFC 3629, section 4. */
struct form {
    int size; /* UTF8_MALFORMED: no character begins so */
    unsigned char second_least, second_most;
};

static const struct form forms[256] = {
    [0x00 ... 0x7F] = {1, 0, 0}, [0xC2 ... 0xDF] = {2, 0x80, 0xBF},
    [0xE0] = {3, 0xA0, 0xBF},    [0xE1 ... 0xEC] = {3, 0x80, 0xBF},
    [0xED] = {3, 0x80, 0x9F},    [0xEE ... 0xEF] = {3, 0x80, 0xBF},
    [0xF0] = {4, 0x90, 0xBF},    [0xF1 ... 0xF3] = {4, 0x80, 0xBF},
    [0xF4] = {4, 0x80, 0x8F},
};

static inline int size_of_first(struct text rest)
{
    const unsigned char *at = (const unsigned char *)rest.at;
    const struct form *form = &forms[at[0]];
    if (form->size <= 1)
        return form->size;
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
    return size_of_first(rest);
}

/* Most of what Asia writes: three bytes of which the first allows any second. */
static inline bool is_common_three(const char *at)
{
    return (unsigned char)(at[0] - 0xE1) <= 0xEC - 0xE1 && (at[1] & 0xC0) == 0x80 &&
           (at[2] & 0xC0) == 0x80;
}

size_t utf8_run(struct text rest)
{
    size_t run = 0;
    int size = 0;
    do {
        run += (size_t)size;
        /* a guess the processor can run ahead of: several times as fast as looking each size up */
        while (rest.size - run >= 3 && is_common_three(rest.at + run))
            run += 3;
        size = run == rest.size ? 0 : size_of_first(text_from(rest, run));
    } while (size > 1);
    return run;
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
