/*
 * What the programs share that time a part of purser: a clock, and a file to count in.
 */
#ifndef PURSER_TESTS_BENCH_MEASURE_H
#define PURSER_TESTS_BENCH_MEASURE_H

#include <stdio.h>
#include <time.h>

#include "base/text.h"

static inline int64_t measure_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The whole of a file, which is not empty; the caller closes the buffer. */
static inline void measure_read(const char *path, struct buffer *content)
{
    FILE *in = fopen(path, "rb");
    ASSERT(in != NULL);
    for (size_t got = 1; got > 0; content->size += got) {
        buffer_reserve(content, 1 << 20);
        got = fread(content->at + content->size, 1, 1 << 20, in);
    }
    (void)fclose(in);
    ASSERT(content->size > 0);
}

#endif
