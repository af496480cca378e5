/*
 * Finding one of two bytes in text that is mostly something else: 16 bytes at a time with SSE2,
 * else eight at a time in a plain register; what is far away is found by base/far.h.
 */
#ifndef PURSER_WIRE_FIND_H
#define PURSER_WIRE_FIND_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/far.h"

#define FIND_ONES UINT64_C(0x0101010101010101)
#define FIND_HIGH UINT64_C(0x8080808080808080)

static inline uint64_t find_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Not 0 if and only if one of the eight bytes is 0 (Mycroft's test, "Hacker's Delight", 6-1). */
static inline uint64_t find_zero_byte(uint64_t word)
{
    return (word - FIND_ONES) & ~word & FIND_HIGH;
}

static inline size_t find_near(struct text whole, size_t from, char one, char other)
{
    size_t at = from;

#ifdef __SSE2__
    const __m128i ones = _mm_set1_epi8(one);
    const __m128i others = _mm_set1_epi8(other);
    for (; at + 16 <= whole.size; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(whole.at + at));
        __m128i hits = _mm_or_si128(_mm_cmpeq_epi8(bytes, ones), _mm_cmpeq_epi8(bytes, others));
        unsigned places = (unsigned)_mm_movemask_epi8(hits);
        if (places != 0) {
            return at + (size_t)__builtin_ctz(places);
        }
    }
#endif
    for (; at + 8 <= whole.size; at += 8) {
        uint64_t word = find_load(whole.at + at);
        if ((find_zero_byte(word ^ (FIND_ONES * (uint8_t)one)) |
             find_zero_byte(word ^ (FIND_ONES * (uint8_t)other))) != 0) {
            break;
        }
    }
    while (at < whole.size && whole.at[at] != one && whole.at[at] != other) {
        at++;
    }
    return at;
}

/* The offset of the first `one` or `other` at or after `from`; the size if there is none. */
static inline size_t find_either(struct text whole, size_t from, char one, char other)
{
    if (from >= whole.size || whole.size - from <= FAR_NEAR) {
        return find_near(whole, from, one, other);
    }
    size_t near = from + FAR_NEAR;
    size_t at = find_near(text_make(whole.at, near), from, one, other);
    if (at < near) {
        return at;
    }
    at += far_run(whole.at + at, whole.at + whole.size, one, other, FAR_NONE);
    return find_near(whole, at, one, other);
}

#endif
