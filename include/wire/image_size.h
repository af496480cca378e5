/*
 * The size of an image in a data URL, from the header of its file: PNG, JPEG, GIF and WebP. Only
 * what stands before the size is decoded. Pure.
 */
#ifndef PURSER_WIRE_IMAGE_SIZE_H
#define PURSER_WIRE_IMAGE_SIZE_H

#include "base/text.h"

#define IMAGE_SIZE_LOOKED_AT                                                                       \
    ((size_t)512 * 1024) /* bytes of a file; a JPEG's size may come late                           \
                          */

/* True for what image_size can read at all: "data:...;base64,...". A remote address is none. */
bool image_is_inline(struct text url);

/* Of a whole URL, escapes resolved. Strict, because a reader who forgives what we do not must see
 * no other image: base64 without blanks, line breaks or other alphabets up to where the size
 * stands, a file's marks where its format wants them, and a GIF's first picture counted in. False,
 * and nothing set, for anything else: then the size is not known. */
MUST_USE bool image_size(struct text url, int64_t *width, int64_t *height);

/* The same from the base64 text alone, as some dialects send it. */
MUST_USE bool image_size_base64(struct text base64, int64_t *width, int64_t *height);

#endif
