/*
 * Finding bytes fast and portably, eight at a time, in text that is mostly something else.
 */
#ifndef PURSER_WIRE_FIND_H
#define PURSER_WIRE_FIND_H

#include "base/text.h"

#define FIND_ONES 0x0101010101010101u
#define FIND_HIGH 0x8080808080808080u

static inline uint64_t find_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Not 0 if and only if one of the eight bytes is 0. */
static inline uint64_t find_zero_byte(uint64_t word)
{
    return (word - FIND_ONES) & ~word & FIND_HIGH;
}

/* The offset of the first `one` or `other` at or after `from`; the size if there is none. */
static inline size_t find_either(struct text whole, size_t from, char one, char other)
{
    uint64_t ones = FIND_ONES * (uint8_t)one;
    uint64_t others = FIND_ONES * (uint8_t)other;
    size_t at = from;

    while (at + sizeof(uint64_t) <= whole.size) {
        uint64_t word = find_load(whole.at + at);
        if ((find_zero_byte(word ^ ones) | find_zero_byte(word ^ others)) != 0) {
            break;
        }
        at += sizeof(uint64_t);
    }
    while (at < whole.size && whole.at[at] != one && whole.at[at] != other) {
        at++;
    }
    return at;
}

#endif
