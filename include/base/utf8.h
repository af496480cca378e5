/*
 * UTF-8 (RFC 3629): what JSON and the log need to know of it. Overlong forms, surrogates and codes
 * above U+10FFFF are malformed.
 */
#ifndef PURSER_BASE_UTF8_H
#define PURSER_BASE_UTF8_H

#include "base/text.h"

enum {
    UTF8_MALFORMED = 0,
    UTF8_CUT = -1, /* well-formed so far, but the text ends within the character */
};

/* The bytes of the character that `rest` (not empty) begins with, 1 to 4; or one of the above. */
int utf8_size(struct text rest);

/* The bytes of the run of well-formed characters beyond ASCII that `rest` begins with; may be 0. */
size_t utf8_run(struct text rest);

bool utf8_valid(struct text text);

/* Appends the text with U+FFFD in the place of what is malformed: one for each longest beginning of
 * a character that nothing can complete, as the decoders of WHATWG and Python ("replace") do. */
void utf8_repair(struct text text, struct buffer *out);

/* Writes a code (at most 0x10FFFF, no surrogate) and returns its bytes, 1 to 4. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
