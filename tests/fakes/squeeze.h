/*
 * Content-Encoding: gzip, for whole answers and for streams.
 */
#ifndef FAKES_SQUEEZE_H
#define FAKES_SQUEEZE_H

#include "bytes.h"

struct squeeze;

struct squeeze *squeeze_open(void);
void squeeze_close(struct squeeze *squeeze);
/* Compresses `data`; all of it can be decompressed from what is in `out` by then. */
void squeeze_add(struct squeeze *squeeze, struct bytes *out, struct text data);
/* Compresses `size` times the character `with`. */
void squeeze_fill(struct squeeze *squeeze, struct bytes *out, char with, size_t size);
/* Ends the gzip stream. */
void squeeze_end(struct squeeze *squeeze, struct bytes *out);

#endif
