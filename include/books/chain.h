/*
 * The chain that makes a ledger tamper-evident: each line ends in
 *
 *     ,"seq":N,"hash":"<64 hex digits>"}
 *
 * where hash = SHA-256 over the 64 hex digits of the line before (nothing for the first line ever)
 * followed by this line's bytes from its '{' up to and including `,"seq":N`. Sequence numbers grow
 * by one from line to line, through all files. Every `open` line repeats the hash before it as
 * `chained_to`, so that a file can be verified without its predecessor.
 * tests/unit/books/verify_chain.py does so in a few lines of Python.
 */
#ifndef PURSER_BOOKS_CHAIN_H
#define PURSER_BOOKS_CHAIN_H

#include "base/hash.h"
#include "base/text.h"

/* The last line's; all zero: no line yet. */
struct chain_place {
    int64_t seq;
    char hash[HASH_HEX_SIZE];
};

struct chain {
    struct hasher *hasher;
    struct chain_place place; /* may be remembered, and put back to take lines back */
};

void chain_open(struct chain *chain);
void chain_close(struct chain *chain);

/* Finishes the line that begins at `start` in `out` and lacks its sequence number, hash, closing
 * brace and line end. */
void chain_seal(struct chain *chain, struct buffer *out, size_t start);

/* True if `line` (without its line end) is the next one; then the chain stands behind it. */
MUST_USE bool chain_check(struct chain *chain, struct text line);

/* What a sealed line says of its own place. False if it does not end like one. */
MUST_USE bool chain_read_place(struct text line, struct chain_place *place);

#endif
