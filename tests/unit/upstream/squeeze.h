/*
 * What tests of compressed answers share: text as an upstream compresses it.
 */
#ifndef PURSER_TESTS_UPSTREAM_SQUEEZE_H
#define PURSER_TESTS_UPSTREAM_SQUEEZE_H

#include <zlib.h>

#include "../unit.h"

/* `bits` as zlib has them: 15 + 16 gzip, 15 zlib. */
static inline struct buffer squeeze(struct text plain, int bits)
{
    struct buffer out = {0};
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    buffer_reserve(&out, deflateBound(&stream, plain.size));
    stream.next_in = (unsigned char *)(uintptr_t)plain.at;
    stream.avail_in = (unsigned)plain.size;
    stream.next_out = (unsigned char *)out.at;
    stream.avail_out = (unsigned)out.room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.size = stream.total_out;
    deflateEnd(&stream);
    return out;
}

#endif
