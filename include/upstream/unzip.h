/*
 * Undoing `Content-Encoding: gzip` of an answer that was asked for plainly (zlib). A piece may grow
 * a thousandfold, so it is undone in steps of bounded size.
 */
#ifndef PURSER_UPSTREAM_UNZIP_H
#define PURSER_UPSTREAM_UNZIP_H

#include "base/text.h"

struct unzip;

struct unzip *unzip_open(void);        /* gzip (of any number of members) or zlib */
void unzip_close(struct unzip *unzip); /* NULL-safe */

/* Takes a piece of the compressed body. */
void unzip_feed(struct unzip *unzip, struct text piece);

/* Appends what is undone to `out` until that holds `most` bytes. False if the data is broken. */
MUST_USE bool unzip_step(struct unzip *unzip, struct buffer *out, size_t most);
bool unzip_waiting(const struct unzip *unzip); /* more can be undone once `out` has room */
/* The compressed body has come to its end; one without a byte has, too. */
bool unzip_done(const struct unzip *unzip);

#endif
