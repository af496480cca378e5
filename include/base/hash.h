/*
 * SHA-256, and a keyed hash that is quicker (libcrypto's, fetched once per hasher, so that a digest
 * costs no provider lookup).
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

/*
 * A keyed hash for what does not leave the process: Poly1305, six times as fast as SHA-256. Who
 * does not know the key and sees no digest cannot find two texts with the same one: for a pair of
 * up to 32 MB they are equal with a probability below 2^-80 (D. J. Bernstein, "The Poly1305-AES
 * message-authentication code", theorem 3.3). So the digests must be shown to nobody.
 */
#define KEYED_HASH_SIZE 16
#define KEYED_HASH_KEY  32 /* bytes, at random */

struct keyed_hasher; /* not thread-safe: one per owner */
struct keyed_hasher *keyed_hasher_open(const uint8_t key[KEYED_HASH_KEY]);
void keyed_hasher_close(struct keyed_hasher *hasher);
void keyed_hasher_begin(struct keyed_hasher *hasher);
void keyed_hasher_put(struct keyed_hasher *hasher, struct text bytes);
void keyed_hasher_end(struct keyed_hasher *hasher, uint8_t out[KEYED_HASH_SIZE]);

/* Lower-case hex of the first `size` bytes; `out` has room for 2 × size + 1. */
void hash_hex(const uint8_t *bytes, size_t size, char *out);
/* Reads exactly 2 × size hex digits (either case). */
MUST_USE bool hash_from_hex(struct text hex, uint8_t *out, size_t size);

#endif
