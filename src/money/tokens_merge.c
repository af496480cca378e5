/*
 * Byte pair encoding of short pieces: nearly all there are.
 *
 * The pair to merge next is found by looking at all of them: for so few that is quicker than any
 * queue. What a pair would become is kept as one number, rank first, then position, so that the
 * least of them is the leftmost of the lowest rank.
 */
#include "money/tokens_parts.h"

#define SHORT_BITS  7
#define SHORT_BYTES (1u << SHORT_BITS)
#define NO_PAIR     INT32_MAX

_Static_assert(TOKEN_RANK_BITS + SHORT_BITS < 31, "a pair is a positive int32_t");

#define LANES 4
typedef int32_t lanes __attribute__((vector_size(LANES * sizeof(int32_t))));

struct short_piece {
    const struct token_ranks *ranks;
    unsigned size;
    char bytes[SHORT_BYTES + 16]; /* a copy, so that there is always something behind to read */
    union {
        int32_t pairs[SHORT_BYTES]; /* of the part that begins here and the next */
        lanes lanes[SHORT_BYTES / LANES];
    };
    uint8_t before[SHORT_BYTES + 1], next[SHORT_BYTES]; /* where the neighbours begin */
};

static inline int32_t pair_of(uint32_t rank, unsigned at)
{
    return rank == TOKEN_NONE ? NO_PAIR : (int32_t)(rank << SHORT_BITS | at);
}

static inline uint32_t find(const struct short_piece *piece, unsigned from, unsigned to)
{
    struct text part = text_make(piece->bytes + from, to - from);
    return token_find(piece->ranks, part, piece->bytes + sizeof piece->bytes);
}

static inline int32_t pair_at(const struct short_piece *piece, unsigned at)
{
    unsigned second = piece->next[at];
    if (second == piece->size)
        return NO_PAIR;
    return pair_of(find(piece, at, piece->next[second]), at);
}

static void begin(struct short_piece *piece)
{
    for (unsigned i = 0; i < piece->size; i++) {
        piece->next[i] = (uint8_t)(i + 1);
        piece->before[i + 1] = (uint8_t)i;
    }
    for (unsigned i = 0; i + 1 < piece->size; i++)
        piece->pairs[i] = pair_of(token_find_pair(piece->ranks, piece->bytes + i), i);
    piece->pairs[piece->size - 1] = NO_PAIR;
    for (unsigned i = piece->size; i % LANES != 0; i++)
        piece->pairs[i] = NO_PAIR;
}

static inline int32_t lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t least_pair(const struct short_piece *piece)
{
    lanes least = piece->lanes[0];
    for (unsigned i = 1; i * LANES < piece->size; i++) {
        lanes less = piece->lanes[i] < least;
        least = (piece->lanes[i] & less) | (least & ~less);
    }
    return lesser(lesser(least[0], least[1]), lesser(least[2], least[3]));
}

static void merge_at(struct short_piece *piece, unsigned at)
{
    unsigned second = piece->next[at];
    piece->pairs[second] = NO_PAIR;
    piece->next[at] = piece->next[second];
    piece->before[piece->next[at]] = (uint8_t)at;
    piece->pairs[at] = pair_at(piece, at);
    if (at > 0)
        piece->pairs[piece->before[at]] = pair_at(piece, piece->before[at]);
}

size_t token_merge(const struct token_ranks *ranks, struct text text, struct token_ids *ids)
{
    if (text.size > SHORT_BYTES)
        return token_merge_long(ranks, text, ids);
    struct short_piece piece; /* not cleared: only what the piece needs is filled in */
    piece.ranks = ranks;
    piece.size = (unsigned)text.size;
    memcpy(piece.bytes, text.at, text.size);
    memset(piece.bytes + text.size, 0, sizeof piece.bytes - SHORT_BYTES);
    begin(&piece);
    size_t count = text.size;
    for (int32_t least; (least = least_pair(&piece)) != NO_PAIR; count--)
        merge_at(&piece, (unsigned)least % SHORT_BYTES);
    for (unsigned i = 0; ids != NULL && i < piece.size; i = piece.next[i])
        token_ids_put(ids, find(&piece, i, piece.next[i]));
    return count;
}
