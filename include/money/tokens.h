/*
 * Tokens: counts, and splits into, the tokens of OpenAI's public encodings, exactly.
 *
 *     o200k_base   gpt-4o and later, gpt-5*, the o series, gpt-oss
 *     cl100k_base  gpt-4, gpt-3.5, text-embedding-3 and -ada-002
 *
 * A text is split into pieces (words with what stands before them, up to three digits, runs of
 * punctuation or white space), and each piece is merged by byte pairs. The reference is the npm
 * package tiktoken 1.0.22: the same ids for every text (tests/oracle). Text that looks like a
 * special token, such as <|endoftext|>, is text.
 *
 * A text is UTF-8. What is malformed in it counts as U+FFFD, one for each part that WHATWG's
 * decoder replaces (utf8_repair). Everything here is pure and may be called from any thread; the
 * tables lie read-only in the binary (config/tokens) and are read in place.
 *
 * 1 MB takes 15 ms if it is English or code, 60 to 90 ms if Chinese, and whatever it is not 0.3 s
 * (tests/bench/TOKENS.md); and 40 bytes of memory for each byte of its longest piece.
 */
#ifndef PURSER_MONEY_TOKENS_H
#define PURSER_MONEY_TOKENS_H

#include "base/text.h"

enum tokens_encoding { TOKENS_O200K_BASE, TOKENS_CL100K_BASE, TOKENS_ENCODING_COUNT };

struct text tokens_name(enum tokens_encoding encoding);

/* By its name: "o200k_base". False, and *encoding untouched, if there is none. */
MUST_USE bool tokens_by_name(struct text name, enum tokens_encoding *encoding);

/* The encoding that OpenAI's model uses: "gpt-4o-mini", dated snapshots, "openai/gpt-4o" and
 * fine-tuned names ("ft:gpt-4o:...") too. False, and *encoding untouched, for a model without a
 * public tokeniser. A new name of a known family ("gpt-5.9-mini") gets its family's. */
MUST_USE bool tokens_by_model(struct text model, enum tokens_encoding *encoding);

#define TOKENS_MAX_TEXT ((size_t)1 << 30) /* bytes; what a caller may pass */

size_t tokens_count(enum tokens_encoding encoding, struct text text);

/* Never fewer than tokens_count, and the same unless a piece is longer than TOKENS_LONG_PIECE: that
 * counts a token for each byte. For the texts of strangers, who could otherwise make it take all
 * the memory there is. */
#define TOKENS_LONG_PIECE ((size_t)1 << 20) /* bytes */
size_t tokens_at_most(enum tokens_encoding encoding, struct text text);

/* Zero-initialised is empty and valid. */
struct token_ids {
    uint32_t *at;
    size_t count, room;
};

void token_ids_close(struct token_ids *ids);

/* Appends the text's ids. */
void tokens_encode(enum tokens_encoding encoding, struct text text, struct token_ids *ids);

#endif
