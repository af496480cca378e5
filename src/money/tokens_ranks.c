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

static inline uint64_t load_few(const char *at, size_t size) /* 1 to 3 */
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint64_t)bytes[0] | (uint64_t)bytes[size >> 1] << 8 | (uint64_t)bytes[size - 1] << 16;
}

static inline uint64_t mix(uint64_t sum, uint64_t word)
{
    uint64_t product = (sum ^ word) * 0x9E3779B97F4A7C15;
    return product ^ product >> 32;
}

/* As in config/generate/tokens.mjs. */
static inline uint64_t token_hash(const char *at, size_t size)
{
    uint64_t sum = (uint64_t)size * 0xD6E8FEB86659FD93;
    if (size >= 8) {
        for (size_t i = 0; i + 8 < size; i += 8)
            sum = mix(sum, load_8(at + i));
        sum = mix(sum, load_8(at + size - 8));
    } else if (size >= 4) {
        sum = mix(sum, (uint64_t)load_4(at + size - 4) << 32 | load_4(at));
    } else {
        sum = mix(sum, load_few(at, size));
    }
    sum *= 0xD6E8FEB86659FD93;
    return sum ^ sum >> 32;
}

/* memcmp for a few bytes costs more than the comparison. */
static inline bool same_bytes(const char *a, const char *b, size_t size)
{
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size >= 8)
        return load_8(a) == load_8(b) && load_8(a + size - 8) == load_8(b + size - 8);
    if (size >= 4)
        return load_4(a) == load_4(b) && load_4(a + size - 4) == load_4(b + size - 4);
    return load_few(a, size) == load_few(b, size);
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

static inline struct token_probe probe_of(const struct token_ranks *ranks, struct text piece)
{
    uint64_t hash = token_hash(piece.at, piece.size);
    return (struct token_probe){piece, hash, (hash >> 32) * ranks->slot_count >> 32};
}

void token_probe_begin(const struct token_ranks *ranks, struct token_probe *probe)
{
    *probe = probe_of(ranks, probe->piece);
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
    struct text piece = probe->piece;
    const uint32_t *slots = slots_of(ranks);
    size_t place = probe->place;
    for (uint32_t slot; (slot = slots[place]) != 0;) {
        if (may_be(slot, probe->hash)) {
            const char *entry = entry_of(ranks, slot);
            uint32_t head = load_4(entry);
            if (head >> 24 == piece.size && same_bytes(entry + sizeof head, piece.at, piece.size))
                return head & 0xFFFFFF;
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

uint32_t token_find(const struct token_ranks *ranks, const char *at, size_t size)
{
    if (size > ranks->longest)
        return TOKEN_NONE;
    struct token_probe probe = probe_of(ranks, text_make(at, size));
    return look_up(ranks, &probe);
}
