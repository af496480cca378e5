/*
 * Tokens of any bytes: what is counted is what is encoded, malformed text counts as what it is
 * repaired to, both ways of merging agree, and a piece that is said to be closed is.
 *
 * A text that arrives in parts has the count of the whole, after each part if it is short.
 *
 * The first byte chooses the encoding and the size of the parts, the rest is the text.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "money/tokens_parts.h"
#include "money/tokens_stream.h"

#define MOST_BYTES    600 /* of a text: enough for all kinds of pieces, and quick */
#define REPAIRED_MOST 3   /* bytes of a malformed one that was repaired */

static void check_same(const struct token_ids *a, const struct token_ids *b)
{
    demand(a->count == b->count);
    demand(a->count == 0 || memcmp(a->at, b->at, a->count * sizeof(*a->at)) == 0);
}

static bool is_boundary(struct text text, size_t at)
{
    return at == text.size || (text.at[at] & 0xC0) != 0x80;
}

/* A piece that is said to be closed stays what it is, whatever comes behind. */
static void check_closed(enum tokens_encoding encoding, struct text rest, size_t size)
{
    for (size_t seen = 1; seen <= rest.size && seen <= size + 4 && seen < 24; seen++) {
        bool open = false;
        if (is_boundary(rest, seen))
            demand(token_split(encoding, text_slice(rest, 0, seen), &open) == size || open);
    }
}

static void check_pieces(enum tokens_encoding encoding, struct text rest, struct token_ids *all)
{
    const struct token_ranks *ranks = token_ranks(encoding);
    while (rest.size > 0) {
        bool open = false;
        size_t size = token_split(encoding, rest, &open);
        demand(size > 0 && size <= rest.size);
        check_closed(encoding, rest, size);
        struct text piece = text_slice(rest, 0, size);
        uint32_t id = token_find(ranks, piece, rest.at + rest.size);
        if (id != TOKEN_NONE)
            token_ids_put(all, id);
        else
            (void)token_merge_long(ranks, piece, all);
        rest = text_from(rest, size);
    }
}

static void check_stream(enum tokens_encoding encoding, struct text text, size_t by)
{
    struct tokens_stream stream = {.encoding = encoding};
    for (size_t at = 0; at < text.size; at += by) {
        size_t tokens = tokens_stream_add(&stream, text_slice(text, at, at + by));
        demand(text.size > 100 || tokens == tokens_count(encoding, text_slice(text, 0, at + by)));
    }
    bool short_tail = text.size * REPAIRED_MOST < TOKENS_LONG_TAIL;
    demand(!short_tail || stream.tokens == tokens_count(encoding, text));
    demand(stream.tail.size < TOKENS_LONG_TAIL);
    tokens_stream_close(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum tokens_encoding encoding = data[0] % TOKENS_ENCODING_COUNT;
    struct text text = text_slice(text_make((const char *)data + 1, size - 1), 0, MOST_BYTES);
    struct token_ids whole = {0}, parts = {0};
    struct buffer repaired = {0};
    tokens_encode(encoding, text, &whole);
    demand(tokens_count(encoding, text) == whole.count);
    demand(tokens_at_most(encoding, text) == whole.count);
    utf8_repair(text, &repaired);
    demand(utf8_valid(buffer_text(&repaired)));
    check_pieces(encoding, buffer_text(&repaired), &parts);
    check_same(&whole, &parts);
    check_stream(encoding, text, data[0] / TOKENS_ENCODING_COUNT % 16 + 1);
    buffer_close(&repaired);
    token_ids_close(&whole);
    token_ids_close(&parts);
    return 0;
}
