/*
 * The tokeniser's tables, inside the binary, and finding a token in them.
 *
 * A table of ranks is open addressing over slots: 10 bits of a token's hash, so that most misses
 * end here, and 22 bits of the offset of its entry: rank and size in four bytes, then its bytes.
 */
#include "money/tokens_parts.h"

#define EMBED(symbol, file)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            ".global " symbol "\n"                                                                 \
            ".balign 64\n" symbol ":\n"                                                            \
            ".incbin \"" file "\"\n"                                                               \
            ".byte 0\n"                                                                            \
            ".previous\n")

EMBED("purser_o200k_base", "config/tokens/o200k_base.ranks");
EMBED("purser_cl100k_base", "config/tokens/cl100k_base.ranks");
EMBED("purser_unicode_classes", "config/tokens/unicode.classes");

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tables are little-endian");

extern const struct token_ranks purser_o200k_base, purser_cl100k_base;
extern const struct token_classes purser_unicode_classes;

const struct token_ranks *token_ranks(enum tokens_encoding encoding)
{
    return encoding == TOKENS_O200K_BASE ? &purser_o200k_base : &purser_cl100k_base;
}

const struct token_classes *token_classes(void)
{
    return &purser_unicode_classes;
}

static inline uint64_t load_8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t load_4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#define HEAD_BYTES 16

/* The first HEAD_BYTES bytes, zeros behind `size`. There is no branch on the size in it: sizes
 * follow each other without a pattern, and a wrong guess costs more than all the rest. */
static inline struct token_head masked_head(const char *at, size_t size)
{
    static const unsigned char edge[2 * HEAD_BYTES] = {[0 ... HEAD_BYTES - 1] = 0xFF};
    const char *mask = (const char *)edge + HEAD_BYTES - (size < HEAD_BYTES ? size : HEAD_BYTES);
    return (struct token_head){load_8(at) & load_8(mask), load_8(at + 8) & load_8(mask + 8)};
}

/* Nothing at or behind `end` is read. */
static inline struct token_head head_of(struct text piece, const char *end)
{
    if (end - piece.at >= HEAD_BYTES)
        return masked_head(piece.at, piece.size);
    char copy[HEAD_BYTES] = {0};
    memcpy(copy, piece.at, piece.size < HEAD_BYTES ? piece.size : HEAD_BYTES);
    return masked_head(copy, piece.size);
}

static inline uint64_t mix(uint64_t sum, uint64_t word)
{
    uint64_t product = (sum ^ word) * 0x9E3779B97F4A7C15;
    return product ^ product >> 32;
}

static uint64_t mix_rest(uint64_t sum, struct text piece)
{
    for (size_t at = HEAD_BYTES; at < piece.size; at += sizeof sum) {
        uint64_t word = 0;
        size_t left = piece.size - at;
        memcpy(&word, piece.at + at, left < sizeof word ? left : sizeof word);
        sum = mix(sum, word);
    }
    return sum;
}

/* As in config/generate/tokens.mjs. */
static inline uint64_t token_hash(struct text piece, struct token_head head)
{
    uint64_t sum = (uint64_t)piece.size * 0xD6E8FEB86659FD93;
    sum = mix(mix(sum, head.low), head.high);
    if (piece.size > HEAD_BYTES)
        sum = mix_rest(sum, piece);
    sum *= 0xD6E8FEB86659FD93;
    return sum ^ sum >> 32;
}

static inline const uint32_t *slots_of(const struct token_ranks *ranks)
{
    return ranks->words + ranks->pair_count;
}

static inline const char *entry_of(const struct token_ranks *ranks, uint32_t slot)
{
    return (const char *)(slots_of(ranks) + ranks->slot_count) + (slot & 0x3FFFFF);
}

static inline bool may_be(uint32_t slot, uint64_t hash)
{
    return slot >> 22 == (hash & 0x3FF);
}

/* `entry` points behind an entry's number. Behind the last entry the file has HEAD_BYTES more. */
static inline bool is_entry(const struct token_probe *probe, const char *entry)
{
    struct token_head head = masked_head(entry, probe->piece.size);
    return ((head.low ^ probe->head.low) | (head.high ^ probe->head.high)) == 0 &&
           (probe->piece.size <= HEAD_BYTES ||
            memcmp(entry, probe->piece.at, probe->piece.size) == 0);
}

static inline struct token_probe probe_of(const struct token_ranks *ranks, struct text piece,
                                          const char *end)
{
    struct token_head head = head_of(piece, end);
    uint64_t hash = token_hash(piece, head);
    return (struct token_probe){piece, head, hash, (hash >> 32) * ranks->slot_count >> 32};
}

void token_probe_begin(const struct token_ranks *ranks, struct token_probe *probe, const char *end)
{
    *probe = probe_of(ranks, probe->piece, end);
    __builtin_prefetch(slots_of(ranks) + probe->place);
}

void token_probe_reach(const struct token_ranks *ranks, const struct token_probe *probe)
{
    const uint32_t *slots = slots_of(ranks);
    for (size_t place = probe->place; slots[place] != 0; place = (place + 1) % ranks->slot_count) {
        if (may_be(slots[place], probe->hash)) {
            __builtin_prefetch(entry_of(ranks, slots[place]));
            return;
        }
    }
}

static inline uint32_t look_up(const struct token_ranks *ranks, const struct token_probe *probe)
{
    const uint32_t *slots = slots_of(ranks);
    size_t place = probe->place;
    for (uint32_t slot; (slot = slots[place]) != 0;) {
        if (may_be(slot, probe->hash)) {
            const char *entry = entry_of(ranks, slot);
            uint32_t number = load_4(entry);
            if (number >> 24 == probe->piece.size && is_entry(probe, entry + sizeof number))
                return number & 0xFFFFFF;
        }
        if (++place == ranks->slot_count)
            place = 0;
    }
    return TOKEN_NONE;
}

uint32_t token_probe_end(const struct token_ranks *ranks, const struct token_probe *probe)
{
    return look_up(ranks, probe);
}

uint32_t token_find(const struct token_ranks *ranks, struct text piece, const char *end)
{
    if (piece.size > ranks->longest)
        return TOKEN_NONE;
    struct token_probe probe = probe_of(ranks, piece, end);
    return look_up(ranks, &probe);
}
