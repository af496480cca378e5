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

#define HIGH_BITS 0x8080808080808080u

static size_t ascii_run(struct text rest)
{
    size_t run = 0;
    for (uint64_t word; rest.size - run >= sizeof word; run += sizeof word) {
        memcpy(&word, rest.at + run, sizeof word);
        if (word & HIGH_BITS)
            break;
    }
    while (run < rest.size && (unsigned char)rest.at[run] < 0x80)
        run++;
    return run;
}

/* Where the first malformed byte stands; the size of the text if there is none. */
static size_t valid_run(struct text text)
{
    size_t at = 0, last = SIZE_MAX;
    while (at < text.size && at != last) {
        last = at;
        at += ascii_run(text_from(text, at));
        if (at < text.size)
            at += utf8_run(text_from(text, at));
    }
    return at;
}

bool utf8_valid(struct text text)
{
    return valid_run(text) == text.size;
}

void utf8_repair(struct text text, struct buffer *out)
{
    while (text.size > 0) {
        size_t valid = valid_run(text), bad = 1;
        buffer_put(out, text_slice(text, 0, valid));
        text = text_from(text, valid);
        if (text.size == 0)
            return;
        while (bad < text.size && utf8_size(text_slice(text, 0, bad + 1)) == UTF8_CUT)
            bad++;
        buffer_put(out, TEXT("\xEF\xBF\xBD"));
        text = text_from(text, bad);
    }
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
