/*
 * Skipping what needs no look inside a JSON string: the inner loops of json_*.c, not for others.
 *
 * 16 bytes at a time with SSE2, else 8 at a time in a plain register, and the rest one by one. Of a
 * long run base/far.h passes the most.
 */
#ifndef PURSER_BASE_JSON_RUN_H
#define PURSER_BASE_JSON_RUN_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/far.h"

/* The same byte in all places of a word. */
#define JSON_RUN_ALL(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Non-zero if a byte of the word is zero (Mycroft's test, "Hacker's Delight", 6-1). */
static inline uint64_t json_run_zero(uint64_t word)
{
    return (word - JSON_RUN_ALL(0x01)) & ~word & JSON_RUN_ALL(0x80);
}

/* Non-zero if the word has a quote or a backslash. */
static inline uint64_t json_run_ends(uint64_t word)
{
    return json_run_zero(word ^ JSON_RUN_ALL('"')) | json_run_zero(word ^ JSON_RUN_ALL('\\'));
}

/* Non-zero if the word has a control character or a byte that is not ASCII. A byte is below 0x20
 * exactly if its top three bits are zero. */
static inline uint64_t json_run_odd(uint64_t word)
{
    return (word | json_run_zero(word & JSON_RUN_ALL(0xE0))) & JSON_RUN_ALL(0x80);
}

static inline bool json_run_stops(unsigned char byte, bool strict)
{
    return byte == '"' || byte == '\\' || (strict && (byte < 0x20 || byte >= 0x80));
}

static inline size_t json_run_near(const char *at, const char *end, bool strict)
{
    const char *start = at;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stops =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        /* compared as signed: what is not ASCII is less than a space too */
        if (strict)
            stops = _mm_or_si128(stops, _mm_cmplt_epi8(bytes, space));
        unsigned places = (unsigned)_mm_movemask_epi8(stops);
        if (places != 0)
            return (size_t)(at - start) + (size_t)__builtin_ctz(places);
    }
#endif
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        if ((json_run_ends(word) | (strict ? json_run_odd(word) : 0)) != 0)
            break;
    }
    while (at < end && !json_run_stops((unsigned char)*at, strict))
        at++;
    return (size_t)(at - start);
}

/*
 * How many of the bytes from `at` to `end` come before the first quote or backslash; with `strict`
 * also before the first control character (below 0x20) or byte that is not ASCII.
 */
static inline size_t json_run(const char *at, const char *end, bool strict)
{
    if (end - at <= FAR_NEAR)
        return json_run_near(at, end, strict);
    size_t run = json_run_near(at, at + FAR_NEAR, strict);
    if (run < FAR_NEAR)
        return run;
    run += far_run(at + run, end, '"', '\\', strict ? FAR_PLAIN : FAR_NONE);
    return run + json_run_near(at + run, end, strict);
}

#endif
