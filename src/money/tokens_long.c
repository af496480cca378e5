/*
 * Byte pair encoding of long pieces, which only the hostile and the broken send, in rounds.
 *
 * A round merges all pairs of one rank, from left to right; the next round is that of the lowest
 * rank waiting. A merge never makes a pair of the same or a lower rank: such a pair would be
 * a token whose own bytes are merged in another order than its parts say, and the script that makes
 * the tables checks that merging makes every token. So ranks only rise, and a radix heap, whose
 * buckets are by the highest bit in which a rank differs from the round's, hands them out in
 * constant time where a heap of pairs would take the logarithm, and a scan the length.
 */
#include "money/tokens_parts.h"

#include <stdlib.h>

struct pair {
    uint32_t rank, at; /* what it would become, and where it begins */
};

struct bucket {
    struct pair *pairs;
    size_t count, room;
};

struct long_piece {
    const struct token_ranks *ranks;
    struct text text;
    uint32_t *rank;                             /* of the pair that begins here; TOKEN_NONE: none */
    uint32_t *before, *next;                    /* where the neighbours begin */
    uint32_t round;                             /* the rank whose pairs lie in the first bucket */
    struct bucket buckets[TOKEN_RANK_BITS + 1]; /* pairs that may have gone since */
};

static void add(struct bucket *bucket, struct pair pair)
{
    if (bucket->count == bucket->room) {
        bucket->room = bucket->room == 0 ? 64 : 2 * bucket->room;
        bucket->pairs = memory_resize(bucket->pairs, bucket->room * sizeof(*bucket->pairs));
    }
    bucket->pairs[bucket->count++] = pair;
}

static struct bucket *bucket_of(struct long_piece *piece, uint32_t rank)
{
    uint32_t differs = rank ^ piece->round;
    int bits = differs == 0 ? 0 : 32 - __builtin_clz(differs);
    ASSERT(bits <= TOKEN_RANK_BITS);
    return &piece->buckets[bits];
}

static bool is_there(const struct long_piece *piece, struct pair pair)
{
    return piece->rank[pair.at] == pair.rank;
}

static uint32_t find(const struct long_piece *piece, uint32_t from, uint32_t to)
{
    struct text whole = piece->text;
    return token_find(piece->ranks, text_make(whole.at + from, to - from), whole.at + whole.size);
}

static void find_pair(struct long_piece *piece, uint32_t at)
{
    uint32_t second = piece->next[at], rank = TOKEN_NONE;
    if (second < piece->text.size)
        rank = find(piece, at, piece->next[second]);
    piece->rank[at] = rank;
    if (rank != TOKEN_NONE)
        add(bucket_of(piece, rank), (struct pair){rank, at});
}

static void begin(struct long_piece *piece)
{
    uint32_t size = (uint32_t)piece->text.size;
    piece->rank = memory_new(3 * (size + 1) * sizeof(*piece->rank));
    piece->before = piece->rank + size + 1;
    piece->next = piece->before + size + 1;
    for (uint32_t i = 0; i < size; i++) {
        piece->next[i] = i + 1;
        piece->before[i + 1] = i;
    }
    for (uint32_t i = 0; i < size; i++)
        find_pair(piece, i);
}

static void merge_at(struct long_piece *piece, uint32_t at)
{
    uint32_t second = piece->next[at];
    piece->rank[second] = TOKEN_NONE;
    piece->next[at] = piece->next[second];
    piece->before[piece->next[at]] = at;
    find_pair(piece, at);
    if (at > 0)
        find_pair(piece, piece->before[at]);
}

static uint32_t lowest_rank(const struct long_piece *piece, const struct bucket *bucket)
{
    uint32_t lowest = TOKEN_NONE;
    for (size_t i = 0; i < bucket->count; i++) {
        if (bucket->pairs[i].rank < lowest && is_there(piece, bucket->pairs[i]))
            lowest = bucket->pairs[i].rank;
    }
    return lowest;
}

/* Fills the first bucket with the lowest rank that waits; false if none does. */
static bool next_round(struct long_piece *piece)
{
    for (int bits = 0; bits <= TOKEN_RANK_BITS; bits++) {
        struct bucket *bucket = &piece->buckets[bits];
        uint32_t lowest = lowest_rank(piece, bucket);
        size_t count = bucket->count;
        bucket->count = 0;
        if (lowest == TOKEN_NONE)
            continue;
        piece->round = lowest; /* all of the bucket agree with it in the bits above */
        for (size_t i = 0; i < count; i++) {
            if (is_there(piece, bucket->pairs[i]))
                add(bucket_of(piece, bucket->pairs[i].rank), bucket->pairs[i]);
        }
        return true;
    }
    return false;
}

static int by_place(const void *a, const void *b)
{
    uint32_t first = ((const struct pair *)a)->at, second = ((const struct pair *)b)->at;
    return (first > second) - (first < second);
}

static void sort_by_place(struct bucket *bucket)
{
    bool sorted = true;
    for (size_t i = 1; i < bucket->count && sorted; i++)
        sorted = bucket->pairs[i - 1].at < bucket->pairs[i].at;
    if (!sorted)
        qsort(bucket->pairs, bucket->count, sizeof(*bucket->pairs), by_place);
}

static size_t merge_round(struct long_piece *piece)
{
    struct bucket *round = &piece->buckets[0];
    size_t merged = 0, count = round->count;
    sort_by_place(round);
    for (size_t i = 0; i < count; i++) {
        if (is_there(piece, round->pairs[i])) {
            merge_at(piece, round->pairs[i].at);
            merged++;
        }
    }
    ASSERT(round->count == count);
    round->count = 0;
    return merged;
}

size_t token_merge_long(const struct token_ranks *ranks, struct text text, struct token_ids *ids)
{
    struct long_piece piece = {.ranks = ranks, .text = text};
    ASSERT(text.size < UINT32_MAX); /* repairing makes a text three times as long at most */
    begin(&piece);
    size_t count = text.size;
    while (next_round(&piece))
        count -= merge_round(&piece);
    for (uint32_t i = 0; ids != NULL && i < text.size; i = piece.next[i])
        token_ids_put(ids, find(&piece, i, piece.next[i]));
    for (int bits = 0; bits <= TOKEN_RANK_BITS; bits++)
        free(piece.buckets[bits].pairs);
    free(piece.rank);
    return count;
}
