/*
 * SHA-256 (libcrypto's, fetched once per hasher, so that a digest costs no provider lookup).
 */
#ifndef PURSER_BASE_HASH_H
#define PURSER_BASE_HASH_H

#include "base/text.h"

#define HASH_SIZE     32
#define HASH_HEX_SIZE 65 /* 64 hex digits and a zero */

struct hasher; /* not thread-safe: one per owner */
struct hasher *hasher_open(void);
void hasher_close(struct hasher *hasher);

/* The digest of the parts, one after the other. */
void hasher_digest(struct hasher *hasher, const struct text *parts, size_t count,
                   uint8_t out[HASH_SIZE]);

/* The same in steps: begin, any number of puts, end. */
void hasher_begin(struct hasher *hasher);
void hasher_put(struct hasher *hasher, struct text bytes);
void hasher_end(struct hasher *hasher, uint8_t out[HASH_SIZE]);

/* For occasional use: opens and closes a hasher of its own. */
void hash_text(struct text bytes, uint8_t out[HASH_SIZE]);

/* Lower-case hex of the first `size` bytes; `out` has room for 2 × size + 1. */
void hash_hex(const uint8_t *bytes, size_t size, char *out);
/* Reads exactly 2 × size hex digits (either case). */
MUST_USE bool hash_from_hex(struct text hex, uint8_t *out, size_t size);

#endif
