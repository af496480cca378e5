/* Going far in text: see base/far.h. */
#include "base/far.h"

#ifdef __x86_64__

#include <immintrin.h>

#define WITH_AVX2   __attribute__((target("avx2")))
#define INLINE_AVX2 __attribute__((target("avx2"), always_inline)) static inline

struct stops {
    __m256i one, other, least;
    bool two, odd; /* `other` is another byte; there are bytes less than `least` */
};

INLINE_AVX2 __m256i stops_at(const struct stops *stops, const char *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i found = _mm256_cmpeq_epi8(bytes, stops->one);
    if (stops->two)
        found = _mm256_or_si256(found, _mm256_cmpeq_epi8(bytes, stops->other));
    if (stops->odd)
        found = _mm256_or_si256(found, _mm256_cmpgt_epi8(stops->least, bytes));
    return found;
}

INLINE_AVX2 size_t run(const char *at, const char *end, const struct stops *stops)
{
    const char *start = at;
    for (; end - at >= FAR_STEP; at += FAR_STEP) {
        __m256i first = _mm256_or_si256(stops_at(stops, at), stops_at(stops, at + 32));
        __m256i second = _mm256_or_si256(stops_at(stops, at + 64), stops_at(stops, at + 96));
        __m256i found = _mm256_or_si256(first, second);
        if (!_mm256_testz_si256(found, found))
            break;
    }
    return (size_t)(at - start);
}

/* A loop of its own for each kind: what is not looked for costs nothing. */
WITH_AVX2 static size_t run_avx2(const char *at, const char *end, char one, char other,
                                 int8_t least)
{
    struct stops stops = {_mm256_set1_epi8(one), _mm256_set1_epi8(other), _mm256_set1_epi8(least),
                          false, false};
    if (least != FAR_NONE) {
        stops.two = stops.odd = true;
        return run(at, end, &stops);
    }
    if (one == other)
        return run(at, end, &stops);
    stops.two = true;
    return run(at, end, &stops);
}

size_t far_run(const char *at, const char *end, char one, char other, int8_t least)
{
    return __builtin_cpu_supports("avx2") ? run_avx2(at, end, one, other, least) : 0;
}

#else

size_t far_run(const char *at, const char *end, char one, char other, int8_t least)
{
    (void)at;
    (void)end;
    (void)one;
    (void)other;
    (void)least;
    return 0;
}

#endif
