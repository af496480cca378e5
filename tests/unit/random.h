/*
 * Random numbers for tests, the same ones for the same seed: SplitMix64 (G. L. Steele, D. Lea,
 * C. H. Flood, "Fast splittable pseudorandom number generators").
 */
#ifndef PURSER_TESTS_RANDOM_H
#define PURSER_TESTS_RANDOM_H

#include <stdint.h>

static inline uint64_t random_mix(uint64_t mixed)
{
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* The state is a seed at first. */
static inline uint64_t random_next(uint64_t *state)
{
    return random_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/* From 0 on, below `bound`. */
static inline int64_t random_below(uint64_t *state, int64_t bound)
{
    return (int64_t)(random_next(state) % (uint64_t)bound);
}

#endif
