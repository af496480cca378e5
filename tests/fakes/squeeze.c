/*
 * gzip by zlib; see squeeze.h.
 */
#include "squeeze.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct squeeze {
    z_stream zlib;
};

struct squeeze *squeeze_open(void)
{
    const int gzip = 15 + 16; /* the largest window, in gzip's format */
    struct squeeze *squeeze = calloc(1, sizeof *squeeze);
    if (squeeze == NULL || deflateInit2(&squeeze->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip, 8,
                                        Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return squeeze;
}

void squeeze_close(struct squeeze *squeeze)
{
    if (squeeze == NULL)
        return;
    deflateEnd(&squeeze->zlib);
    free(squeeze);
}

static void deflate_all(struct squeeze *squeeze, struct bytes *out, struct text data, int flush)
{
    const size_t step = 16 * 1024;
    z_stream *zlib = &squeeze->zlib;
    zlib->next_in = (Bytef *)(uintptr_t)data.at;
    zlib->avail_in = (uInt)data.size;
    do {
        bytes_reserve(out, step);
        zlib->next_out = (Bytef *)out->at + out->size;
        zlib->avail_out = (uInt)step;
        deflate(zlib, flush);
        out->size += step - zlib->avail_out;
    } while (zlib->avail_out == 0);
}

void squeeze_add(struct squeeze *squeeze, struct bytes *out, struct text data)
{
    deflate_all(squeeze, out, data, Z_SYNC_FLUSH);
}

void squeeze_fill(struct squeeze *squeeze, struct bytes *out, char with, size_t size)
{
    char block[16 * 1024];
    memset(block, with, sizeof block);
    while (size > 0) {
        size_t step = size < sizeof block ? size : sizeof block;
        deflate_all(squeeze, out, (struct text){block, step}, Z_NO_FLUSH);
        size -= step;
    }
}

void squeeze_end(struct squeeze *squeeze, struct bytes *out)
{
    deflate_all(squeeze, out, (struct text){"", 0}, Z_FINISH);
}
