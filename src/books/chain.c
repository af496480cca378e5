/*
 * The chain of hashes through the ledger's lines.
 */
#include "books/chain.h"

#define SEQ_LABEL  TEXT(",\"seq\":")
#define HASH_LABEL TEXT(",\"hash\":\"")
#define LINE_END   TEXT("\"}")

enum {
    HEX = HASH_HEX_SIZE - 1,
    TAIL = 9 + HEX + 2, /* label, digits and end of the hash */
    SEQ_MOST = 7 + 20,  /* label and digits of the sequence number */
};

void chain_open(struct chain *chain)
{
    *chain = (struct chain){.hasher = hasher_open()};
}

void chain_close(struct chain *chain)
{
    hasher_close(chain->hasher);
    *chain = (struct chain){0};
}

/* The hash of a line after the one at `chain->place`. */
static void digest(const struct chain *chain, struct text sealed, char hash[HASH_HEX_SIZE])
{
    uint8_t bytes[HASH_SIZE];
    struct text parts[] = {text_of(chain->place.hash), sealed};
    hasher_digest(chain->hasher, parts, 2, bytes);
    hash_hex(bytes, HASH_SIZE, hash);
}

void chain_seal(struct chain *chain, struct buffer *out, size_t start)
{
    ASSERT(start < out->size);
    buffer_put(out, SEQ_LABEL);
    buffer_put_int(out, chain->place.seq + 1);
    digest(chain, text_from(buffer_text(out), start), chain->place.hash);
    chain->place.seq++;
    buffer_put(out, HASH_LABEL);
    buffer_put(out, text_make(chain->place.hash, HEX));
    buffer_put(out, TEXT("\"}\n"));
}

/* Splits a line into what is hashed and its place. */
static bool take_apart(struct text line, struct text *sealed, struct chain_place *place)
{
    if (line.size < TAIL)
        return false;
    struct text tail = text_from(line, line.size - TAIL);
    struct text head = text_slice(line, 0, line.size - TAIL);
    uint8_t bytes[HASH_SIZE];
    if (!text_starts(tail, HASH_LABEL) || !text_ends(tail, LINE_END) ||
        !hash_from_hex(text_slice(tail, 9, 9 + HEX), bytes, HASH_SIZE))
        return false;
    size_t from = head.size < SEQ_MOST ? 0 : head.size - SEQ_MOST;
    size_t label = text_find(head, SEQ_LABEL, from);
    struct chain_place read = {0};
    if (label == SIZE_MAX || !text_to_int(text_from(head, label + SEQ_LABEL.size), &read.seq))
        return false;
    hash_hex(bytes, HASH_SIZE, read.hash);
    *place = read;
    *sealed = head;
    return true;
}

bool chain_check(struct chain *chain, struct text line)
{
    struct text sealed;
    struct chain_place place;
    if (!take_apart(line, &sealed, &place) || place.seq != chain->place.seq + 1)
        return false;
    char hash[HASH_HEX_SIZE];
    digest(chain, sealed, hash);
    if (memcmp(hash, place.hash, HEX) != 0)
        return false;
    chain->place = place;
    return true;
}

bool chain_read_place(struct text line, struct chain_place *place)
{
    struct text sealed;
    return take_apart(line, &sealed, place);
}
