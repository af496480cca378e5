/*
 * What the tokeniser is made of, for the files src/money/tokens*.c only: tables, splitting,
 * merging.
 */
#ifndef PURSER_MONEY_TOKENS_PARTS_H
#define PURSER_MONEY_TOKENS_PARTS_H

#include "money/tokens.h"

/* ---- the tables, as config/generate/README.md describes their files ---- */

struct token_ranks {
    char notice[256];
    uint32_t token_count;
    uint32_t longest; /* bytes of the longest token */
    uint32_t pair_count, slot_count;
    uint16_t pairs[0x10000]; /* by two bytes: where in the words its rank stands */
    uint32_t words[];        /* pair_count ranks, then slot_count slots, then entries */
};

#define CLASS_BLOCK_CODES 256

struct token_classes {
    char notice[256];
    uint8_t row_of_block[0x110000 / CLASS_BLOCK_CODES];
    uint8_t rows[][CLASS_BLOCK_CODES / 2]; /* 4 bits a code, the even code's are the lower ones */
};

const struct token_ranks *token_ranks(enum tokens_encoding encoding);
const struct token_classes *token_classes(void);

#define TOKEN_NONE      UINT32_MAX
#define TOKEN_RANK_BITS 18

/* The rank, which is the id, of the token with these bytes (not none); TOKEN_NONE if there is none.
 * `end` is where the memory that may be read ends, at or behind the piece's. */
uint32_t token_find(const struct token_ranks *ranks, struct text piece, const char *end);

/* The same in three steps, for several pieces at once: memory is far away, so the first two only
 * fetch what the next one needs. */
struct token_probe {
    struct text piece; /* what the caller sets */
    struct token_head {
        uint64_t low, high;
    } head;
    uint64_t hash;
    size_t place;
};

void token_probe_begin(const struct token_ranks *ranks, struct token_probe *probe, const char *end);
void token_probe_reach(const struct token_ranks *ranks, const struct token_probe *probe);
uint32_t token_probe_end(const struct token_ranks *ranks, const struct token_probe *probe);

/* The same for two bytes: what merging asks most, so without hashing. */
static inline uint32_t token_find_pair(const struct token_ranks *ranks, const char *at)
{
    uint16_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return ranks->words[ranks->pairs[bytes]];
}

/* ---- splitting ---- */

/* The bytes of the piece that `rest` (well-formed UTF-8, not empty) begins with. Sets *open, which
 * it never clears, if bytes behind `rest` could change that. */
size_t token_split(enum tokens_encoding encoding, struct text rest, bool *open);

/* ---- merging ---- */

void token_ids_put(struct token_ids *ids, uint32_t id);

/* How many tokens a piece that is no token itself becomes; their ids are appended to `ids` unless
 * that is NULL. The order is byte pair encoding's: the pair of the lowest rank first, and of those
 * the leftmost. */
size_t token_merge(const struct token_ranks *ranks, struct text piece, struct token_ids *ids);

/* The same for pieces of any length, slower for short ones. */
size_t token_merge_long(const struct token_ranks *ranks, struct text piece, struct token_ids *ids);

#endif
