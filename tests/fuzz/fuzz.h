/*
 * What the fuzz targets share: what must hold, and an input that is read byte by byte.
 */
#ifndef PURSER_TESTS_FUZZ_FUZZ_H
#define PURSER_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct fuzz_input {
    const uint8_t *at, *end;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void demand(bool holds)
{
    if (!holds)
        abort();
}

/* 0: there are no more. */
static inline uint8_t take_byte(struct fuzz_input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

#endif
